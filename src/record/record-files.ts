import { fail } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import type { ExistingRecord } from './admission.ts';
import { parseJournal, type JournalLine } from './journal.ts';
import { archivedPlace, placeOf, type RecordPlace } from './record-place.ts';
import { windowStatusSchema, type WindowStatus } from './status.ts';

/** A record as it stands: what travels with the run, and what `report` and `status` read. */
export interface RecordCopy {
  readonly status: WindowStatus;
  readonly journal: readonly JournalLine[];
}

/**
 * Reads a record without taking it: the current one, or else the newest of the history.
 * @returns `undefined` when this host knows of no window of that name
 * @throws FailureError `record-unreadable`
 */
export async function readRecord(
  host: Host,
  at: { readonly stateDir: string; readonly name: string },
): Promise<RecordCopy | undefined> {
  const place = placeOf(at.stateDir, at.name);
  const current = await readCopy(host, place);
  if (current !== undefined) return current;
  const newest = (await host.list(place.historyFolder)).at(-1);
  return newest === undefined ? undefined : readCopy(host, archivedPlace(place, newest));
}

/** All windows of the history, oldest first; what cannot be read is left out. */
export async function readHistory(
  host: Host,
  at: { readonly stateDir: string; readonly name: string },
): Promise<readonly RecordCopy[]> {
  const place = placeOf(at.stateDir, at.name);
  const copies: RecordCopy[] = [];
  for (const windowId of await host.list(place.historyFolder)) {
    const copy = await readCopy(host, archivedPlace(place, windowId)).catch(() => undefined);
    if (copy !== undefined) copies.push(copy);
  }
  return copies;
}

async function readCopy(host: Host, place: RecordPlace): Promise<RecordCopy | undefined> {
  const existing = await readStatus(host, place);
  if (existing.kind === 'none') return undefined;
  if (existing.kind === 'unreadable') {
    return fail({
      code: 'record-unreadable',
      message: `The record ${place.statusFile} cannot be read: ${existing.reason}.`,
      state: 'What that window left is unknown.',
      next: `Look at ${place.statusFile} and ${place.journalFile}.`,
    });
  }
  const { status } = existing;
  const bytes =
    (await host.readFile(place.journalFile)) ??
    (await host.readFile(archivedPlace(place, status.windowId).journalFile));
  return { status, journal: linesOf(place, status, bytes) };
}

/** The status file, or why it cannot be read. */
export async function readStatus(host: Host, place: RecordPlace): Promise<ExistingRecord> {
  const bytes = await host.readFile(place.statusFile);
  if (bytes === undefined) return { kind: 'none' };
  return parseStatus(new TextDecoder().decode(bytes));
}

/** Reads a status file's text; a version from the future is unreadable. */
export function parseStatus(text: string): ExistingRecord {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: 'unreadable', reason: 'it is not JSON' };
  }
  const parsed = windowStatusSchema.safeParse(json);
  if (parsed.success) return { kind: 'status', status: parsed.data };
  const [issue] = parsed.error.issues;
  return {
    kind: 'unreadable',
    reason:
      issue === undefined ? 'its shape is unknown' : `${issue.path.join('.')}: ${issue.message}`,
  };
}

/**
 * Makes a window's journal fit to be appended to, and reads it: one that a kill in the middle of archiving had
 * moved away already is fetched back, and a line that a kill cut short is taken off, so that the next one is not
 * glued to it.
 * @throws FailureError `record-unreadable`
 */
export async function mendJournal(
  host: Host,
  place: RecordPlace,
  status: WindowStatus,
): Promise<JournalLine[]> {
  const archived = archivedPlace(place, status.windowId).journalFile;
  let bytes = await host.readFile(place.journalFile);
  if (bytes === undefined && (await host.status(archived)) !== undefined) {
    await host.rename(archived, place.journalFile);
    bytes = await host.readFile(place.journalFile);
  }
  const journal = linesOf(place, status, bytes);
  const text = new TextDecoder().decode(bytes ?? new Uint8Array());
  if (text !== '' && !text.endsWith('\n')) {
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    await host.writeFile(place.journalFile, whole, { mode: 0o600 });
  }
  return journal;
}

/** The lines of this window: a kill in the middle of archiving may leave some of the window before. */
function linesOf(
  place: RecordPlace,
  status: WindowStatus,
  bytes: Uint8Array | undefined,
): JournalLine[] {
  if (bytes === undefined) return [];
  let lines: JournalLine[];
  try {
    lines = parseJournal(new TextDecoder().decode(bytes));
  } catch (error) {
    return fail(
      {
        code: 'record-unreadable',
        message: `The journal ${place.journalFile} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
        state: `Nothing was touched; window ${status.windowId} is ${status.state}.`,
        next: `Look at ${place.journalFile}: mend the line by hand, or move the file away when you know what that window did.`,
      },
      error,
    );
  }
  return lines.filter((line) => line.windowId === status.windowId);
}
