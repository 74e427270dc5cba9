import { fail } from '../../ports/failure.ts';
import { reaches } from '../../ports/log-position.ts';
import { controlInWords } from '../../ports/server-place.ts';
import type { ServerIdentity, ServerState } from '../../ports/standby.ts';
import { mayHaveRun } from '../../record/journal.ts';
import type { RestorePointOf } from '../../record/restore-point.ts';
import { failedPrimary, type BorrowedStandby } from '../../record/standby.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { requireBorrowed, requireStandby, until } from './standby-borrowing.ts';
import { promote, throughOf } from './standby-timeline.ts';

const phase = 'rollback';
type Point = RestorePointOf<'standby'>;

/**
 * Stops the failed primary and has the replica take its place. Each step that an earlier run may have begun looks at
 * files, processes and servers first, so that a killed rollback is gone on with. No data is read: what the promoted
 * server holds is told by where its history leaves the old timeline.
 */
export async function promoteStandby(context: PhaseContext, point: Point): Promise<string> {
  const { record, clock } = context;
  const borrowed = requireBorrowed(context);
  const failed = failedPrimary(borrowed);
  await findReplica(context, borrowed, point);
  const begun = record.status.rollback;
  if (begun !== undefined) {
    await record.update({ rollback: { ...begun, failedDatabase: failed } });
  }
  await stopPrimary(context, borrowed);
  const started = await startReplica(context, borrowed);
  const promoted = await promote(context, borrowed, point, started);
  await swapIn(context, borrowed, point, promoted);
  await refuseTwoPrimaries(context, borrowed);
  if (borrowed.promotedAt === undefined) {
    await record.update({ standby: { ...borrowed, promotedAt: clock.now().toISOString() } });
  }
  return failed;
}

/** Something may start what it finds stopped: a cluster manager, a unit that systemd restarts. */
async function refuseTwoPrimaries(
  context: PhaseContext,
  { primary }: BorrowedStandby,
): Promise<void> {
  const { isRunning } = await requireStandby(context).state('primary', primary);
  if (!isRunning) return;
  fail({
    code: 'standby-two-primaries',
    message: `The failed primary in ${primary.dataDirectory} on ${primary.host} runs again: something started it after it was stopped.`,
    state: 'The promoted replica answers the application; beside it runs the failed primary.',
    next: 'Find out what starts it and disable that, stop it, then run `rollback` with force again.',
  });
}

/** Looks at the replica before the primary is stopped: without it nothing is touched. */
async function findReplica(
  context: PhaseContext,
  { replica }: BorrowedStandby,
  point: Point,
): Promise<void> {
  const { windowId } = context.record.status;
  const standby = requireStandby(context);
  await runStep(context, phase, {
    id: 'find-standby',
    title: `Find the replica as it was stopped (${replica.dataDirectory} on ${replica.host})`,
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const [state, settings] = await Promise.all([
        standby.state('replica', replica),
        standby.ownSettings(replica, windowId),
      ]);
      if (state.systemIdentifier !== point.systemIdentifier) {
        return moved('another cluster is in its place', point);
      }
      const isPromoted = state.timeline > point.timeline;
      // Without our settings it could receive: what it has since is unknown.
      if (settings === 'none' && !isPromoted) {
        return moved('its settings lead to the primary again', point);
      }
      if (!isPromoted && !reaches(point.until, state.recoveryEnd)) {
        return moved(
          `its data is at ${state.recoveryEnd}, and was stopped at ${point.until}`,
          point,
        );
      }
      return { state: state.clusterState, position: state.recoveryEnd };
    },
    describe: ({ state, position }) => `its data is ${state}, up to ${position}`,
  });
}

function moved(how: string, { dataDirectory, host }: Point): never {
  return fail({
    code: 'restore-point-moved',
    message: `The replica in ${dataDirectory} on ${host} is not the restore point any more: ${how}.`,
    state: 'The failed database was not touched.',
    next: 'Find out who started it. Go back to the verified backup by hand, or repair the database.',
  });
}

async function stopPrimary(context: PhaseContext, { primary }: BorrowedStandby): Promise<void> {
  const standby = requireStandby(context);
  const { serverTimeout: seconds } = context.plan.standby;
  let found: ServerState | undefined;
  await runStep(context, phase, {
    id: 'keep-failed',
    title: `Stop the failed primary and keep its data (${primary.dataDirectory} on ${primary.host})`,
    blast: 'data',
    observe: async () => {
      found = await standby.state('primary', primary);
      return found.isRunning ? undefined : { state: found.clusterState, forced: false };
    },
    perform: async () => {
      const { systemIdentifier } = found ?? (await standby.state('primary', primary));
      if (systemIdentifier !== primary.systemIdentifier) {
        return fail({
          code: 'standby-unfit',
          message: `Another cluster is in ${primary.dataDirectory} on ${primary.host}: its system identifier is ${systemIdentifier}.`,
          state: 'Nothing was stopped.',
          next: 'Find the primary, and go back by hand: stop it, promote the replica.',
        });
      }
      // What was written is in its log, however it is stopped; nobody may keep the rollback waiting.
      const { forced, state } = await standby.stop('primary', primary, { seconds, force: true });
      return { state: state.clusterState, forced };
    },
    describe: ({ state, forced }) =>
      `its server is stopped${forced ? ' without waiting for its sessions' : ''}, its data is ${state}`,
  });
}

