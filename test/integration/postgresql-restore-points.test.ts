import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Database, DatabaseProperties } from '../../src/ports/database.ts';
import { failureFrom, PostgresqlBench, until } from '../fixtures/postgresql-bench.ts';

let bench: PostgresqlBench;

beforeAll(async () => {
  bench = await PostgresqlBench.start({ authentication: 'trust' });
  await bench.sql(`
    CREATE ROLE owner LOGIN PASSWORD 'secret' CREATEDB;
    CREATE ROLE "Bob's ""own""" LOGIN PASSWORD 'secret';
    CREATE ROLE carol LOGIN PASSWORD 'secret';
    CREATE ROLE dave`);
});
afterAll(() => bench.stop());

/** Everything that a clone loses, with names and values that need quoting. */
async function decorated(name: string): Promise<Database> {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  const bob = `"Bob's ""own"""`;
  await bench.database('CREATE TABLE t AS SELECT generate_series(1, 1000) AS a', name);
  await bench.sql(`
    ALTER DATABASE ${quoted} OWNER TO owner;
    REVOKE CONNECT ON DATABASE ${quoted} FROM PUBLIC;
    REVOKE CREATE ON DATABASE ${quoted} FROM owner;
    GRANT CONNECT, TEMPORARY ON DATABASE ${quoted} TO ${bob} WITH GRANT OPTION;
    GRANT CREATE ON DATABASE ${quoted} TO dave;
    SET ROLE ${bob}; GRANT CONNECT ON DATABASE ${quoted} TO carol WITH GRANT OPTION; RESET ROLE;
    SET ROLE carol; GRANT CONNECT ON DATABASE ${quoted} TO dave; RESET ROLE;
    ALTER DATABASE ${quoted} SET search_path = "$user", "My ""Shop", public;
    ALTER DATABASE ${quoted} SET work_mem = '12MB';
    ALTER DATABASE ${quoted} SET "shop.region" = 'it''s = \\here';
    ALTER DATABASE ${quoted} SET DateStyle = 'ISO, DMY';
    ALTER ROLE ${bob} IN DATABASE ${quoted} SET search_path = '';
    ALTER ROLE carol IN DATABASE ${quoted} SET statement_timeout = '5s';
    COMMENT ON DATABASE ${quoted} IS 'The "shop''s" \\ data';
    ALTER DATABASE ${quoted} CONNECTION LIMIT 7`);
  return bench.adapter(name);
}

function withoutIdentity({ oid: _oid, ...properties }: DatabaseProperties): object {
  return properties;
}

/** The whole way of a rollback: clone, set the original aside, put the clone in its place. */
async function swap(database: Database, point: string, failed: string): Promise<void> {
  const { name } = database;
  const properties = await database.properties();
  await database.setAllowConnections(name, false);
  await database.endSessions(name, 10);
  await database.clone(name, point);
  await database.rename(name, failed);
  await database.rename(point, name);
  await database.applyProperties(name, properties);
}

