import { beforeEach, describe, expect, test } from '@jest/globals';
import { guarded } from '../../src/phases/online/guarded.ts';
import { runDbMaintenance } from '../../src/phases/run-db-maintenance.ts';
import type { TaskOptions } from '../../src/ports/database-tasks.ts';
import { fail } from '../../src/ports/failure.ts';
import type { OnlineTerms, OnlineWatch } from '../../src/ports/online-guard.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { at, backup } from '../fixtures/record-factory.ts';

const prepared: Partial<WindowStatus> = { state: 'prepared' };
const archive = { task: 'archive', stage: 'online', table: 't', where: 'a', into: 'b' };
let world: FakeWorld;

beforeEach(() => {
  world = new FakeWorld();
});

/** Runs the online tasks; those named here fail with a code. */
async function run(
  section: Record<string, unknown>,
  failures: Readonly<Record<string, string>> = {},
  status: Partial<WindowStatus> = prepared,
) {
  world.bend.before = (effect) => {
    const code = failures[effect];
    if (code !== undefined) {
      fail({ code, message: 'Given up after 5 tries.', state: '3 of 4 are done.', next: 'n' });
    }
  };
  const context = await world.contextOf(status, { plan: { 'run-db-maintenance': section } });
  const outcome = await runDbMaintenance(context, { stage: 'online' });
  return { outcome, status: context.record.status, journal: context.record.journal };
}

describe('a task that cannot be done without harm', () => {
  test.each(['database-online-harmful', 'database-held-back', 'database-lock-timeout'])(
    'is skipped with its reason, and the others are done (%s)',
    async (code) => {
      const tasks = [{ task: 'reindex' }, { task: 'vacuum' }];
      const { outcome, status, journal } = await run({ tasks }, { reindex: code });
      expect(outcome.kind).toBe('done');
      expect(world.effects).toEqual(['vacuum']);
      expect(status.tasks).toMatchObject([
        { id: 'reindex', outcome: 'skipped', summary: 'Given up after 5 tries. 3 of 4 are done.' },
        { id: 'vacuum', outcome: 'done' },
      ]);
      expect(journal.filter(({ step }) => step === 'task-reindex').at(-1)).toMatchObject({
        event: 'skipped',
        detail: 'Given up after 5 tries. 3 of 4 are done.',
      });
    },
  );

  test.each<[string, Record<string, unknown>, string]>([
    ['the plan says so', { tasks: [{ task: 'reindex' }], 'when-held-back': 'fail' }, 'failed'],
    ['the task says so', { tasks: [{ task: 'reindex', 'when-held-back': 'fail' }] }, 'failed'],
    [
      'the task says otherwise',
      { tasks: [{ task: 'reindex', 'when-held-back': 'skip' }], 'when-held-back': 'fail' },
      'done',
    ],
  ])('fails the step where %s', async (_, section, kind) => {
    const { outcome } = await run(section, { reindex: 'database-online-harmful' });
    expect(outcome.kind).toBe(kind);
  });

  test('but one that fails for another reason ends the step', async () => {
    const { outcome, status } = await run(
      { tasks: [{ task: 'reindex' }, { task: 'vacuum' }] },
      { reindex: 'database-disk-full' },
    );
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'database-disk-full' } });
    expect(status.tasks).toMatchObject([{ id: 'reindex', outcome: 'failed' }]);
  });

  test('nor is a task skipped that failed while closed', async () => {
    world.bend.before = (effect) => {
      if (effect !== 'vacuum') return;
      fail({ code: 'database-lock-timeout', message: 'm', state: 's', next: 'n' });
    };
    const context = await world.contextOf(
      { state: 'closed', maintenance: { mode: 'fake', prior: null, closedAt: at(-60) } },
      { plan: { 'run-db-maintenance': { tasks: [{ task: 'vacuum', stage: 'closed' }] } } },
    );
    expect((await runDbMaintenance(context, { stage: 'closed' })).kind).toBe('failed');
  });
});

describe('archiving online', () => {
  test('is refused without a verified backup of this window, before any task runs', async () => {
    const { outcome } = await run({ tasks: [{ task: 'vacuum' }, archive] });
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'backup-missing' } });
    expect(world.effects).toEqual([]);
  });

  test('leaves nothing for a rollback to take back', async () => {
    const { outcome, status } = await run({ tasks: [archive] }, {}, { ...prepared, backup });
    expect(outcome.kind).toBe('done');
    expect(world.effects).toEqual(['archive']);
    expect([status.state, status.blast]).toEqual(['prepared', 'none']);
  });
});

