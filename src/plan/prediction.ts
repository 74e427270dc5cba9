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
  /** Seen in an earlier window, or in this one. */
  readonly measured?: boolean | undefined;
  /** The plan lets the window go on without it when time runs short. */
  readonly skippable?: boolean | undefined;
}

/** A step to predict: where it is in the journal, and what it works through when there is no history. */
export interface PredictableStep {
  readonly phase: string;
  readonly step: string;
  readonly closed: boolean;
  readonly work: 'dump' | 'restore' | 'copy' | 'scan' | 'rebuild' | 'rewrite' | 'moment';
  /** What does not depend on the database, until there is a history. */
  readonly guessSeconds?: number;
  /** What it works through instead of the whole database; bytes. */
  readonly size?: DatabaseSize;
  readonly skippable?: boolean;
}

/** What a step works through; bytes. */
export type DatabaseSize = Pick<DatabaseFacts, 'bytes' | 'indexBytes'>;

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

/** What does not depend on the database; seconds, cautious on purpose. */
const momentSeconds = 1;

/**
 * Predicts steps from earlier windows of the same name (the slowest of the last five counts), and from the
 * database's size where there is no history.
 */
export function predict(
  steps: readonly PredictableStep[],
  facts: DatabaseSize | undefined,
  history: readonly RecordCopy[],
): readonly PredictedStep[] {
  return steps.map((predictable) => {
    const { phase, step, closed, work, guessSeconds, size = facts } = predictable;
    const head = {
      step: `${phase}: ${step}`,
      closed,
      ...(predictable.skippable === true ? { skippable: true } : {}),
    };
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
    if (earlier.length > 0) {
      return {
        ...head,
        seconds: Math.max(...earlier),
        basis: `slowest of ${earlier.length} earlier`,
        measured: true,
      };
    }
    if (guessSeconds !== undefined) return { ...head, seconds: guessSeconds, basis: 'a guess' };
    if (work === 'moment' || size === undefined) {
      return { ...head, seconds: momentSeconds, basis: 'a moment' };
    }
    const bytes = work === 'rebuild' ? size.indexBytes : size.bytes;
    return {
      ...head,
      seconds: Math.max(momentSeconds, bytes / bytesPerSecond[work]),
      basis: predictable.size === undefined ? 'database size' : 'size of its tables',
    };
  });
}

/** Seconds for which the site is predicted to be closed. */
export function predictedDowntime(steps: readonly PredictedStep[]): number {
  return steps.filter((step) => step.closed).reduce((sum, step) => sum + step.seconds, 0);
}

/**
 * The prediction with what the backup of this very window took: one that is retaken while closed takes as long, and
 * so does the restore or the reading that proves it.
 */
export function refinedByBackup(
  prediction: readonly PredictedStep[],
  backup: {
    readonly dumpSeconds: number;
    readonly restoreSeconds: number;
    readonly verification?: { readonly seconds: number } | undefined;
  },
): readonly PredictedStep[] {
  const measured: Readonly<Record<string, number | undefined>> = {
    'run-db-maintenance: dump-closed': backup.dumpSeconds,
    'run-db-maintenance: restore-test-closed': backup.restoreSeconds,
    'run-db-maintenance: checksum-closed': backup.verification?.seconds,
  };
  return prediction.map((step) => {
    const seconds = measured[step.step];
    return seconds === undefined
      ? step
      : { ...step, seconds, basis: 'the backup of this window', measured: true };
  });
}
