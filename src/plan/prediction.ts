import type { DatabaseFacts } from '../ports/database.ts';
import type { RecordCopy } from '../record/window-record.ts';

/** What a step is predicted to take. */
export interface PredictedStep {
  readonly step: string;
  readonly seconds: number;
  /** Whether the site is closed meanwhile. */
  readonly closed: boolean;
  /** Where the figure comes from. */
  readonly basis: string;
}

/** A step to predict: where it is in the journal, and what it works through when there is no history. */
export interface PredictableStep {
  readonly phase: string;
  readonly step: string;
  readonly closed: boolean;
  readonly work: 'dump' | 'restore' | 'copy' | 'scan' | 'rebuild' | 'rewrite' | 'moment';
  /** What does not depend on the database, until there is a history. */
  readonly guessSeconds?: number;
}

/** Bytes per second of a modest server, used until there is a history: cautious on purpose. */
const bytesPerSecond = {
  dump: 60e6,
  restore: 20e6,
  copy: 200e6,
  scan: 150e6,
  rebuild: 30e6,
  /** Tables with their indexes. */
  rewrite: 25e6,
} as const;

/**
 * Predicts steps from earlier windows of the same name (the slowest of the last five counts), and from the
 * database's size where there is no history.
 */
export function predict(
  steps: readonly PredictableStep[],
  facts: Pick<DatabaseFacts, 'bytes' | 'indexBytes'> | undefined,
  history: readonly RecordCopy[],
): readonly PredictedStep[] {
  return steps.map(({ phase, step, closed, work, guessSeconds }) => {
    const earlier = history
      .slice(-5)
      .flatMap(({ journal }) =>
        journal.filter(
          (line) =>
            line.phase === phase &&
            line.step === step &&
            line.event === 'done' &&
            (line.seconds ?? 0) > 0,
        ),
      )
      .map((line) => line.seconds ?? 0);
    const name = `${phase}: ${step}`;
    if (earlier.length > 0) {
      return {
        step: name,
        closed,
        seconds: Math.max(...earlier),
        basis: `slowest of ${earlier.length} earlier`,
      };
    }
    if (guessSeconds !== undefined)
      return { step: name, closed, seconds: guessSeconds, basis: 'a guess' };
    if (work === 'moment' || facts === undefined)
      return { step: name, closed, seconds: 1, basis: 'a moment' };
    const bytes = work === 'rebuild' ? facts.indexBytes : facts.bytes;
    return {
      step: name,
      closed,
      seconds: Math.max(1, bytes / bytesPerSecond[work]),
      basis: 'database size',
    };
  });
}

/** Seconds for which the site is predicted to be closed. */
export function predictedDowntime(steps: readonly PredictedStep[]): number {
  return steps.filter((step) => step.closed).reduce((sum, step) => sum + step.seconds, 0);
}
