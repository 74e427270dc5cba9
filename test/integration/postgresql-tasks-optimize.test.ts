import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Finding } from '../../src/ports/database-tasks.ts';
import { failureFrom, limits, TaskCluster, type TaskDatabase } from './task-database.ts';

let cluster: TaskCluster;
beforeAll(async () => {
  cluster = await TaskCluster.start({
    shared_preload_libraries: 'pg_stat_statements',
    // The least that the server takes, so that a test can reach it.
    autovacuum_freeze_max_age: '100000',
  });
  await cluster.cluster.psql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`);
});
afterAll(() => cluster.stop());

const options = { ...limits, atMost: 100 };

async function adviceOn(
  database: TaskDatabase,
  kind: string,
  user?: string,
): Promise<readonly Finding[]> {
  const result = await database.tasks(user === undefined ? {} : { user }).optimizeQueries(options);
  return (result.findings ?? []).filter((finding) => finding.kind === kind);
}

/** The statements that were advised do what they say. */
async function obey(database: TaskDatabase, findings: readonly Finding[]): Promise<void> {
  for (const { statement = '' } of findings) await database.sql(statement);
}

const odd = `"Odd ""schema"" ü"."Semi;colon -- 'x' $$ :v"`;

describe('optimize-queries', () => {
  test('finds indexes that nobody uses, and leaves out those that something stands on', async () => {
    const database = await cluster.database(`
      CREATE SCHEMA "Odd ""schema"" ü";
      CREATE TABLE people (id int PRIMARY KEY);
      CREATE TABLE ${odd} (id int PRIMARY KEY, a int, b int UNIQUE, "person ""id""" int REFERENCES people, small int, used int);
      INSERT INTO ${odd} SELECT i, i, i, NULL, i, i FROM generate_series(1, 20000) AS i;
      CREATE INDEX "Unused ""index""" ON ${odd} (a);
      CREATE INDEX foreign_key ON ${odd} ("person ""id""");
      CREATE INDEX tiny ON ${odd} (small) WHERE small < 5;
      CREATE INDEX used ON ${odd} (used);
      ANALYZE; SET enable_seqscan = off; SELECT count(*) FROM ${odd} WHERE used = 5;`);
    await database.sql('SELECT pg_stat_force_next_flush()');
    const found = await adviceOn(database, 'unused-index');
    expect(found.map(({ object }) => object)).toEqual([`"Odd ""schema"" ü"."Unused ""index"""`]);
    expect(found[0]?.statement).toBe(
      `DROP INDEX CONCURRENTLY "Odd ""schema"" ü"."Unused ""index"""`,
    );
    expect(found[0]?.why).toContain('a standby counts for itself');
    await obey(database, found);
    expect(await adviceOn(database, 'unused-index')).toEqual([]);
  });

  test('finds duplicate indexes and those that a longer one begins with', async () => {
    const database = await cluster.database(`
      CREATE TABLE t (id int PRIMARY KEY, a int, b int, c text);
      CREATE INDEX t_a ON t (a); CREATE INDEX t_ab ON t (a, b); CREATE INDEX t_ab_2 ON t (a, b);
      CREATE INDEX t_a_desc ON t (a DESC); CREATE INDEX t_id ON t (id); CREATE UNIQUE INDEX t_a_unique ON t (a, id);
      CREATE INDEX t_partial ON t (a) WHERE b > 0; CREATE INDEX t_pattern ON t (c text_pattern_ops); CREATE INDEX t_c ON t (c);
      CREATE INDEX t_lower ON t (lower(c)); CREATE INDEX t_lower_2 ON t (lower(c)); CREATE INDEX t_hash ON t USING hash (a);`);
    const found = await adviceOn(database, 'duplicate-index');
    expect(found.map(({ object }) => object).sort()).toEqual([
      'public.t_a',
      'public.t_ab_2',
      'public.t_id',
      'public.t_lower_2',
    ]);
    expect(found.find(({ object }) => object === 'public.t_ab_2')?.observed).toContain(
      'same as public.t_ab',
    );
    await obey(database, found);
    expect(await adviceOn(database, 'duplicate-index')).toEqual([]);
  });

  test('finds foreign keys without an index, by the order and the kind of the index', async () => {
    const database = await cluster.database(`
      CREATE TABLE "Parent ""p""" (a int, b int, PRIMARY KEY (a, b), UNIQUE (a));
      CREATE TABLE child (x int REFERENCES "Parent ""p""" (a), "Y ""y""" int, z int, w int REFERENCES "Parent ""p""" (a),
        FOREIGN KEY ("Y ""y""", z) REFERENCES "Parent ""p""", FOREIGN KEY (z, x) REFERENCES "Parent ""p""");
      CREATE INDEX ON child (x, w); CREATE INDEX ON child (x, z, w); CREATE INDEX ON child (w) WHERE w > 0;
      CREATE TABLE parts (x int REFERENCES "Parent ""p""" (a)) PARTITION BY RANGE (x);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);`);
    const found = await adviceOn(database, 'missing-foreign-key-index');
    expect(found.map(({ statement }) => statement).sort()).toEqual([
      'CREATE INDEX CONCURRENTLY ON public.child ("Y ""y""", "z")',
      'CREATE INDEX CONCURRENTLY ON public.child ("w")',
      'CREATE INDEX ON public.parts ("x")',
    ]);
    await obey(database, found);
    expect(await adviceOn(database, 'missing-foreign-key-index')).toEqual([]);
  });

  test('finds sequences near their end, also behind a narrower column', async () => {
    const database = await cluster.database(`
      CREATE TABLE "T ""t""" (id serial PRIMARY KEY, small smallint, big bigserial, "Ident" int GENERATED ALWAYS AS IDENTITY);
      SELECT setval('"T ""t""_id_seq"', 2000000000);
      CREATE SEQUENCE shared AS bigint; ALTER TABLE "T ""t""" ALTER small SET DEFAULT nextval('shared');
      SELECT setval('shared', 30000); SELECT setval('"T ""t""_big_seq"', 3000000000);
      CREATE SEQUENCE alone AS int MAXVALUE 100; SELECT setval('alone', 99);
      CREATE SEQUENCE again AS int MAXVALUE 100 CYCLE; SELECT setval('again', 99);
      CREATE SEQUENCE fresh AS smallint;`);
    const found = await adviceOn(database, 'sequence-near-end');
    expect(found.map(({ object, observed }) => [object, observed.split(':')[0]])).toEqual([
      ['public.alone', '99 % used'],
      ['public."T ""t""_id_seq" for public."T ""t"""."id"', '93 % used'],
      ['public.shared for public."T ""t"""."small"', '92 % used'],
    ]);
    expect(found[1]?.statement).toBe(
      'ALTER TABLE public."T ""t""" ALTER COLUMN "id" TYPE bigint; ALTER SEQUENCE public."T ""t""_id_seq" AS bigint MAXVALUE 9223372036854775807',
    );
    await obey(database, found);
    expect(await adviceOn(database, 'sequence-near-end')).toEqual([]);
  });

  test.each([
    ['estimated from the statistics', ''],
    ['measured by pgstattuple_approx', 'CREATE EXTENSION pgstattuple;'],
  ])('finds bloat, %s', async (how, extension) => {
    const database = await cluster.database(`${extension}
      CREATE TABLE "Full of ""holes""" (id int, note text);
      INSERT INTO "Full of ""holes""" SELECT i, repeat('x', 200) FROM generate_series(1, 20000) AS i;
      CREATE TABLE dense AS SELECT * FROM "Full of ""holes""";
      DELETE FROM "Full of ""holes""" WHERE id % 10 <> 0;`);
    await database.sql('VACUUM ANALYZE');
    const found = await adviceOn(database, 'bloat');
    expect(found.map(({ object }) => object)).toEqual(['public."Full of ""holes"""']);
    expect(found[0]?.observed).toContain(how);
    expect(found[0]?.statement).toBe('VACUUM (FULL, ANALYZE) public."Full of ""holes"""');
    await obey(database, found);
    expect(await adviceOn(database, 'bloat')).toEqual([]);
  });

  test('finds slow statements where pg_stat_statements is, without the constants', async () => {
    const database = await cluster.database(
      'CREATE SCHEMA "Stat s"; CREATE EXTENSION pg_stat_statements SCHEMA "Stat s"',
    );
    await database.sql(
      `SELECT pg_sleep(0.2), 'secret name'; CREATE ROLE temporary_one PASSWORD 'secret password'; DROP ROLE temporary_one`,
    );
    const found = await adviceOn(database, 'slow-statement');
    const sleep = found.find(({ object }) => object.includes('pg_sleep'));
    expect(sleep?.observed).toMatch(/^0\.2 s in 1 calls/);
    expect(sleep?.statement).toMatch(
      /^SELECT query FROM "Stat s".pg_stat_statements WHERE queryid = -?\d+$/,
    );
    expect(await database.sql(sleep?.statement ?? '')).toContain('pg_sleep');
    expect(JSON.stringify(found)).not.toContain('secret');
  });

  test('finds tables near wraparound', async () => {
    const database = await cluster.database(
      'CREATE TABLE "Old ""one""" (a int); CREATE TABLE young (a int)',
    );
    // Each block with an exception is a subtransaction, which takes a number of its own when it writes.
    await database.sql(`DO $$ BEGIN FOR i IN 1..95000 LOOP
      BEGIN PERFORM pg_current_xact_id(); INSERT INTO young VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$`);
    const found = await adviceOn(database, 'near-wraparound');
    const old = found.find(({ object }) => object === 'public."Old ""one"""');
    expect(old?.observed).toMatch(
      /^oldest transaction 9\d,\d{3} old, 9\d % of autovacuum's limit, 0 % of the end/,
    );
    await obey(database, old === undefined ? [] : [old]);
    const after = await adviceOn(database, 'near-wraparound');
    expect(after.map(({ object }) => object)).not.toContain('public."Old ""one"""');
  });

  test('says what it could not see, counts all, keeps some, and changes nothing', async () => {
    const database = await cluster.database(`CREATE TABLE p (id int PRIMARY KEY);
      CREATE TABLE c (a int REFERENCES p, b int REFERENCES p, d int REFERENCES p);`);
    const before = await database.sql('SELECT count(*), max(oid) FROM pg_class');
    const result = await database.tasks().optimizeQueries({ ...options, atMost: 2 });
    expect(result.figures['missing-foreign-key-index']).toBe(3);
    expect(
      result.findings?.filter(({ kind }) => kind === 'missing-foreign-key-index'),
    ).toHaveLength(2);
    expect(result.summary).toContain('3 foreign keys without index (2 shown)');
    expect(result.summary).toContain(
      'slow statements are not known: the extension pg_stat_statements is not in the database',
    );
    expect(result.summary).toContain('bloat is estimated');
    expect(await database.sql('SELECT count(*), max(oid) FROM pg_class')).toBe(before);
  });

  test('works for a role that may see little', async () => {
    const database =
      await cluster.database(`CREATE EXTENSION pgstattuple; CREATE EXTENSION pg_stat_statements;
      CREATE TABLE mine (id serial PRIMARY KEY); ALTER TABLE mine OWNER TO clerk; CREATE TABLE other (id serial);`);
    const result = await database.tasks({ user: 'clerk' }).optimizeQueries(options);
    expect(result.summary).toContain('bloat is estimated');
  });

  test('goes on when one look takes too long, and says so; fails when none can be done', async () => {
    const database = await cluster.database(`CREATE TABLE p (id int PRIMARY KEY);
      CREATE TABLE c (a int REFERENCES p);
      CREATE EXTENSION pg_stat_statements;
      ALTER EXTENSION pg_stat_statements DROP VIEW pg_stat_statements;
      DROP VIEW pg_stat_statements;`);
    const result = await database.tasks().optimizeQueries(options);
    expect(result.summary).toContain(
      'slow-statement was not looked at: Looking for slow statements',
    );
    expect(result.figures['missing-foreign-key-index']).toBe(1);
    const failure = await failureFrom(
      database.tasks({ user: 'nobody_at_all' }).optimizeQueries(options),
    );
    expect(failure.code).toBe('database-authentication-failed');
  });
});
