import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { failureFrom, PostgresqlBench, until } from '../fixtures/postgresql-bench.ts';

let bench: PostgresqlBench;

beforeAll(async () => {
  bench = await PostgresqlBench.start({ authentication: 'trust' });
  await bench.sql('CREATE ROLE owner LOGIN CREATEDB; CREATE ROLE carol LOGIN');
});
afterAll(() => bench.stop());

describe('ending sessions', () => {
  test('ends them all, and they are gone', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    await bench.withClients(name, 3, false, async () => {
      expect(await database.endSessions(name, 10)).toBe(3);
      expect((await database.inspect({ longTransactionSeconds: 1 })).sessions).toBe(0);
    });
    expect(await database.endSessions(name, 10)).toBe(0);
  });

  test('with clients that come back needs a closed database', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    await bench.withClients(name, 2, true, async () => {
      expect(await database.seal(name, 10)).toBeGreaterThanOrEqual(2);
      await database.rename(name, `${name}_mw_aside`);
      await database.rename(`${name}_mw_aside`, name);
    });
  });

  test('says who stays', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    await bench.withClients(name, 1, false, async () => {
      const [pid = ''] = (
        await bench.sql(`SELECT pid FROM pg_stat_activity WHERE datname = '${name}'`)
      ).split('\n');
      // A process that does not get to see that it is to end.
      process.kill(Number(pid), 'SIGSTOP');
      try {
        const failure = await failureFrom(database.seal(name, 0.1));
        expect(failure.code).toBe('database-sessions-stay');
        expect(failure.message).toContain(`${pid} (postgres, psql)`);
      } finally {
        process.kill(Number(pid), 'SIGCONT');
      }
      expect(await database.endSessions(name, 10)).toBeLessThanOrEqual(1);
    });
  });

  test('of others needs the right to', async () => {
    const name = await bench.database();
    await bench.withClients(name, 1, false, async () => {
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
    await bench.withClients(name, 1, false, async () => {
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

  test('belongs to the original’s owner where we may give it, so that a restore may give its tables', async () => {
    await bench.sql(
      `CREATE ROLE shop_owner; CREATE ROLE window_role LOGIN CREATEDB; GRANT shop_owner TO window_role`,
    );
    await bench.sql('CREATE DATABASE owned OWNER shop_owner');
    const database = bench.adapter('owned', { user: 'window_role' });
    await database.createEmpty('owned_mw_scratch', await database.properties());
    const scratch = bench.adapter('owned_mw_scratch', { user: 'window_role' });
    expect((await scratch.properties()).owner).toBe('shop_owner');
    await scratch.runSql('CREATE TABLE given (); ALTER TABLE given OWNER TO shop_owner', {
      inTransaction: true,
      lockTimeoutSeconds: 5,
      statementTimeoutSeconds: 5,
      onProgress: () => undefined,
    });
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
