import { describe, expect, test } from '@jest/globals';
import { backupDb } from '../../src/phases/backup-db.ts';
import { enableMaintenance } from '../../src/phases/enable-maintenance.ts';
import { runDbMaintenance } from '../../src/phases/run-db-maintenance.ts';
import { checkTimeBudget } from '../../src/phases/time-budget.ts';
import { updateServer } from '../../src/phases/update-server.ts';
import { judgeBudget, sumOf } from '../../src/plan/time-budget.ts';
import { fail } from '../../src/ports/failure.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { at, backup, planOf } from '../fixtures/record-factory.ts';

const budget = { remaining: 2820, reserve: 720, reserveBasis: 'the restore test', smokeTests: 60 };
const none = { reserve: 0, reserveBasis: 'nothing to restore', smokeTests: 0 };

describe('the sum', () => {
  test.each([
    [2040, 'enough'],
    [2040.1, 'short'],
  ])('covers a step of %d s: %s', (seconds, kind) => {
    expect(judgeBudget(budget, { seconds, basis: 'database size' }).kind).toBe(kind);
  });

  test('is shown whole', () => {
    expect(judgeBudget(budget, { seconds: 2100, basis: 'slowest of 2 earlier' })).toEqual({
      kind: 'short',
      available: 2040,
      lacking: 60,
      sum: '47 min left − 12 min to go back (the restore test) − 1 min for smoke tests = 34 min; it is thought to need 35 min (slowest of 2 earlier)',
    });
  });

  test('says when it is late already', () => {
    expect(sumOf({ ...budget, remaining: -5 })).toBe(
      '−5 s left − 12 min to go back (the restore test) − 1 min for smoke tests = −13 min 5 s',
    );
  });

  test('with nothing to keep is the time itself', () => {
    expect(judgeBudget({ ...none, remaining: 1 }, { seconds: 1, basis: 'x' }).kind).toBe('enough');
  });
});

/** The window ends 90 minutes after {@link at}(0); the simulated clock begins 5 seconds after it. */
const begun = at(0);
const windowSeconds = 5400 - 5;

/** A window whose online backup took 600 s to restore. */
function statusWith(
  prediction: NonNullable<WindowStatus['prediction']>,
  change: Partial<WindowStatus> = {},
): Partial<WindowStatus> {
  return { startedAt: begun, prediction, backup: { ...backup, restoreSeconds: 600 }, ...change };
}

const predicted = (
  step: string,
  seconds: number,
  more: { closed?: boolean; measured?: boolean; skippable?: boolean } = {},
) => ({ step, seconds, closed: false, basis: 'database size', ...more });

const closed: Partial<WindowStatus> = {
  state: 'closed',
  maintenance: { mode: 'fake', prior: null, closedAt: at(-60) },
};

