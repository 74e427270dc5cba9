import type { JournalLine } from '../../src/record/journal.ts';
import type { ClosedStep } from './side.ts';

/** A phase of the window, as far as it lies between closing and opening. Milliseconds. */
export type ClosedPhase = {
  readonly name: string;
  /** From the end of what came before it to its own end. */
  readonly whole: number;
  /** Of it, the database's own work on the restore point: copying itself, or stopping its replica. */
  readonly restorePoint: number;
};

const closing = 'flag';
const opening = 'lift-flag';
const restorePointSteps: readonly string[] = ['clone', 'stop-standby'];
const outcomes: readonly JournalLine['event'][] = ['done', 'skipped', 'failed'];

/**
 * When the first line of a step with this event was written, in milliseconds since the epoch.
 * @throws Error when the journal has none
 */
export function momentOf(
  journal: readonly JournalLine[],
  step: string,
  event: JournalLine['event'],
): number {
  const line = journal.find((candidate) => candidate.step === step && candidate.event === event);
  if (line === undefined) throw new Error(`The journal has no "${event}" of the step "${step}".`);
  return Date.parse(line.at);
}

/** The steps between closing and opening, in order. */
export function closedSteps(journal: readonly JournalLine[]): readonly ClosedStep[] {
  return closedOutcomes(journal).map(({ phase, step, seconds = 0 }) => ({
    name: `${phase} ${step}`,
    milliseconds: seconds * 1000,
  }));
}

/** The phases between closing and opening, in order; together they last from the one to the other. */
export function closedPhases(journal: readonly JournalLine[]): readonly ClosedPhase[] {
  const phases = new Map<string, ClosedPhase>();
  let previous = momentOf(journal, closing, 'done');
  for (const { phase, step, at, seconds = 0 } of closedOutcomes(journal)) {
    const { whole, restorePoint } = phases.get(phase) ?? { whole: 0, restorePoint: 0 };
    phases.set(phase, {
      name: phase,
      whole: whole + Date.parse(at) - previous,
      restorePoint: restorePoint + (restorePointSteps.includes(step) ? seconds * 1000 : 0),
    });
    previous = Date.parse(at);
  }
  return [...phases.values()];
}

/** Including the opening itself. */
function closedOutcomes(journal: readonly JournalLine[]): readonly JournalLine[] {
  const done = journal.filter(({ event }) => outcomes.includes(event));
  const from = done.findIndex(({ step }) => step === closing);
  const to = done.findIndex(({ step }) => step === opening);
  if (from < 0 || to < from) throw new Error('The journal has no closed part.');
  return done.slice(from + 1, to + 1);
}