/** @returns who answers then */
async function startReplica(
  context: PhaseContext,
  borrowed: BorrowedStandby,
): Promise<ServerIdentity> {
  const standby = requireStandby(context);
  const { journal, status } = context.record;
  const { windowId } = status;
  const { replica, taken, reachedBy } = borrowed;
  const seconds = context.plan.standby.serverTimeout;
  const like = reachedBy === 'port' ? taken : undefined;
  await runStep(context, phase, {
    id: 'configure-standby',
    title:
      like === undefined
        ? 'Have the replica wait for nobody, once it is the primary'
        : `Have the replica listen where the primary did (port ${like.port})`,
    blast: 'data',
    observe: async () =>
      mayHaveRun(journal, phase, 'configure-standby') &&
      (await standby.ownSettings(replica, windowId)) === 'promotion'
        ? { settings: 'promotion' }
        : undefined,
    perform: async () => {
      await standby.writeOwnSettings(replica, windowId, 'promotion', like);
      return { settings: await standby.ownSettings(replica, windowId) };
    },
    describe: () => `written at the end of its postgresql.auto.conf`,
  });
  let seen: ServerIdentity | undefined;
  const answers = async (patience: number) => {
    seen = await answering(context, borrowed, patience);
    return seen === undefined ? undefined : { systemIdentifier: seen.systemIdentifier };
  };
  await runStep(context, phase, {
    id: 'start-standby',
    title: `Start the replica${like === undefined ? '' : ` on port ${like.port}`}`,
    blast: 'data',
    observe: async () =>
      mayHaveRun(journal, phase, 'start-standby') &&
      (await standby.state('replica', replica)).isRunning
        ? await answers(0)
        : undefined,
    perform: async () => {
      const how = { seconds, port: like?.port };
      const { wasRunning } = await standby.start('replica', replica, how);
      if (wasRunning) {
        // Somebody started it before; it reads its settings when it starts.
        await standby.stop('replica', replica, { seconds, force: false });
        await standby.start('replica', replica, how);
      }
      return (
        (await answers(seconds)) ??
        fail({
          code: 'standby-server-not-started',
          message: `The replica in ${replica.dataDirectory} on ${replica.host} runs, but does not answer ${like === undefined ? 'at its own connection' : 'where the primary did'}.`,
          state: `The failed primary is stopped, and its data intact; the replica is not promoted.`,
          next: `Look at the log of the replica, then run \`rollback\` with force again. To go on with the failed database instead, stop the replica and start the primary by ${controlInWords(borrowed.primary)}.`,
        })
      );
    },
    describe: ({ systemIdentifier }) => `it answers; its system identifier is ${systemIdentifier}`,
  });
  return seen ?? standby.identity(throughOf(borrowed));
}

/** Who answers where the promoted server is to be; `undefined` when it is nobody, or another cluster. */
async function answering(
  context: PhaseContext,
  borrowed: BorrowedStandby,
  seconds: number,
): Promise<ServerIdentity | undefined> {
  const standby = requireStandby(context);
  const identity = await until(
    context,
    seconds,
    () => standby.identity(throughOf(borrowed)).catch(() => undefined),
    (seen) => seen !== undefined,
  );
  return identity?.systemIdentifier === borrowed.replica.systemIdentifier ? identity : undefined;
}

async function swapIn(
  context: PhaseContext,
  borrowed: BorrowedStandby,
  point: Point,
  promoted: ServerIdentity,
): Promise<void> {
  const standby = requireStandby(context);
  const seconds = context.plan.standby.serverTimeout;
  // Where it took the primary's port, the application's own connection has just been asked.
  let known = throughOf(borrowed) === 'application' ? promoted : undefined;
  const observe = async (): Promise<{ timeline: number; systemIdentifier: string } | undefined> => {
    const seen = known ?? (await standby.identity('application').catch(() => undefined));
    known = undefined;
    if (seen === undefined || seen.isInRecovery || seen.timeline <= point.timeline)
      return undefined;
    const { systemIdentifier, timeline } = seen;
    return systemIdentifier === point.systemIdentifier ? { timeline, systemIdentifier } : undefined;
  };
  await runStep(context, phase, {
    id: 'swap-in',
    title:
      borrowed.reachedBy === 'port'
        ? 'See the promoted replica where the application looks for its database'
        : 'Lead the application to the promoted replica',
    blast: 'data',
    observe,
    perform: async () => {
      await standby.lead(seconds);
      return (
        (await until(context, seconds, observe, (seen) => seen !== undefined)) ??
        fail({
          code: 'standby-not-reached',
          message: "The application's database URL does not lead to the promoted replica.",
          state: 'The replica is the primary now; the failed one is stopped, and its data intact.',
          next: "Lead the application's URL there by hand, then run `rollback` with force again: it looks first.",
        })
      );
    },
    describe: ({ timeline, systemIdentifier }) =>
      `the application's URL leads to a primary of system ${systemIdentifier} on timeline ${timeline}`,
  });
}
