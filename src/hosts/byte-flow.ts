import type { Writable } from 'node:stream';

/** Seconds that a source is given to let go of what it holds when nobody takes its bytes any more. */
const letGoSeconds = 2;

/**
 * Writes a source to the standard input of a child, no faster than it is read, and then closes it. Ends early when
 * the input is closed by the child's end, or when `stopped` resolves; the source is told (`return`).
 * @throws what the source throws; the input is left open then: its end would look like the end of the bytes
 */
export async function feed(
  stdin: Writable,
  source: AsyncIterable<Uint8Array>,
  stopped: Promise<void>,
): Promise<void> {
  const iterator = source[Symbol.asyncIterator]();
  let onClosed: () => void = () => undefined;
  const closed = new Promise<'closed'>((resolve) => (onClosed = () => resolve('closed')));
  // A child may end, or close its input, without reading all of it; its exit code tells how that went.
  stdin.once('error', onClosed);
  stdin.once('close', onClosed);
  if (stdin.destroyed) onClosed();
  void stopped.then(onClosed);
  for (;;) {
    const next = iterator.next();
    next.catch(() => undefined);
    const step = await Promise.race([next, closed]);
    if (step === 'closed') break;
    if (step.done === true) {
      stdin.end();
      return;
    }
    if (step.value.length === 0 || stdin.write(step.value)) continue;
    let onDrain: () => void = () => undefined;
    const drained = new Promise<void>((resolve) => stdin.once('drain', (onDrain = resolve)));
    const outcome = await Promise.race([drained, closed]);
    stdin.off('drain', onDrain);
    if (outcome === 'closed') break;
  }
  const over = iterator.return?.().catch(() => undefined);
  // A source that waits for bytes of its own cannot let go before they come.
  const patience = new Promise<void>((resolve) => setTimeout(resolve, letGoSeconds * 1000).unref());
  await Promise.race([over, patience]);
}
