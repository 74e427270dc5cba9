import type { Clock } from '../ports/clock.ts';
import type { Host } from '../ports/host.ts';
import { readHistory } from './record-files.ts';
import { archivedPlace, placeOf } from './record-place.ts';
import { WindowRecord } from './window-record.ts';

/**
 * The windows of the history as records that can be written to, oldest first: what they kept is let go of later.
 * Only for a run that holds the lock, for an operator may take one of them back out of the history.
 */
export async function archivedRecords(
  host: Host,
  clock: Clock,
  at: { readonly stateDir: string; readonly name: string; readonly runId: string },
): Promise<readonly WindowRecord[]> {
  const place = placeOf(at.stateDir, at.name);
  const history = await readHistory(host, at);
  return history.map(
    ({ status, journal }) =>
      new WindowRecord(host, clock, archivedPlace(place, status.windowId), at.runId, {
        status,
        journal: [...journal],
      }),
  );
}
