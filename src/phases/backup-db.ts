import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import type { BackupReceipt } from '../record/backup-receipt.ts';
import { verifiedBackup } from './backups/verified-backup.ts';
import { tagCode } from './code.ts';
import { conclude, done, type PhaseContext, type PhaseOutcome } from './phase.ts';

const phase = 'backup-db';

/** Dumps the database while the site is up and proves the dump by restoring it. */
export function backupDb(context: PhaseContext): Promise<PhaseOutcome> {
  return conclude(async () => {
    const receipt = await verifiedBackup(context, phase, 'online');
    await context.record.update({ backup: receipt });
    const tag = await tagCode(context, phase);
    return done(describeReceipt(receipt), {
      ...backupOutputs(receipt),
      ...(tag === undefined ? {} : { 'code-tag': tag }),
    });
  });
}

export function backupOutputs(receipt: BackupReceipt): Record<string, string> {
  return {
    directory: receipt.directory,
    sha256: receipt.sha256,
    bytes: String(receipt.bytes),
    'restore-seconds': receipt.restoreSeconds.toFixed(3),
  };
}

function describeReceipt(receipt: BackupReceipt): string {
  return `backup ${receipt.directory}: ${formatBytes(receipt.bytes)}, ${receipt.totalRows} rows, restored in ${formatDuration(receipt.restoreSeconds)}`;
}
