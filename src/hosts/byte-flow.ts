import type { Readable, Writable } from 'node:stream';
import type { PipeEnds } from '../ports/host.ts';

/** Seconds that a source is given to let go of what it holds when nobody takes its bytes any more. */
const letGoSeconds = 2;

/**
 * Writes a source to the standard input of a child, no faster than it is read, and then closes it. Ends early when
 * the input is closed by the child's end, or when `stopped` resolves; the source is told (`return`).
 * @throws what the source throws; the input is left open then: its end would look like the end of the bytes
 */
async function feed(
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

/** The bytes that go into and come out of one child, each held back when the other end is slow. */
export class ByteFlow {
  readonly #ends: PipeEnds;
  readonly #onFailure: (error: unknown) => void;
  readonly #stopped: Promise<void>;
  #stop: () => void = () => undefined;
  #isStopped = false;
  #fed: Promise<void> = Promise.resolve();
  #drained: Promise<void> = Promise.resolve();
  #flowed = false;

  /** @param onFailure what source or sink throw; the child is to be ended then */
  constructor(ends: PipeEnds, onFailure: (error: unknown) => void) {
    this.#ends = ends;
    this.#onFailure = onFailure;
    this.#stopped = new Promise((resolve) => (this.#stop = resolve));
  }

  /** Begins to write the source, if there is one, when the command has begun: a source can be used only once. */
  feed(stdin: Writable, begun: Promise<void>): boolean {
    const { source } = this.#ends;
    if (source === undefined) return false;
    const pour = async (): Promise<void> => {
      await Promise.race([begun, this.#stopped]);
      if (this.#isStopped) return;
      await feed(stdin, source, this.#stopped).catch(this.#onFailure);
    };
    this.#fed = pour();
    return true;
  }

  /** Hands bytes to the sink; nothing more is read from the command until it has taken them. */
  take(chunk: Buffer, stdout: Readable | null): void {
    const { sink } = this.#ends;
    if (sink === undefined || chunk.length === 0 || this.#isStopped) return;
    stdout?.pause();
    this.#flowed = true;
    const taken = (async () => sink(chunk))();
    this.#drained = taken.then(() => void stdout?.resume(), this.#onFailure);
  }

  /** Whether bytes have come since this was asked last. */
  hasFlowed(): boolean {
    const flowed = this.#flowed;
    this.#flowed = false;
    return flowed;
  }

  /** Neither end counts any more; what they hold is let go. */
  stop(): void {
    this.#isStopped = true;
    this.#stop();
  }

  /** When the child is over: waits for the sink to take what is left, and for the source to let go. */
  async settle(): Promise<void> {
    // A sink that was stopped may never answer.
    await Promise.race([this.#drained, this.#stopped]);
    this.stop();
    await this.#fed;
  }
}
