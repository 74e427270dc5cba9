import { beforeEach, describe, expect, test } from '@jest/globals';
import { runDbMaintenance, type Stage } from '../../src/phases/run-db-maintenance.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import type { MigrationFile } from '../../src/ports/database-tasks.ts';
import { fail } from '../../src/ports/failure.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { at } from '../fixtures/record-factory.ts';

const clone = 'shop_mw_20261122_010000_1a2b_restore_point';
const vacuum = { task: 'vacuum' };
const closedVacuum = { task: 'vacuum', id: 'late', stage: 'closed' };
const archive = { task: 'sql', id: 'archive', sql: "delete from log where at < '2025-01-01'" };
const unsafe = { ...archive, transaction: false };
const closed: Partial<WindowStatus> = {
  state: 'closed',
  maintenance: { mode: 'fake', prior: null, closedAt: at(-60) },
};

let world: FakeWorld;

beforeEach(() => {
  world = new FakeWorld();
});

function contextWith(tasks: object[], status: Partial<WindowStatus> = {}): Promise<PhaseContext> {
  return world.contextOf(status, { plan: { 'run-db-maintenance': { tasks } } });
}

async function run(tasks: object[], stage: Stage, status: Partial<WindowStatus> = {}) {
  const context = await contextWith(tasks, status);
  const outcome = await runDbMaintenance(context, { stage });
  return { outcome, status: context.record.status, journal: context.record.journal };
}

describe('tasks while the public is served', () => {
  test('run alone, in order, without a restore point', async () => {
    const tasks = [{ task: 'analyze' }, archive, vacuum];
    const { outcome, status } = await run(tasks, 'online', { state: 'prepared' });
    expect(outcome).toMatchObject({ kind: 'done', detail: '2 online tasks are done' });
    expect(world.effects).toEqual(['analyze', 'vacuum']);
    expect(status).toMatchObject({ state: 'prepared', blast: 'none' });
    expect(status.tasks).toMatchObject([
      { id: 'analyze', stage: 'online', outcome: 'done', proof: 'looked at' },
      { id: 'vacuum', stage: 'online', outcome: 'done', proof: 'looked at' },
    ]);
  });

  test('that the plan has none of are nothing to do', async () => {
    expect((await run([archive], 'online')).outcome.kind).toBe('skipped');
    expect(world.effects).toEqual([]);
  });
});

describe('tasks while the site is closed', () => {
  test('that change something come after the restore point', async () => {
    const { outcome, status } = await run([vacuum, archive], 'closed', closed);
    expect(world.effects).toEqual(['seal shop', 'clone shop', 'unseal shop', 'sql']);
    expect(outcome).toMatchObject({ kind: 'done', outputs: { 'restore-point': 'clone' } });
    expect(status).toMatchObject({
      state: 'changed',
      blast: 'data',
      restorePoint: { kind: 'clone', database: clone, oid: 16_500 },
      database: { oid: 16_400, owner: 'shop_owner' },
    });
  });

  test('that change nothing need no restore point', async () => {
    const { outcome, status } = await run([closedVacuum], 'closed', closed);
    expect(world.effects).toEqual(['vacuum']);
    expect(outcome.outputs).toEqual({ 'restore-point': 'none' });
    expect(status.state).toBe('changed');
  });

  test('that there are none of leave the window closed and unchanged', async () => {
    const { outcome, status } = await run([vacuum], 'closed', closed);
    expect(outcome).toMatchObject({ kind: 'done', outputs: { 'restore-point': 'none' } });
    expect([world.effects, status.state]).toEqual([[], 'closed']);
  });

  test.each(['closed', 'all'] as const)(
    'are refused while it is open, before anything runs (stage %s)',
    async (stage) => {
      const { outcome } = await run([vacuum, archive], stage, { state: 'prepared' });
      expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'window-state' } });
      expect(world.effects).toEqual([]);
    },
  );

  test('a task that fails ends them, and what it did is not known to be proved', async () => {
    world.bend.before = (effect) => {
      if (effect === 'sql') fail({ code: 'x', message: 'No such table.', state: 's', next: 'n' });
    };
    const { outcome, status } = await run([archive, closedVacuum], 'closed', closed);
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'x' } });
    expect(world.effects).toEqual(['seal shop', 'clone shop', 'unseal shop']);
    expect(status.state).toBe('changing');
    expect(status.tasks).toMatchObject([
      { id: 'archive', outcome: 'failed', summary: 'No such table.', proof: '' },
    ]);
  });

  test('done again are done once, with the same restore point', async () => {
    const context = await contextWith([archive], closed);
    await runDbMaintenance(context, { stage: 'closed' });
    const { restorePoint } = context.record.status;
    const outcome = await runDbMaintenance(context, { stage: 'closed' });
    expect(outcome.kind).toBe('done');
    expect(world.effects).toEqual(['seal shop', 'clone shop', 'unseal shop', 'sql']);
    expect(context.record.status.restorePoint).toEqual(restorePoint);
  });
});

