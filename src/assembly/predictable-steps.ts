import { copyStep } from '../phases/backups/copies.ts';
import { takingSteps } from '../phases/restore-points/expected-time.ts';
import { planTasks } from '../phases/run-db-maintenance.ts';
import { serverTasksChangeData } from '../phases/server-tasks/planned-tasks.ts';
import type { Plan } from '../plan/plan.ts';
import type { DatabaseSize, PredictableStep } from '../plan/prediction.ts';
import type { TaskSettings } from '../plan/settings/run-db-maintenance.ts';
import type { Database } from '../ports/database.ts';
import type { RestorePointKind } from '../record/restore-point.ts';
import { predictableServerSteps } from './predictable-server-steps.ts';
import { predictableServiceSteps } from './services.ts';

/** Bytes that tasks for named tables work through, by task. */
export async function tableSizes(
  plan: Plan,
  database: Database | undefined,
  isThere: boolean,
): Promise<ReadonlyMap<string, DatabaseSize>> {
  const sizes = new Map<string, DatabaseSize>();
  if (database === undefined || !isThere) return sizes;
  for (const { id, settings } of planTasks(plan.runDbMaintenance.tasks)) {
    const tables = tablesOf(settings);
    if (tables === undefined) continue;
    // A name that is refused is told by the checks.
    const size = await database.sizeOf(tables).catch(() => undefined);
    if (size !== undefined) sizes.set(id, size);
  }
  return sizes;
}

/** The relations that a task names; `undefined` when it is for all, or for none that can be told. */
function tablesOf(task: TaskSettings): readonly string[] | undefined {
  const named = (names: readonly string[] | 'all'): readonly string[] | undefined =>
    names === 'all' ? undefined : names;
  switch (task.task) {
    case 'vacuum':
    case 'analyze':
    case 'reindex':
    case 'repack':
      return named(task.tables);
    case 'refresh':
      return named(task.views);
    case 'archive':
      return [task.table];
    default:
      return undefined;
  }
}

function sizeOf(size: DatabaseSize | undefined): { size?: DatabaseSize } {
  return size === undefined ? {} : { size };
}

/** What is copied elsewhere and read back. */
function copySteps({ backupDb: { copies } }: Plan): readonly PredictableStep[] {
  return copies.map((copy) => ({
    phase: 'backup-db',
    step: copyStep(copy),
    closed: false,
    // There and back over a line that nobody knows.
    work: 'restore',
    skippable: !copy.required,
  }));
}

/** How the backup is proved. */
function proofSteps({ backupDb: { verify, amcheck } }: Plan): readonly PredictableStep[] {
  const online = { phase: 'backup-db', closed: false } as const;
  return [
    verify === 'checksum'
      ? { ...online, step: 'checksum-online', work: 'scan' }
      : { ...online, step: 'restore-test-online', work: 'restore' },
    ...(amcheck === 'source' || amcheck === 'both'
      ? [{ ...online, step: 'amcheck-source', work: 'scan' } as const]
      : []),
  ];
}

/**
 * The steps of a window that take time, in order.
 * @param restorePoint the kind that would be taken now
 */
export function predictableSteps(
  plan: Plan,
  sizes: ReadonlyMap<string, DatabaseSize>,
  restorePoint: RestorePointKind | undefined,
): readonly PredictableStep[] {
  const tasks = planTasks(plan.runDbMaintenance.tasks);
  const work = {
    vacuum: 'scan',
    analyze: 'scan',
    reindex: 'rebuild',
    migrate: 'moment',
    sql: 'moment',
    archive: 'scan',
    refresh: 'rebuild',
    repack: 'rewrite',
    'optimize-queries': 'moment',
  } as const;
  const workOf = ({ settings }: (typeof tasks)[number]): PredictableStep['work'] =>
    settings.task === 'vacuum' && settings.full ? 'rewrite' : work[settings.task];
  const steps = (stage: 'online' | 'closed'): PredictableStep[] =>
    tasks
      .filter((task) => task.stage === stage)
      .map((task) => ({
        phase: 'run-db-maintenance',
        step: `task-${task.id}`,
        closed: stage === 'closed',
        work: workOf(task),
        skippable: task.whenLate === 'skip',
        ...sizeOf(sizes.get(task.id)),
      }));
  const changes =
    tasks.some((task) => task.blast !== 'none' && task.stage === 'closed') ||
    serverTasksChangeData(plan.updateServer.tasks);
  return [
    { phase: 'backup-db', step: 'dump-online', closed: false, work: 'dump' },
    ...proofSteps(plan),
    ...copySteps(plan),
    ...steps('online'),
    ...predictableServerSteps(plan, 'online'),
    { phase: 'enable-maintenance', step: 'hook', closed: false, work: 'moment' },
    { phase: 'enable-maintenance', step: 'flag', closed: true, work: 'moment', guessSeconds: 0.2 },
    { phase: 'enable-maintenance', step: 'drain', closed: true, work: 'moment', guessSeconds: 0.3 },
    ...predictableServiceSteps(plan, 'stop'),
    ...(changes ? takingSteps(restorePoint ?? 'clone', plan) : []),
    ...steps('closed'),
    ...predictableServerSteps(plan, 'closed'),
    ...predictableServiceSteps(plan, 'start'),
    { phase: 'smoke-test', step: 'checks', closed: true, work: 'moment' },
    {
      phase: 'disable-maintenance',
      step: 'lift-flag',
      closed: true,
      work: 'moment',
      guessSeconds: 0.2,
    },
  ];
}