describe('the terms of online tasks', () => {
  test.each([
    ['prepared', true],
    ['closed', false],
  ] as const)('hold while the public is served (%s: %s)', async (state, isServed) => {
    let seen: OnlineTerms | undefined;
    const context = await world.contextOf(
      { state, maintenance: { mode: 'fake', prior: null, closedAt: at(-60) } },
      {
        plan: {
          'run-db-maintenance': {
            tasks: [{ task: 'analyze' }],
            'online-max-blocked': '250ms',
            'online-tries': 2,
          },
        },
      },
    );
    const database = {
      ...world.database,
      analyze: async (_tables: unknown, { online }: TaskOptions) => {
        seen = online;
        return { summary: 's', proof: 'p', figures: { tables: 1 } };
      },
    };
    await runDbMaintenance({ ...context, database }, { stage: 'online' });
    expect(seen === undefined ? undefined : [seen.maxBlockedSeconds, seen.tries]).toEqual(
      isServed ? [0.25, 2] : undefined,
    );
    const figures = context.record.status.tasks?.[0]?.figures;
    expect(figures).toEqual(
      isServed
        ? expect.objectContaining({ tables: 1, 'answer-without-it-seconds': 0.1 })
        : { tables: 1 },
    );
  });
});

describe('work of client programs', () => {
  /** A watch that has told us to give way before each try that is named. */
  function watchOf(gaveWayIn: readonly number[]) {
    const watch = { tries: 0, cancelled: 0, ended: 0 };
    const start = async (_work: unknown, terms: OnlineTerms): Promise<OnlineWatch> => ({
      terms,
      get cancelled() {
        return watch.cancelled;
      },
      lastReason: 'pid 7 waited',
      turn: async () => undefined,
      end: async () => {
        watch.ended += 1;
        return {
          heldBack: 0,
          cancelled: watch.cancelled,
          longestWaitSeconds: 0.08,
          lastReason: 'pid 7 waited',
        };
      },
    });
    const work = async (attempt: number): Promise<string> => {
      watch.tries += 1;
      if (!gaveWayIn.includes(attempt)) return 'dumped';
      watch.cancelled += 1;
      return fail({ code: 'database-connection-lost', message: 'm', state: 's', next: 'n' });
    };
    return { watch, start, work };
  }
  const dump = { what: 'The dump', sessions: { kind: 'dump', windowId: 'mw-1' } } as const;

  test('begins again when it gave way, and tells of it', async () => {
    const { watch, start, work } = watchOf([1, 2]);
    const context = await world.contextOf(prepared);
    const database = { ...world.database, watch: start };
    const { value, figures, told } = await guarded({ ...context, database }, dump, work);
    expect([value, watch.tries, watch.ended]).toEqual(['dumped', 3, 1]);
    expect(figures).toMatchObject({
      'statements-that-gave-way': 2,
      'longest-wait-of-others-seconds': 0.08,
    });
    expect(told).toContain('it gave way 2');
  });

  test('fails as it failed when nobody told it to give way', async () => {
    const { start, watch } = watchOf([]);
    const context = await world.contextOf(prepared);
    const work = async (): Promise<never> =>
      fail({ code: 'database-disk-full', message: 'full', state: 's', next: 'n' });
    const database = { ...world.database, watch: start };
    await expect(guarded({ ...context, database }, dump, work)).rejects.toThrow('full');
    expect(watch.ended).toBe(1);
  });

  test('is given up after the tries of the plan', async () => {
    const { start, watch, work } = watchOf([1, 2, 3, 4, 5, 6]);
    const context = await world.contextOf(prepared);
    const database = { ...world.database, watch: start };
    await expect(guarded({ ...context, database }, dump, work)).rejects.toMatchObject({
      failure: { code: 'database-online-harmful' },
    });
    expect([watch.tries, watch.ended]).toEqual([5, 1]);
  });

  test('is simply done while the site is closed', async () => {
    const { start, watch, work } = watchOf([]);
    const context = await world.contextOf({
      state: 'closed',
      maintenance: { mode: 'fake', prior: null, closedAt: at(-60) },
    });
    const database = { ...world.database, watch: start };
    expect((await guarded({ ...context, database }, dump, work)).value).toBe('dumped');
    expect(watch.ended).toBe(0);
  });
});
