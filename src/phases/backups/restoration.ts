import type { BackupReceipt } from '../../record/backup-receipt.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { keeperOf } from './keeper.ts';
import { backupWorkers, type Moment } from './workers.ts';

/** Restores a backup into a database that exists and is empty: the one way, for the proof and for a rollback. */
export async function restoreBackup(
  context: PhaseContext,
  receipt: Pick<BackupReceipt, 'directory' | 'host'>,
  database: string,
  moment: Moment,
): Promise<{ readonly seconds: number }> {
  const jobs = await backupWorkers(context, moment);
  return requireDatabase(context).restore({
    directory: receipt.directory,
    keeper: keeperOf(context, receipt),
    encryption: context.encryption?.(),
    database,
    jobs,
  });
}
