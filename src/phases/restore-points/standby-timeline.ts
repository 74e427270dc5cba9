import { fail } from '../../ports/failure.ts';
import { reaches, type LogPosition } from '../../ports/log-position.ts';
import type { ReplicaProgress, ServerIdentity } from '../../ports/standby.ts';
import { mayHaveRun } from '../../record/journal.ts';
import type { RestorePointOf } from '../../record/restore-point.ts';
import type { BorrowedStandby } from '../../record/standby.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { requireStandby, until } from './standby-borrowing.ts';

const phase = 'rollback';
type Point = RestorePointOf<'standby'>;

/** The connection by which the promoted server is asked. */
export const throughOf = ({ reachedBy }: BorrowedStandby): 'application' | 'replica' =>
  reachedBy === 'port' ? 'application' : 'replica';

/**
 * Has the replica leave the timeline of the primary, and proves by its own history that it did so within the restore
 * point.
 * @param started how far it was when it answered after its start
 * @returns who answers now
 */
export async function promote(
  context: PhaseContext,
  borrowed: BorrowedStandby,
  point: Point,
  started: ReplicaProgress,
): Promise<ServerIdentity> {
  const standby = requireStandby(context);
  const { replica } = borrowed;
  const through = throughOf(borrowed);
  const seconds = context.plan.standby.serverTimeout;
  let identity: ServerIdentity | undefined;
  const observe = async (
    wait?: number,
  ): Promise<{ left: LogPosition; timeline: number } | undefined> => {
    identity = await standby.identity(through, wait);
    if (identity.isInRecovery) return undefined;
    const left = await standby.endOfTimeline(replica, point.timeline);
    return left === undefined ? undefined : { left, timeline: identity.timeline };
  };
  const hasApplied = ({ replayed }: ReplicaProgress): boolean =>
    replayed !== undefined && reaches(replayed, point.position);
  const id = 'promote-standby';
  const { left } = await runStep(context, phase, {
    id,
    title: 'Promote the replica',
    blast: 'data',
    observe: async () => (mayHaveRun(context.record.journal, phase, id) ? observe() : undefined),
    perform: async () => {
      // After its start it applies the log that it had received before it was stopped.
      const applied = hasApplied(started)
        ? started
        : await until(context, seconds, () => standby.progress(through), hasApplied);
      refuseOther(applied, point);
      await standby.promote(replica);
      return (
        (await observe(seconds)) ??
        fail({
          code: 'standby-not-promoted',
          message: 'The replica was told to become the primary, and is still a replica.',
          state: 'The failed primary is stopped, and its data intact.',
          next: 'Look at the log of the replica, then run `rollback` with force again.',
        })
      );
    },
    describe: (seen) =>
      `timeline ${point.timeline} was left for ${seen.timeline} at ${seen.left}: all up to ${point.position} is there, and nothing from after ${point.until}`,
  });
  // The server's own history has the last word.
  if (!reaches(left, point.position) || !reaches(point.until, left)) {
    fail({
      code: 'restore-point-moved',
      message: `The promoted replica left timeline ${point.timeline} at ${left}, and the restore point is between ${point.position} and ${point.until}.`,
      state: 'The replica is the primary now; the failed one is stopped, and its data intact.',
      next: 'Find out what it holds before anybody works on it; the verified backup is there as well.',
    });
  }
  return identity ?? standby.identity(through);
}

function refuseOther({ replayed, isStreaming, isPaused }: ReplicaProgress, point: Point): void {
  const state = 'The failed primary is stopped, and its data intact; the replica is not promoted.';
  if (isStreaming || (replayed !== undefined && !reaches(point.until, replayed))) {
    fail({
      code: 'restore-point-moved',
      message: isStreaming
        ? 'The replica streams from a server, although it was cut off.'
        : `The replica has applied the log up to ${replayed ?? ''}, beyond the restore point (${point.until}).`,
      state,
      next: 'Find out what it received. Go back to the verified backup by hand, or start the primary again.',
    });
  }
  if (isPaused || replayed === undefined || !reaches(replayed, point.position)) {
    fail({
      code: 'replica-lags',
      message: `The replica has applied the log up to ${replayed ?? 'nowhere'}${isPaused ? ', and is paused' : ''}; the restore point is at ${point.position}.`,
      state,
      next: 'Look at the log of the replica, then run `rollback` with force again.',
    });
  }
}
