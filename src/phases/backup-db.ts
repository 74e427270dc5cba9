import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import { refinedByBackup } from '../plan/prediction.ts';
import type { BackupCopy, BackupReceipt, BackupRetention } from '../record/backup-receipt.ts';
import { refuseImpossibleCopies } from './backups/copy-checks.ts';
import { copyBackup, copyStep, openPlaces } from './backups/copies.ts';
import { pruneBackups } from './backups/retention.ts';
import { verifiedBackup } from './backups/verified-backup.ts';
import { tagCode } from './code.ts';
import { demandTime } from './time-budget.ts';
import { conclude, done, type PhaseContext, type PhaseOutcome } from './phase.ts';

const phase = 'backup-db';

/** Dumps the database while the site is up and proves the dump as the plan asks for it. */
export function backupDb(context: PhaseContext): Promise<PhaseOutcome> {
  return conclude(async () => {
    await refuseImpossibleCopies(context);
    await demandTime(context, {
      phase,
      steps: [
        ...['dump-online', 'checksum-online', 'restore-test-online', 'amcheck-source'],
        ...context.plan.backupDb.copies.filter(({ required }) => required).map(copyStep),
      ],
      title: 'A backup with its proof',
      whenLate: 'abort',
    });
    const receipt = await verifiedBackup(context, phase, 'online');
    const { prediction } = context.record.status;
    await context.record.update({
      backup: receipt,
      ...(prediction === undefined
        ? {}
        : { prediction: [...refinedByBackup(prediction, receipt)] }),
    });
    const { copies, retention } = await copyAndPrune(context, receipt);
    const tag = await tagCode(context, phase);
    return done(describeReceipt({ ...receipt, copies, retention }), {
      ...backupOutputs(receipt),
      ...(tag === undefined ? {} : { 'code-tag': tag }),
    });
  });
}

/**
 * Copies the verified backup away, then removes older ones: nothing is removed before the new one is verified here
 * and, in each other place, read back.
 */
async function copyAndPrune(
  context: PhaseContext,
  receipt: BackupReceipt,
): Promise<{ copies: BackupCopy[]; retention: BackupRetention[] }> {
  const places = await openPlaces(context);
  const copies = [...(await copyBackup(context, receipt, places))];
  const backup = { ...receipt, ...(places.length === 0 ? {} : { copies }) };
  if (places.length > 0) await context.record.update({ backup });
  const proved = copies.map(({ id }) => id);
  const retention = [...(await pruneBackups(context, receipt, proved, places))];
  if (retention.length > 0) await context.record.update({ backup: { ...backup, retention } });
  return { copies, retention };
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
  return `backup ${receipt.directory}: ${formatBytes(receipt.bytes)}, ${receipt.totalRows} rows, ${provedBy(receipt)}${elsewhere(receipt)}`;
}

function provedBy({ restoreSeconds, restoreBasis, verification }: BackupReceipt): string {
  const seconds = formatDuration(restoreSeconds);
  if (restoreBasis === 'estimated') return `read again and not restored (that may take ${seconds})`;
  const compared = verification?.level === 'restore-and-compare' ? ' and compared' : '';
  return `restored${compared} in ${seconds}`;
}

function elsewhere({ copies = [], retention = [] }: BackupReceipt): string {
  const removed = retention.reduce((sum, place) => sum + place.removed.length, 0);
  const places = copies.map(({ label }) => `copied to ${label}`);
  if (removed > 0) places.push(`${removed} older ${removed === 1 ? 'one' : 'ones'} removed`);
  return places.map((text) => `, ${text}`).join('');
}
