import { posix } from 'node:path';
import * as z from 'zod';
import type { Clock } from '../ports/clock.ts';
import { fail } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import { readStatus } from './record-files.ts';
import { archivedPlace, type RecordPlace } from './record-place.ts';

/** Seconds after which a claim was left by a killed run: to archive takes a moment. */
const staleClaimSeconds = 60;

const claimSchema = z.object({ runId: z.string(), at: z.string() });

/**
 * Moves the record of a window that is over into the history; the lock goes last. Only one run does it at a time:
 * without its claim, the slower of two runs would move away the lock that the faster one has just created.
 * @throws FailureError `window-held` while another run is at it
 */
export async function archiveRecord(
  host: Host,
  clock: Clock,
  place: RecordPlace,
  window: { readonly windowId: string; readonly runId: string },
): Promise<void> {
  const to = archivedPlace(place, window.windowId);
  await host.makeDirectory(place.historyFolder, 0o700);
  await host.makeDirectory(to.folder, 0o700);
  const claim = posix.join(to.folder, 'archiving.json');
  if (!(await take(host, clock, claim, window))) return;
  const existing = await readStatus(host, place);
  if (existing.kind === 'status' && existing.status.windowId === window.windowId) {
    if ((await host.status(place.journalFile)) !== undefined) {
      await host.rename(place.journalFile, to.journalFile);
    }
    await host.rename(place.statusFile, to.statusFile);
  }
  await host.remove(claim);
}

/** Claims the archiving; false when another run has just finished it. */
async function take(
  host: Host,
  clock: Clock,
  claim: string,
  { windowId, runId }: { readonly windowId: string; readonly runId: string },
): Promise<boolean> {
  const text = `${JSON.stringify({ runId, at: clock.now().toISOString() })}\n`;
  if (await host.createFile(claim, text, { mode: 0o600 })) return true;
  const bytes = await host.readFile(claim);
  if (bytes === undefined) return false;
  const holder = claimSchema.safeParse(parseJson(new TextDecoder().decode(bytes)));
  const isOther = holder.success && holder.data.runId !== runId;
  const ageSeconds = holder.success
    ? (clock.now().getTime() - Date.parse(holder.data.at)) / 1000
    : Number.POSITIVE_INFINITY;
  if (isOther && ageSeconds < staleClaimSeconds) {
    fail({
      code: 'window-held',
      message: `Run ${holder.data.runId} is archiving window ${windowId} at this moment.`,
      state: 'Nothing was touched.',
      next: `Run again; after ${staleClaimSeconds} seconds a claim that a killed run has left is taken over.`,
    });
  }
  await host.writeFile(claim, text, { mode: 0o600 });
  return true;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
