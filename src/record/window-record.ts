import { posix } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import { fail } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import { admit, holderOf, type ExistingRecord } from './admission.ts';
import { parseJournal, type JournalLine } from './journal.ts';
import { mayBecome, worst, type BlastClass, type WindowState } from './life.ts';
import { recordVersion, windowStatusSchema, type WindowStatus } from './status.ts';

/** Where a window's files are, under `state-dir/<name>`. */
export interface RecordPlace {
  readonly folder: string;
  readonly statusFile: string;
  readonly journalFile: string;
  readonly historyFolder: string;
  /** What web server workers must be able to read: flag, page, snippet. */
  readonly modeFolder: string;
}

/** The files of the window `name`. */
export function placeOf(stateDir: string, name: string): RecordPlace {
  const folder = posix.join(stateDir, name);
  return {
    folder,
    statusFile: posix.join(folder, 'window.json'),
    journalFile: posix.join(folder, 'journal.ndjson'),
    historyFolder: posix.join(folder, 'history'),
    modeFolder: posix.join(folder, 'mode'),
  };
}

/** A record as it stands: what travels with the run, and what `report` and `status` read. */
export interface RecordCopy {
  readonly status: WindowStatus;
  readonly journal: readonly JournalLine[];
}

/** Seconds for which a record without obligations keeps other runs out after its last sign of life. */
export const leaseSeconds = 600;

/**
 * The window's memory on its control host. The status file is the lock; every change of it is written whole,
 * synced and renamed, and every journal line is synced before the effect that it announces.
 */
export class WindowRecord {
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #runId: string;
  readonly place: RecordPlace;
  #status: WindowStatus;
  #journal: JournalLine[];

  constructor(
    host: Host,
    clock: Clock,
    place: RecordPlace,
    runId: string,
    copy: { status: WindowStatus; journal: JournalLine[] },
  ) {
    this.#host = host;
    this.#clock = clock;
    this.#runId = runId;
    this.place = place;
    this.#status = copy.status;
    this.#journal = copy.journal;
  }

  get status(): WindowStatus {
    return this.#status;
  }

  get journal(): readonly JournalLine[] {
    return this.#journal;
  }

  copy(): RecordCopy {
    return { status: this.#status, journal: [...this.#journal] };
  }

  /** Changes facts of the status and writes it durably. The state itself changes by {@link become}. */
  async update(change: Partial<Omit<WindowStatus, 'state' | 'windowId' | 'name'>>): Promise<void> {
    await this.#write({ ...this.#status, ...change });
  }

  /**
   * Moves the window's life on, together with the facts that belong to the new state.
   * @throws FailureError `window-state` when the life does not go that way
   */
  async become(
    state: WindowState,
    change: Partial<Omit<WindowStatus, 'state' | 'windowId' | 'name'>> = {},
  ): Promise<void> {
    const { status } = this;
    if (!mayBecome(status.state, state)) {
      fail({
        code: 'window-state',
        message: `Window ${status.windowId} is ${status.state}; it cannot become ${state}.`,
        state: `The window is ${status.state}; nothing was done.`,
        next: 'See `maintenance-window status` for what is left to do; `rollback` makes the system safe from any state.',
      });
    }
    await this.#write({ ...status, ...change, state });
  }

  /** Raises the worst class begun; written before the effect. */
  async begin(blast: BlastClass): Promise<void> {
    const raised = worst(this.#status.blast, blast);
    if (raised !== this.#status.blast) await this.update({ blast: raised });
  }

  /** Appends a journal line and syncs it. */
  async append(line: Omit<JournalLine, 'at' | 'windowId' | 'runId'>): Promise<void> {
    const whole: JournalLine = {
      at: this.#clock.now().toISOString(),
      windowId: this.#status.windowId,
      runId: this.#runId,
      ...line,
    };
    await this.#host.appendFile(this.place.journalFile, `${JSON.stringify(whole)}\n`, 0o600);
    this.#journal.push(whole);
  }

  /** Gives the lease up: another run may supersede this record when it owes nothing. */
  async release(): Promise<void> {
    const leaseUntil = this.#clock.now().toISOString();
    await this.#host.writeFile(this.place.statusFile, serialize({ ...this.#status, leaseUntil }), {
      mode: 0o600,
    });
    this.#status = { ...this.#status, leaseUntil };
  }

  /** Moves the record into the history; the lock goes last. */
  async archive(): Promise<void> {
    await archive(this.#host, this.place, this.#status.windowId);
  }

  async #write(status: WindowStatus): Promise<void> {
    const now = this.#clock.now();
    const lease = new Date(now.getTime() + leaseSeconds * 1000).toISOString();
    const next: WindowStatus = {
      ...status,
      updatedAt: now.toISOString(),
      leaseUntil: status.leaseUntil > lease ? status.leaseUntil : lease,
    };
    await this.#host.writeFile(this.place.statusFile, serialize(next), { mode: 0o600 });
    this.#status = next;
  }
}

/** What a run brings to open a record. */
export interface OpenRequest {
  readonly stateDir: string;
  readonly name: string;
  readonly run: WindowStatus['run'];
  /** Settings to begin a new record with, in the plan file's form. */
  readonly settings: WindowStatus['settings'];
  readonly deadline: Date;
  /** The lease of a planned window lasts to its deadline; otherwise to {@link leaseSeconds} from now. */
  readonly leaseUntil: Date;
  readonly ignoredWindow?: string | undefined;
  /** Goes on with this window or with none. */
  readonly windowId?: string | undefined;
  /** Four random hexadecimal digits or more, so that two windows of one second differ. */
  readonly suffix: string;
}

/**
 * Opens the record for this run: creates it, goes on with it, or refuses and tells who holds it.
 * @throws FailureError `window-held`, `window-other` or `record-unreadable`
 */
export async function openRecord(
  host: Host,
  clock: Clock,
  request: OpenRequest,
): Promise<WindowRecord> {
  const place = placeOf(request.stateDir, request.name);
  // Bounded: a lost race for the lock is decided anew on what the winner wrote.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const existing = await readExisting(host, place);
    const admission = admit(existing, {
      runId: request.run.id,
      attempt: request.run.attempt,
      mayTakeOver: false,
      windowId: request.windowId,
      now: clock.now(),
    });
    switch (admission.kind) {
      case 'refuse':
        return refuse(admission.holder, admission.reason, existing, place);
      case 'continue':
        return load(host, clock, place, request.run.id, existing);
      case 'supersede':
        await archive(host, place, admission.windowId);
        break;
      case 'create': {
        const created = await create(host, clock, place, request);
        if (created !== undefined) return created;
        break;
      }
      case 'other-window':
        return fail({
          code: 'window-other',
          message: `Window ${request.windowId ?? ''} is not open here; ${admission.open === undefined ? `there is no open window of the name "${request.name}"` : `${admission.open} is`}.`,
          state: 'Nothing was touched.',
          next: 'A window that is over is not gone on with: begin a new one with `preflight` (in a workflow: run all jobs again, not single ones).',
        });
      case 'take-over':
        throw new Error('a new window never takes a record over');
    }
  }
  return fail({
    code: 'window-held',
    message: `Another run is opening the record of "${request.name}" at this moment.`,
    state: 'Nothing was touched.',
    next: 'Run again when the other window has ended.',
  });
}