describe('a clone that takes the original’s place', () => {
  test.each(['shop', `s"h o'p $(touch x)\n\\ü=`])(
    'has all its rows and properties (%j)',
    async (name) => {
      const database = await decorated(name);
      const before = await database.properties();
      expect(before.grants).toHaveLength(8);
      expect(before.settings).toHaveLength(6);
      const rows = await database.countRows(name);
      await swap(database, `${name}_mw_point`, `${name}_mw_failed`);
      // swap() read the properties while connections were still allowed.
      const after = await database.properties();
      expect(after.oid).not.toBe(before.oid);
      expect(withoutIdentity(after)).toEqual(withoutIdentity(before));
      expect(await database.countRows(name)).toEqual(rows);
      expect(await database.identify({ oid: before.oid })).toMatchObject({
        name: `${name}_mw_failed`,
        allowsConnections: false,
      });
      await database.applyProperties(name, before);
      expect(withoutIdentity(await database.properties())).toEqual(withoutIdentity(before));
      await database.drop(`${name}_mw_failed`);
      expect(await database.identify({ oid: before.oid })).toBeUndefined();
    },
  );

  test('keeps default privileges default', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    const before = await database.properties();
    expect(before).toMatchObject({ grants: null, comment: null, settings: [] });
    await swap(database, `${name}_mw_point`, `${name}_mw_failed`);
    expect(withoutIdentity(await database.properties())).toEqual(withoutIdentity(before));
  });

  test('takes away what it should not have', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    const before = await database.properties();
    await bench.sql(`
      GRANT CREATE ON DATABASE ${name} TO dave; ALTER DATABASE ${name} SET work_mem = '1MB';
      ALTER ROLE carol IN DATABASE ${name} SET work_mem = '2MB'; COMMENT ON DATABASE ${name} IS 'x'`);
    await database.applyProperties(name, before);
    const after = await database.properties();
    expect(after).toMatchObject({ comment: null, settings: [] });
    expect(after.grants?.map(({ grantee, privilege }) => [grantee, privilege])).toEqual([
      [null, 'CONNECT'],
      [null, 'TEMPORARY'],
      ['postgres', 'CONNECT'],
      ['postgres', 'CREATE'],
      ['postgres', 'TEMPORARY'],
    ]);
  });

  test('a database that nobody may use by right stays so', async () => {
    const name = await bench.database();
    await bench.sql(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC, postgres`);
    const database = bench.adapter(name);
    expect((await database.properties()).grants).toEqual([]);
    await swap(database, `${name}_mw_point`, `${name}_mw_failed`);
    expect((await database.properties()).grants).toEqual([]);
  });

  test('works for an owner who is no superuser', async () => {
    const name = await bench.database('CREATE TABLE t AS SELECT 1 AS a');
    await bench.sql(`
      ALTER DATABASE ${name} OWNER TO owner; REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC;
      ALTER DATABASE ${name} SET search_path = app`);
    await bench.sql('GRANT SELECT ON public.t TO owner', { database: name });
    const database = bench.adapter(name, { user: 'owner' });
    const before = await database.properties();
    await swap(database, `${name}_mw_point`, `${name}_mw_failed`);
    expect(withoutIdentity(await database.properties())).toEqual(withoutIdentity(before));
    expect(await database.countRows(name)).toEqual({ 'public.t': 1 });
    await database.drop(`${name}_mw_failed`);
  });

  test('says so when a role is gone', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    const properties = await database.properties();
    const failure = await failureFrom(
      database.applyProperties(name, {
        ...properties,
        settings: [{ role: 'long gone', name: 'work_mem', value: '1MB' }],
        comment: 'new',
      }),
    );
    expect(failure.message).toContain('role "long gone" does not exist');
    expect((await database.properties()).comment).toBeNull();
  });
});

describe('cloning', () => {
  test('makes a closed copy of the same size', async () => {
    const name = await bench.database('CREATE TABLE t AS SELECT generate_series(1, 50000) AS a');
    const database = bench.adapter(name);
    const copy = await database.clone(name, `${name}_mw_point`);
    expect(copy).toMatchObject({ name: `${name}_mw_point`, allowsConnections: false });
    const original = await database.identify({ name });
    expect(Math.abs(copy.bytes - original!.bytes)).toBeLessThan(1024 * 1024);
  });

  test('refuses a name that is taken, and leaves what is there', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    const copy = await database.clone(name, `${name}_mw_point`);
    const failure = await failureFrom(database.clone(name, `${name}_mw_point`));
    expect(failure.code).toBe('database-exists');
    expect(await database.identify({ oid: copy.oid })).toEqual(copy);
  });

  test('replaces what an interrupted run left', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    const half = await database.clone(name, `${name}_mw_point`);
    // What the server itself marks when DROP DATABASE is cut short.
    await bench.sql(`UPDATE pg_database SET datconnlimit = -2 WHERE oid = ${half.oid}`);
    const whole = await database.clone(name, `${name}_mw_point`);
    expect(whole.oid).not.toBe(half.oid);
    expect(await database.identify({ oid: half.oid })).toBeUndefined();
  });

  test('of a database in use fails and leaves nothing', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    await withClients(name, 1, false, async () => {
      const failure = await failureFrom(database.clone(name, `${name}_mw_point`));
      expect(failure.code).toBe('database-in-use');
      expect(await database.databasesWithPrefix(`${name}_mw_`)).toEqual([]);
    });
  });

  test('without the right to create databases fails', async () => {
    const name = await bench.database();
    const failure = await failureFrom(
      bench.adapter(name, { user: 'carol' }).clone(name, `${name}_mw_point`),
    );
    expect(failure.code).toBe('database-permission-denied');
  });
});

/** psql clients that hold a session each, and come back when it is ended if they are told to. */
async function withClients(
  database: string,
  count: number,
  comeBack: boolean,
  work: () => Promise<void>,
): Promise<void> {
  let stopping = false;
  const alive = new Set<ReturnType<typeof spawn>>();
  const loops = Array.from({ length: count }, async () => {
    do {
      const client = spawn(
        join(bench.cluster.binFolder, 'psql'),
        ['-X', '-q', '-c', 'SELECT pg_sleep(600)'],
        { env: bench.cluster.psqlEnvironment({ database }), stdio: 'ignore' },
      );
      alive.add(client);
      await once(client, 'exit');
      alive.delete(client);
    } while (comeBack && !stopping);
  });
  const sleeping = `SELECT count(*) FROM pg_stat_activity WHERE datname = '${database}' AND query LIKE 'SELECT pg_sleep%'`;
  try {
    await until(async () => Number(await bench.sql(sleeping)) === count, 'the clients are there');
    await work();
  } finally {
    stopping = true;
    await bench.sql(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
    for (const client of alive) client.kill('SIGKILL');
    await Promise.all(loops);
    await bench.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`,
    );
  }
}

