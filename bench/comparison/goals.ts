import {
  middle,
  refused,
  rollback,
  runsOf,
  stepTime,
  windowRuns,
  type SizeResult,
} from './comparison.ts';
import { schemaChanges } from './runbook.ts';
import type { MeasuredRun } from './run-side.ts';
import { windowNames, type WindowName } from './side.ts';

/** Something that was set out to be reached, and how it went. */
export type Goal = {
  readonly goal: string;
  readonly measured: string;
  /** Undefined where this run measured too little to tell. */
  readonly isReached: boolean | undefined;
};

const ratioMegabytes = 1000;
const longestStall = 100;
const mostOverhead = 300;
/** Memory that grows with the database would grow forty times between the sizes. */
const steadyMemory = 1.25;

/** @param results one for each size, the smallest first */
export function goalsOf(results: readonly SizeResult[]): readonly Goal[] {
  return [
    ...windowNames.flatMap((name) => [
      fraction(results, name, 'the public is refused', 10, refused),
      fraction(results, name, 'a rollback lasts', 30, rollback),
      better(results, name, 'downtime', refused),
      better(results, name, 'rollback', rollback),
      overhead(results, name),
    ]),
    stall(windowRuns(results)),
    doors(windowRuns(results)),
    memory(results),
  ];
}

type Duration = typeof refused;

function fraction(
  results: readonly SizeResult[],
  name: WindowName,
  what: string,
  wanted: number,
  of: Duration,
): Goal {
  const goal = `With a ${name} ${what} at most 1/${wanted} as long as by the runbook, at ${ratioMegabytes / 1000} GB`;
  const result = results.find(({ megabytes }) => megabytes === ratioMegabytes);
  if (result === undefined) return { goal, measured: 'not measured', isReached: undefined };
  const times = of(result, 'runbook') / of(result, name);
  return { goal, measured: oneIn(times), isReached: times >= wanted };
}

function better(
  results: readonly SizeResult[],
  name: WindowName,
  what: string,
  of: Duration,
): Goal {
  const times = results.map((result) => of(result, 'runbook') / of(result, name));
  return {
    goal: `With a ${name} the ${what} against the runbook's gets better with the size`,
    measured: times.map(oneIn).join(', '),
    isReached:
      times.length < 2
        ? undefined
        : times.every((one, index) => index === 0 || one > (times[index - 1] ?? 0)),
  };
}

function overhead(results: readonly SizeResult[], name: WindowName): Goal {
  const worst = results
    .flatMap((result) => overheadsOf(result, name))
    .reduce((a, b) => (b.milliseconds > a.milliseconds ? b : a));
  return {
    goal: `With a ${name} less than ${mostOverhead} ms of each closed phase are not the database's work`,
    measured: `at most ${worst.milliseconds.toFixed(0)} ms, in ${worst.phase}`,
    isReached: worst.milliseconds < mostOverhead,
  };
}

/**
 * How long the database itself worked between closing and opening, in milliseconds: on the restore point, and on
 * the schema changes as long as it did for the runbook. Medians.
 */
export function databaseWorkOf(result: SizeResult, name: WindowName): number {
  const restorePoint = middle(result, name, 'maintenance', ({ phases = [] }) =>
    phases.reduce((sum, phase) => sum + phase.restorePoint, 0),
  );
  return restorePoint + schemaChangesOf(result);
}

function schemaChangesOf(result: SizeResult): number {
  return middle(result, 'runbook', 'maintenance', (run) => stepTime(run, schemaChanges));
}

/** Medians: what was not the database's own work, by phase. */
export function overheadsOf(
  result: SizeResult,
  name: WindowName,
): readonly { readonly phase: string; readonly milliseconds: number }[] {
  const runs = runsOf(result, name, 'maintenance');
  const names = [...new Set(runs.flatMap(({ phases = [] }) => phases.map(({ name }) => name)))];
  return names.map((phase) => {
    const rest = middle(result, name, 'maintenance', ({ phases = [] }) => {
      const { whole, restorePoint } = phases.find((one) => one.name === phase) ?? nothing;
      return whole - restorePoint;
    });
    // Where the tasks are.
    const work = phase === 'run-db-maintenance' ? schemaChangesOf(result) : 0;
    return { phase, milliseconds: rest - work };
  });
}

const nothing = { whole: 0, restorePoint: 0 };

function stall(windows: readonly MeasuredRun[]): Goal {
  const request = Math.max(...windows.map(({ seen }) => seen.online.worstRequest));
  const write = Math.max(...windows.map(({ seen }) => seen.online.worstWrite));
  return {
    goal: `Tasks that run online hold nobody up for longer than ${longestStall} ms`,
    measured: `${request.toFixed(0)} ms a request, ${write.toFixed(0)} ms a transaction, at worst`,
    isReached: Math.max(request, write) <= longestStall,
  };
}

function doors(windows: readonly MeasuredRun[]): Goal {
  const failed = windows.reduce((sum, { seen }) => sum + seen.failedAtDoors, 0);
  return {
    goal: 'No request fails by closing or opening',
    measured: `${failed} in ${windows.length} windows`,
    isReached: failed === 0,
  };
}

function memory(results: readonly SizeResult[]): Goal {
  const peaks = results.map((result) =>
    Math.max(...windowRuns([result]).map(({ peakMemoryBytes = NaN }) => peakMemoryBytes)),
  );
  const [first = NaN] = peaks;
  return {
    goal: 'The memory of our process does not depend on the size of the database',
    measured: peaks.map((peak) => `${(peak / 1e6).toFixed(0)} MB`).join(', '),
    isReached: peaks.length < 2 ? undefined : (peaks.at(-1) ?? NaN) <= steadyMemory * first,
  };
}

function oneIn(times: number): string {
  return `1/${times.toFixed(1)}`;
}