/**
 * Takes the record as it is, whoever holds it; `undefined` when there is none. For `rollback`, which must work
 * on a new runner and for an operator.
 * @throws FailureError `record-unreadable`
 */
export async function takeRecord(
  host: Host,
  clock: Clock,
  at: {
    readonly stateDir: string;
    readonly name: string;
    readonly runId: string;
    /** Takes this window or none. */
    readonly windowId?: string | undefined;
  },
): Promise<WindowRecord | undefined> {
  const place = placeOf(at.stateDir, at.name);
  const existing = await readExisting(host, place);
  if (existing.kind === 'none') return undefined;
  const admission = admit(existing, {
    runId: at.runId,
    attempt: 1,
    mayTakeOver: true,
    windowId: at.windowId,
    now: clock.now(),
  });
  if (admission.kind === 'other-window') return undefined;
  if (admission.kind === 'refuse') {
    return refuse(admission.holder, admission.reason, existing, place);
  }
  return load(host, clock, place, at.runId, existing);
}

/**
 * Reads a record without taking it: the current one, or else the newest of the history.
 * @returns `undefined` when this host knows of no window of that name
 */
export async function readRecord(
  host: Host,
  at: { readonly stateDir: string; readonly name: string },
): Promise<RecordCopy | undefined> {
  const place = placeOf(at.stateDir, at.name);
  const current = await readCopy(host, place.statusFile, place.journalFile);
  if (current !== undefined) return current;
  const newest = (await host.list(place.historyFolder)).at(-1);
  if (newest === undefined) return undefined;
  const folder = posix.join(place.historyFolder, newest);
  return readCopy(host, posix.join(folder, 'window.json'), posix.join(folder, 'journal.ndjson'));
}

/** All windows of the history, oldest first; what cannot be read is left out. */
export async function readHistory(
  host: Host,
  at: { readonly stateDir: string; readonly name: string },
): Promise<readonly RecordCopy[]> {
  const place = placeOf(at.stateDir, at.name);
  const copies: RecordCopy[] = [];
  for (const windowId of await host.list(place.historyFolder)) {
    const folder = posix.join(place.historyFolder, windowId);
    const statusFile = posix.join(folder, 'window.json');
    const status = await readStatus(host, statusFile);
    if (status.kind !== 'status') continue;
    copies.push({
      status: status.status,
      journal: await readJournal(host, posix.join(folder, 'journal.ndjson')),
    });
  }
  return copies;
}

