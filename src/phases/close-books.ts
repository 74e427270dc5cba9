import { failureOf } from '../ports/failure.ts';
import { isOver } from '../record/life.ts';
import { owedByReopening, owedInWords } from '../record/owed-by-reopening.ts';
import { liveRestorePoint, placeOf, retentionEnd } from '../record/restore-point.ts';
import { runStep, skipStep } from '../record/step.ts';
import type { WindowRecord } from '../record/window-record.ts';
import { databaseName } from './database-names.ts';
import type { PhaseContext } from './phase.ts';
import { releaseRestorePoint } from './restore-point.ts';
import { giveStandbyBack } from './restore-points/standby-return.ts';
import type { ReleaseContext } from './restore-points/kind.ts';

const phase = 'report';

/**
 * The last act of a window: lets go of the restore point of one that ended well, unless the plan still keeps it, so
 * that nothing temporary is left. A window that is held, or still under way, keeps everything.
 */
export async function dropRestorePoint(context: ReleaseContext): Promise<void> {
  const { record, plan, clock } = context;
  const point = liveRestorePoint(record.status);
  if (point?.kind === 'command' && record.status.state === 'rolled-back') {
    // A clone is the application's own by then, or was dropped with the preparations; a snapshot is still there.
    await releaseRestorePoint(context, point);
    return;
  }
  if (point === undefined || record.status.state !== 'reopened' || point.kind === 'dump') {
    if (isOver(record.status.state)) await giveStandbyBack(context, phase, 'return-standby');
    return;
  }
  const end = retentionEnd(point, {
    reopenedAt: record.status.maintenance?.reopenedAt,
    retentionSeconds: plan.report.restorePointRetention,
  });
  if (end === undefined || end.getTime() <= clock.now().getTime()) {
    await releaseRestorePoint(context, point);
    return;
  }
  const keptUntil = end.toISOString();
  await record.update({ restorePoint: { ...point, keptUntil } });
  await skipStep(
    context,
    phase,
    { id: 'drop-restore-point', title: `Drop the restore point ${placeOf(point)}` },
    `the plan keeps it until ${keptUntil}`,
  );
}

/**
 * Lets go of what earlier windows kept, once its time is over; what a report failed to drop goes when a later window
 * has ended well. Only for a run that holds the lock. What cannot be dropped is told and tried again next time.
 * @param earlier records of the history
 */
export async function dropKeptRestorePoints(
  context: ReleaseContext,
  earlier: readonly WindowRecord[],
): Promise<void> {
  const { clock, progress } = context;
  const endedWell = context.record.status.state === 'reopened';
  for (const record of earlier) {
    const point = liveRestorePoint(record.status);
    if (point === undefined || point.kind === 'dump' || record.status.state !== 'reopened') {
      await returnStandbyOf({ ...context, record });
      continue;
    }
    const isDue =
      point.keptUntil === undefined
        ? endedWell
        : Date.parse(point.keptUntil) <= clock.now().getTime();
    if (!isDue) continue;
    try {
      await releaseRestorePoint({ ...context, record }, point);
    } catch (error) {
      progress.warning(
        `The restore point ${placeOf(point)} of window ${record.status.windowId} is still there: ${failureOf(error).message}`,
      );
    }
  }
}

/** A replica that was prepared for a window, or stopped, and is no restore point of it any more. */
async function returnStandbyOf(context: ReleaseContext): Promise<void> {
  try {
    await giveStandbyBack(context, phase, 'return-standby');
  } catch (error) {
    context.progress.warning(failureOf(error).message);
  }
}

/** Clones that no record tells of: a window that ended well after them makes them useless. */
export async function dropOlderRestorePoints(
  context: Pick<PhaseContext, 'record' | 'database' | 'clock' | 'progress'>,
  earlier: readonly WindowRecord[],
): Promise<void> {
  const { record, database } = context;
  if (database === undefined || record.status.state !== 'reopened') return;
  const own = databaseName(database.name, record.status.windowId, 'restore_point');
  // A long name is cut the same way for every window of this database.
  const head = own.slice(0, own.lastIndexOf('_mw_'));
  const names = await database.databasesWithPrefix(`${head}_mw_`);
  const known = new Set(
    earlier.flatMap(({ status }) => {
      const point = liveRestorePoint(status);
      return point === undefined ? [] : [placeOf(point)];
    }),
  );
  // The window's id begins with its time, so names sort by age; a later window's is not ours to drop.
  const older = names.filter(
    (name) => name.endsWith('_restore_point') && name < own && !known.has(name),
  );
  for (const name of older) {
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
