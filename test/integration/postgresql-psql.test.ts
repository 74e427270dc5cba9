import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { systemClock } from '../../src/clock/system-clock.ts';
import { parseConnection } from '../../src/databases/postgresql/connection.ts';
import type { Psql } from '../../src/databases/postgresql/psql.ts';
import {
  quoteDollar,
  quoteIdentifier,
  quoteLiteral,
} from '../../src/databases/postgresql/quoting.ts';
import { createServer } from '../../src/databases/postgresql/server.ts';
import type { Login } from '../../rehearsal/cluster.ts';
import { runs } from '../fixtures/property-runs.ts';
import { failureFrom, PostgresqlBench, until } from '../fixtures/postgresql-bench.ts';

let bench: PostgresqlBench;
let shop: string;

beforeAll(async () => {
  bench = await PostgresqlBench.start();
  shop = await bench.database('CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)');
  await bench.sql(
    `CREATE ROLE reader LOGIN PASSWORD 'secret'; CREATE ROLE crowd LOGIN PASSWORD 'secret' CONNECTION LIMIT 0`,
  );
});
afterAll(() => bench.stop());

function psqlAs(login: Login = {}, clientDirectory?: string): Psql {
  return createServer({
    host: bench.host,
    clock: systemClock(),
    connection: parseConnection(bench.cluster.url({ database: shop, ...login })),
    clientDirectory,
  }).psql;
}

const value = z.object({ value: z.string() });

describe('SQL that a user wrote', () => {
  test('is not a script for psql', async () => {
    const file = join(bench.folder, 'touched');
    const psql = psqlAs();
    const failure = await failureFrom(psql.execute(`SELECT 1;\n\\! touch ${file}\n`));
    expect(failure.code).toBe('database-statement-failed');
    expect(failure.message).toContain('SQLSTATE 42601, line 2');
    expect(await bench.host.status(file)).toBeUndefined();
    await psql.execute(
      `CREATE TABLE said AS SELECT ':DBNAME :''DBNAME'' \\! touch ${file} \\gexec' AS value`,
    );
    const rows = await psql.rows('SELECT value FROM public.said', value);
    expect(rows).toEqual([{ value: `:DBNAME :'DBNAME' \\! touch ${file} \\gexec` }]);
    expect(await bench.host.status(file)).toBeUndefined();
  });

  test('may run outside a transaction, several statements at once', async () => {
    await psqlAs().execute(`VACUUM t;
      CREATE INDEX CONCURRENTLY t_a ON t (a);
      DO $$ BEGIN PERFORM 1; PERFORM 2; END $$;
      CREATE FUNCTION one() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 1; END;
      -- the end`);
    const [row] = await psqlAs().rows(
      `SELECT (SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'public.t_a'::regclass) AS value`,
      value,
    );
    expect(row).toEqual({ value: 'true' });
  });

  test('in one transaction happens whole or not at all', async () => {
    const psql = psqlAs();
    const failure = await failureFrom(
      psql.execute(['INSERT INTO t VALUES (2);', 'INSERT INTO t\n VALUES (1)'], {
        singleTransaction: true,
      }),
    );
    expect(failure.message).toContain('t_pkey');
    expect(await bench.sql('SELECT count(*) FROM t WHERE a = 2', { database: shop })).toBe('0');
    const refused = await failureFrom(
      psql.execute('INSERT INTO t VALUES (2); COMMIT;', { singleTransaction: true }),
    );
    expect(refused.code).toBe('database-sql-refused');
    expect(await bench.sql('SELECT count(*) FROM t WHERE a = 2', { database: shop })).toBe('0');
  });

  test('fails with the line in its own text', async () => {
    const failure = await failureFrom(
      psqlAs().execute('SELECT 1;\n\nSELECT 1,\n  nope;\nSELECT 2'),
    );
    expect(failure.message).toContain('column "nope" does not exist (SQLSTATE 42703, line 4)');
    const later = await failureFrom(psqlAs().execute('SELECT 1;\n\nSELECT\n1/0;\n'));
    expect(later.message).toContain('division by zero (SQLSTATE 22012, line 3)');
  });

  test('cannot take our next statements for its data', async () => {
    const failure = await failureFrom(psqlAs().execute('COPY t FROM STDIN;\n7\n\\.\n'));
    expect(failure.code).toBe('database-sql-refused');
    expect(failure.message).toContain('line 1');
  });

  test('tells its notices as they come', async () => {
    const notices: string[] = [];
    await psqlAs().execute(
      `DO $$ BEGIN RAISE NOTICE 'half'; RAISE WARNING 'odd' USING HINT = 'look'; END $$`,
      {
        onNotice: (line) => notices.push(line),
      },
    );
    expect(notices).toEqual(['NOTICE: half', 'WARNING: odd', 'HINT:  look']);
  });

  test('is not under the limits of the application’s role', async () => {
    await bench.sql(
      `CREATE ROLE hurried LOGIN PASSWORD 'secret'; ALTER ROLE hurried SET statement_timeout = '1ms'`,
    );
    await psqlAs({ user: 'hurried', password: 'secret' }).execute('SELECT pg_sleep(0.1)');
  });

  test('sees the settings that were given', async () => {
    await psqlAs().execute(
      'CREATE TABLE seen AS SELECT current_setting($$lock_timeout$$) AS value',
      {
        settings: { lock_timeout: '7s' },
      },
    );
    expect(await psqlAs().rows('SELECT value FROM public.seen', value)).toEqual([{ value: '7s' }]);
  });
});

