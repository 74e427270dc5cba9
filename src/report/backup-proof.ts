import { formatDuration } from '../plan/duration.ts';
import type { BackupReceipt } from '../record/backup-receipt.ts';

type Proved = Pick<BackupReceipt, 'verification' | 'restoreBasis' | 'restoreSeconds'>;

/** How a backup was proved, in a few words. */
export function proofWords({ verification, restoreBasis }: Proved): string {
  switch (verification?.level) {
    case 'checksum':
      return 'every file read again with its checksum; not restored';
    case 'restore-and-compare':
      return `restored${placeWords(restoreBasis)}; schema, sequences and the contents of every table compared with the dump's own snapshot`;
    default:
      return `restored${placeWords(restoreBasis)} and compared table by table`;
  }
}

/** How long a restore takes, and where that figure comes from. */
export function restoreBasisWords(restoreBasis: Proved['restoreBasis']): string {
  if (restoreBasis === 'estimated') return 'a guess: it was not restored';
  return restoreBasis === 'measured-elsewhere' ? 'measured on another server' : 'measured';
}

/** For one sentence: `restored and compared table by table; a restore takes 4 s (measured)`. */
export function proofSentence(proved: Proved): string {
  const seconds = formatDuration(proved.restoreSeconds);
  return `${proofWords(proved)}; a restore takes ${seconds} (${restoreBasisWords(proved.restoreBasis)})`;
}

function placeWords(restoreBasis: Proved['restoreBasis']): string {
  return restoreBasis === 'measured-elsewhere' ? ' on another server' : '';
}
