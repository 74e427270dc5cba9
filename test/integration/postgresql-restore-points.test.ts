import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import { giveTo, unprivilegedUser } from '../../rehearsal/unprivileged-user.ts';
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
    await bench.withClients(name, 1, false, async () => {
      const failure = await failureFrom(database.clone(name, `${name}_mw_point`));
      expect(failure.code).toBe('database-in-use');
      expect(await database.databasesWithPrefix(`${name}_mw_`)).toEqual([]);
    });
  });

  test('keeps the collation version that its source was made with', async () => {
    await bench.sql(
      `CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US';
       UPDATE pg_database SET datcollversion = '1.2.3' WHERE datname = 'icu'`,
    );
    // By itself the server refuses such a template.
    await expect(bench.sql('CREATE DATABASE icu_mw_plain TEMPLATE icu')).rejects.toThrow(
      'collation version mismatch',
    );
    await bench.adapter('icu').clone('icu', 'icu_mw_point');
    expect(
      await bench.sql(`SELECT datcollversion FROM pg_database WHERE datname = 'icu_mw_point'`),
    ).toBe('1.2.3');
  });

  test('takes along what lies in other tablespaces', async () => {
    for (const name of ['one', 'two']) {
      const folder = `${bench.cluster.folder}/space_${name}`;
      await mkdir(folder, { mode: 0o700 });
      await giveTo(unprivilegedUser(), folder);
      await bench.sql(`CREATE TABLESPACE space_${name} LOCATION '${folder}'`);
    }
    await bench.sql('CREATE DATABASE spread TABLESPACE space_one');
    await bench.sql(
      `CREATE TABLE near AS SELECT generate_series(1, 1000) AS a;
       CREATE TABLE far TABLESPACE space_two AS SELECT generate_series(1, 2000) AS a`,
      { database: 'spread' },
    );
    const database = bench.adapter('spread');
    const before = await database.properties();
    expect(before.tablespace).toBe('space_one');
    await swap(database, 'spread_mw_point', 'spread_mw_failed');
    expect(withoutIdentity(await database.properties())).toEqual(withoutIdentity(before));
    expect(await database.countRows('spread')).toEqual({ 'public.far': 2000, 'public.near': 1000 });
    expect(
      await bench.sql(
        `SELECT spcname FROM pg_class JOIN pg_tablespace AS t ON t.oid = reltablespace WHERE relname = 'far'`,
        {
          database: 'spread',
        },
      ),
    ).toBe('space_two');
    await database.drop('spread_mw_failed');
  });

  test('without the right to create databases fails', async () => {
    const name = await bench.database();
    const failure = await failureFrom(
      bench.adapter(name, { user: 'carol' }).clone(name, `${name}_mw_point`),
    );
    expect(failure.code).toBe('database-permission-denied');
  });
});

describe('a checkpoint', () => {
  const checkpoints = `SELECT checkpoints_req FROM pg_stat_bgwriter`;

  test.each([
    ['a superuser', {}, 'asked'],
    ['a role that may create databases', { user: 'owner' }, 'by-a-copy'],
    ['any other role', { user: 'carol' }, 'not-allowed'],
  ] as const)('is had by %s, and leaves nothing', async (_, login, how) => {
    const name = await bench.database();
    const before = Number(await bench.sql(checkpoints));
    const scratch = `${name}_mw_x_scratch`;
    expect(await bench.adapter(name, login).checkpoint(scratch)).toBe(how);
    if (how !== 'not-allowed') {
      await until(
        async () => Number(await bench.sql(checkpoints)) > before,
        'the server counts a checkpoint',
      );
    }
    expect(await bench.adapter(name).identify({ name: scratch })).toBeUndefined();
  });
});
