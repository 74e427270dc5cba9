import type { Host } from '../../ports/host.ts';
import type { BackupReceipt } from '../../record/backup-receipt.ts';
import type { PhaseContext } from '../phase.ts';

/** The host that has a backup's files. */
export function keeperOf(
  { fleet }: Pick<PhaseContext, 'fleet'>,
  _receipt: Pick<BackupReceipt, 'host'>,
): Host {
  return fleet.database;
}
