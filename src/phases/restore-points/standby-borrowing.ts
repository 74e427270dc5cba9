import { formatBytes } from '../../plan/bytes.ts';
import { formatDuration } from '../../plan/duration.ts';
import type { Plan } from '../../plan/plan.ts';
import { fail } from '../../ports/failure.ts';
import { bytesBetween, reaches, type LogPosition } from '../../ports/log-position.ts';
import { controlInWords, type ServerPlace } from '../../ports/server-place.ts';
import type { ReplicaProgress, ServerRole, Standby, StandbyFacts } from '../../ports/standby.ts';
import { owedStandby, type BorrowedStandby } from '../../record/standby.ts';
import { mayHaveRun, outcomeOf } from '../../record/journal.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { logKeeper, otherReceivers, standbyObstacle } from './standby-obstacles.ts';

const phase = 'run-db-maintenance';
const catchUpStep = 'catch-up-standby';

/** Seconds between two looks at a replica that catches up. */
const lookSeconds = 0.02;

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

/** Both servers as they were found. */
export interface Look {
  readonly facts: StandbyFacts;
  readonly places: Readonly<Record<ServerRole, ServerPlace>>;
}

/** Why the replica cannot be a restore point now, as the end of a sentence. */
export async function lookFor(
  standby: Standby,
  limits: Plan['standby'],
): Promise<{ readonly obstacle: string } | Look> {
  const facts = await standby.facts();
  const obstacle = standbyObstacle(facts, limits, standby);
  return obstacle === undefined ? { facts, places: await standby.places(facts) } : { obstacle };
}

function refuse(obstacle: string): never {
  fail({
    code: 'no-restore-point',
    message: `The replica cannot be the restore point: ${obstacle}.`,
    state: 'Nothing of the database was changed.',
    next: 'Remove what stands in the way, or choose another restore-point; `rollback` reopens.',
  });
}

/** Writes down where both servers are and how they run, before the replica is touched. */
export async function borrow(context: PhaseContext): Promise<BorrowedStandby> {
  const { record, clock, plan } = context;
  const standby = requireStandby(context);
  const owed = owedStandby(record.status);
  if (owed !== undefined) {
    // Whether the slot is there is seen with all else of the primary when the replica is to catch up.
    if (mayHaveRun(record.journal, phase, catchUpStep)) await keepLog(context, owed);
    return owed;
  }
  await runStep(context, phase, {
    id: 'find-standby',
    title: `Record how primary and ${standby.label} run`,
    blast: 'none',
    // A replica that was given back may run differently since.
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const found = await lookFor(standby, plan.standby);
      if ('obstacle' in found) return refuse(found.obstacle);
      const { facts, places } = found;
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
 * What needs no closed site: finds the replica, has the primary keep its log, and the replica write what it has
 * changed in memory, so that it stops at once. The primary has just had a checkpoint.
 */
export async function prepareStandby(context: PhaseContext): Promise<void> {
  await borrow(context);
  const standby = requireStandby(context);
  await runStep(context, phase, {
    id: 'flush-standby',
    title: 'Have the replica write its changed pages before the site is closed',
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => ({ isAllowed: await standby.flush() }),
    describe: ({ isAllowed }) =>
      isAllowed
        ? 'it has written them'
        : 'the role may not ask the replica for it (pg_checkpoint); it does so when it is stopped',
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
  const { position } = await runStep(context, phase, {
    id: catchUpStep,
    title: 'Wait until the replica has applied all that the primary wrote',
    blast: 'none',
    observe: async () => {
      const recorded = outcomeOf(record.journal, phase, catchUpStep)?.data as
        { position: string; seconds: number } | undefined;
      if (recorded === undefined) return undefined;
      const { isRunning } = await standby.state('replica', borrowed.replica);
      // One that runs may have fallen behind since; a stopped one cannot be asked any more, and has not moved.
      return isRunning ? undefined : recorded;
    },
    perform: async () => {
      const begun = clock.monotonicSeconds();
      const looking = standby.facts();
      const marking = mark(standby, record.status.windowId);
      // An obstacle tells more than what it made fail beside it.
      marking.catch(() => undefined);
      // It may have been chosen a while ago.
      const facts = await looking;
      const obstacle = standbyObstacle(facts, plan.standby, standby);
      if (obstacle !== undefined) return refuse(obstacle);
      if (!facts.primary.slots.some(({ name }) => name === borrowed.slot)) {
        await keepLog(context, borrowed);
      }
      const { wanted, first } = await marking;
      const seconds = (): number => clock.monotonicSeconds() - begun;
      let next: Promise<ReplicaProgress> | undefined = Promise.resolve(first);
      const progress = await until(
        context,
        plan.standby.catchUp,
        () => {
          const look = next ?? standby.progress('replica');
          next = undefined;
          return look;
        },
        // A paused one gets nowhere, however long it is waited for.
        (seen) => seen.isPaused || hasAll(seen, wanted),
      );
      if (!hasAll(progress, wanted)) refuseLag(progress, wanted, plan.standby.catchUp);
      return { position: wanted, seconds: Math.round(seconds() * 1000) / 1000 };
    },
    describe: (result) => `it has all up to ${result.position}`,
  });
  return position;
}

/** Where the primary's log ends, and how far the replica is right after. */
async function mark(
  standby: Standby,
  windowId: string,
): Promise<{ readonly wanted: LogPosition; readonly first: ReplicaProgress }> {
  const wanted = await standby.markPosition(windowId);
  return { wanted, first: await standby.progress('replica') };
}

/** Whether everything up to a position is applied, and nothing keeps what comes next from being. */
export function hasAll({ replayed, isPaused }: ReplicaProgress, wanted: LogPosition): boolean {
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