describe('rows', () => {
  test('come as objects, with any text in them', async () => {
    const rows = await psqlAs().rows(
      `SELECT 1 AS a, E'two\\nlines|"''' AS b, NULL AS c, ARRAY['x'] AS d -- comment`,
      z.object({ a: z.int(), b: z.string(), c: z.null(), d: z.array(z.string()) }),
    );
    expect(rows).toEqual([{ a: 1, b: `two\nlines|"'`, c: null, d: ['x'] }]);
  });
  test('of another shape are an error, not a guess', async () => {
    const failure = await failureFrom(psqlAs().rows('SELECT 1 AS value', value));
    expect(failure.code).toBe('database-answer-unexpected');
  });
  test('are not misled by the application’s functions', async () => {
    await bench.sql(
      `CREATE FUNCTION public.pg_database_size(oid) RETURNS bigint LANGUAGE sql AS 'SELECT 42::bigint';
       ALTER DATABASE ${quoteIdentifier(shop)} SET search_path = public, pg_catalog`,
      { database: shop },
    );
    const [row] = await psqlAs().rows(
      'SELECT pg_database_size(oid)::text AS value FROM pg_database WHERE datname = current_database()',
      value,
    );
    expect(Number(row?.value)).toBeGreaterThan(42);
  });

  test('what is quoted arrives unchanged', async () => {
    const text = fc
      .string({
        unit: fc.oneof(
          fc.constantFrom("'", '"', '\\', '$', ':', '\n', '\r', ';', '`'),
          fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        ),
        maxLength: 10,
      })
      // psql itself leaves out U+10FFFE and U+10FFFF, which are no characters, when it prints.
      .map((candidate) => candidate.toWellFormed().replace(/[\0\u{10fffe}\u{10ffff}]/gu, ''));
    const texts = fc.sample(text, runs(400));
    const rows = await psqlAs().rows(
      texts
        .map(
          (one, i) =>
            `SELECT ${String(i)} AS i, ${quoteLiteral(one)} AS literal, ${quoteDollar(one)} AS dollar`,
        )
        .join(' UNION ALL ') + ' ORDER BY i',
      z.object({ i: z.int(), literal: z.string(), dollar: z.string() }),
    );
    expect(rows).toEqual(texts.map((one, i) => ({ i, literal: one, dollar: one })));
    const names = texts.filter((one) => one !== '' && Buffer.byteLength(one) <= 63);
    for (const name of names.slice(0, 20)) {
      const [row] = await psqlAs().rows(
        `SELECT 1 AS ${quoteIdentifier(name)}`,
        z.record(z.string(), z.int()),
      );
      expect(row).toEqual({ [name]: 1 });
    }
  });
});

describe('a held session', () => {
  test('keeps its transaction, and loses it with the first error', async () => {
    const session = await psqlAs().start({ settings: { lock_timeout: '5s' } });
    expect(
      await session.query('BEGIN; INSERT INTO t VALUES (50); SELECT 1, 2; SHOW lock_timeout'),
    ).toEqual(['1|2', '5s']);
    expect(await session.query('SELECT count(*) FROM t WHERE a = 50')).toEqual(['1']);
    expect(await session.query("SELECT ':DBNAME'")).toEqual([':DBNAME']);
    const failure = await failureFrom(session.query('\nSELECT nope'));
    expect(failure.message).toContain('SQLSTATE 42703, line 2');
    expect((await failureFrom(session.query('SELECT 1'))).message).toContain('ended');
    await session.close();
    expect(await bench.sql('SELECT count(*) FROM t WHERE a = 50', { database: shop })).toBe('0');
  });
  test('can be ended in the middle of a statement', async () => {
    const session = await psqlAs().start();
    const [pid] = await session.query('SELECT pg_backend_pid()');
    const sleeping = failureFrom(session.query('SELECT pg_sleep(600)'));
    await until(
      async () =>
        (await bench.sql(
          `SELECT count(*) FROM pg_stat_activity WHERE pid = ${pid ?? ''} AND query LIKE 'SELECT pg_sleep%'`,
        )) === '1',
      'the statement runs',
    );
    await session.abort();
    expect((await sleeping).code).toMatch(/^database-/);
    await until(
      async () =>
        (await bench.sql(`SELECT count(*) FROM pg_stat_activity WHERE pid = ${pid ?? ''}`)) === '0',
      'the server gives up the statement of a client that is gone',
    );
  });
});

