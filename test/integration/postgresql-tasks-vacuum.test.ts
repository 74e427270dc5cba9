import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { failureFrom, limits, TaskCluster, until } from './task-database.ts';

let cluster: TaskCluster;
beforeAll(async () => {
  cluster = await TaskCluster.start({ vacuum_cost_delay: '0' });
  await cluster.cluster.psql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`);
});
afterAll(() => cluster.stop());

const options = { ...limits, analyze: true, jobs: 2, full: false };
const orders = `
  CREATE TABLE orders (id int PRIMARY KEY, note text);
  INSERT INTO orders SELECT i, repeat('x', 100) FROM generate_series(1, 5000) AS i;
  DELETE FROM orders WHERE id % 2 = 0;`;

describe('vacuum', () => {
  test('removes dead rows and proves it by the server’s statistics', async () => {
    const database = await cluster.database(orders);
    const result = await database.tasks().vacuum(['orders'], options);
    expect(result.figures).toMatchObject({
      tables: 1,
      'dead-rows-before': 2500,
      'dead-rows-after': 0,
    });
    expect(result.summary).toBe('1 table vacuumed and analyzed, 2,500 dead rows removed');
    const seen = await database.sql(
      `SELECT n_dead_tup, last_vacuum IS NOT NULL, last_analyze IS NOT NULL FROM pg_stat_user_tables`,
    );
    expect(seen).toBe('0|t|t');
  });

  test('does all tables of the database, catalogues, materialized views and partitions too', async () => {
    const database = await cluster.database(`${orders}
      CREATE SCHEMA "Odd ""schema";
      CREATE TABLE "Odd ""schema"."semi;colon -- 'x' \\gexec $$ :v" (a int);
      INSERT INTO "Odd ""schema"."semi;colon -- 'x' \\gexec $$ :v" VALUES (1);
      CREATE TABLE "order" (a json);
      INSERT INTO "order" VALUES ('{}');
      CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM orders;
      CREATE TABLE events (id int, k int) PARTITION BY RANGE (id);
      CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (k);
      CREATE TABLE events_1_1 PARTITION OF events_1 FOR VALUES FROM (0) TO (10);
      CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
      INSERT INTO events SELECT i, i % 10 FROM generate_series(0, 19) AS i;
      CREATE TABLE nothing_yet (id int) PARTITION BY RANGE (id);
      CREATE TABLE empty (id int);
      CREATE TABLE no_columns ();
      INSERT INTO no_columns DEFAULT VALUES;`);
    const result = await database.tasks().vacuum('all', options);
    const missed = await database.sql(
      `SELECT count(*) FROM pg_stat_all_tables AS s JOIN pg_class AS c ON c.oid = s.relid
       WHERE c.relkind IN ('r', 'm') AND (last_vacuum IS NULL OR last_analyze IS NULL AND c.oid <> 'pg_statistic'::regclass)`,
    );
    expect(missed).toBe('0');
    const inherited = await database.sql(
      `SELECT count(*) FROM pg_stats WHERE tablename = 'events' AND inherited`,
    );
    expect(inherited).toBe('2');
    const tables = await database.sql(
      `SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'm') AND relpersistence <> 't'`,
    );
    expect(result.figures.tables).toBe(Number(tables));
  });

  test('without analyze leaves the statistics alone', async () => {
    const database = await cluster.database(orders);
    await database.tasks().vacuum('all', { ...options, analyze: false, jobs: 1 });
    expect(
      await database.sql(
        `SELECT last_vacuum IS NOT NULL, last_analyze IS NULL FROM pg_stat_user_tables`,
      ),
    ).toBe('t|t');
  });

  test('says when dead rows must stay because an old transaction still sees them', async () => {
    const database = await cluster.database(orders);
    const reader = await database.hold(
      'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class',
    );
    await database.sql('DELETE FROM orders WHERE id <= 100');
    const result = await database.tasks().vacuum(['orders'], options);
    await reader.close();
    expect(result.summary).toContain('50 remain (new, or still visible to an old transaction)');
    expect(result.figures['dead-rows-after']).toBe(50);
  });

  test('refuses tables of other owners by name before anything is done', async () => {
    const database = await cluster.database(`${orders}
      CREATE TABLE mine (a int); ALTER TABLE mine OWNER TO clerk;
      CREATE TABLE "not mine" (a int);`);
    const failure = await failureFrom(database.tasks({ user: 'clerk' }).vacuum('all', options));
    expect(failure.code).toBe('database-table-not-permitted');
    expect(failure.message).toContain('public."not mine"');
    expect(failure.message).toContain('public.orders');
    expect(failure.message).not.toContain('mine, public.mine');
    expect(await database.sql(`SELECT max(last_vacuum) IS NULL FROM pg_stat_user_tables`)).toBe(
      't',
    );

    const named = await database.tasks({ user: 'clerk' }).vacuum(['mine'], options);
    expect(named.figures.tables).toBe(1);
  });

  test('leaves out only what belongs to the system when the role owns all else, and says so', async () => {
    const database = await cluster.database(`${orders} ALTER TABLE orders OWNER TO clerk;`);
    const result = await database.tasks({ user: 'clerk' }).vacuum('all', options);
    expect(result.figures.tables).toBe(1);
    expect(result.proof).toMatch(/left out, because they are not the role's: \d+ system tables$/);
  });

  test('fails when the server skipped a table with a warning, though VACUUM exits with 0', async () => {
    const database = await cluster.database(`
      CREATE TABLE a_first (a int); ALTER TABLE a_first OWNER TO clerk;
      CREATE TABLE b_second (a int); ALTER TABLE b_second OWNER TO clerk;`);
    // The first table is locked, so that the second changes hands after the role's rights were looked at.
    const holder = await database.hold('BEGIN; LOCK TABLE a_first IN SHARE MODE');
    const vacuum = failureFrom(
      database.tasks({ user: 'clerk' }).vacuum(['a_first', 'b_second'], { ...options, jobs: 1 }),
    );
    await until(async () => (await database.running('VACUUM%a_first')) === 1, 'VACUUM waits');
    await database.sql('ALTER TABLE b_second OWNER TO postgres');
    await holder.close();
    const failure = await vacuum;
    expect(failure.code).toBe('database-vacuum-unproved');
    expect(failure.message).toContain('public.b_second (no VACUUM ended)');
    expect(failure.message).toMatch(/It warned: .*b_second/);
    expect(failure.message).not.toContain('a_first (');
  });

  test('names who held the lock when the lock timeout ends it', async () => {
    const database = await cluster.database(
      `${orders} CREATE TABLE people (name text); INSERT INTO people VALUES ('secret name');`,
    );
    const holder = await database.hold(
      `BEGIN; LOCK TABLE orders IN SHARE MODE; /* note */ UPDATE people SET name = 'secret name'`,
      'shop "web"',
    );
    const failure = await failureFrom(
      database.tasks().vacuum(['orders'], { ...options, lockTimeoutSeconds: 2 }),
    );
    await holder.close();
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.message).toMatch(
      /VACUUM of public\.orders was given up by the server after waiting 2 seconds for a lock\. It waited for ShareUpdateExclusiveLock on public\.orders, held by pid \d+ \(user postgres, application shop "web", idle in transaction for \d+ s, in its transaction for \d+ s, its last statement, UPDATE, began \d+ s ago\)\./,
    );
    expect(failure.message).not.toContain('secret');
    expect(failure.state).toContain('0 of 1 tables are vacuumed');
    expect(failure.next).toContain('raise the lock timeout');
  });

  test('is ended by the statement timeout', async () => {
    const database = await cluster.database(orders);
    const holder = await database.hold('BEGIN; LOCK TABLE orders');
    const failure = await failureFrom(
      database
        .tasks()
        .vacuum(['orders'], { ...options, lockTimeoutSeconds: 0, statementTimeoutSeconds: 0.5 }),
    );
    await holder.close();
    expect(failure.code).toBe('database-statement-timeout');
  });

  test('refuses unknown tables, views and names that are none', async () => {
    const database = await cluster.database('CREATE VIEW glance AS SELECT 1 AS a');
    const tasks = database.tasks();
    expect((await failureFrom(tasks.vacuum(['nowhere'], options))).code).toBe(
      'database-table-unknown',
    );
    expect((await failureFrom(tasks.vacuum(['glance'], options))).message).toBe(
      '"glance" is neither a table nor a materialized view.',
    );
    expect((await failureFrom(tasks.vacuum(['a; DROP TABLE b'], options))).code).toBe(
      'database-name-refused',
    );
    expect((await failureFrom(tasks.vacuum('all', { ...options, jobs: 0 }))).code).toBe(
      'database-limit-refused',
    );
  });

  test('shows the server’s progress while it runs', async () => {
    const database = await cluster.database(
      `CREATE TABLE big (id int, note text);
       INSERT INTO big SELECT i, repeat('x', 400) FROM generate_series(1, 60000) AS i; DELETE FROM big;`,
    );
    // The vacuum sleeps between blocks so that there is progress to see.
    await database.sql(
      `ALTER DATABASE "${database.name.replaceAll('"', '""')}" SET vacuum_cost_delay = '10ms';
       ALTER DATABASE "${database.name.replaceAll('"', '""')}" SET vacuum_cost_limit = 40`,
    );
    const lines: string[] = [];
    await database.tasks().vacuum(['big'], { ...options, onProgress: (line) => lines.push(line) });
    expect(lines.length).toBeGreaterThan(0);
    expect(
      lines.some((line) =>
        /^vacuum public\.big: heap \d+ % \([\d,]+ of [\d,]+ blocks\)$/.test(line),
      ),
    ).toBe(true);
  });

  test('of a cancelled run stops on the server as well', async () => {
    const database = await cluster.database(orders);
    const holder = await database.hold('BEGIN; LOCK TABLE orders IN SHARE MODE');
    const controller = new AbortController();
    const vacuum = failureFrom(
      database
        .tasks({ signal: controller.signal })
        .vacuum(['orders'], { ...options, lockTimeoutSeconds: 0, statementTimeoutSeconds: 0 }),
    );
    await until(async () => (await database.running('VACUUM%')) === 1, 'VACUUM waits for the lock');
    controller.abort();
    expect((await vacuum).code).toBe('cancelled');
    await until(async () => (await database.running('VACUUM%')) === 0, 'the server gave VACUUM up');
    await holder.close();
  });

  test('full writes tables anew, and proves it by their files', async () => {
    const database = await cluster.database(`${orders}
      CREATE TABLE "Odd ""one"" ü" (a int); CREATE MATERIALIZED VIEW totals AS SELECT 1 AS a;
      CREATE TABLE events (id int) PARTITION BY RANGE (id);
      CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);`);
    const full = { ...options, full: true };
    const result = await database.tasks().vacuum('all', full);
    expect(result.figures.tables).toBe(4);
    expect(result.figures['bytes-after']).toBeLessThan(result.figures['bytes-before'] ?? 0);
    expect(result.summary).toMatch(/^4 tables written anew by VACUUM FULL, [\d.]+ MB smaller$/);
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('2500');

    const holder = await database.hold('BEGIN; SELECT count(*) FROM orders');
    const failure = await failureFrom(
      database.tasks().vacuum(['orders'], { ...full, lockTimeoutSeconds: 1 }),
    );
    await holder.close();
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.message).toContain('AccessExclusiveLock on public.orders');
    expect(failure.state).toContain('public.orders is as it was');
    expect(
      (await failureFrom(database.tasks({ user: 'clerk' }).vacuum(['orders'], full))).code,
    ).toBe('database-table-not-permitted');
  });
});
