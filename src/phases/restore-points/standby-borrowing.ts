import { formatBytes } from '../../plan/bytes.ts';
import { formatDuration } from '../../plan/duration.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import { bytesBetween, reaches, type LogPosition } from '../../ports/log-position.ts';
import { controlInWords } from '../../ports/server-place.ts';
import type { ReplicaProgress, Standby } from '../../ports/standby.ts';
import { owedStandby, type BorrowedStandby } from '../../record/standby.ts';
import { outcomeOf } from '../../record/journal.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { logKeeper, otherReceivers } from './standby-obstacles.ts';

const phase = 'run-db-maintenance';

/** Seconds between two looks at a replica that catches up. */
const lookSeconds = 0.05;

/** What giving a replica back needs; at the end of a window as well. */
export type StandbyContext = Pick<
  PhaseContext,
  'record' | 'clock' | 'progress' | 'plan' | 'standby'
>;

/** @throws FailureError `setting-missing` */
export function requireStandby({ standby }: Pick<PhaseContext, 'standby'>): Standby {
  return (
    standby ??
    fail({
      code: 'setting-missing',
      message: 'The plan does not say how the replica is reached (standby.url).',
      state: 'The replica was not touched.',
      next: 'Give standby.url, and its variable to the run, then run this again.',
    })
  );
}

/** The replica that the record tells of. */
export function requireBorrowed({ record }: Pick<PhaseContext, 'record'>): BorrowedStandby {
  return (
    record.status.standby ??
    fail({
      code: 'restore-point-gone',
      message: 'The record does not tell which replica is the restore point.',
      state: 'Nothing was done.',
      next: 'Promote it by hand, when it is known; it was stopped before the first change.',
    })
  );
}

/** Writes down where both servers are and how they run, before the replica is touched. */
export async function borrow(context: PhaseContext): Promise<BorrowedStandby> {
  const { record, clock, plan } = context;
  const standby = requireStandby(context);
  const owed = owedStandby(record.status);
  if (owed !== undefined) {
    await keepLog(context, owed);
    return owed;
  }
  await runStep(context, phase, {
    id: 'find-standby',
    title: `Record how primary and ${standby.label} run`,
    blast: 'none',
    // A replica that was given back may run differently since.
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const facts = await standby.facts();
      const places = await standby.places(facts);
      const { port, listenAddresses, socketFolders } = facts.primary;
      const keeper = logKeeper(facts, plan.standby.keepLog);
      const borrowed: BorrowedStandby = {
        borrowedAt: clock.now().toISOString(),
        ...places,
        timeline: facts.primary.timeline,
        reachedBy: standby.reachedBy,
        taken: {
          port,
          ...(listenAddresses === undefined ? {} : { listenAddresses }),
          ...(socketFolders === undefined ? {} : { socketFolders }),
        },
        ...(keeper.kind === 'our-slot'
          ? { slot: `${record.status.windowId.replaceAll('-', '_')}_standby` }
          : {}),
        otherReceivers: [...otherReceivers(facts)],
        synchronousNames: facts.primary.synchronousNames,
      };
      await record.update({ standby: borrowed });
      return { replica: places.replica, keeper: keeper.kind };
    },
    describe: ({ replica, keeper }) =>
      `${replica.dataDirectory} on ${replica.host}, run by ${controlInWords(replica)}; the primary keeps its log by ${keeper.replace('-', ' ')}`,
  });
  const borrowed = requireBorrowed(context);
  await keepLog(context, borrowed);
  return borrowed;
}

async function keepLog(context: PhaseContext, { slot }: BorrowedStandby): Promise<void> {
  const standby = requireStandby(context);
  if (slot === undefined) return;
  await runStep(context, phase, {
    id: 'keep-log',
    title: `Have the primary keep its log for the replica (slot ${slot})`,
    blast: 'app',
    observe: async () => ((await standby.hasSlot(slot)) ? { slot } : undefined),
    perform: async () => {
      await standby.createSlot(slot);
      return { slot };
    },
    describe: () => 'from now on all of it is kept until the slot is dropped',
  });
}

