import { isOver } from '../record/life.ts';
import { runStep, skipStep } from '../record/step.ts';
import type { PhaseContext } from './phase.ts';

const phase = 'report';

/**
 * The last act of a window: drops the restore point of one that ended well, so that nothing temporary is left.
 * A window that is held, or still under way, keeps everything.
 */
export async function dropRestorePoint(
  context: Pick<PhaseContext, 'record' | 'database' | 'plan' | 'clock' | 'progress'>,
): Promise<void> {
  const { record, database, plan } = context;
  const point = record.status.restorePoint;
  if (point?.kind !== 'clone' || record.status.state !== 'reopened' || database === undefined)
    return;
  const step = { id: 'drop-restore-point', title: `Drop the restore point ${point.database}` };
  if (plan.report.keepRestorePoint) {
    await skipStep(context, phase, step, 'the plan keeps it');
    return;
  }
  await runStep(context, phase, {
    ...step,
    blast: 'none',
    observe: async () =>
      (await database.identify({ oid: point.oid })) === undefined
        ? { name: point.database }
        : undefined,
    perform: async () => {
      await database.drop(point.database);
      return { name: point.database };
    },
    describe: () => 'it is gone',
  });
}

/** Archives a record whose window is over, or was never more than planned. */
export async function archiveRecord(context: Pick<PhaseContext, 'record'>): Promise<boolean> {
  const { record } = context;
  if (!isOver(record.status.state) && record.status.state !== 'planned') return false;
  await record.archive();
  return true;
}