describe('on a simulated clock', () => {
  /** Each task takes as long as `takes` says; the clock begins with so many seconds left beyond the reserve. */
  async function runTasks(options: {
    tasks: object[];
    spare: number;
    prediction: NonNullable<WindowStatus['prediction']>;
    takes?: Record<string, number>;
    stage?: 'online' | 'closed';
    status?: Partial<WindowStatus>;
    plan?: Record<string, unknown>;
  }) {
    const world = new FakeWorld();
    world.bend.before = (effect) => world.clock.pass(options.takes?.[effect] ?? 0);
    const context = await world.contextOf(statusWith(options.prediction, options.status), {
      plan: { 'run-db-maintenance': { tasks: options.tasks }, ...options.plan },
    });
    world.clock.pass(windowSeconds - 600 - options.spare);
    const outcome = await runDbMaintenance(context, { stage: options.stage ?? 'online' });
    return { world, outcome, status: context.record.status, journal: context.record.journal };
  }

  const vacuum = { task: 'vacuum' };
  const analyze = { task: 'analyze' };

  test('work that fits is done, and the sum is printed before each step', async () => {
    const { world, outcome } = await runTasks({
      tasks: [vacuum, analyze],
      spare: 100,
      prediction: [
        predicted('run-db-maintenance: task-vacuum', 60),
        predicted('run-db-maintenance: task-analyze', 30),
      ],
      takes: { vacuum: 60, analyze: 30 },
    });
    expect(outcome.kind).toBe('done');
    expect(world.effects).toEqual(['vacuum', 'analyze']);
    expect(world.progress.lines.filter((line) => line.includes('time for'))).toEqual([
      expect.stringContaining(
        'time for vacuum all tables: 11 min 40 s left − 10 min to go back (the restore test) − 0 ms for smoke tests = 1 min 40 s; it is thought to need 1 min (database size): enough',
      ),
      expect.stringMatching(/time for analyze all tables: 10 min (?:40|3\d) s left .*: enough$/),
    ]);
  });

  test('what took longer than thought costs the next step its turn', async () => {
    const { world, status, journal } = await runTasks({
      tasks: [vacuum, analyze, { task: 'reindex' }],
      spare: 100,
      prediction: [
        predicted('run-db-maintenance: task-vacuum', 60),
        predicted('run-db-maintenance: task-analyze', 30),
        predicted('run-db-maintenance: task-reindex', 10),
      ],
      takes: { vacuum: 85 },
    });
    // 15 s are left, less what looking around took: too little for analyze, enough for reindex.
    expect(world.effects).toEqual(['vacuum', 'reindex']);
    expect(status.tasks).toMatchObject([
      { id: 'vacuum', outcome: 'done' },
      {
        id: 'analyze',
        outcome: 'skipped',
        summary: expect.stringMatching(/= 1[1-5] s; it is thought to need 30 s/),
      },
      { id: 'reindex', outcome: 'done' },
    ]);
    expect(journal.find(({ step }) => step === 'task-analyze')).toMatchObject({
      event: 'skipped',
      detail: expect.stringMatching(/1[5-9] s too little$/),
    });
  });

  test('a change that does not fit ends the window before it is begun', async () => {
    const { world, outcome, status } = await runTasks({
      tasks: [{ task: 'sql', id: 'prices', sql: 'update items set price = 1 where id = 1' }],
      spare: 10,
      prediction: [predicted('run-db-maintenance: task-prices', 30, { closed: true })],
      stage: 'closed',
      status: closed,
    });
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'time-budget' } });
    expect(world.effects).not.toContain('sql');
    expect(status.tasks ?? []).toEqual([]);
  });

  test('no restore point is begun that does not fit', async () => {
    const { world, outcome } = await runTasks({
      tasks: [{ task: 'sql', id: 'prices', sql: 'update items set price = 1 where id = 1' }],
      spare: 10,
      prediction: [predicted('run-db-maintenance: clone', 11, { closed: true })],
      stage: 'closed',
      status: closed,
    });
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'time-budget',
        message: expect.stringContaining('A clone as restore point'),
        state: 'It was not begun; the window is closed.',
      },
    });
    expect(world.effects).toEqual([]);
  });

  test.each([
    ['skip', 'done'],
    ['abort', 'failed'],
  ])('the plan may say %s', async (whenLate, kind) => {
    const { outcome } = await runTasks({
      tasks: [{ ...vacuum, 'when-late': whenLate }],
      spare: 10,
      prediction: [predicted('run-db-maintenance: task-vacuum', 60)],
    });
    expect(outcome.kind).toBe(kind);
  });

  test('a statement that runs into the reserve is ended, and its task left out', async () => {
    const world = new FakeWorld();
    const prediction = [predicted('run-db-maintenance: task-vacuum', 60)];
    const limits: number[] = [];
    const context = await world.contextOf(statusWith(prediction), {
      plan: { 'run-db-maintenance': { tasks: [vacuum] } },
      parts: {
        database: {
          ...world.database,
          vacuum: async (_tables, options) => {
            limits.push(options.statementTimeoutSeconds);
            world.clock.pass(options.statementTimeoutSeconds);
            return fail({
              code: 'database-statement-timeout',
              message: 'It was ended.',
              state: 's',
              next: 'n',
            });
          },
        },
      },
    });
    world.clock.pass(windowSeconds - 600 - 90);
    const outcome = await runDbMaintenance(context, { stage: 'online' });
    expect(limits).toHaveLength(1);
    expect(limits[0]).toBeGreaterThan(80);
    expect(limits[0]).toBeLessThanOrEqual(90);
    expect(outcome.kind).toBe('done');
    expect(context.record.status.tasks).toMatchObject([
      { outcome: 'skipped', summary: expect.stringContaining('time kept for going back') },
    ]);
  });

  test('the reserve may be named by the plan, where going back takes less than a restore', async () => {
    const { world } = await runTasks({
      tasks: [vacuum],
      spare: -500,
      prediction: [predicted('run-db-maintenance: task-vacuum', 60)],
      plan: { rollback: { reserve: '10s' } },
    });
    expect(world.effects).toEqual(['vacuum']);
  });

  test('the site is not closed when what must be done would not fit', async () => {
    const steps = [
      predicted('run-db-maintenance: clone', 40, { closed: true }),
      predicted('run-db-maintenance: task-late', 500, { closed: true, skippable: true }),
      predicted('run-db-maintenance: task-migrate', 20, { closed: true }),
      predicted('smoke-test: checks', 5, { closed: true, measured: true }),
    ];
    const close = async (spare: number) => {
      const world = new FakeWorld();
      const context = await world.contextOf(statusWith(steps));
      world.clock.pass(windowSeconds - 600 - spare);
      return { outcome: await enableMaintenance(context, { prepareOnly: false }), world };
    };
    const refused = await close(59);
    expect(refused.outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'time-budget', state: 'It was not begun; the site is open.' },
    });
    expect(refused.world.door).toEqual({ kind: 'open' });
    expect((await close(70)).outcome.kind).toBe('done');
  });

  test('no backup is begun that would not be done in time', async () => {
    const world = new FakeWorld();
    const context = await world.contextOf({
      prediction: [
        predicted('backup-db: dump-online', 1000),
        predicted('backup-db: restore-test-online', 2000),
      ],
    });
    // Dump, restore test, and the reserve of another restore: 5000 s.
    world.clock.pass(windowSeconds - 4999);
    expect(await backupDb(context)).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'time-budget',
        message: expect.stringContaining('(predicted, database size)'),
      },
    });
  });

  test('server tasks are held against it too', async () => {
    const world = new FakeWorld();
    const context = await world.contextOf(
      statusWith([predicted('update-server: task-clean-up', 30)]),
      {
        plan: {
          'update-server': {
            tasks: [{ task: 'clean-up', stage: 'online', 'package-cache': true, on: 'control' }],
          },
        },
      },
    );
    world.clock.pass(windowSeconds - 600 - 10);
    expect((await updateServer(context, { stage: 'online' })).kind).toBe('done');
    expect(context.record.status.serverTasks).toMatchObject([
      { outcome: 'skipped', summary: expect.stringContaining('20 s too little') },
    ]);
  });

  test('a window that was not predicted has nothing to hold against the time', async () => {
    const world = new FakeWorld();
    const context = await world.contextOf(
      { prediction: undefined },
      { plan: { 'run-db-maintenance': { tasks: [vacuum] } } },
    );
    world.clock.pass(windowSeconds - 1);
    expect((await runDbMaintenance(context, { stage: 'online' })).kind).toBe('done');
    expect(world.progress.lines.filter((line) => line.includes('time for'))).toEqual([]);
  });
});

describe('preflight', () => {
  const now = new Date(begun);
  const check = (
    remaining: number,
    prediction: Parameters<typeof checkTimeBudget>[0]['prediction'],
  ) =>
    checkTimeBudget({
      prediction,
      plan: planOf({ 'smoke-test': {} }),
      now,
      end: new Date(now.getTime() + remaining * 1000),
    });
  const must = predicted('backup-db: restore-test-online', 100, { measured: true });
  const may = predicted('run-db-maintenance: task-vacuum', 50, { skippable: true });

  test.each([
    // The restore test itself, and the same time to go back.
    [250, [must, may], 'passed'],
    [249, [must, may], 'warning'],
    [199, [must, may], 'failed'],
    [199, [{ ...must, measured: false }, may], 'warning'],
  ] as const)('with %d s for %j', (remaining, prediction, verdict) => {
    expect(check(remaining, [...prediction]).verdict).toBe(verdict);
  });

  test('shows the sum', () => {
    expect(check(150, [must]).value).toBe(
      '2 min 30 s left − 1 min 40 s to go back (predicted, database size) − 0 ms for smoke tests = 50 s; it is thought to need 1 min 40 s (as measured before): 50 s too little',
    );
  });
});