describe('ending sessions', () => {
  test('ends them all, and they are gone', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    await withClients(name, 3, false, async () => {
      expect(await database.endSessions(name, 10)).toBe(3);
      expect((await database.inspect({ longTransactionSeconds: 1 })).sessions).toBe(0);
    });
    expect(await database.endSessions(name, 10)).toBe(0);
  });

  test('with clients that come back needs a closed database', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    await withClients(name, 2, true, async () => {
      await database.setAllowConnections(name, false);
      expect(await database.endSessions(name, 10)).toBeGreaterThanOrEqual(2);
      await database.rename(name, `${name}_mw_aside`);
      await database.rename(`${name}_mw_aside`, name);
    });
  });

  test('says who stays', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    await withClients(name, 1, false, async () => {
      const failure = await failureFrom(database.endSessions(name, 0));
      expect(failure.code).toBe('database-sessions-stay');
      expect(failure.message).toMatch(/\d+ \(postgres, psql\)/);
    });
  });

  test('of others needs the right to', async () => {
    const name = await bench.database();
    await withClients(name, 1, false, async () => {
      const failure = await failureFrom(
        bench.adapter(name, { user: 'carol' }).endSessions(name, 5),
      );
      expect(failure.code).toBe('database-permission-denied');
    });
  });
});

describe('renaming', () => {
  test('keeps the identity', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    const before = await database.identify({ name });
    await database.rename(name, `${name}_mw_aside`);
    expect(await database.identify({ oid: before!.oid })).toMatchObject({
      name: `${name}_mw_aside`,
    });
    expect(await database.identify({ name })).toBeUndefined();
    expect((await failureFrom(database.rename(name, 'x'))).code).toBe('database-missing');
    expect((await failureFrom(database.properties())).code).toBe('database-missing');
  });

  test('onto a name that is taken fails', async () => {
    const name = await bench.database();
    const other = await bench.database();
    const failure = await failureFrom(bench.adapter(name).rename(name, other));
    expect(failure.code).toBe('database-exists');
  });
});

