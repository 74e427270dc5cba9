import { describe, expect, test } from '@jest/globals';
import { JSDOM } from 'jsdom';
import { renderChart } from '../../bench/comparison/chart.ts';
import { closedPhases, closedSteps } from '../../bench/comparison/closed-phase.ts';
import type { SizeResult } from '../../bench/comparison/comparison.ts';
import { goalsOf } from '../../bench/comparison/goals.ts';
import { seenOf, type Seen } from '../../bench/comparison/outcome.ts';
import { renderComparison } from '../../bench/comparison/render.ts';
import type { MeasuredRun } from '../../bench/comparison/run-side.ts';
import { schemaChanges } from '../../bench/comparison/runbook.ts';
import { sideNames, type RunKind, type SideName } from '../../bench/comparison/side.ts';
import { parseSizes, sizeName } from '../../bench/comparison/sizes.ts';
import { summarizeTraffic, type TrafficRequest } from '../../rehearsal/traffic-report.ts';
import type { JournalLine } from '../../src/record/journal.ts';

describe('sizes', () => {
  test('are read as megabytes, each once, the smallest first', () => {
    expect(parseSizes('1GB,100MB, 100 MB,4GB')).toEqual([100, 1000, 4000]);
    expect([100, 1000, 4000].map(sizeName)).toEqual(['100 MB', '1 GB', '4 GB']);
  });

  test.each(['', '100', '0MB', '1TB', '100MB,', '65GB', '-1GB', '1.5GB'])(
    '%j is refused by name, with what is accepted',
    (text) => {
      expect(() => parseSizes(text)).toThrow(`--sizes is ${text}; accepted: `);
    },
  );
});

/** A request of one of two clients, each of which takes turns with itself. */
function request(
  startedAt: number,
  took: number,
  outcome: TrafficRequest['outcome'],
): TrafficRequest {
  return { client: 1, method: 'GET', path: '/', startedAt, endedAt: startedAt + took, outcome };
}

const served = { kind: 'answered', status: 200 } as const;
const refusedByUs = { kind: 'answered', status: 503, maintenance: 'mw-1' } as const;
const badGateway = { kind: 'answered', status: 502 } as const;
const lost = { kind: 'lost', error: 'read ECONNRESET', onReusedConnection: true } as const;

describe('what the public saw of a run', () => {
  const traffic = summarizeTraffic(
    [
      request(0, 900, served),
      request(1000, 10, served),
      request(1500, 20, served),
      request(2000, 40, served),
      request(2500, 5, lost),
      request(3000, 10, served),
      request(3900, 30, badGateway),
      request(4000, 10, refusedByUs),
      request(5000, 10, refusedByUs),
      request(6200, 10, served),
      request(6500, 10, served),
    ],
    0,
    7000,
  );
  const writes = [
    { startedAt: 1200, endedAt: 1210, isCommitted: true },
    { startedAt: 2600, endedAt: 2675, isCommitted: true },
    { startedAt: 2700, endedAt: 3500, isCommitted: false },
  ];
  const times = { beganAt: 1600, closingAt: 3850, openAt: 5500, endedAt: 6000 };

  test('is told apart by before, online, and the doors', () => {
    const seen = seenOf({ ...times, closedSteps: [] }, 900.5, traffic, writes);
    expect(seen).toEqual({
      refused: 1000,
      failedAtDoors: 1,
      failedElsewhere: 1,
      failures: { 'read ECONNRESET': 1, 'status 502': 1 },
      before: {
        requestsPerSecond: 2 / 0.6995,
        writesPerSecond: 1 / 0.6995,
        worstRequest: 20,
        lateRequest: 20,
        worstWrite: 10,
      },
      online: {
        requestsPerSecond: 3 / 2.25,
        writesPerSecond: 1 / 2.25,
        worstRequest: 40,
        lateRequest: 40,
        worstWrite: 75,
      },
      waits: {},
    });
  });

  test('how long somebody waited is told by step, of all that overlaps it and comes before the closing', () => {
    const journal = [
      line('backup-db', 'dump', 1190, 0, 'intent'),
      line('backup-db', 'dump', 1205, 0.015),
      line('run-db-maintenance', 'task-vacuum', 2600, 0, 'intent'),
      line('run-db-maintenance', 'task-vacuum', 2800, 0.2),
      line('enable-maintenance', 'flag', 3850, 0, 'intent'),
      line('enable-maintenance', 'flag', 3900, 0.05),
    ];
    const { waits } = seenOf({ ...times, closedSteps: [], journal }, 900.5, traffic, writes);
    // The write that failed is no wait.
    expect(waits).toEqual({ 'backup-db dump': 10, 'run-db-maintenance task-vacuum': 75 });
  });

  test('a rollback lasts from the failure to an answer to a request sent after it', () => {
    const failed = { ...times, failedAt: 4500, closedSteps: [] };
    expect(seenOf(failed, 900, traffic, writes).rollback).toBe(6210 - 4500);
    expect(() => seenOf({ ...failed, failedAt: 6600 }, 900, traffic, writes)).toThrow(
      'was not served again',
    );
  });

  test('a public that was never refused is a run gone wrong', () => {
    const open = summarizeTraffic([request(0, 10, served)], 0, 100);
    expect(() => seenOf({ ...times, closedSteps: [] }, 0, open, [])).toThrow('never refused');
  });
});