/**
 * Waits until the replica has applied everything that the primary has written up to now.
 * @returns that position
 */
export async function catchUp(
  context: PhaseContext,
  borrowed: BorrowedStandby,
): Promise<LogPosition> {
  const { clock, plan, record } = context;
  const standby = requireStandby(context);
  const step = 'catch-up-standby';
  const { position } = await runStep(context, phase, {
    id: step,
    title: 'Wait until the replica has applied all that the primary wrote',
    blast: 'none',
    observe: async () => {
      const recorded = outcomeOf(record.journal, phase, step)?.data as
        { position: string; seconds: number } | undefined;
      const { isRunning } = await standby.state('replica', borrowed.replica);
      // One that runs may have fallen behind since; a stopped one cannot be asked any more, and has not moved.
      return isRunning ? undefined : recorded;
    },
    perform: async () => {
      const wanted = await standby.markPosition(record.status.windowId);
      const begun = clock.monotonicSeconds();
      const seconds = (): number => clock.monotonicSeconds() - begun;
      const progress = await until(
        context,
        plan.standby.catchUp,
        () => standby.progress('replica'),
        // A paused one gets nowhere, however long it is waited for.
        ({ replayed, isPaused }) =>
          isPaused || (replayed !== undefined && reaches(replayed, wanted)),
      );
      if (!hasAll(progress, wanted)) refuseLag(progress, wanted, plan.standby.catchUp);
      return { position: wanted, seconds: Math.round(seconds() * 1000) / 1000 };
    },
    describe: (result) => `it has all up to ${result.position}`,
  });
  return position;
}

function hasAll({ replayed, isPaused }: ReplicaProgress, wanted: LogPosition): boolean {
  return !isPaused && replayed !== undefined && reaches(replayed, wanted);
}

function refuseLag(
  { replayed, isPaused, isStreaming }: ReplicaProgress,
  wanted: LogPosition,
  seconds: number,
): never {
  const at = replayed ?? 'nowhere';
  const behind = replayed === undefined ? Number.NaN : bytesBetween(replayed, wanted);
  const why = isPaused
    ? 'its replay is paused'
    : isStreaming
      ? 'it streams, but too slowly'
      : 'it does not stream';
  fail({
    code: 'replica-lags',
    message: `After ${formatDuration(seconds)} the replica is at ${at} and the primary at ${wanted}${Number.isNaN(behind) ? '' : ` (${formatBytes(behind)} of log between them)`}: ${why}.`,
    state: 'The site is closed; nothing of the database was changed.',
    next: 'Run `rollback`, which reopens; let the replica catch up, then begin anew, or choose another restore-point.',
  });
}

/** Looks until it is so, or the time is over. @returns what was seen last */
export async function until<T>(
  { clock }: Pick<PhaseContext, 'clock'>,
  seconds: number,
  look: () => Promise<T>,
  isSo: (seen: T) => boolean,
): Promise<T> {
  const deadline = clock.monotonicSeconds() + seconds;
  for (;;) {
    const seen = await look();
    if (isSo(seen) || clock.monotonicSeconds() >= deadline) return seen;
    await clock.wait(lookSeconds);
  }
}

/**
 * Starts a stopped replica again and has it follow the primary as before; drops the slot that we made. Does nothing
 * when there is none, or it was promoted.
 * @throws FailureError `standby-not-following`
 */
