import { isOver } from '../record/life.ts';
import { owedByReopening, owedInWords } from '../record/owed-by-reopening.ts';
import { liveRestorePoint, placeOf } from '../record/restore-point.ts';
import { runStep, skipStep } from '../record/step.ts';
import { databaseName } from './database-names.ts';
import type { PhaseContext } from './phase.ts';
import { releaseRestorePoint } from './restore-point.ts';
import type { ReleaseContext } from './restore-points/kind.ts';

const phase = 'report';

/**
 * The last act of a window: drops the restore point of one that ended well, so that nothing temporary is left.
 * A window that is held, or still under way, keeps everything.
 */
export async function dropRestorePoint(context: ReleaseContext): Promise<void> {
  const { record, plan } = context;
  const point = liveRestorePoint(record.status);
  if (point === undefined || record.status.state !== 'reopened') return;
  if (point.kind === 'clone' && plan.report.keepRestorePoint) {
    const step = { id: 'drop-restore-point', title: `Drop the restore point ${placeOf(point)}` };
    await skipStep(context, phase, step, 'the plan keeps it');
    return;
  }
  await releaseRestorePoint(context, point);
}

/** Restore points that earlier windows kept: one that ended well after them makes them useless. */
export async function dropOlderRestorePoints(
  context: Pick<PhaseContext, 'record' | 'database' | 'clock' | 'progress'>,
): Promise<void> {
  const { record, database } = context;
  if (database === undefined || record.status.state !== 'reopened') return;
  const own = databaseName(database.name, record.status.windowId, 'restore_point');
  // A long name is cut the same way for every window of this database.
  const head = own.slice(0, own.lastIndexOf('_mw_'));
  const names = await database.databasesWithPrefix(`${head}_mw_`);
  // The window's id begins with its time, so names sort by age; a later window's is not ours to drop.
  for (const name of names.filter((other) => other.endsWith('_restore_point') && other < own)) {
    await runStep(context, phase, {
      id: `drop-${name}`,
      title: `Drop ${name}, which an earlier window kept`,
      blast: 'none',
      observe: async () =>
        (await database.identify({ name })) === undefined ? { name } : undefined,
      perform: async () => {
        await database.drop(name);
        return { name };
      },
      describe: () => 'it is gone',
    });
  }
}

/**
 * Archives a record whose window is over, or was never more than planned. One whose reopening was cut off stays:
 * without it nobody could bring that to its end.
 */
export async function archiveRecord({
  record,
  plan,
}: Pick<PhaseContext, 'record' | 'plan'>): Promise<boolean> {
  if (!isOver(record.status.state) && record.status.state !== 'planned') return false;
  const owed = owedByReopening(record.status, plan.disableMaintenance.hook);
  if (owedInWords(owed).length > 0) return false;
  await record.archive();
  return true;
}