describe('failures have codes', () => {
  test('wrong password', async () => {
    const failure = await failureFrom(
      psqlAs({ user: 'reader', password: 'hunter2' }).execute('SELECT 1'),
    );
    expect(failure.code).toBe('database-authentication-failed');
    expect(failure.state).toBe('Nothing was sent to the database.');
    expect(JSON.stringify(failure)).not.toContain('hunter2');
  });
  test('no such role', async () => {
    const failure = await failureFrom(
      psqlAs({ user: 'nobody here', password: 'x' }).execute('SELECT 1'),
    );
    expect(failure.code).toBe('database-authentication-failed');
  });
  test('no such database', async () => {
    const failure = await failureFrom(psqlAs({ database: 'no "such" db' }).execute('SELECT 1'));
    expect(failure.code).toBe('database-missing');
    expect(failure.message).toContain('no \\"such\\" db');
  });
  test('nobody listens', async () => {
    const server = createServer({
      host: bench.host,
      clock: systemClock(),
      connection: parseConnection('postgresql://x:hunter2@127.0.0.1:1/shop'),
      clientDirectory: undefined,
    });
    const failure = await failureFrom(server.psql.execute('SELECT 1'));
    expect(failure.code).toBe('database-unreachable');
    expect(JSON.stringify(failure)).not.toContain('hunter2');
  });
  test('the database is closed', async () => {
    const closed = await bench.database();
    await bench.sql(`ALTER DATABASE ${closed} ALLOW_CONNECTIONS false`);
    expect((await failureFrom(psqlAs({ database: closed }).execute('SELECT 1'))).code).toBe(
      'database-closed',
    );
  });
  test('too many connections', async () => {
    const failure = await failureFrom(
      psqlAs({ user: 'crowd', password: 'secret' }).execute('SELECT 1'),
    );
    expect(failure.code).toBe('database-too-many-connections');
  });
  test('no right', async () => {
    const failure = await failureFrom(
      psqlAs({ user: 'reader', password: 'secret' }).execute('SELECT * FROM public.t'),
    );
    expect(failure.code).toBe('database-permission-denied');
    expect(failure.message).toContain('permission denied for table t');
  });
  test('lock timeout and statement timeout', async () => {
    const holder = await psqlAs().start();
    await holder.query('BEGIN; LOCK TABLE t');
    const waiting = psqlAs().execute('LOCK TABLE t', {
      settings: { lock_timeout: '50ms' },
      singleTransaction: true,
    });
    expect((await failureFrom(waiting)).code).toBe('database-lock-timeout');
    const slow = psqlAs().execute('LOCK TABLE t', {
      timeoutSeconds: 0.05,
      singleTransaction: true,
    });
    expect((await failureFrom(slow)).code).toBe('database-statement-timeout');
    await holder.close();
  });
  test('the session is ended from outside', async () => {
    const session = await psqlAs().start();
    const [pid] = await session.query('SELECT pg_backend_pid()');
    await bench.sql(`SELECT pg_terminate_backend(${pid ?? ''})`);
    const failure = await failureFrom(session.query('SELECT 1'));
    expect(failure.code).toBe('database-shutting-down');
  });
  test('no client programs', async () => {
    const failure = await failureFrom(psqlAs({}, bench.folder).execute('SELECT 1'));
    expect(failure.code).toBe('database-client-missing');
    expect(failure.message).toContain(bench.folder);
  });
});

test('neither password nor SQL is in the arguments of a client', async () => {
  const log = join(bench.folder, 'arguments');
  const clients = await bench.clients({ psql: `printf '%s\\n' "$0" "$@" >> '${log}'` });
  await psqlAs({}, clients).execute(`SELECT 'in the SQL'`);
  const seen = await readFile(log, 'utf8');
  expect(seen).toContain('ON_ERROR_STOP=1');
  expect(seen).not.toContain(bench.cluster.superuserPassword);
  expect(seen).not.toContain('in the SQL');
});

test('without a database named postgres, template1 serves for maintenance', async () => {
  const other = await PostgresqlBench.start({ authentication: 'trust' });
  try {
    const name = await other.database();
    await other.sql('DROP DATABASE postgres', { database: name });
    const database = other.adapter(name);
    expect(await database.databasesWithPrefix('shop')).toEqual([name]);
    expect((await database.properties()).name).toBe(name);
  } finally {
    await other.stop();
  }
});

test('a program has the run-time parameters that it is given, and those of the URL beside them', async () => {
  const url = bench.cluster.url({ database: shop });
  const { host } = bench;
  const server = createServer({
    host,
    clock: systemClock(),
    connection: parseConnection(`${url}?options=-c%20work_mem%3D3MB%20-c%20lock_timeout%3D3s`),
    clientDirectory: undefined,
  });
  const settings = {
    application_name: `it's "me" \\`,
    lock_timeout: '7s',
    search_path: `"a \\b", c`,
  };
  const shown = ['work_mem', 'lock_timeout', 'application_name', 'search_path'];
  const command = await server.client(
    'psql',
    ['-XAtw', ...shown.flatMap((name) => ['-c', `SHOW ${name}`])],
    shop,
    settings,
  );
  const result = await host.run(command);
  expect(result).toMatchObject({ exitCode: 0, stderr: '' });
  expect(result.stdout.trim().split('\n')).toEqual([
    '3MB',
    '7s',
    settings.application_name,
    settings.search_path,
  ]);
});
