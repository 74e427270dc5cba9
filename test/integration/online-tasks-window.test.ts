import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock/system-clock.ts';
import { postgresql } from '../../src/databases/postgresql.ts';
import { localHost } from '../../src/hosts/local.ts';
import { nodeHttp } from '../../src/http/node-http.ts';
import { guarded } from '../../src/phases/online/guarded.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { requireDatabase } from '../../src/phases/requirements.ts';
import { rollback } from '../../src/phases/rollback.ts';
import { runDbMaintenance } from '../../src/phases/run-db-maintenance.ts';
import type { Database } from '../../src/ports/database.ts';
import { backup, statusOf } from '../fixtures/record-factory.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { TaskCluster, until, type TaskDatabase } from './task-database.ts';

let cluster: TaskCluster;
beforeAll(async () => {
  cluster = await TaskCluster.start();
});
afterAll(() => cluster.stop());

/** The database as a window has it. */
function databaseOf({ name }: TaskDatabase): Database {
  const { windowId } = statusOf();
  return postgresql({
    host: localHost({ environment: {} }),
    clock: systemClock(),
    url: cluster.cluster.url({ database: name }),
    clientDirectory: cluster.cluster.binFolder,
    windowId,
  });
}

async function contextOf(
  database: TaskDatabase,
  plan: Record<string, unknown>,
  parts: Partial<PhaseContext> = {},
): Promise<{ readonly world: FakeWorld; readonly context: PhaseContext }> {
  const world = new FakeWorld();
  const context = await world.contextOf(
    // By the clock of this machine the window is not over.
    { state: 'prepared', backup, deadline: new Date(Date.now() + 3_600_000).toISOString() },
    { plan, parts: { clock: systemClock(), database: databaseOf(database), ...parts } },
  );
  return { world, context };
}

