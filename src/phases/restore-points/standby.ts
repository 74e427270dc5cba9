import { formatDuration } from '../../plan/duration.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import { reaches, type LogPosition } from '../../ports/log-position.ts';
import type { ServerState } from '../../ports/standby.ts';
import { mayHaveRun } from '../../record/journal.ts';
import type { RestorePointOf } from '../../record/restore-point.ts';
import type { BorrowedStandby } from '../../record/standby.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import type { ObstacleContext, RestorePointMaker } from './kind.ts';
import { borrow, catchUp, lookFor, requireStandby } from './standby-borrowing.ts';
import { promoteStandby } from './standby-promotion.ts';
import { giveBackAfter, giveStandbyBack } from './standby-return.ts';

const phase = 'run-db-maintenance';

/** What pg_controldata says of a replica that was shut down in order (manual, pg_controldata). */
const shutDown = 'shut down in recovery';

/**
 * A streaming replica, caught up and stopped. Nothing is copied while the site is closed, whatever the size. A paused
 * one would be none: a promotion replays what it has received.
 */
export const standbyPoint: RestorePointMaker<RestorePointOf<'standby'>> = {
  obstacle,
  take,
  goBack: promoteStandby,
  release: (context) => giveStandbyBack(context, 'report', 'drop-restore-point'),
};

async function obstacle({ standby, plan }: ObstacleContext): Promise<string | undefined> {
  if (standby === undefined) return 'the plan names no replica (standby.url)';
  try {
    const look = await lookFor(standby, plan.standby);
    return 'obstacle' in look ? look.obstacle : undefined;
  } catch (error) {
    return failureOf(error).message.replace(/\.$/, '');
  }
}

async function take(context: PhaseContext): Promise<RestorePointOf<'standby'>> {
  const { record, clock } = context;
  const begun = clock.monotonicSeconds();
  const borrowed = await borrow(context);
  let stopped: { position: LogPosition; until: LogPosition };
  try {
    stopped = await stop(context, borrowed);
  } catch (error) {
    return giveBackAfter(context, error);
  }
  const { host, dataDirectory, systemIdentifier } = borrowed.replica;
  const point: RestorePointOf<'standby'> = {
    kind: 'standby',
    takenAt: clock.now().toISOString(),
    seconds: clock.monotonicSeconds() - begun,
    host,
    dataDirectory,
    systemIdentifier,
    timeline: borrowed.timeline,
    ...stopped,
    ...(borrowed.slot === undefined ? {} : { slot: borrowed.slot }),
  };
  await record.update({ restorePoint: point });
  return point;
}

/** @returns up to where the replica has everything, and what it cannot be beyond of */
async function stop(
  context: PhaseContext,
  borrowed: BorrowedStandby,
): Promise<{ position: LogPosition; until: LogPosition }> {
  const { plan, record } = context;
  const { windowId } = record.status;
  const standby = requireStandby(context);
  const { replica, timeline } = borrowed;
  const position = await catchUp(context, borrowed);
  const asStopped = async (
    state: ServerState,
  ): Promise<{ state: string; recoveryEnd: string } | undefined> => {
    if (state.isRunning || state.clusterState !== shutDown) return undefined;
    const isOurs =
      state.systemIdentifier === replica.systemIdentifier && state.timeline === timeline;
    // What it has applied is in its files, or in the log that it keeps beside them and applies when it starts.
    const isThere =
      reaches(state.recoveryEnd, position) || (await standby.hasSegment(replica, state, position));
    return isOurs && isThere
      ? { state: state.clusterState, recoveryEnd: state.recoveryEnd }
      : undefined;
  };
  const look = async () => asStopped(await standby.state('replica', replica));
  /** Costs a look only where an earlier run may have come so far. */
  const foundBy = async <T>(step: string, observe: () => Promise<T | undefined>) =>
    mayHaveRun(record.journal, phase, step) ? observe() : undefined;
  await runStep(context, phase, {
    id: 'stop-standby',
    title: `Stop the ${standby.label}`,
    blast: 'app',
    observe: () => foundBy('stop-standby', look),
    perform: async () => {
      const seconds = plan.standby.serverTimeout;
      const { state } = await standby.stop('replica', replica, { seconds, force: false });
      const found = await asStopped(state);
      if (found !== undefined) return found;
      const { clusterState, recoveryEnd } = state;
      return fail({
        code: 'standby-not-stopped',
        message: `The replica was stopped within ${formatDuration(seconds)}, but its data is ${clusterState}, up to ${recoveryEnd}, and should be ${shutDown}, up to ${position} or further.`,
        state: 'The site is closed; nothing of the database was changed.',
        next: 'Look at the log of the replica. Run `rollback`, which reopens.',
      });
    },
    describe: ({ state, recoveryEnd }) => `its data is ${state}, up to ${recoveryEnd}`,
  });
  await runStep(context, phase, {
    id: 'cut-off-standby',
    title: 'Keep the replica from receiving anything more, whoever starts it',
    blast: 'app',
    observe: () =>
      foundBy('cut-off-standby', async () =>
        (await standby.ownSettings(replica, windowId)) === 'cut-off' ? { cutOff: true } : undefined,
      ),
    perform: async () => {
      await standby.writeOwnSettings(replica, windowId, 'cut-off');
      return { cutOff: (await standby.ownSettings(replica, windowId)) === 'cut-off' };
    },
    describe: () => 'its settings lead to no primary, no slot and no archive',
  });
  // Nothing that is written from here on can be in it, whoever starts it.
  const [until, stopped] = await Promise.all([standby.primaryPosition(), look()]);
  if (stopped === undefined) {
    fail({
      code: 'standby-not-stopped',
      message: 'Somebody started the replica again, right after it was stopped.',
      state: 'The site is closed; nothing of the database was changed.',
      next: `Find out what starts it (a cluster manager, a restart by systemd) and have that wait for the window. Run \`rollback\`, which reopens.`,
    });
  }
  return { position, until };
}
