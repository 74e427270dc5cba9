import type { WindowStatus } from '../record/status.ts';
import type { Downtime } from './downtime.ts';
import type { TimelineRow } from './timeline.ts';

/** Seconds that were predicted for a step, and that it took. */
export interface PredictedStep {
  /** `phase: step`. */
  readonly step: string;
  /** Whether the public was to be kept out meanwhile. */
  readonly closed: boolean;
  readonly predicted: number;
  /** Where the predicted figure came from. */
  readonly basis: string;
  /** `null` when the step has no outcome. */
  readonly actual: number | null;
}

/** What was predicted, as a whole and by step; seconds. */
export interface Predictions {
  readonly steps: readonly PredictedStep[];
  readonly downtime: { readonly predicted: number; readonly actual: number | null };
}

/** Sets each predicted step against what it took, repetitions added up; and the downtime. */
export function comparePrediction(
  prediction: WindowStatus['prediction'],
  rows: readonly TimelineRow[],
  downtime: Pick<Downtime, 'seconds'>,
): Predictions | null {
  if (prediction === undefined || prediction.length === 0) return null;
  const steps = prediction.map(({ step, seconds, closed, basis }) => {
    const matching = rows.filter(
      (row) =>
        row.outcome === 'done' && (`${row.phase}: ${row.step}` === step || row.phase === step),
    );
    const actual = matching.reduce((sum, row) => sum + (row.seconds ?? 0), 0);
    return {
      step,
      closed,
      predicted: seconds,
      basis,
      actual: matching.length === 0 ? null : rounded(actual),
    };
  });
  const closed = steps.filter((step) => step.closed);
  const predicted = rounded(closed.reduce((sum, step) => sum + step.predicted, 0));
  return { steps, downtime: { predicted, actual: downtime.seconds } };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
