import { fail, failureOf } from '../../ports/failure.ts';
import { inTurn } from '../../ports/in-turn.ts';
import {
  GaveWayError,
  guardFigures,
  heldBack,
  type GuardFigures,
  type OnlineTerms,
  type WatchedWork,
} from '../../ports/online-guard.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { watchLatency, type LatencyFigures } from './latency-watch.ts';

/** What came of work that was watched, with what is told of it: empty when there is nothing to tell. */
export interface Watched<T> {
  readonly value: T;
  /** For the report. */
  readonly figures: Readonly<Record<string, number>>;
  /** For people, a clause. */
  readonly told: string;
}

/** Whether the public is served now, so that work must not harm it. */
export function isServed({ record }: Pick<PhaseContext, 'record'>): boolean {
  return ['planned', 'prepared'].includes(record.status.state);
}

/**
 * Does work on the plan's terms for what is done online, while how fast the application answers is watched. Where the
 * public is not served there are no terms.
 */
export async function onTerms<T>(
  context: PhaseContext,
  work: (terms: OnlineTerms | undefined) => Promise<T>,
): Promise<Watched<T>> {
  if (!isServed(context)) return { value: await work(undefined), figures: {}, told: '' };
  const { onlineMaxBlocked, onlineTries } = context.plan.runDbMaintenance;
  const latency = await watchLatency(context);
  let value: T;
  try {
    value = await work({
      maxBlockedSeconds: onlineMaxBlocked,
      tries: onlineTries,
      harm: () => latency.harm(),
    });
  } catch (error) {
    const figures = latencyFigures(await latency.end());
    if (!(error instanceof GaveWayError)) throw error;
    throw new GaveWayError(error.failure, { ...error.figures, ...figures }, error);
  }
  return { value, figures: latencyFigures(await latency.end()), told: '' };
}

/**
 * Does work of the official clients (a dump, a restore test) under guard when the public is served: what they do is
 * ended as soon as it harms somebody, and the work is begun again a bounded number of times. While the site is closed it
 * is simply done.
 * @param what for the failure, for instance `The dump`
 * @param work leaves nothing behind when it fails; `attempt` counts from 1, so that a later one may be gentler
 * @throws FailureError `database-online-harmful` when the tries are over
 */
export async function guarded<T>(
  context: PhaseContext,
  { what, sessions }: { readonly what: string; readonly sessions: WatchedWork },
  work: (attempt: number) => Promise<T>,
): Promise<Watched<T>> {
  let figures: GuardFigures | undefined;
  const watched = await onTerms(context, async (terms) => {
    if (terms === undefined) return work(1);
    const guard = await requireDatabase(context).watch(sessions, terms);
    try {
      return await inTurn({ guard, clock: context.clock }, what, async (attempt) => {
        const before = guard.cancelled;
        try {
          return await work(attempt);
        } catch (error) {
          const failure = failureOf(error);
          if (failure.code === 'cancelled' || guard.cancelled === before) throw error;
          context.progress.info(`${what} gave way: ${guard.lastReason}`);
          return fail(
            {
              code: heldBack,
              message: guard.lastReason,
              state: failure.state,
              next: 'It is tried again.',
            },
            error,
          );
        }
      });
    } finally {
      figures = await guard.end();
    }
  });
  if (figures === undefined) return watched;
  const { cancelled, heldBack: waited, lastReason } = figures;
  const told =
    cancelled + waited === 0
      ? ''
      : `it gave way ${cancelled} and was held back ${waited} times (the last time, ${lastReason ?? ''})`;
  return {
    ...watched,
    figures: {
      ...guardFigures(figures),
      ...watched.figures,
    },
    told,
  };
}

function latencyFigures(seen: LatencyFigures | undefined): Record<string, number> {
  if (seen === undefined) return {};
  return {
    'answer-without-it-seconds': seen.medianBefore,
    'answer-beside-it-seconds': seen.medianDuring,
    'slowest-answer-beside-it-seconds': seen.worstDuring,
  };
}
