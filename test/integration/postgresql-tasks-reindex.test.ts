import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { failureFrom, limits, TaskCluster, until, type TaskDatabase } from './task-database.ts';

let cluster: TaskCluster;
beforeAll(async () => {
  cluster = await TaskCluster.start();
  await cluster.cluster.psql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`);
});
afterAll(() => cluster.stop());

const options = { ...limits, concurrently: true };
const orders = `
  CREATE TABLE orders (id int PRIMARY KEY, customer int, note text);
  INSERT INTO orders SELECT i, i % 100, repeat('x', 50) FROM generate_series(1, 3000) AS i;
  CREATE INDEX orders_customer ON orders (customer);
  CREATE UNIQUE INDEX "Odd ""index"" \\gexec ; name" ON orders (lower(note), id DESC NULLS LAST) WHERE id > 10;
  CREATE TABLE elsewhere (a int);`;

/** Name and file of each index of the schema public, invalid ones marked. */
async function indexes(database: TaskDatabase): Promise<Map<string, string>> {
  const lines = await database.sql(
    `SELECT c.relname || '=' || pg_relation_filenode(c.oid) || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
     FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'i' ORDER BY c.relname`,
  );
  return new Map(
    lines.split('\n').map((line) => {
      const at = line.lastIndexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

async function invalid(database: TaskDatabase): Promise<string> {
  return database.sql(
    `SELECT coalesce(string_agg(indexrelid::regclass::text, ', ' ORDER BY indexrelid::regclass::text), '')
     FROM pg_index WHERE NOT indisvalid`,
  );
}

/** Holds a snapshot that does not touch the tables under test, as a forgotten report does. */
const oldSnapshot = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM elsewhere';

/** Runs a concurrent build into a transaction that does not end, and cancels it there. */
async function interrupt(database: TaskDatabase, statement: string): Promise<void> {
  const holder = await database.hold(oldSnapshot);
  const session = await database.psql({ application: 'somebody' }).start();
  const build = failureFrom(session.query(statement));
  await until(
    async () =>
      (await database.sql(
        `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'somebody' AND wait_event = 'virtualxid'`,
      )) === '1',
    'the build waits for the old transaction',
  );
  await database.sql(
    `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'somebody'`,
  );
  expect((await build).code).toBe('database-statement-cancelled');
  await holder.close();
}

describe('reindex', () => {
  test('rebuilds each index of a table into a new file', async () => {
    const database = await cluster.database(orders);
    const before = await indexes(database);
    const result = await database.tasks().reindex(['public.orders'], options);
    const after = await indexes(database);
    expect([...after.keys()]).toEqual([...before.keys()]);
    for (const [name, file] of before) expect(after.get(name)).not.toBe(file);
    // Three of its own and the one of its TOAST table.
    expect(result.figures).toMatchObject({ indexes: 4, 'leftovers-dropped': 0 });
    expect(result.figures['index-bytes-before']).toBeGreaterThan(0);
    expect(result.summary).toMatch(/^4 indexes rebuilt, \d+\.\d MB (smaller|larger)$/);
  });

  test('does the whole database, partitions and constraints too, and says what was not concurrent', async () => {
    const database = await cluster.database(`${orders}
      CREATE TABLE rooms (during int4range, EXCLUDE USING gist (during WITH &&));
      INSERT INTO rooms VALUES ('[1,2)');
      CREATE TABLE events (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
      CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM orders;
      CREATE INDEX totals_n ON totals (n);`);
    const before = await indexes(database);
    const result = await database.tasks().reindex('all', options);
    const after = await indexes(database);
    for (const [name, file] of before) expect([name, after.get(name)]).not.toEqual([name, file]);
    expect(result.summary).toContain(
      'not concurrently: public.rooms_during_excl (it serves an exclusion constraint)',
    );
    expect(result.summary).toMatch(/\d+ indexes of system catalogues or extensions left alone$/);
  });

  test('rebuilds system catalogues when nothing need be concurrent', async () => {
    const database = await cluster.database(orders);
    const file = `SELECT pg_relation_filenode('pg_class_oid_index')`;
    const before = await database.sql(file);
    const result = await database.tasks().reindex('all', { ...options, concurrently: false });
    expect(await database.sql(file)).not.toBe(before);
    expect(result.summary).not.toContain('left alone');
    expect(result.summary).not.toContain('not concurrently');
  });

  test('drops the half-built index that a cancelled concurrent rebuild left', async () => {
    const database = await cluster.database(orders);
    await interrupt(database, 'REINDEX INDEX CONCURRENTLY orders_customer');
    expect(await invalid(database)).toBe('orders_customer_ccnew');
    const lines: string[] = [];
    const result = await database
      .tasks()
      .reindex(['orders'], { ...options, onProgress: (line) => lines.push(line) });
    expect(await invalid(database)).toBe('');
    expect([...(await indexes(database)).keys()]).not.toContain('orders_customer_ccnew');
    expect(result.figures).toMatchObject({ indexes: 4, 'leftovers-dropped': 1 });
    expect(lines[0]).toBe(
      'dropping public.orders_customer_ccnew, a leftover: public.orders_customer does its work',
    );
  });

  test('drops the half-built index of a TOAST table', async () => {
    const database = await cluster.database(orders);
    const toast = await database.sql(
      `SELECT indexrelid::regclass FROM pg_index WHERE indrelid = (SELECT reltoastrelid FROM pg_class WHERE relname = 'orders')`,
    );
    await interrupt(database, `REINDEX INDEX CONCURRENTLY ${toast}`);
    expect(await invalid(database)).toBe(`${toast}_ccnew`);
    const result = await database.tasks().reindex('all', options);
    expect(await invalid(database)).toBe('');
    expect(result.figures['leftovers-dropped']).toBe(1);
  });

  test('rebuilds the invalid index that a cancelled CREATE INDEX CONCURRENTLY left', async () => {
    const database = await cluster.database(orders);
    await interrupt(database, 'CREATE INDEX CONCURRENTLY fresh ON orders (note)');
    expect(await invalid(database)).toBe('fresh');
    const result = await database.tasks().reindex(['orders'], options);
    expect(await invalid(database)).toBe('');
    expect([...(await indexes(database)).keys()]).toContain('fresh');
    expect(result.figures).toMatchObject({ indexes: 5, 'indexes-repaired': 1 });
    expect(result.summary).toContain('1 of them had been invalid');
  });

  test('keeps an invalid index that only looks like a leftover', async () => {
    const database = await cluster.database(orders);
    await interrupt(database, 'CREATE INDEX CONCURRENTLY note_ccnew ON orders (note)');
    const result = await database.tasks().reindex(['orders'], options);
    expect([...(await indexes(database)).keys()]).toContain('note_ccnew');
    expect(result.figures).toMatchObject({ 'leftovers-dropped': 0, 'indexes-repaired': 1 });
  });

  test('an old transaction stalls it until the lock timeout; it cleans up and names the transaction', async () => {
    const database = await cluster.database(orders);
    const before = await indexes(database);
    const holder = await database.hold(oldSnapshot, 'forgotten report');
    const failure = await failureFrom(
      database.tasks().reindex(['orders'], { ...options, lockTimeoutSeconds: 1.5 }),
    );
    await holder.close();
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.message).toMatch(
      /\(attempt 3 of 3\).*It waited for the end of a transaction, held by pid \d+ \(user postgres, application forgotten report, idle in transaction/,
    );
    expect(failure.state).toMatch(
      /^0 of 4 indexes are rebuilt and valid\. public\..* is as it was: valid\. What the rebuild left behind is dropped\.$/,
    );
    expect(await indexes(database)).toEqual(before);
  });

  test('says so when even the leftover cannot be dropped, and the next run drops it', async () => {
    const database = await cluster.database(orders);
    const holder = await database.hold('BEGIN; SELECT count(*) FROM orders', 'forgotten report');
    const failure = await failureFrom(
      database.tasks().reindex(['orders'], { ...options, lockTimeoutSeconds: 0.6 }),
    );
    await holder.close();
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.state).toMatch(/_cc(new|old)", which could not be dropped either/);
    expect(await invalid(database)).toMatch(/_cc(new|old)"$/);
    const result = await database.tasks().reindex(['orders'], options);
    expect(result.figures['leftovers-dropped']).toBe(1);
    expect(await invalid(database)).toBe('');
  });

  test('is ended by the statement timeout, and cleans up', async () => {
    const database = await cluster.database(orders);
    const before = await indexes(database);
    const holder = await database.hold(oldSnapshot);
    const failure = await failureFrom(
      database
        .tasks()
        .reindex(['orders'], { ...options, lockTimeoutSeconds: 0, statementTimeoutSeconds: 1 }),
    );
    await holder.close();
    expect(failure.code).toBe('database-statement-timeout');
    expect(failure.state).toContain('What the rebuild left behind is dropped.');
    expect(await indexes(database)).toEqual(before);
  });

  test('goes on when the lock is free again', async () => {
    const database = await cluster.database(orders);
    const holder = await database.hold(oldSnapshot);
    const lines: string[] = [];
    const work = database.tasks().reindex(['orders'], {
      ...options,
      lockTimeoutSeconds: 1.5,
      onProgress: (line) => lines.push(line),
    });
    await until(() => lines.some((line) => line.includes('It waited for')), 'it waits');
    await until(async () => (await invalid(database)) === '', 'the first attempt is cleaned up');
    await holder.close();
    const result = await work;
    expect(result.figures.indexes).toBe(4);
    expect(await invalid(database)).toBe('');
  });

  test('fails on an index that cannot be made valid, and leaves nothing of its own', async () => {
    const database = await cluster.database(`
      CREATE TABLE people (name text);
      INSERT INTO people VALUES ('same'), ('same');`);
    await failureFrom(
      database.psql().execute('CREATE UNIQUE INDEX CONCURRENTLY people_name ON people (name)'),
    );
    expect(await invalid(database)).toBe('people_name');
    const failure = await failureFrom(database.tasks().reindex(['people'], options));
    expect(failure.message).toContain('REINDEX INDEX CONCURRENTLY public.people_name failed:');
    expect(failure.message).not.toContain('same');
    expect(failure.state).toContain('public.people_name is as it was: invalid, unused by queries.');
    expect(await invalid(database)).toBe('people_name');
  });

  test('refuses indexes of other owners before anything is done', async () => {
    const database = await cluster.database(
      `${orders} CREATE TABLE mine (a int PRIMARY KEY); ALTER TABLE mine OWNER TO clerk;`,
    );
    const before = await indexes(database);
    const failure = await failureFrom(
      database.tasks({ user: 'clerk' }).reindex(['mine', 'orders'], options),
    );
    expect(failure.code).toBe('database-table-not-permitted');
    expect(await indexes(database)).toEqual(before);
    const own = await database.tasks({ user: 'clerk' }).reindex(['mine'], options);
    expect(own.figures.indexes).toBe(1);
  });

  test('leaves the index of a TOAST table alone when the role cannot name it, and says so', async () => {
    const database = await cluster.database(`${orders} ALTER TABLE orders OWNER TO clerk;`);
    const result = await database.tasks({ user: 'clerk' }).reindex(['orders'], options);
    expect(result.figures.indexes).toBe(3);
    expect(result.summary).toContain(
      '1 index of TOAST tables left alone (only a superuser may name them)',
    );
  });

  test('of a cancelled run stops on the server; the next run repairs what it left', async () => {
    const database = await cluster.database(orders);
    const holder = await database.hold(oldSnapshot);
    const controller = new AbortController();
    const work = failureFrom(
      database
        .tasks({ signal: controller.signal })
        .reindex(['orders'], { ...options, lockTimeoutSeconds: 0, statementTimeoutSeconds: 0 }),
    );
    await until(
      async () =>
        (await database.sql(
          `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'REINDEX%' AND wait_event = 'virtualxid'`,
        )) === '1',
      'the rebuild waits for the old transaction',
    );
    controller.abort();
    expect((await work).code).toBe('cancelled');
    await until(async () => (await database.running('REINDEX%')) === 0, 'the server gave it up');
    expect(await invalid(database)).toContain('_ccnew');
    await holder.close();
    const result = await database.tasks().reindex(['orders'], options);
    expect(result.figures['leftovers-dropped']).toBe(1);
    expect(await invalid(database)).toBe('');
  });
});
