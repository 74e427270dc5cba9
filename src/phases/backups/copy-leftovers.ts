import type { BackupDestination } from '../../ports/backup-destination.ts';
import type { PhaseContext } from '../phase.ts';
import { backupIn, windowIdIn } from './backup-note.ts';

/**
 * Removes what is left of copies that were cut off: of this backup, and of windows that are in this record's history;
 * nobody else's. A whole copy of an earlier window has a note and stays.
 */
export async function clearAwayLeftovers(
  context: PhaseContext,
  destination: BackupDestination,
  backup: string,
): Promise<void> {
  const { record } = context;
  const { name } = record.status;
  const over = new Set(await context.host.list(record.place.historyFolder));
  const isLeft = (object: string): boolean => {
    const of = backupIn(object);
    const windowId = windowIdIn(of, name);
    return of === backup || (windowId !== undefined && over.has(windowId));
  };
  const listed = (await destination.list()).map((object) => object.name);
  const left = listed.filter(
    (object) =>
      isLeft(object) &&
      (backupIn(object) === backup ||
        (object !== `${backupIn(object)}.json` && !listed.includes(`${backupIn(object)}.json`))),
  );
  // The note first: what has none does not count.
  left.sort((a, b) => Number(b.endsWith('.json')) - Number(a.endsWith('.json')));
  for (const object of left) await destination.remove(object);
  const parts = (await destination.sweep?.(isLeft)) ?? [];
  const gone = [...left, ...parts];
  if (gone.length > 0) {
    context.progress.info(
      `${destination.label}: removed what a run left that was cut off: ${gone.join(', ')}`,
    );
  }
}
