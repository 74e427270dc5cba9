import type { Clock } from '../ports/clock.ts';
import { fail } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import { admit, type ExistingRecord } from './admission.ts';
import { archiveRecord } from './archive.ts';
import type { JournalLine } from './journal.ts';
import { mayBecome, worst, type BlastClass, type WindowState } from './life.ts';
import { mendJournal, readStatus, type RecordCopy } from './record-files.ts';
import { placeOf, type RecordPlace } from './record-place.ts';
import { recordVersion, type WindowStatus } from './status.ts';

export { parseStatus, readHistory, readRecord, type RecordCopy } from './record-files.ts';
export { placeOf, type RecordPlace } from './record-place.ts';

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
    await archiveRecord(this.#host, this.#clock, this.place, {
      windowId: this.#status.windowId,
      runId: this.#runId,
    });
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
    const existing = await readStatus(host, place);
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
        await archiveRecord(host, clock, place, {
          windowId: admission.windowId,
          runId: request.run.id,
        });
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
  const existing = await readStatus(host, place);
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
  const { status } = existing;
  const journal = await mendJournal(host, place, status);
  return new WindowRecord(host, clock, place, runId, { status, journal });
}

function serialize(status: WindowStatus): string {
  return `${JSON.stringify(status, undefined, 2)}\n`;
}
