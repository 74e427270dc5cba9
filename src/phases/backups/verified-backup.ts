import type { BackupReceipt } from '../../record/backup-receipt.ts';
import type { PhaseContext } from '../phase.ts';
import { takeDump } from './dump.ts';
import { totalRows, verifyDump } from './verification.ts';

/**
 * Takes and proves a backup; `moment` tells the one taken online from the one retaken while closed.
 * @throws FailureError `backup-…` or `database-…`; then nothing is left that looks like a good backup
 */
export async function verifiedBackup(
  context: PhaseContext,
  callingPhase: string,
  moment: 'online' | 'closed',
): Promise<BackupReceipt> {
  const dump = await takeDump(context, callingPhase, moment);
  const proof = await verifyDump(context, callingPhase, moment, dump);
  const { directory, manifest } = dump;
  return {
    directory,
    takenAt: manifest.startedAt,
    bytes: manifest.bytes,
    sha256: manifest.sha256,
    serverVersion: manifest.serverVersion,
    dumpVersion: manifest.dumpVersion,
    rows: manifest.rows,
    totalRows: totalRows(manifest),
    tocEntries: manifest.tocEntries,
    dumpSeconds: manifest.seconds,
    restoreSeconds: proof.restoreSeconds,
    verifiedAt: context.clock.now().toISOString(),
  };
}
