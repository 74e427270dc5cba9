import type { Clock } from './clock.ts';
import { fail, failureOf } from './failure.ts';
import { givenUp, heldBack, type OnlineWatch } from './online-guard.ts';

/** Seconds before a piece of work is tried again; they double from try to try. */
const firstPauseSeconds = 0.5;
const longestPauseSeconds = 8;

/** Seconds before the try after this one. */
export function pauseAfter(attempt: number): number {
  return Math.min(longestPauseSeconds, firstPauseSeconds * 2 ** (attempt - 1));
}

/**
 * Does a piece of work when its turn has come, and again when it had to give way, a bounded number of times.
 * Without a guard it is simply done.
 * @param what for the failure, for instance `VACUUM of public.orders`
 * @param work must leave nothing behind when it fails with `database-held-back`
 * @throws FailureError `database-online-harmful` when the tries are over
 */
export async function inTurn<T>(
  {
    guard,
    clock,
  }: {
    readonly guard?: Pick<OnlineWatch, 'turn' | 'terms'> | undefined;
    readonly clock: Clock;
  },
  what: string,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  if (guard === undefined) return work(1);
  let state = 'Nothing of it was begun.';
  for (let attempt = 1; ; attempt += 1) {
    const harm = await guard.turn();
    let reason = `it never got its turn, as ${harm ?? ''}`;
    if (harm === undefined) {
      try {
        return await work(attempt);
      } catch (error) {
        const failure = failureOf(error);
        if (failure.code !== heldBack) throw error;
        ({ state } = failure);
        reason = `the last time ${failure.message}`;
      }
    }
    if (attempt >= guard.terms.tries) giveUp(what, attempt, reason, state);
    await clock.wait(pauseAfter(attempt));
  }
}

/** @throws FailureError `database-online-harmful` */
export function giveUp(what: string, attempts: number, reason: string, state: string): never {
  fail({
    code: givenUp,
    message: `${what} was given up after ${attempts} ${attempts === 1 ? 'try' : 'tries'}, so as not to harm the public: ${reason.replace(/\.$/, '')}.`,
    state,
    next: 'Plan it for a quieter hour, or with `stage: closed`; or allow the public to be held up longer (`online-max-blocked`, `online-max-latency`).',
  });
}