export async function giveStandbyBack(
  context: StandbyContext,
  callingPhase: string,
  stepId: string,
): Promise<void> {
  const { record, clock } = context;
  const borrowed = owedStandby(record.status);
  if (borrowed === undefined) return;
  const standby = requireStandby(context);
  const { replica, slot } = borrowed;
  const { windowId } = record.status;
  await runStep(context, callingPhase, {
    id: stepId,
    title: `Start the ${standby.label} again, following the primary`,
    blast: 'none',
    observe: async () => {
      const { isRunning } = await standby.state('replica', replica);
      const isOwn = (await standby.ownSettings(replica, windowId)) === 'none';
      if (!isRunning || !isOwn) return undefined;
      const { isStreaming, replayed } = await standby.progress('replica');
      return isStreaming ? { replayed: replayed ?? '' } : undefined;
    },
    perform: async () => ({ replayed: await follow(context, borrowed) }),
    describe: ({ replayed }) => `it streams, and is at ${replayed}`,
  });
  if (slot !== undefined) {
    await runStep(context, callingPhase, {
      id: `${stepId}-slot`,
      title: `Drop the replication slot ${slot}`,
      blast: 'none',
      observe: async () => ((await standby.hasSlot(slot)) ? undefined : { slot }),
      perform: async () => {
        await standby.dropSlot(slot);
        return { slot };
      },
      describe: () => 'it is gone',
    });
  }
  await record.update({ standby: { ...borrowed, resumedAt: clock.now().toISOString() } });
}

async function follow(
  context: StandbyContext,
  { replica, slot, timeline }: BorrowedStandby,
): Promise<LogPosition> {
  const { record, plan } = context;
  const standby = requireStandby(context);
  const { windowId } = record.status;
  const seconds = plan.standby.serverTimeout;
  const state = await standby.state('replica', replica);
  if (state.timeline !== timeline || state.systemIdentifier !== replica.systemIdentifier) {
    fail({
      code: 'standby-not-following',
      message: `The replica in ${replica.dataDirectory} on ${replica.host} is on timeline ${state.timeline}, and was on ${timeline}: somebody promoted it.`,
      state: 'It was not touched.',
      next: 'Find out which of both servers the application works on; make the other a replica anew.',
    });
  }
  if ((await standby.ownSettings(replica, windowId)) !== 'none') {
    // It reads them when it starts.
    await standby.stop('replica', replica, { seconds, force: false });
    await standby.writeOwnSettings(replica, windowId, 'none');
  }
  await standby.start('replica', replica, { seconds });
  const wanted = await standby.primaryPosition();
  const unseen: ReplicaProgress = { replayed: undefined, isPaused: false, isStreaming: false };
  const progress = await until(
    context,
    plan.standby.catchUp,
    // It may still be starting up.
    () => standby.progress('replica').catch(() => unseen),
    (seen) => seen.isStreaming && hasAll(seen, wanted),
  );
  if (progress.isStreaming && hasAll(progress, wanted)) return progress.replayed ?? '';
  const kept =
    slot === undefined ? '' : ` The primary keeps its log for it in slot ${slot}, on its disk.`;
  const drop =
    slot === undefined ? '' : `, and drop the slot with SELECT pg_drop_replication_slot('${slot}')`;
  return fail({
    code: 'standby-not-following',
    message: `The ${standby.label} runs again, but after ${formatDuration(plan.standby.catchUp)} it ${progress.isStreaming ? `is at ${progress.replayed ?? 'nowhere'}, and the primary at ${wanted}` : 'does not stream from the primary'}.`,
    state: `The application is not concerned; the primary has no caught-up replica.${kept}`,
    next: `Look at the log of the replica: when it streams later, nothing is to be done${slot === undefined ? '' : ' but to drop the slot'}; when a segment of the log has been removed, make it anew with pg_basebackup${drop}.`,
  });
}

/** After a failure: gives the replica back, and says so when that does not succeed either. */
export async function giveBackAfter(context: PhaseContext, error: unknown): Promise<never> {
  const failure = failureOf(error);
  try {
    await giveStandbyBack(context, phase, 'return-standby');
  } catch (second) {
    const { message, next } = failureOf(second);
    fail(
      {
        ...failure,
        state: `${failure.state} The replica is not back: ${message}`,
        next: `${failure.next} ${next}`,
      },
      error,
    );
  }
  throw error;
}