describe('dropping', () => {
  test('is refused for all but our own', async () => {
    const name = await bench.database();
    const mine = await bench.database('', 'tricky_mw_name');
    const database = bench.adapter(mine);
    for (const other of [name, mine, 'postgres']) {
      expect((await failureFrom(database.drop(other))).code).toBe('database-drop-refused');
      expect(await database.identify({ name: other })).toBeDefined();
    }
  });

  test('works with sessions on it, on a template and on one that is not there', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    const scratch = await bench.database('', 'a_mw_scratch');
    await bench.sql(`ALTER DATABASE ${scratch} IS_TEMPLATE true`);
    const client = spawn(
      join(bench.cluster.binFolder, 'psql'),
      ['-X', '-q', '-c', 'SELECT pg_sleep(600)'],
      { env: bench.cluster.psqlEnvironment({ database: scratch }), stdio: 'ignore' },
    );
    const ended = once(client, 'exit');
    await until(
      async () =>
        (await bench.sql(`SELECT count(*) FROM pg_stat_activity WHERE datname = '${scratch}'`)) ===
        '1',
      'the client is there',
    );
    await database.drop(scratch);
    expect(await database.identify({ name: scratch })).toBeUndefined();
    await ended;
    await database.drop(scratch);
  });

  test('is not overtaken by the creation that a killed run left behind', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    await withClients(name, 1, false, async () => {
      // CREATE DATABASE waits five seconds for the template's sessions to go.
      const orphan = spawn(
        join(bench.cluster.binFolder, 'psql'),
        ['-X', '-q', '-c', `CREATE DATABASE "${name}_mw_late" TEMPLATE "${name}"`],
        {
          env: { ...bench.cluster.psqlEnvironment(), PGAPPNAME: 'maintenance-window' },
          stdio: 'ignore',
        },
      );
      const ended = once(orphan, 'exit');
      await until(
        async () =>
          (await bench.sql(
            `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%_mw_late%' AND pid <> pg_backend_pid()`,
          )) === '1',
        'the creation is at work',
      );
      await database.drop(`${name}_mw_late`);
      expect(
        await bench.sql(
          `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%_mw_late%' AND pid <> pg_backend_pid()`,
        ),
      ).toBe('0');
      await ended;
      expect(await database.databasesWithPrefix(`${name}_mw_`)).toEqual([]);
    });
  });
});

describe('an empty database', () => {
  test('is like the original, and closed', async () => {
    await bench.sql(
      `CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    const database = bench.adapter('latin');
    const like = await database.properties();
    await database.createEmpty('latin_mw_scratch', like);
    const made = await bench.adapter('latin_mw_scratch').properties();
    expect(made).toMatchObject({
      encoding: 'LATIN1',
      collate: 'C',
      ctype: 'C',
      localeProvider: 'libc',
      tablespace: 'pg_default',
      connectionLimit: 0,
      allowsConnections: true,
    });
    expect(made.grants?.filter(({ grantee }) => grantee === null)).toEqual([]);
    const refused = await failureFrom(
      bench
        .adapter('latin_mw_scratch', { user: 'carol' })
        .queryValue('SELECT 1', { timeoutSeconds: 5 }),
    );
    expect(refused.code).toBe('database-permission-denied');
    expect((await failureFrom(database.createEmpty('latin_mw_scratch', like))).code).toBe(
      'database-exists',
    );
  });

  test('has the ICU locale of the original', async () => {
    await bench.sql(
      `CREATE DATABASE swiss TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-CH'`,
    );
    const database = bench.adapter('swiss');
    await database.createEmpty('swiss_mw_scratch', await database.properties());
    expect(await bench.adapter('swiss_mw_scratch').properties()).toMatchObject({
      localeProvider: 'icu',
      icuLocale: 'de-CH',
    });
  });

  test('lets its owner in who is no superuser', async () => {
    const name = await bench.database();
    const database = bench.adapter(name, { user: 'owner' });
    await database.createEmpty(`${name}_mw_scratch`, await database.properties());
    expect(await database.countRows(`${name}_mw_scratch`)).toEqual({});
  });

  test('is in the original’s tablespace', async () => {
    const folder = join(bench.cluster.folder, 'data', 'space');
    await bench.sql(`COPY (SELECT 1) TO PROGRAM 'mkdir ''${folder}'''`);
    await bench.sql(`CREATE TABLESPACE "Fast disk" LOCATION '${folder}'`);
    await bench.sql(`CREATE DATABASE placed TABLESPACE "Fast disk"`);
    const database = bench.adapter('placed');
    await database.createEmpty('placed_mw_scratch', await database.properties());
    expect((await bench.adapter('placed_mw_scratch').properties()).tablespace).toBe('Fast disk');
    await database.clone('placed', 'placed_mw_point');
    expect((await bench.adapter('placed_mw_point').properties()).tablespace).toBe('Fast disk');
  });
});
