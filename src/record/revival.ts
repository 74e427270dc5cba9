import type { Clock } from '../ports/clock.ts';
import type { Host } from '../ports/host.ts';
import { readStatus } from './record-files.ts';
import { archivedPlace, placeOf } from './record-place.ts';
import { takeRecord, type WindowRecord } from './window-record.ts';

/**
 * Takes the newest archived window back out of the history, when it ended reopened and no other window is open: an
 * operator finds out after the report that it must be rolled back all the same.
 * @returns `undefined` when there is no such window, or another one has the lock
 */
export async function reviveRecord(
  host: Host,
  clock: Clock,
  at: {
    readonly stateDir: string;
    readonly name: string;
    readonly runId: string;
    /** Revives this window or none. */
    readonly windowId?: string | undefined;
  },
): Promise<WindowRecord | undefined> {
  const place = placeOf(at.stateDir, at.name);
  const newest = (await host.list(place.historyFolder)).at(-1);
  if (newest === undefined) return undefined;
  // An older one is not gone back to past a newer one, nor the newest taken in its place.
  if (at.windowId !== undefined && at.windowId !== newest) return undefined;
  const archived = archivedPlace(place, newest);
  const existing = await readStatus(host, archived);
  if (existing.kind !== 'status' || existing.status.state !== 'reopened') return undefined;
  const bytes = await host.readFile(archived.statusFile);
  // The lock comes first; the journal follows, now or when a killed revival is taken up again.
  if (bytes === undefined || !(await host.createFile(place.statusFile, bytes, { mode: 0o600 }))) {
    return undefined;
  }
  await host.remove(archived.statusFile);
  return takeRecord(host, clock, at);
}
