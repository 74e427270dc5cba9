import type { WindowStatus } from '../record/status.ts';
import type { PredictedStep } from './report-input.ts';
import type { TimelineRow } from './timeline.ts';

/** Sets each predicted step, named `phase: step`, against what it took; repetitions are added up. */
export function comparePrediction(
  prediction: WindowStatus['prediction'],
  rows: readonly TimelineRow[],
): readonly PredictedStep[] {
  return (prediction ?? []).map(({ step, seconds }) => {
    const matching = rows.filter(
      (row) =>
        row.outcome === 'done' && (`${row.phase}: ${row.step}` === step || row.phase === step),
    );
    const actual = matching.reduce((sum, row) => sum + (row.seconds ?? 0), 0);
    return {
      step,
      predicted: seconds,
      actual: matching.length === 0 ? null : Math.round(actual * 1000) / 1000,
    };
  });
}