describe('a task that was killed between intent and outcome', () => {
  /** The window with the intent of the task as the last line of its journal. */
  async function interrupted(task: object): Promise<PhaseContext> {
    const context = await contextWith([task], { ...closed, state: 'changing', blast: 'data' });
    const step = 'task-archive';
    await context.record.append({
      phase: 'run-db-maintenance',
      step,
      title: 'sql archive',
      blast: 'data',
      event: 'intent',
    });
    return context;
  }

  test.each([
    ['outside a transaction', unsafe],
    ['within a transaction, which may have been committed', archive],
  ])('%s is not run again', async (_, task) => {
    const context = await interrupted(task);
    const outcome = await runDbMaintenance(context, { stage: 'closed' });
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'task-unfinished' } });
    expect(world.effects).toEqual([]);
    expect(context.record.status.state).toBe('changing');
  });

  test.each([
    ['true: it is done', unsafe, 'true', 'done', false],
    ['false, in a transaction: it is run again', archive, 'false', 'done', true],
    ['false, outside a transaction: nobody knows', unsafe, 'false', 'failed', false],
  ])('is asked for by its expect query; %s', async (_, task, value, kind, isRun) => {
    const context = await interrupted({ ...task, expect: 'select true' });
    const database = { ...world.database, queryValue: () => Promise.resolve(value) };
    const outcome = await runDbMaintenance({ ...context, database }, { stage: 'closed' });
    expect(outcome.kind).toBe(kind);
    expect(world.effects.includes('sql')).toBe(isRun);
  });

  test('that was harmless is run again', async () => {
    const context = await interrupted({ ...archive, blast: 'none' });
    const outcome = await runDbMaintenance(context, { stage: 'closed' });
    expect(outcome.kind).toBe('done');
    expect(world.effects).toContain('sql');
  });

  test('but not one whose outcome is known', async () => {
    const context = await interrupted(unsafe);
    await context.record.append({
      phase: 'run-db-maintenance',
      step: 'task-archive',
      title: 'sql archive',
      blast: 'data',
      event: 'done',
      data: { summary: 'done', proof: '' },
    });
    const outcome = await runDbMaintenance(context, { stage: 'closed' });
    expect(outcome.kind).toBe('done');
    expect(world.effects).not.toContain('sql');
  });
});

describe('SQL that the plan does not consent to', () => {
  const drop = { task: 'sql', id: 'drop-log', sql: 'select 1;\ndrop table log' };

  test('is refused before any task of the stage runs, naming line, statement and key', async () => {
    const { outcome, status, journal } = await run([closedVacuum, archive, drop], 'closed', closed);
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'consent-missing',
        message:
          'The plan does not consent to what its SQL does: task drop-log, sql, line 2: DROP TABLE.',
        next: 'When that is meant, add consent: [drop] to task drop-log; else correct the SQL.',
      },
    });
    expect(world.effects).toEqual([]);
    expect(status.state).toBe('closed');
    expect(journal.at(-1)).toMatchObject({ step: 'consent-closed', event: 'failed' });
  });

  test('runs with it', async () => {
    const { outcome } = await run([{ ...drop, consent: ['drop'] }], 'closed', closed);
    expect(outcome.kind).toBe('done');
    expect(world.effects).toContain('sql');
  });

  test.each([
    ['online', 'REINDEX TABLE log', 'failed'],
    ['closed', 'REINDEX TABLE log', 'done'],
  ] as const)('%s: %s is %s', async (stage, sql, kind) => {
    const status = stage === 'online' ? { state: 'prepared' as const } : closed;
    const task = { task: 'sql', sql, stage, blast: 'none' };
    expect((await run([task], stage, status)).outcome.kind).toBe(kind);
  });

  test('of a migration is found in the files that are pending, and only in those', async () => {
    const context = await contextWith(
      [
        { task: 'migrate', files: '/m' },
        { task: 'migrate', files: '/m', id: 'twice', consent: ['drop'] },
      ],
      closed,
    );
    await world.host.makeDirectory('/m', 0o755);
    await world.host.writeFile('/m/1.sql', 'truncate log', { mode: 0o644 });
    await world.host.writeFile('/m/2.sql', '\uFEFF-- gone\ndrop table log', { mode: 0o644 });
    const database = {
      ...world.database,
      pendingMigrations: async (files: readonly MigrationFile[]) => files.slice(1),
    };
    const refused = await runDbMaintenance({ ...context, database }, { stage: 'closed' });
    expect(refused).toMatchObject({
      kind: 'failed',
      failure: {
        message: expect.stringContaining('task migrate, file 2.sql, line 2: DROP TABLE.'),
      },
    });
    expect(world.effects).toEqual([]);
  });

  test('of a migration is asked for again when its turn comes, of what is pending then', async () => {
    const context = await contextWith([{ task: 'migrate', files: '/m' }], closed);
    await world.host.makeDirectory('/m', 0o755);
    await world.host.writeFile('/m/1.sql', 'drop table log', { mode: 0o644 });
    const database: typeof world.database = {
      ...world.database,
      pendingMigrations: async () => [],
      migrate: async (files, options) => {
        options.onPending?.(files);
        return world.database.migrate(files, options);
      },
    };
    const refused = await runDbMaintenance({ ...context, database }, { stage: 'closed' });
    expect(refused).toMatchObject({ kind: 'failed', failure: { code: 'consent-missing' } });
    expect(world.effects).not.toContain('migrate');
    expect(context.record.journal.at(-1)).toMatchObject({ step: 'task-migrate', event: 'failed' });
  });
});

test('advice is kept in the record', async () => {
  const finding = { kind: 'bloat', object: 'public.log', observed: '90 %', why: 'slow' };
  const context = await contextWith([{ task: 'optimize-queries' }], { state: 'prepared' });
  const database = {
    ...world.database,
    optimizeQueries: async () => ({ summary: '1', proof: 'p', figures: {}, findings: [finding] }),
  };
  await runDbMaintenance({ ...context, database }, { stage: 'online' });
  expect(context.record.status.tasks).toMatchObject([
    { id: 'optimize-queries', findings: [finding] },
  ]);
});
