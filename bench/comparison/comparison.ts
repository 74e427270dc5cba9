import { median } from '../statistics.ts';
import { buildDataSet } from './data-set.ts';
import { measureFloor, type Floor } from './floor.ts';
import { runSide, type MeasuredRun, type Watch } from './run-side.ts';
import { sideLabels, sideNames, windowNames, type RunKind, type SideName } from './side.ts';

/** How thoroughly a size is measured. */
export type ComparisonExtent = {
  readonly megabytes: number;
  /** In each, all sides do both kinds of run. */
  readonly rounds: number;
  readonly watch: Watch;
};

/** All sides at one size of the database. */
export type SizeResult = {
  readonly megabytes: number;
  /** What PostgreSQL says that the database has. */
  readonly bytes: number;
  readonly rounds: number;
  readonly runs: readonly MeasuredRun[];
  readonly floor: Floor;
};

const kinds: readonly RunKind[] = ['maintenance', 'rollback'];

/**
 * Does the same maintenance by the runbook and by windows, in turns, each run on a copy of the same data and
 * with the same clients at work.
 * @param say is told what is being done
 */
export async function compare(
  { megabytes, rounds, watch }: ComparisonExtent,
  say: (line: string) => void,
): Promise<SizeResult> {
  say(`building ${megabytes} MB …`);
  const set = await buildDataSet(megabytes);
  try {
    const runs: MeasuredRun[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const kind of kinds) {
        // The side that begins changes: what comes later may find the machine warmer.
        for (const side of round % 2 === 0 ? sideNames : sideNames.toReversed()) {
          const run = await runSide(set, side, kind, watch);
          runs.push(run);
          say(`${megabytes} MB, round ${round + 1} of ${rounds}: ${told(run)}`);
        }
      }
    }
    say(`${megabytes} MB: the floor …`);
    const floor = await measureFloor(set, floorRounds);
    return { megabytes, bytes: set.bytes, rounds, runs, floor };
  } finally {
    await set.remove();
  }
}

const floorRounds = 3;

function told({ side, seen: { refused, rollback }, seconds }: MeasuredRun): string {
  const how =
    rollback === undefined
      ? `refused for ${(refused / 1000).toFixed(2)} s`
      : `rolled back in ${(rollback / 1000).toFixed(2)} s`;
  return `${sideLabels[side]}: ${how}, ${seconds.toFixed(0)} s in all`;
}

/** The runs of one side and kind. */
export function runsOf(
  { runs }: SizeResult,
  side: SideName,
  kind: RunKind,
): readonly MeasuredRun[] {
  return runs.filter((run) => run.side === side && run.kind === kind);
}

/** All runs of windows, of either kind. */
export function windowRuns(results: readonly SizeResult[]): readonly MeasuredRun[] {
  return results.flatMap((result) =>
    windowNames.flatMap((side) => [
      ...runsOf(result, side, 'maintenance'),
      ...runsOf(result, side, 'rollback'),
    ]),
  );
}

/** The middle of all runs of one side and kind. */
export function middle(
  result: SizeResult,
  side: SideName,
  kind: RunKind,
  of: (run: MeasuredRun) => number,
): number {
  return median(runsOf(result, side, kind).map(of));
}

/** How long a step of the closed part took, in milliseconds. */
export function stepTime({ closedSteps }: MeasuredRun, name: string): number {
  return closedSteps
    .filter((step) => step.name === name)
    .reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}

/** How long the public was refused, and how long a rollback took; milliseconds, medians. */
export function refused(result: SizeResult, side: SideName): number {
  return middle(result, side, 'maintenance', ({ seen }) => seen.refused);
}

export function rollback(result: SizeResult, side: SideName): number {
  return middle(result, side, 'rollback', ({ seen }) => seen.rollback ?? NaN);
}
