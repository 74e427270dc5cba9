import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  isAtLeast,
  readRepackVersion,
} from '../../src/databases/postgresql/tasks/repack-program.ts';
import { failureFrom, limits, TaskCluster, until, type TaskDatabase } from './task-database.ts';

let cluster: TaskCluster;
beforeAll(async () => {
  cluster = await TaskCluster.start();
  await cluster.cluster.psql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`);
});
afterAll(() => cluster.stop());

const orders = `
  CREATE EXTENSION pg_repack;
  CREATE TABLE orders (id int PRIMARY KEY, note text);
  INSERT INTO orders SELECT i, repeat('x', 200) FROM generate_series(1, 20000) AS i;
  DELETE FROM orders WHERE id % 10 <> 0;`;

/** What pg_repack leaves when it is cut off. */
function leftovers(database: TaskDatabase): Promise<string> {
  return database.sql(
    `SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'repack'::regnamespace AND relkind = 'r' AND relname ~ '^(log|table)_'),
       (SELECT count(*) FROM pg_trigger WHERE tgname = 'repack_trigger')`,
  );
}

describe('repack', () => {
  test('writes a table anew, and proves it by its file and its size', async () => {
    const database = await cluster.database(orders);
    const result = await database.tasks().repack(['orders'], limits);
    expect(result.figures).toMatchObject({ tables: 1, 'leftovers-dropped': 0 });
    expect(result.figures['bytes-after']).toBeLessThan((result.figures['bytes-before'] ?? 0) / 2);
    expect(result.summary).toMatch(/^1 table written anew by pg_repack, [\d.]+ MB smaller$/);
    expect(await database.sql('SELECT count(*), sum(id) FROM orders')).toBe('2000|20010000');
    expect(await leftovers(database)).toBe('0|0');
  });

  test('does all tables that it can, of any name, and names those that it cannot', async () => {
    const database = await cluster.database(`${orders}
      CREATE SCHEMA "Odd ""schema"" ü";
      CREATE TABLE "Odd ""schema"" ü"."semi;colon -- 'x' $(date) $$ :v" (a int PRIMARY KEY);
      CREATE TABLE "no key" (a int);
      CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM orders;
      CREATE TABLE events (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);`);
    const result = await database.tasks().repack('all', limits);
    expect(result.figures.tables).toBe(3);
    expect(result.summary).toContain('left out, because they have no primary key: public."no key"');
    expect(await leftovers(database)).toBe('0|0');
    const failure = await failureFrom(
      database.tasks().previewRepack(['"no key"', 'orders'], limits),
    );
    expect(failure.code).toBe('database-repack-refused');
    expect(failure.message).toContain('pg_repack cannot write public."no key" anew');
    expect(failure.message).not.toContain('orders');
  });

  test('ends nobody’s session, tells who is in the way, and leaves nothing', async () => {
    const database = await cluster.database(orders);
    const reader = await database.hold('BEGIN; SELECT count(*) FROM orders', 'long "report"');
    const failure = await failureFrom(
      database.tasks().repack(['orders'], { ...limits, lockTimeoutSeconds: 1 }),
    );
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.message).toContain('long "report"');
    expect(failure.state).toContain('0 of 1 tables are written anew');
    expect(await reader.query('SELECT count(*) FROM orders')).toEqual(['2000']);
    await reader.close();
    expect(await leftovers(database)).toBe('0|0');
  });

  test('cleans up what a cancelled run left, and only then begins', async () => {
    const database = await cluster.database(orders);
    const reader = await database.hold('BEGIN; SELECT count(*) FROM orders');
    const controller = new AbortController();
    const repack = failureFrom(
      database
        .tasks({ signal: controller.signal })
        .repack(['orders'], { lockTimeoutSeconds: 0, statementTimeoutSeconds: 0 }),
    );
    await until(async () => (await database.running('LOCK TABLE%orders%')) > 0, 'pg_repack waits');
    controller.abort();
    const failure = await repack;
    expect(failure.code).toBe('cancelled');
    expect(failure.next).toContain('SELECT repack.repack_drop(');
    await reader.close();
    // As it is after a kill that left no time to clean up.
    const oid = await database.sql(`SELECT 'orders'::regclass::oid`);
    await until(async () => (await database.running('%repack%')) === 0, 'pg_repack is gone');
    await database.sql(`DO $$ BEGIN PERFORM repack.repack_drop(${oid}, 4); END $$`);
    await database.sql(`CREATE TABLE repack.log_${oid} (id int); CREATE TABLE repack.table_${oid} (a int);
      CREATE TRIGGER repack_trigger AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION repack.repack_trigger('x');
      CREATE TABLE repack.log_999999 (id int);`);
    const result = await database.tasks().repack(['orders'], limits);
    expect(result.figures).toMatchObject({ 'leftovers-dropped': 2, tables: 1 });
    expect(result.summary).toContain(
      'what an interrupted pg_repack had left on 2 tables was dropped',
    );
    expect(await leftovers(database)).toBe('0|0');
  });

  test('leaves alone what a pg_repack that is at work needs', async () => {
    const database = await cluster.database(orders);
    const oid = await database.sql(`SELECT 'orders'::regclass::oid`);
    await database.sql(`CREATE TABLE repack.log_${oid} (id int)`);
    const other = await database.hold(
      `SELECT pg_advisory_lock(16185446, CAST(-2147483648 + ${oid}::bigint AS integer))`,
      'other pg_repack',
    );
    const failure = await failureFrom(database.tasks().repack(['orders'], limits));
    await other.close();
    expect(failure.code).toBe('database-repack-running');
    expect(failure.message).toContain('other pg_repack');
    expect(await leftovers(database)).toBe('1|0');
  });

  test('is refused where it is not installed, with what to do', async () => {
    const database = await cluster.database('CREATE TABLE t (a int PRIMARY KEY)');
    const failure = await failureFrom(database.tasks().previewRepack(['t'], limits));
    expect(failure.code).toBe('database-repack-missing');
    expect(failure.next).toContain('CREATE EXTENSION pg_repack');
    await database.sql('CREATE EXTENSION pg_repack');
    const nowhere = await failureFrom(
      database.tasks({ folders: ['/nonexistent'] }).repack(['t'], limits),
    );
    expect(nowhere.message).toContain('the program is not on the host local');
    expect(nowhere.next).toMatch(/postgresql-\d+-repack/);
    const clerk = await failureFrom(database.tasks({ user: 'clerk' }).repack(['t'], limits));
    expect(clerk.message).toContain('works for superusers only');
  });

  test('is refused with a program of another version', async () => {
    const database = await cluster.database(
      'CREATE EXTENSION pg_repack; CREATE TABLE t (a int PRIMARY KEY)',
    );
    const folder = await mkdtemp(join(tmpdir(), 'mw-repack-'));
    try {
      await writeFile(join(folder, 'pg_repack'), '#!/bin/sh\necho pg_repack 1.0.9\n');
      await chmod(join(folder, 'pg_repack'), 0o755);
      const failure = await failureFrom(
        database.tasks({ folders: [folder] }).previewRepack('all', limits),
      );
      expect(failure.message).toContain(`1.0.9 (${folder}/pg_repack)`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

test('its password travels by environment, and sessions are not to be ended', async () => {
  const database = await cluster.database(orders);
  const folder = await mkdtemp(join(tmpdir(), 'mw-repack-'));
  try {
    await writeFile(
      join(folder, 'pg_repack'),
      `#!/bin/sh
if [ "$1" = --version ]; then exec ${cluster.cluster.binFolder}/pg_repack --version; fi
printf '%s\\n' "$@" > ${folder}/arguments; printf '%s' "$PGPASSWORD" > ${folder}/password; exit 3\n`,
    );
    await chmod(join(folder, 'pg_repack'), 0o755);
    const failure = await failureFrom(
      database.tasks({ folders: [folder] }).repack(['orders'], limits),
    );
    expect(failure).toMatchObject({
      code: 'database-repack-failed',
      message: 'pg_repack of public.orders failed: exit code 3.',
    });
    const given = await readFile(join(folder, 'arguments'), 'utf8');
    expect(given).toContain('--no-kill-backend');
    expect(await readFile(join(folder, 'password'), 'utf8')).toBe(
      cluster.cluster.superuserPassword,
    );
    expect(given).not.toContain(cluster.cluster.superuserPassword);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('versions are read and compared', () => {
  expect(readRepackVersion('pg_repack 1.4.8\n')).toBe('1.4.8');
  expect(readRepackVersion('bash: no such thing')).toBeUndefined();
  expect(isAtLeast('1.5.0', '1.5')).toBe(true);
  expect(isAtLeast('1.10', '1.9.9')).toBe(true);
  expect(isAtLeast('1.4.8', '1.5')).toBe(false);
});
