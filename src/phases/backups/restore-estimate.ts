import type { RecordCopy } from '../../record/window-record.ts';

/** Bytes of a database that a modest server restores in a second: cautious on purpose. */
const bytesPerSecond = 20e6;

export interface RestoreEstimate {
  readonly seconds: number;
  /** Where the figure comes from. */
  readonly basis: string;
}

/**
 * A cautious guess at how long a restore would take that was not tried: the slowest measured one of the last five
 * windows, longer by as much as the backup has grown since; else by the size of the database.
 */
export function estimateRestore(
  history: readonly RecordCopy[],
  now: { readonly backupBytes: number; readonly databaseBytes: number },
): RestoreEstimate {
  const measured = history.slice(-5).flatMap(({ status: { backup } }) => {
    if (backup === undefined || backup.restoreBasis === 'estimated') return [];
    const growth = backup.bytes > 0 ? Math.max(1, now.backupBytes / backup.bytes) : 1;
    return [backup.restoreSeconds * growth];
  });
  if (measured.length > 0) {
    return {
      seconds: Math.max(...measured),
      basis: `a guess from the slowest of ${measured.length} earlier restores`,
    };
  }
  return {
    seconds: Math.max(1, now.databaseBytes / bytesPerSecond),
    basis: 'a guess from the size of the database',
  };
}
