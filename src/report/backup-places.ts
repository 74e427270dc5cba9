import { formatBytes } from '../plan/bytes.ts';
import type { BackupCopy, BackupRetention } from '../record/backup-receipt.ts';

/** What is said of a copy, besides where it is and when it was read back. */
export function copyWords({ bytes, encrypted, sha256 }: BackupCopy): string {
  return `${formatBytes(bytes)}, ${encrypted ? 'encrypted by age' : 'not encrypted'}, sha256 ${sha256}`;
}

/** What became of older backups in one place. */
export function retentionWords({ kept, removed, held, failed }: BackupRetention): string {
  if (failed !== undefined) return `not all removed: ${failed}`;
  if (held !== undefined) return `nothing removed: ${held}`;
  const stay = `${kept} ${kept === 1 ? 'stays' : 'stay'}`;
  return removed.length === 0
    ? `${stay}, nothing to remove`
    : `${stay}, removed and proved gone: ${removed.join(', ')}`;
}
