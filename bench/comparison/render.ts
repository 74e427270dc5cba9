import { markdownTable, type Row } from '../markdown-table.ts';
import { median } from '../statistics.ts';
import { middle, refused, rollback, runsOf, stepTime, type SizeResult } from './comparison.ts';
import { databaseWorkOf, goalsOf, overheadsOf } from './goals.ts';
import type { MeasuredRun } from './run-side.ts';
import { publicLoad } from './public.ts';
import { givenForFree, repairs } from './runbook.ts';
import {
  sideLabels,
  sideNames,
  windowNames,
  type RunKind,
  type SideName,
  type WindowName,
} from './side.ts';
import { sizeName } from './sizes.ts';

/** The comparison as Markdown, from a heading of the second order on. `chart` is a path for the reader's browser. */
export function renderComparison(results: readonly SizeResult[], chart: string): string[] {
  return [
    '## The runbook by hand, against our window',
    '',
    `The same maintenance three times: vacuum and analyze, rebuild all indexes, build a new one, change the schema. Once by the runbook, done by a script to the letter; once by one call of the command line, with a clone of the database as restore point; and once with a streaming replica, stopped, as restore point. Each run begins with a copy of the same data and has the same public: ${publicLoad.clients} clients with connections that stay open, every fifth request an order, and a worker that writes into the database past the web server. They take turns; medians of ${roundsOf(results)}.`,
    '',
    `![Seconds in which the public was refused, and seconds of a rollback, by size of the database](${chart})`,
    '',
    ...renderMeasurements(results),
    '',
    '### Goals',
    '',
    ...markdownTable(
      ['goal', 'measured', ''],
      goalsOf(results).map(({ goal, measured, isReached }): Row => [
        goal,
        measured,
        isReached === undefined ? 'not told' : isReached ? 'reached' : '**not reached**',
      ]),
      'left',
    ),
    '',
    '### How long the public waited',
    '',
    "The longest that a request or a transaction of the worker took while a step of a window was at work online, milliseconds, all runs. The last thing that the restore test does is to drop its database, for which the server writes all that it has in memory, everybody else's pages too, as fast as the disk takes them (a checkpoint; so does CREATE DATABASE, and whoever asks for one).",
    '',
    ...renderWaits(results),
    '',
    '### The physical floor',
    '',
    "What this machine cannot do faster, on a copy of the same data with nobody at work: copying the database's files on the same file system, and giving a database another name twice, which is what a rollback to a copy comes down to.",
    '',
    ...renderFloor(results),
    '',
    '### Where the closed time goes',
    '',
    "Milliseconds, medians. The database's own work is copying itself or stopping the replica, and the schema changes as long as they took by hand; all the rest is ours, the time between the steps included.",
    '',
    ...renderSteps(results, 'maintenance'),
    '',
    'And when the second migration fails, after the first changed rows:',
    '',
    ...renderSteps(results, 'rollback'),
    '',
    '### What had to be repaired in the runbook',
    '',
    'As it is written it does not work. These are the least changes that make it:',
    '',
    ...repairs.map((repair) => `- ${repair}`),
    '',
    'And what was left out, all in its favour:',
    '',
    ...givenForFree.map((gift) => `- ${gift}`),
  ];
}

function roundsOf(results: readonly SizeResult[]): string {
  return results.map(({ megabytes, rounds }) => `${rounds} at ${sizeName(megabytes)}`).join(', ');
}

