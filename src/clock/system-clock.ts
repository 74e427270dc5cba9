import { FailureError } from '../ports/failure.ts';
import type { Clock } from '../ports/clock.ts';

/** The longest delay that a timer takes; a longer one would fire at once. */
const longestTimerMilliseconds = 2 ** 31 - 1;

function cancelled(): FailureError {
  return new FailureError({
    code: 'cancelled',
    message: 'The run was cancelled while it waited.',
    state: 'Waiting changed nothing; the journal names the last effect that was observed.',
    next: 'Run the phase again, or `rollback`; both look at what is there.',
  });
}

function pause(
  milliseconds: number,
  signal: AbortSignal | undefined,
  until: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onCancel);
      until?.removeEventListener('abort', onEnough);
    };
    const onCancel = (): void => {
      leave();
      reject(cancelled());
    };
    const onEnough = (): void => {
      leave();
      resolve();
    };
    const timer = setTimeout(onEnough, milliseconds);
    signal?.addEventListener('abort', onCancel, { once: true });
    until?.addEventListener('abort', onEnough, { once: true });
    if (signal?.aborted === true) onCancel();
    else if (until?.aborted === true) onEnough();
  });
}

/**
 * The time of this machine.
 * @param signal aborted when the run is being cancelled; `wait` then rejects, also one that begins afterwards
 */
export function systemClock(signal?: AbortSignal): Clock {
  return {
    now: () => new Date(),
    monotonicSeconds: () => performance.now() / 1000,
    wait: async (seconds, until) => {
      let rest = Math.max(0, seconds * 1000);
      do {
        const slice = Math.min(rest, longestTimerMilliseconds);
        await pause(slice, signal, until);
        rest -= slice;
      } while (rest > 0 && until?.aborted !== true);
    },
  };
}