function line(
  phase: string,
  step: string,
  at: number,
  seconds: number,
  event: JournalLine['event'] = 'done',
): JournalLine {
  return {
    ...{ at: new Date(at).toISOString(), windowId: 'mw-1', runId: '1', phase, step, title: step },
    ...{ event, blast: 'none', seconds },
  };
}

describe('the closed part of a journal', () => {
  const journal = [
    line('run-db-maintenance', 'task-vacuum', 500, 0.4),
    line('enable-maintenance', 'flag', 1000, 0.01),
    line('enable-maintenance', 'drain', 1100, 0.09),
    line('run-db-maintenance', 'clone', 1600, 0, 'intent'),
    line('run-db-maintenance', 'clone', 2000, 0.4),
    line('run-db-maintenance', 'task-migrate', 2600, 0.5),
    line('disable-maintenance', 'lift-flag', 2650, 0.02),
    line('disable-maintenance', 'give-back', 3200, 0.5),
  ];

  test('is everything after closing up to the opening', () => {
    expect(closedSteps(journal).map(({ name }) => name)).toEqual([
      'enable-maintenance drain',
      'run-db-maintenance clone',
      'run-db-maintenance task-migrate',
      'disable-maintenance lift-flag',
    ]);
  });

  test('is divided among phases, and in each between the restore point and the rest', () => {
    const phases = closedPhases(journal);
    expect(phases).toEqual([
      { name: 'enable-maintenance', whole: 100, restorePoint: 0 },
      { name: 'run-db-maintenance', whole: 1500, restorePoint: 400 },
      { name: 'disable-maintenance', whole: 50, restorePoint: 0 },
    ]);
    // Nothing between closing and opening is forgotten.
    expect(phases.reduce((sum, { whole }) => sum + whole, 0)).toBe(2650 - 1000);
  });

  test('is missed when the journal has none', () => {
    expect(() => closedPhases(journal.slice(0, 1))).toThrow('no "done" of the step "flag"');
    expect(() => closedSteps(journal.slice(0, 3))).toThrow('no closed part');
  });
});

type Figures = { readonly refused: number; readonly rollback: number };

function run(side: SideName, kind: RunKind, figures: Figures): MeasuredRun {
  const service = {
    ...{ requestsPerSecond: 300, writesPerSecond: 60 },
    ...{ worstRequest: 40, lateRequest: 20, worstWrite: 30 },
  };
  const seen: Seen = {
    refused: figures.refused,
    ...(kind === 'rollback' ? { rollback: figures.rollback } : {}),
    failedAtDoors: side === 'runbook' ? 7 : 0,
    failedElsewhere: 0,
    failures: side === 'runbook' ? { 'status 502': 7 } : {},
    before: service,
    online: service,
    waits: side === 'runbook' ? {} : { 'backup-db dump-online': 40 },
  };
  return {
    ...{ side, kind, seen, seconds: 10, lostWrites: 0 },
    extra: { cpuSeconds: 3, writtenBytes: 5e8 },
    closedSteps: [{ name: schemaChanges, milliseconds: 100 }],
    ...(side === 'runbook' ? {} : { peakMemoryBytes: 1.2e8 }),
    ...(side !== 'runbook' && kind === 'maintenance' ? phaseWith(449) : {}),
  };
}

function phaseWith(whole: number): Pick<MeasuredRun, 'phases'> {
  return { phases: [{ name: 'run-db-maintenance', whole, restorePoint: 50 }] };
}