describe('an application that becomes slow', () => {
  /** Answers after as many milliseconds as the test says. */
  const application = { milliseconds: 0, status: 200, answers: 0 };
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((_request, response) => {
      void pause(application.milliseconds).then(() => {
        application.answers += 1;
        response.statusCode = application.status;
        response.end('ok');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
  });
  afterAll(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  );

  /** ANALYZE computes the index's expression, which does not end as long as there is a table `waiting`. */
  const slowAnalyze = `
    CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
      IF to_regclass('public.waiting') IS NOT NULL THEN PERFORM pg_sleep(300); END IF; RETURN n; END $$;
    CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 50);
    CREATE INDEX orders_slow ON orders (slow(id)); CREATE TABLE waiting ();`;

  test.each([
    ['answers late', { milliseconds: 400 }, 'the application answers in'],
    [
      'answers with errors',
      { status: 500 },
      'the application does not answer, or answers with errors',
    ],
  ])('because of us and %s is given way to until it is well', async (_, trouble, reason) => {
    const database = await cluster.database(slowAnalyze);
    const { context } = await contextOf(
      database,
      {
        'public-url': url,
        'run-db-maintenance': { tasks: [{ task: 'analyze', tables: ['orders'] }] },
      },
      { http: nodeHttp() },
    );
    const work = runDbMaintenance(context, { stage: 'online' });
    await until(async () => (await database.running('ANALYZE%')) > 0, 'it analyzes');
    Object.assign(application, trouble);
    await until(async () => (await database.running('ANALYZE%')) === 0, 'it gave way');
    const { answers } = application;
    await until(() => application.answers > answers + 2, 'it is asked on');
    expect(await database.running('ANALYZE%')).toBe(0);
    await database.sql('DROP TABLE waiting');
    Object.assign(application, { milliseconds: 0, status: 200 });
    expect((await work).kind).toBe('done');
    const [task] = context.record.status.tasks ?? [];
    expect(task).toMatchObject({ id: 'analyze', outcome: 'done' });
    expect(task?.summary).toContain(reason);
    expect(task?.figures['statements-that-gave-way']).toBe(1);
    expect(task?.figures['times-held-back']).toBeGreaterThan(0);
    expect(task?.figures['slowest-answer-beside-it-seconds']).toBeGreaterThan(
      task?.figures['answer-without-it-seconds'] ?? Infinity,
    );
  });

  test('before anything began is not watched, and that is said', async () => {
    const database = await cluster.database('CREATE TABLE orders (id int)');
    application.status = 503;
    const { world, context } = await contextOf(
      database,
      { 'public-url': url, 'run-db-maintenance': { tasks: [{ task: 'analyze' }] } },
      { http: nodeHttp() },
    );
    expect((await runDbMaintenance(context, { stage: 'online' })).kind).toBe('done');
    application.status = 200;
    expect(world.progress.lines.join('\n')).toMatch(/does not answer well now/);
    expect(context.record.status.tasks?.[0]?.figures).not.toHaveProperty(
      'answer-without-it-seconds',
    );
  });
});

test('a dump that keeps the application from a table is ended and taken again', async () => {
  const database = await cluster.database(`
    CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 50);`);
  const { context } = await contextOf(database, {});
  const { windowId } = context.record.status;
  const reader = 'BEGIN; SELECT count(*) FROM orders';
  const attempts: number[] = [];
  const { figures } = await guarded(
    context,
    { what: 'The dump', sessions: { kind: 'dump', windowId } },
    async (attempt) => {
      attempts.push(attempt);
      if (attempt > 1) return;
      const dump = await database.hold(reader, `maintenance-window dump ${windowId}`);
      const shop = await database.psql({ application: 'shop' }).start();
      // Let through because the dump's session is ended: nothing else ends it.
      await shop.query('TRUNCATE orders');
      await shop.close();
      await dump.query('SELECT 1');
    },
  );
  expect(attempts).toEqual([1, 2]);
  expect(figures['statements-that-gave-way']).toBe(1);
});

test('pg_dump that waits for one table lets go of the others when the application wants them', async () => {
  const database = await cluster.database(`
    CREATE TABLE orders (id int); CREATE TABLE parcels (id int); INSERT INTO parcels VALUES (1);`);
  const { context } = await contextOf(database, {});
  const { windowId } = context.record.status;
  const root = await mkdtemp(join(tmpdir(), 'mw-guarded-dump-'));
  const migration = await database.hold('BEGIN; LOCK TABLE parcels', 'a migration');
  const work = guarded(context, { what: 'The dump', sessions: { kind: 'dump', windowId } }, () =>
    requireDatabase(context).dump({ directory: join(root, 'dump'), windowId, jobs: 1 }),
  );
  const ofDump = `SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE a.application_name LIKE 'maintenance-window dump%' AND l.relation = `;
  await until(
    async () =>
      (await database.sql(`${ofDump}'orders'::regclass AND l.granted`)) !== '0' &&
      (await database.sql(`${ofDump}'parcels'::regclass AND NOT l.granted`)) !== '0',
    'the dump has one lock and waits for the other',
  );
  const shop = await database.psql({ application: 'shop' }).start();
  // While the migration goes on: only the dump is in the way.
  await shop.query('TRUNCATE orders');
  await shop.close();
  await migration.query('COMMIT');
  const { value, told } = await work;
  await rm(root, { recursive: true });
  expect(value.rows).toEqual({ 'public.orders': 0, 'public.parcels': 1 });
  expect(told).toContain('waited for AccessExclusiveLock on public.orders behind us');
});

test('what was archived online stays archived when the window rolls back, and no row is lost or doubled', async () => {
  const database = await cluster.database(`
    CREATE TABLE orders (id int PRIMARY KEY, placed_at int);
    INSERT INTO orders SELECT i, i FROM generate_series(1, 200) AS i;`);
  const { world, context } = await contextOf(database, {
    'run-db-maintenance': {
      tasks: [
        {
          task: 'archive',
          stage: 'online',
          table: 'orders',
          where: 'placed_at < 100',
          into: 'orders_old',
        },
        {
          task: 'sql',
          sql: 'UPDATE orders SET placed_at = 0; SELECT 1 / 0',
          transaction: false,
          consent: ['update-all'],
        },
      ],
      'restore-point': 'clone',
    },
  });
  const { record } = context;
  expect((await runDbMaintenance(context, { stage: 'online' })).kind).toBe('done');
  expect(record.status.blast).toBe('none');
  // The public goes on writing until the site is closed.
  await database.sql('INSERT INTO orders VALUES (201, 201)');
  await record.become('closing');
  await record.become('closed');
  await record.update({
    maintenance: { mode: 'fake', prior: null, closedAt: context.clock.now().toISOString() },
  });
  world.door = { kind: 'closed', windowId: record.status.windowId };
  expect((await runDbMaintenance(context, { stage: 'closed' })).kind).toBe('failed');
  expect(await database.sql('SELECT max(placed_at) FROM orders')).toBe('0');
  const options = { force: false, acceptDataLoss: false, reason: 'the update failed' };
  const outcome = await rollback(context, options);
  expect([outcome.kind, record.status.state]).toEqual(['done', 'rolled-back']);
  expect(
    await database.sql(
      `SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM orders_old), count(DISTINCT id), min(placed_at)
       FROM (TABLE orders UNION ALL TABLE orders_old) AS rows`,
    ),
  ).toBe('102|99|201|1');
});