function renderMeasurements(results: readonly SizeResult[]): string[] {
  const row = (name: string, of: (result: SizeResult, side: SideName) => string): Row => [
    name,
    ...results.flatMap((result) => sideNames.map((side) => of(result, side))),
  ];
  const maintenance =
    (of: (run: MeasuredRun) => number, digits: number) => (result: SizeResult, side: SideName) =>
      middle(result, side, 'maintenance', of).toFixed(digits);
  const total = (of: (run: MeasuredRun) => number) => (result: SizeResult, side: SideName) =>
    String(allOf(result, side).reduce((sum, run) => sum + of(run), 0));
  const worst = (of: (run: MeasuredRun) => number) => (result: SizeResult, side: SideName) =>
    Math.max(...allOf(result, side).map(of)).toFixed(0);
  return [
    ...markdownTable(
      [
        '',
        ...results.flatMap(({ megabytes }) =>
          sideNames.map((side) => `${sizeName(megabytes)}: ${sideLabels[side]}`),
        ),
      ],
      [
        row('the public was refused, s', (...of) => (refused(...of) / 1000).toFixed(2)),
        row('rollback: from the failure until served again, s', (...of) =>
          (rollback(...of) / 1000).toFixed(2),
        ),
        row('acknowledged writes that the rollback lost', (result, side) =>
          middle(result, side, 'rollback', ({ lostWrites }) => lostWrites).toFixed(0),
        ),
        row(
          'failed requests from closing to opening, all runs',
          total(({ seen }) => seen.failedAtDoors),
        ),
        row(
          'failed requests before and after, all runs',
          total(({ seen }) => seen.failedElsewhere),
        ),
        row(
          'from the first command to the last, s',
          maintenance(({ seconds }) => seconds, 1),
        ),
        row(
          'processor time, s',
          maintenance(({ extra }) => extra.cpuSeconds, 1),
        ),
        row(
          'written to disk, MB',
          maintenance(({ extra }) => extra.writtenBytes / 1e6, 0),
        ),
        row('peak memory of our process, MB', (result, side) =>
          side === 'runbook'
            ? ''
            : middle(
                result,
                side,
                'maintenance',
                (run) => (run.peakMemoryBytes ?? 0) / 1e6,
              ).toFixed(0),
        ),
        row('requests a second: before, while work is done online', (result, side) =>
          beforeAndOnline(result, side, ({ requestsPerSecond }) => requestsPerSecond),
        ),
        row('transactions a second of the worker: the same', (result, side) =>
          beforeAndOnline(result, side, ({ writesPerSecond }) => writesPerSecond),
        ),
        row(
          'slowest request online, ms, all runs',
          worst(({ seen }) => seen.online.worstRequest),
        ),
        row('one request in a thousand took at least, ms', (result, side) =>
          middle(result, side, 'maintenance', ({ seen }) => seen.online.lateRequest).toFixed(0),
        ),
        row(
          'slowest transaction online, ms, all runs',
          worst(({ seen }) => seen.online.worstWrite),
        ),
      ],
    ),
    '',
    `Refused: from the first refusal to the last, as the clients saw them. Processor time and disk: of PostgreSQL, nginx, the shop and everything that either side started, less what serving the public took in the same time. Online is what runs while the public is served: for the runbook pg_dump, for a window all that needs no closed site, with the backup restored and compared. Failed requests, by the runbook: ${failuresOf(results, ['runbook'])}; by the windows: ${failuresOf(results, windowNames)}. With a standby, what the replica itself takes is not counted.`,
  ];
}

function renderWaits(results: readonly SizeResult[]): string[] {
  const columns = results.flatMap((result) =>
    windowNames.map((side) => ({ result, side, runs: allOf(result, side) })),
  );
  const names = new Set(
    columns.flatMap(({ runs }) => runs.flatMap(({ seen }) => Object.keys(seen.waits))),
  );
  const longest = (runs: readonly MeasuredRun[], name: string): string => {
    const waits = runs.flatMap(({ seen }) => seen.waits[name] ?? []);
    return waits.length === 0 ? '' : Math.max(...waits).toFixed(0);
  };
  return markdownTable(
    [
      'ms',
      ...columns.map(({ result, side }) => `${sizeName(result.megabytes)}: ${sideLabels[side]}`),
    ],
    [...names].map((name): Row => [name, ...columns.map(({ runs }) => longest(runs, name))]),
  );
}

