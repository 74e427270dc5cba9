import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { failureFrom, limits, TaskCluster } from './task-database.ts';

let cluster: TaskCluster;
beforeAll(async () => {
  cluster = await TaskCluster.start();
  await cluster.cluster.psql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`);
});
afterAll(() => cluster.stop());

const options = { ...limits, jobs: 2 };
const orders = `CREATE TABLE orders (id int PRIMARY KEY, note text);
  INSERT INTO orders SELECT i, repeat('x', i % 10) FROM generate_series(1, 2000) AS i;`;

describe('analyze', () => {
  test('writes statistics and proves it by the server’s', async () => {
    const database = await cluster.database(`${orders} CREATE TABLE "order; lines" (a int);`);
    const before = await database.sql(`SELECT count(*) FROM pg_stats WHERE tablename = 'orders'`);
    expect(before).toBe('0');
    const result = await database.tasks().analyze(['orders', 'public."order; lines"'], options);
    expect(result.summary).toBe('2 tables analyzed');
    expect(await database.sql(`SELECT count(*) FROM pg_stats WHERE tablename = 'orders'`)).toBe(
      '2',
    );
    expect(
      await database.sql(
        `SELECT count(*) FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL AND last_vacuum IS NULL`,
      ),
    ).toBe('2');
  });

  test('does all tables, partitioned ones with their own statistics', async () => {
    const database = await cluster.database(`${orders}
      CREATE TABLE events (id int) PARTITION BY RANGE (id);
      CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
      INSERT INTO events VALUES (1), (2);
      CREATE TABLE unpartitioned_yet (id int) PARTITION BY RANGE (id);`);
    await database.tasks().analyze('all', options);
    expect(
      await database.sql(
        `SELECT string_agg(DISTINCT tablename || ' ' || inherited, ', ' ORDER BY tablename || ' ' || inherited)
         FROM pg_stats WHERE schemaname = 'public'`,
      ),
    ).toBe('events true, events_1 false, orders false');
  });

  test('accepts a table whose columns want no statistics', async () => {
    const database = await cluster.database(
      `${orders} ALTER TABLE orders ALTER id SET STATISTICS 0, ALTER note SET STATISTICS 0;`,
    );
    const result = await database.tasks().analyze(['orders'], options);
    expect(result.figures).toEqual({ tables: 1 });
  });

  test('refuses tables of other owners before anything is done', async () => {
    const database = await cluster.database(
      `${orders} CREATE TABLE mine (a int); ALTER TABLE mine OWNER TO clerk;`,
    );
    const failure = await failureFrom(
      database.tasks({ user: 'clerk' }).analyze(['mine', 'orders'], options),
    );
    expect(failure.code).toBe('database-table-not-permitted');
    expect(failure.message).toContain('may not analyze public.orders');
    expect(
      await database.sql(`SELECT count(*) FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL`),
    ).toBe('0');
  });

  test('believes no success that the statistics do not show', async () => {
    const database = await cluster.database(orders);
    await database.sql(
      `ALTER DATABASE "${database.name.replaceAll('"', '""')}" SET track_counts = off`,
    );
    const failure = await failureFrom(database.tasks().analyze(['orders'], options));
    expect(failure.code).toBe('database-analyze-unproved');
    expect(failure.message).toContain('public.orders (no ANALYZE ended)');
    expect(failure.next).toContain('track_counts');
  });

  test('names who held the lock', async () => {
    const database = await cluster.database(orders);
    const holder = await database.hold(
      'BEGIN; LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE',
      'nightly job',
    );
    const failure = await failureFrom(
      database.tasks().analyze(['orders'], { ...options, lockTimeoutSeconds: 2 }),
    );
    await holder.close();
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.message).toContain('ShareUpdateExclusiveLock on public.orders');
    expect(failure.message).toContain('application nightly job');
    expect(failure.state).toContain('No data was changed');
  });
});