function size(megabytes: number, runbook: Figures, window: Figures): SizeResult {
  const kinds: readonly RunKind[] = ['maintenance', 'rollback'];
  return {
    ...{ megabytes, bytes: megabytes * 1e6, rounds: 1 },
    runs: kinds.flatMap((kind) =>
      sideNames.map((side) => run(side, kind, side === 'runbook' ? runbook : window)),
    ),
    floor: { copy: 100, durableCopy: 200, renames: 10 },
  };
}

function reached(results: readonly SizeResult[]): readonly (boolean | undefined)[] {
  return goalsOf(results).map(({ isReached }) => isReached);
}

describe('goals', () => {
  const small = size(100, { refused: 4000, rollback: 8000 }, { refused: 800, rollback: 400 });
  const large = size(1000, { refused: 9000, rollback: 15_000 }, { refused: 900, rollback: 500 });

  /** For each restore point five, then three about all windows. */
  const count = 13;
  const all = new Array<boolean>(count).fill(true);

  test('are reached', () => {
    expect(reached([small, large])).toEqual(all);
  });

  test('are missed by a little', () => {
    const slow = size(1000, { refused: 8999, rollback: 14_999 }, { refused: 900, rollback: 500 });
    const [downtime, rollback, ...others] = reached([small, slow]);
    expect([downtime, rollback, ...others.slice(3, 5)]).toEqual([false, false, false, false]);
    const alike = size(1000, { refused: 4000, rollback: 8000 }, { refused: 800, rollback: 400 });
    expect(reached([small, alike]).slice(2, 4)).toEqual([false, false]);
  });

  const slowWrite = ({ seen }: MeasuredRun) => ({
    seen: { ...seen, online: { ...seen.online, worstWrite: 101 } },
  });
  test.each<[string, number, (run: MeasuredRun) => Partial<MeasuredRun>]>([
    ['a clone has much overhead', 4, () => phaseWith(450)],
    ['a write waits', 10, slowWrite],
    ['a request fails', 11, ({ seen }) => ({ seen: { ...seen, failedAtDoors: 1 } })],
    ['memory grows', 12, () => ({ peakMemoryBytes: 2e8 })],
  ])('one is missed when %s', (_, number, spoil) => {
    const runs = large.runs.map((one) =>
      one.side === 'clone' && one.kind === 'maintenance' ? { ...one, ...spoil(one) } : one,
    );
    expect(reached([small, { ...large, runs }])).toEqual(all.with(number, false));
  });

  test('what was not measured is not told', () => {
    const untold = new Array<undefined>(4).fill(undefined);
    expect(reached([small])).toEqual([...untold, true, ...untold, true, true, true, undefined]);
  });
});

describe('what is shown', () => {
  const results = [
    size(100, { refused: 4000, rollback: 8000 }, { refused: 800, rollback: 400 }),
    size(1000, { refused: 9000, rollback: 15_000 }, { refused: 900, rollback: 500 }),
  ];

  test('the tables have a cell for each column', () => {
    const lines = renderComparison(results, 'benchmarks.svg');
    const tables = lines
      .join('\n')
      .split('\n\n')
      .filter((part) => part.startsWith('|'));
    expect(tables).toHaveLength(6);
    for (const table of tables) {
      const widths = table.split('\n').map((row) => row.split('|').length);
      expect(new Set(widths).size).toBe(1);
    }
    expect(lines.join('\n')).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('the chart is a picture with a higher bar for more seconds', () => {
    const svg = renderChart(results);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    const { window } = new JSDOM();
    const picture = new window.DOMParser().parseFromString(svg, 'image/svg+xml');
    expect(picture.querySelector('parsererror')).toBeNull();
    const heights = (side: string) =>
      [...picture.querySelectorAll(`rect.${side}[width="28"]`)].map((bar) =>
        Number(bar.getAttribute('height')),
      );
    const [runbook, ours] = [heights('runbook'), heights('clone')];
    expect([runbook.length, ours.length]).toEqual([4, 4]);
    expect(runbook.every((height, index) => height > (ours[index] ?? Infinity))).toBe(true);
    // On a scale of powers of ten the same ratio is the same distance.
    const distance = (index: number) => (runbook[index] ?? 0) - (ours[index] ?? 0);
    expect(distance(1) / distance(0)).toBeCloseTo(Math.log(10) / Math.log(5), 1);
  });
});
