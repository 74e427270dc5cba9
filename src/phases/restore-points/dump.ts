import type { RestorePointOf } from '../../record/restore-point.ts';
import type { BackupReceipt } from '../../record/backup-receipt.ts';
import type { DatabaseIdentity } from '../../ports/database.ts';
import { runStep } from '../../record/step.ts';
import { restoreBackup } from '../backups/restoration.ts';
import { refuseDifference } from '../backups/row-comparison.ts';
import { verifiedBackup } from '../backups/verified-backup.ts';
import { databaseName } from '../database-names.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { subscriptionObstacle } from './bound-to-database.ts';
import type { RestorePointMaker } from './kind.ts';
import { replacementGone, swapByName } from './name-swap.ts';
import { propertiesBefore } from './properties-before.ts';
import { countRows } from './row-proof.ts';

const phase = 'run-db-maintenance';

/** A verified backup, retaken while closed: where nothing quicker is possible. */
export const dumpPoint: RestorePointMaker<RestorePointOf<'dump'>> = {
  async obstacle({ plan, database }) {
    if (database === undefined) return 'the plan names no database';
    return subscriptionObstacle(
      await database.inspect({ longTransactionSeconds: plan.preflight.longTransaction }),
    );
  },
  async take(context) {
    const { record, clock } = context;
    const begun = clock.monotonicSeconds();
    const backup = await verifiedBackup(context, phase, 'closed');
    const point: RestorePointOf<'dump'> = {
      kind: 'dump',
      takenAt: clock.now().toISOString(),
      seconds: clock.monotonicSeconds() - begun,
      backup,
    };
    await record.update({ restorePoint: point });
    return point;
  },
  goBack: (context, { backup }) => goBackToBackup(context, backup),
  // A backup is kept or pruned by the rules for backups.
  release: () => Promise.resolve(),
};

/** Restores a verified backup beside the failed database, proves it, and swaps it in by name. */
export async function goBackToBackup(
  context: PhaseContext,
  backup: BackupReceipt,
): Promise<string> {
  const failed = await swapByName(context, await restoredBeside(context, backup));
  await countRows(context, backup.rows);
  await refreshStatistics(context);
  return failed;
}

async function restoredBeside(
  context: PhaseContext,
  backup: BackupReceipt,
): Promise<DatabaseIdentity> {
  const { record } = context;
  const database = requireDatabase(context);
  const before = propertiesBefore(context);
  const known = record.status.rollback?.replacementOid;
  const whole = known === undefined ? undefined : await database.identify({ oid: known });
  if (whole !== undefined) return whole;
  const target = databaseName(database.name, record.status.windowId, 'restored');
  const { oid } = await runStep(context, 'rollback', {
    id: 'restore-backup',
    title: `Restore the verified backup ${backup.directory} into ${target}`,
    blast: 'none',
    perform: async () => {
      // A killed run may have left half of one.
      await database.drop(target);
      const created = await database.createEmpty(target, before);
      await restoreBackup(context, backup, target, 'closed');
      refuseDifference(backup.rows, await database.countRows(target), {
        message: 'The restored backup differs from its manifest',
        state: `The failed database still has its name; ${target} is incomplete.`,
        next: 'Restore from another backup.',
      });
      return { oid: created.oid };
    },
    describe: () =>
      `${backup.totalRows} rows in ${Object.keys(backup.rows).length} tables, equal to the manifest`,
  });
  return (await database.identify({ oid })) ?? replacementGone(context, oid);
}

/** A restore leaves the planner without statistics. */
async function refreshStatistics(context: PhaseContext): Promise<void> {
  const database = requireDatabase(context);
  const { jobs, lockTimeout, statementTimeout } = context.plan.runDbMaintenance;
  await runStep(context, 'rollback', {
    id: 'analyze',
    title: 'Gather statistics for the planner',
    blast: 'none',
    perform: async () => {
      const { summary } = await database.analyze('all', {
        lockTimeoutSeconds: lockTimeout,
        statementTimeoutSeconds: statementTimeout,
        jobs,
      });
      return { summary };
    },
    describe: ({ summary }) => summary,
  });
}