function allOf(result: SizeResult, side: SideName): readonly MeasuredRun[] {
  return [...runsOf(result, side, 'maintenance'), ...runsOf(result, side, 'rollback')];
}

function beforeAndOnline(
  result: SizeResult,
  side: SideName,
  of: (service: MeasuredRun['seen']['before']) => number,
): string {
  const value = (when: 'before' | 'online') =>
    middle(result, side, 'maintenance', ({ seen }) => of(seen[when])).toFixed(0);
  return `${value('before')}, ${value('online')}`;
}

function failuresOf(results: readonly SizeResult[], sides: readonly SideName[]): string {
  const counts = new Map<string, number>();
  const runs = results.flatMap((result) => sides.flatMap((side) => allOf(result, side)));
  for (const { seen } of runs) {
    for (const [name, count] of Object.entries(seen.failures)) {
      counts.set(name, (counts.get(name) ?? 0) + count);
    }
  }
  return [...counts].map(([name, count]) => `${count} × ${name}`).join(', ') || 'none';
}

function renderFloor(results: readonly SizeResult[]): string[] {
  const row = (name: string, of: (result: SizeResult) => string): Row => [name, ...results.map(of)];
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(3)} s`;
  const rate = (bytes: number, milliseconds: number) =>
    `${(bytes / 1e6 / (milliseconds / 1000)).toFixed(0)} MB/s`;
  return markdownTable(
    ['', ...results.map(({ bytes }) => `${(bytes / 1e6).toFixed(0)} MB`)],
    [
      row('copying the files (`cp`)', ({ floor, bytes }) => copied(floor.copy, bytes)),
      row('the same until the copy is on the disk', ({ floor, bytes }) =>
        copied(floor.durableCopy, bytes),
      ),
      row('two renames', ({ floor }) => seconds(floor.renames)),
      ...windowNames.flatMap((side) => [
        row(`${sideLabels[side]}: the public was refused for`, (result) =>
          seconds(refused(result, side)),
        ),
        row(`${sideLabels[side]}: a rollback took`, (result) => seconds(rollback(result, side))),
      ]),
    ],
  );

  function copied(milliseconds: number, bytes: number): string {
    return `${seconds(milliseconds)}, ${rate(bytes, milliseconds)}`;
  }
}

/** Medians of every step between closing and opening, in the order in which they come. */
function renderSteps(results: readonly SizeResult[], kind: RunKind): string[] {
  const rows = sideNames.flatMap((side): Row[] => {
    const runs = results.map((result) => runsOf(result, side, kind));
    const names = [
      ...new Set(runs.flat().flatMap(({ closedSteps }) => closedSteps.map(({ name }) => name))),
    ];
    return [
      ...names.map((name): Row => [
        `${sideLabels[side]}: ${name}`,
        ...runs.map((some) => median(some.map((run) => stepTime(run, name))).toFixed(0)),
      ]),
      ...(side !== 'runbook' && kind === 'maintenance' ? overheadRows(results, side) : []),
    ];
  });
  return markdownTable(['ms', ...results.map(({ megabytes }) => sizeName(megabytes))], rows);
}

/** By phase, with what lies between the steps. */
function overheadRows(results: readonly SizeResult[], side: WindowName): Row[] {
  const overheads = results.map((result) => overheadsOf(result, side));
  const phases = [...new Set(overheads.flat().map(({ phase }) => phase))];
  const label = sideLabels[side];
  return [
    [
      `${label}: the database's own work`,
      ...results.map((result) => databaseWorkOf(result, side).toFixed(0)),
    ],
    ...phases.map((name): Row => [
      `${label}: all the rest of ${name}`,
      ...overheads.map((some) =>
        (some.find(({ phase }) => phase === name)?.milliseconds ?? 0).toFixed(0),
      ),
    ]),
  ];
}
