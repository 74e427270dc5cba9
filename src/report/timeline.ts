import type { Failure } from '../ports/failure.ts';
import type { JournalLine } from '../record/journal.ts';
import type { BlastClass } from '../record/life.ts';

export type RowOutcome =
  | 'done'
  | 'skipped'
  | 'failed'
  /** Begun, no outcome written, and begun or found again later. */
  | 'interrupted'
  /** Begun, and nothing more is known. */
  | 'unfinished'
  | 'note';

/** One step of the window: its intent and its outcome in one row. */
export interface TimelineRow {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly endedAt: string | null;
  readonly runId: string;
  readonly phase: string;
  readonly step: string;
  readonly title: string;
  readonly blast: BlastClass;
  readonly outcome: RowOutcome;
  /** Seconds since the intent; `null` when no outcome was written. */
  readonly seconds: number | null;
  /** What proves it, why it was skipped, or what went wrong; empty when nothing was written. */
  readonly detail: string;
  readonly failure: Failure | null;
}

/** Work of one phase; the seconds of its steps, without the pauses between them. */
export interface PhaseDuration {
  readonly phase: string;
  readonly at: string;
  readonly endedAt: string | null;
  readonly seconds: number;
  readonly steps: number;
  readonly failed: number;
}

/** Suffix that a step's outcome has when its effect was found, not made (see `runStep`). */
const foundDone = '(found done)';

/** Pairs intents with outcomes; an intent without one is told as what it is. */
export function timelineOf(journal: readonly JournalLine[]): readonly TimelineRow[] {
  const rows: TimelineRow[] = [];
  const open = new Map<string, number>();
  for (const line of journal) {
    const key = `${line.phase}\n${line.step}`;
    const index = open.get(key);
    const begun = index === undefined ? undefined : rows[index];
    if (line.event === 'note') {
      rows.push(rowOf(line, 'note'));
    } else if (line.event === 'intent') {
      interrupt(rows, index);
      open.set(key, rows.length);
      rows.push({ ...rowOf(line, 'unfinished'), endedAt: null });
    } else if (begun === undefined || index === undefined || isFound(line, begun)) {
      interrupt(rows, index);
      open.delete(key);
      rows.push(rowOf(line, line.event));
    } else {
      open.delete(key);
      rows[index] = { ...rowOf(line, line.event), at: begun.at, title: begun.title };
    }
  }
  return rows;
}

function rowOf(line: JournalLine, outcome: RowOutcome): TimelineRow {
  return {
    at: line.at,
    endedAt: line.at,
    runId: line.runId,
    phase: line.phase,
    step: line.step,
    title: line.title,
    blast: line.blast,
    outcome,
    seconds: line.seconds ?? null,
    detail: line.detail ?? '',
    failure: line.failure ?? null,
  };
}

/** Whether an outcome was found by a later run rather than written by the one that began. */
function isFound(line: JournalLine, begun: TimelineRow): boolean {
  return line.runId !== begun.runId || (line.detail?.endsWith(foundDone) ?? false);
}

function interrupt(rows: TimelineRow[], index: number | undefined): void {
  const row = index === undefined ? undefined : rows[index];
  if (row === undefined || index === undefined) return;
  rows[index] = {
    ...row,
    outcome: 'interrupted',
    detail: 'no outcome was written; the step was looked at again later',
  };
}

/** Durations by phase, in the order in which the phases began. */
export function phaseDurations(rows: readonly TimelineRow[]): readonly PhaseDuration[] {
  const phases = new Map<string, PhaseDuration>();
  for (const row of rows) {
    const sofar = phases.get(row.phase);
    phases.set(row.phase, {
      phase: row.phase,
      at: sofar?.at ?? row.at,
      endedAt: row.outcome === 'unfinished' ? null : row.endedAt,
      seconds: round((sofar?.seconds ?? 0) + (row.seconds ?? 0)),
      steps: (sofar?.steps ?? 0) + (row.outcome === 'note' ? 0 : 1),
      failed: (sofar?.failed ?? 0) + (row.outcome === 'failed' ? 1 : 0),
    });
  }
  return [...phases.values()];
}

/** The step's row that counts: its last, notes left out. */
export function lastRow(
  rows: readonly TimelineRow[],
  step: string,
  phase?: string,
): TimelineRow | undefined {
  return rows.findLast(
    (row) =>
      row.step === step && row.outcome !== 'note' && (phase === undefined || row.phase === phase),
  );
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
