import { posix } from 'node:path';
import type { BackupReceipt } from '../../record/backup-receipt.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { noteOf, noteText } from './backup-note.ts';
import { takeDump } from './dump.ts';
import { keeperOf } from './keeper.ts';
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
  const receipt: BackupReceipt = {
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
    format: manifest.format,
    host: keeperOf(context, {}).name,
    compression: { ...manifest.compression },
    encrypted: manifest.encrypted,
    notes: [...manifest.notes],
    restoreSeconds: proof.restoreSeconds,
    restoreBasis: proof.restoreBasis,
    verification: {
      level: proof.level,
      observed: [...proof.observed],
      seconds: proof.seconds,
    },
    verifiedAt: context.clock.now().toISOString(),
  };
  await writeNote(context, receipt);
  return receipt;
}

/** Beside the backup: what has none was not verified, and is not counted when older ones are removed. */
async function writeNote(context: PhaseContext, receipt: BackupReceipt): Promise<void> {
  const { name, windowId } = context.record.status;
  const window = { name, windowId, database: requireDatabase(context).name };
  const note = noteOf(posix.basename(receipt.directory), receipt, window);
  await keeperOf(context, receipt).writeFile(`${receipt.directory}.json`, noteText(note), {
    mode: 0o600,
  });
}
