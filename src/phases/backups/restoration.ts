import type { BackupReceipt } from '../../record/backup-receipt.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';

/** Restores a backup into a database that exists and is empty: the one way, for the proof and for a rollback. */
export function restoreBackup(
  context: PhaseContext,
  { directory }: Pick<BackupReceipt, 'directory' | 'format' | 'host'>,
  database: string,
): Promise<{ readonly seconds: number }> {
  return requireDatabase(context).restore({
    directory,
    database,
    jobs: context.plan.backupDb.jobs,
  });
}
