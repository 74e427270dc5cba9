import type { FailureError } from '../../ports/failure.ts';
import { partsUnderWay } from './part-size.ts';
import type { Part, Parts } from './parts.ts';

/** What the source of the bytes threw. */
export class SourceError extends Error {}

/**
 * Sends parts as they are cut, few at once. The first that fails ends it, also while the source is waited for.
 * @throws SourceError; what `sendPart` throws
 */
export async function sendAll(
  first: Part,
  parts: Parts,
  {
    sendPart,
    signal,
    ending,
    tooLong: refusal,
  }: {
    readonly sendPart: (part: Part) => Promise<void>;
    readonly signal: AbortSignal;
    /** Ends what is still being sent, after a failure. */
    readonly ending: AbortController;
    readonly tooLong: () => FailureError;
  },
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const { promise: broken, reject: breakOff } = withResolvers();
  broken.catch(() => undefined);
  const onAbort = (): void => breakOff(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  let isPulling = false;
  try {
    let part: Part | undefined = first;
    for (;;) {
      if (part === undefined) throw refusal();
      const sending: Promise<void> = sendPart(part).finally(() => underWay.delete(sending));
      sending.catch(breakOff);
      underWay.add(sending);
      if (part.isLast) break;
      const most = partsUnderWay(part.number + 1);
      isPulling = true;
      // Not as the value of the race, which `broken` would hold on to as long as it lives, with the bytes.
      const pulled: (Part | undefined)[] = [];
      await Promise.race([broken, pull(parts).then((next) => void pulled.push(next))]);
      isPulling = false;
      while (underWay.size >= most) await Promise.race([broken, ...underWay]);
      part = pulled[0];
    }
    await Promise.race([broken, Promise.all(underWay)]);
  } catch (error) {
    ending.abort();
    // Ends the source; not waited for while it is being read, since it may never answer.
    const returned = parts.return(undefined).catch(() => undefined);
    if (!isPulling) await returned;
    await Promise.allSettled(underWay);
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function withResolvers(): { promise: Promise<never>; reject: (reason: unknown) => void } {
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<never>((_, refuse) => {
    reject = refuse;
  });
  return { promise, reject };
}

async function pull(parts: Parts): Promise<Part | undefined> {
  try {
    const { value, done } = await parts.next();
    if (done === true) throw new Error('the last part was not marked as such');
    return value;
  } catch (error) {
    throw new SourceError('the source failed', { cause: error });
  }
}

/** The first part, or the failure when the run is cancelled while the source is waited for. */
export async function firstOf(
  parts: Parts,
  cancelled: () => FailureError,
  signal: AbortSignal | undefined,
): Promise<Part> {
  const { promise: broken, reject } = withResolvers();
  const onAbort = (): void => reject(cancelled());
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  try {
    const { value } = await Promise.race([broken, parts.next()]);
    if (value === undefined) throw new Error('there is always one part');
    return value;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
