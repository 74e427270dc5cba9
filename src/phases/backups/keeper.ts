import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import type { BackupReceipt } from '../../record/backup-receipt.ts';
import type { PhaseContext } from '../phase.ts';

/**
 * The host that has a backup's files: the one that its receipt names, or, for a backup to be made, the plan's.
 * @throws FailureError `backup-elsewhere` when the plan does not know the host
 */
export function keeperOf(
  { fleet }: Pick<PhaseContext, 'fleet'>,
  receipt: Pick<BackupReceipt, 'host'>,
): Host {
  const planned = fleet.backups ?? fleet.database;
  const { host = planned.name } = receipt;
  const found = [planned, fleet.database].find(({ name }) => name === host);
  return (
    found ??
    fail({
      code: 'backup-elsewhere',
      message: `The backup is kept on ${host}, which is not a host of the plan.`,
      state: 'Nothing was changed.',
      next: `Name ${host} in backup-db.stream-to, as when the backup was made, then run the step again.`,
    })
  );
}