function refuse(
  holder: string,
  reason: string,
  existing: ExistingRecord,
  place: RecordPlace,
): never {
  if (existing.kind === 'unreadable') {
    return fail({
      code: 'record-unreadable',
      message: `The record ${place.statusFile} cannot be read: ${existing.reason}.`,
      state: 'Nothing was touched; what an earlier window left is unknown.',
      next: `Look at ${place.statusFile} and ${place.journalFile}; when you are certain that no window is open, move them away.`,
    });
  }
  return fail({
    code: 'window-held',
    message: `Another maintenance window is open here: ${holder}; ${reason}.`,
    state: 'Nothing was touched.',
    next: 'Let that window end, or make it safe with the `rollback` action (or `maintenance-window rollback`), then start again.',
  });
}

async function create(
  host: Host,
  clock: Clock,
  place: RecordPlace,
  request: OpenRequest,
): Promise<WindowRecord | undefined> {
  const now = clock.now();
  const status: WindowStatus = {
    schemaVersion: recordVersion,
    windowId: windowId(now, request.suffix),
    name: request.name,
    state: 'planned',
    blast: 'none',
    run: request.run,
    startedAt: now.toISOString(),
    updatedAt: now.toISOString(),
    deadline: request.deadline.toISOString(),
    leaseUntil: request.leaseUntil.toISOString(),
    ...(request.ignoredWindow === undefined ? {} : { ignoredWindow: request.ignoredWindow }),
    settings: request.settings,
  };
  // Workers of the web server pass through to the mode folder, but cannot list this one.
  await host.makeDirectory(place.folder, 0o711);
  const created = await host.createFile(place.statusFile, serialize(status), { mode: 0o600 });
  if (!created) return undefined;
  return new WindowRecord(host, clock, place, request.run.id, { status, journal: [] });
}

/** For instance `mw-20261122-020000-1a2b`: sorts by time, safe in file names, headers and SQL identifiers. */
export function windowId(now: Date, suffix: string): string {
  const [date = '', time = ''] = now.toISOString().split('T');
  return `mw-${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}-${suffix}`;
}

async function load(
  host: Host,
  clock: Clock,
  place: RecordPlace,
  runId: string,
  existing: ExistingRecord,
): Promise<WindowRecord> {
  if (existing.kind !== 'status') throw new Error('only a readable record can be loaded');
  const journal = await mendJournal(host, place.journalFile);
  return new WindowRecord(host, clock, place, runId, {
    status: existing.status,
    // A kill in the middle of archiving leaves lines of the window before.
    journal: journal.filter((line) => line.windowId === existing.status.windowId),
  });
}

async function archive(host: Host, place: RecordPlace, id: string): Promise<void> {
  const folder = posix.join(place.historyFolder, id);
  await host.makeDirectory(place.historyFolder, 0o700);
  await host.makeDirectory(folder, 0o700);
  if ((await host.status(place.journalFile)) !== undefined) {
    await host.rename(place.journalFile, posix.join(folder, 'journal.ndjson'));
  }
  await host.rename(place.statusFile, posix.join(folder, 'window.json'));
}

async function readCopy(
  host: Host,
  statusFile: string,
  journalFile: string,
): Promise<RecordCopy | undefined> {
  const existing = await readStatus(host, statusFile);
  if (existing.kind === 'none') return undefined;
  if (existing.kind === 'unreadable') {
    return fail({
      code: 'record-unreadable',
      message: `The record ${statusFile} cannot be read: ${existing.reason}.`,
      state: 'What that window left is unknown.',
      next: `Look at ${statusFile} and ${journalFile}.`,
    });
  }
  const journal = await readJournal(host, journalFile);
  return {
    status: existing.status,
    journal: journal.filter((line) => line.windowId === existing.status.windowId),
  };
}

function readExisting(host: Host, place: RecordPlace): Promise<ExistingRecord> {
  return readStatus(host, place.statusFile);
}

async function readStatus(host: Host, path: string): Promise<ExistingRecord> {
  const bytes = await host.readFile(path);
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

/** Reads the journal and takes a line off that a kill cut short: the next one must not be glued to it. */
async function mendJournal(host: Host, path: string): Promise<JournalLine[]> {
  const bytes = await host.readFile(path);
  if (bytes === undefined) return [];
  const text = new TextDecoder().decode(bytes);
  if (text !== '' && !text.endsWith('\n')) {
    await host.writeFile(path, text.slice(0, text.lastIndexOf('\n') + 1), { mode: 0o600 });
  }
  return parseJournal(text);
}

async function readJournal(host: Host, path: string): Promise<JournalLine[]> {
  const bytes = await host.readFile(path);
  return bytes === undefined ? [] : parseJournal(new TextDecoder().decode(bytes));
}

function serialize(status: WindowStatus): string {
  return `${JSON.stringify(status, undefined, 2)}\n`;
}

export { holderOf };
