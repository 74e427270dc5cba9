import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { refreshOrder } from '../../src/databases/postgresql/tasks/refresh-order.ts';
import { failureFrom, limits, TaskCluster } from './task-database.ts';

let cluster: TaskCluster;
beforeAll(async () => {
  cluster = await TaskCluster.start();
  await cluster.cluster.psql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`);
});
afterAll(() => cluster.stop());

const options = { ...limits, concurrently: true };
const views = `
  CREATE TABLE orders (id int PRIMARY KEY, day int);
  INSERT INTO orders SELECT i, i % 10 FROM generate_series(1, 100) AS i;
  CREATE MATERIALIZED VIEW days AS SELECT day, count(*) AS n FROM orders GROUP BY day;
  CREATE UNIQUE INDEX ON days (day);
  CREATE VIEW between AS SELECT sum(n) AS n FROM days;
  CREATE MATERIALIZED VIEW "A total: ""all""" AS SELECT n FROM between;
  INSERT INTO orders SELECT i, i % 20 FROM generate_series(101, 200) AS i;`;

describe('refresh', () => {
  test('takes each view after those that it reads from, also through views', async () => {
    const database = await cluster.database(views);
    const lines: string[] = [];
    const result = await database
      .tasks()
      .refresh('all', { ...options, onProgress: (line) => lines.push(line) });
    expect(lines.filter((line) => line.startsWith('refresh'))).toEqual([
      'refresh public.days (1 of 2)',
      'refresh public."A total: ""all""" (2 of 2)',
    ]);
    expect(await database.sql('SELECT n FROM "A total: ""all"""')).toBe('200');
    expect(result.figures).toEqual({
      views: 2,
      'views-concurrently': 1,
      'rows-before': 11,
      'rows-after': 21,
    });
    expect(result.summary).toContain(
      'public."A total: ""all""" not concurrently, with a lock against readers: it has no unique index over all rows by columns alone',
    );
    expect(result.proof).toContain('1 kept their file');
  });

  test('concurrently lets readers go on, who would keep a plain one waiting', async () => {
    const database = await cluster.database(views);
    const reader = await database.hold('BEGIN; SELECT * FROM days');
    const result = await database.tasks().refresh(['days'], options);
    expect(result.figures['views-concurrently']).toBe(1);
    const failure = await failureFrom(
      database
        .tasks()
        .refresh(['days'], { ...options, concurrently: false, lockTimeoutSeconds: 1 }),
    );
    await reader.close();
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.message).toContain('application shop');
    expect(
      (await database.tasks().refresh(['days'], { ...options, concurrently: false })).figures,
    ).toMatchObject({
      'views-concurrently': 0,
      'rows-after': 20,
    });
  });

  test.each([
    ['a partial index', 'CREATE UNIQUE INDEX ON v (a) WHERE a > 0'],
    ['an index on an expression', 'CREATE UNIQUE INDEX ON v ((a + 1))'],
    ['an index that is not unique', 'CREATE INDEX ON v (a)'],
  ])('does not take %s for a unique one', async (_, index) => {
    const database = await cluster.database(
      `CREATE MATERIALIZED VIEW v AS SELECT 1 AS a; ${index};`,
    );
    expect(await database.tasks().previewRefresh('all', options)).toHaveLength(1);
    expect((await database.tasks().refresh('all', options)).figures['views-concurrently']).toBe(0);
  });

  test('fills a view that was never filled, and says that it could not do so concurrently', async () => {
    const database = await cluster.database(
      `CREATE MATERIALIZED VIEW v AS SELECT 1 AS a WITH NO DATA; CREATE UNIQUE INDEX ON v (a);`,
    );
    const result = await database.tasks().refresh(['v'], options);
    expect(result.summary).toContain('it has never been filled');
    expect(result.figures).toMatchObject({ 'rows-before': 0, 'rows-after': 1 });
    expect((await database.tasks().refresh(['v'], options)).figures['views-concurrently']).toBe(1);
  });

  test('leaves the view as it was when its query fails', async () => {
    const database = await cluster.database(`CREATE TABLE t (a int); INSERT INTO t VALUES (1);
      CREATE MATERIALIZED VIEW v AS SELECT 1 / a AS b FROM t; UPDATE t SET a = 0;`);
    const failure = await failureFrom(database.tasks().refresh('all', options));
    expect(failure.state).toContain(
      '0 of 1 materialized views are refreshed; public.v is as it was',
    );
    expect(await database.sql('SELECT b FROM v')).toBe('1');
  });

  test('refuses what is none, and views of other owners', async () => {
    const database = await cluster.database(views);
    for (const name of ['orders', 'nowhere', 'between']) {
      expect((await failureFrom(database.tasks().refresh([name], options))).code).toBe(
        'database-table-unknown',
      );
    }
    expect((await failureFrom(database.tasks().refresh(['a; b'], options))).code).toBe(
      'database-name-refused',
    );
    expect(
      (await failureFrom(database.tasks({ user: 'clerk' }).previewRefresh('all', options))).code,
    ).toBe('database-table-not-permitted');
  });

  test('has nothing to do without any', async () => {
    const database = await cluster.database('');
    expect((await database.tasks().refresh('all', options)).figures.views).toBe(0);
  });
});

test('the order is one of dependence, whatever order the views are given in', () => {
  // Each view reads from some of smaller number.
  const graph = fc.array(fc.array(fc.nat(20), { maxLength: 4 }), { maxLength: 15 });
  fc.assert(
    fc.property(graph, fc.array(fc.nat(), { minLength: 15, maxLength: 15 }), (edges, keys) => {
      const nodes = edges.map((reads, at) => ({
        oid: String(at),
        readsFrom: reads.filter((other) => other < at).map(String),
        key: keys[at] ?? 0,
      }));
      const shuffled = [...nodes].sort((a, b) => a.key - b.key);
      const order = refreshOrder(shuffled).map(({ oid }) => oid);
      expect([...order].sort()).toEqual(nodes.map(({ oid }) => oid).sort());
      for (const { oid, readsFrom } of nodes) {
        for (const other of readsFrom)
          expect(order.indexOf(other)).toBeLessThan(order.indexOf(oid));
      }
    }),
  );
});
