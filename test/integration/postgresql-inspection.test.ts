import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from '../../src/ports/database.ts';
import { failureFrom, PostgresqlBench, until } from '../fixtures/postgresql-bench.ts';

let bench: PostgresqlBench;

beforeAll(async () => {
  bench = await PostgresqlBench.start({
    settings: { max_prepared_transactions: '5', wal_level: 'logical' },
  });
  await bench.sql(
    `CREATE ROLE plain LOGIN PASSWORD 'secret'; CREATE ROLE owner LOGIN PASSWORD 'secret' CREATEDB`,
  );
});
afterAll(() => bench.stop());

const facts = { longTransactionSeconds: 60 };

describe('facts', () => {
  test('of a superuser’s database', async () => {
    const name = await bench.database(
      'CREATE TABLE t AS SELECT generate_series(1, 10000) AS a; CREATE INDEX ON t (a)',
    );
    const seen = await bench.adapter(name).inspect(facts);
    expect(seen).toMatchObject({
      name,
      role: 'postgres',
      isSuperuser: true,
      canCreateDatabase: true,
      ownsDatabase: true,
      canEndSessions: true,
      isReadOnly: false,
      isInRecovery: false,
      dataDirectory: bench.cluster.dataFolder,
      sessions: 0,
      clientsAreNewEnough: true,
      longTransactions: [],
      preparedTransactions: [],
      invalidIndexes: [],
      standbys: [],
    });
    expect(seen.serverVersion).toBe((await bench.sql('SHOW server_version')).split(' ')[0]);
    expect(seen.serverVersionNumber).toBe(Number(await bench.sql('SHOW server_version_num')));
    expect(seen.oid).toBe(
      Number(await bench.sql(`SELECT oid FROM pg_database WHERE datname = '${name}'`)),
    );
    expect(seen.bytes).toBe(Number(await bench.sql(`SELECT pg_database_size('${name}')`)));
    expect(seen.indexBytes).toBeGreaterThan(
      Number(await bench.sql(`SELECT pg_relation_size('t_a_idx')`, { database: name })),
    );
    expect(Object.keys(seen.clientVersions).sort()).toEqual(['pg_dump', 'pg_restore', 'psql']);
  });

  test('of what belongs to one database and to no copy of it', async () => {
    const name = await bench.database(
      `CREATE SUBSCRIPTION prices CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false);
       SELECT pg_create_logical_replication_slot('orders_feed', 'pgoutput')`,
    );
    await bench.sql(`GRANT CONNECT ON DATABASE ${name} TO plain`);
    for (const user of ['postgres', 'plain']) {
      const adapter = user === 'plain' ? bench.adapter(name, { user }) : bench.adapter(name);
      expect(await adapter.inspect(facts)).toMatchObject({
        subscriptions: [{ name: 'prices', enabled: false }],
        logicalSlots: ['orders_feed'],
      });
    }
    const other = await bench.database();
    expect(await bench.adapter(other).inspect(facts)).toMatchObject({
      subscriptions: [],
      logicalSlots: [],
    });
    await bench.sql(
      `SELECT pg_drop_replication_slot('orders_feed'); ALTER SUBSCRIPTION prices SET (slot_name = NONE); DROP SUBSCRIPTION prices`,
      { database: name },
    );
  });

  test('of an ordinary role, and of an owner', async () => {
    const name = await bench.database();
    expect(await bench.adapter(name, { user: 'plain' }).inspect(facts)).toMatchObject({
      role: 'plain',
      isSuperuser: false,
      canCreateDatabase: false,
      ownsDatabase: false,
      canEndSessions: false,
      dataDirectory: undefined,
    });
    await bench.sql(`ALTER DATABASE ${name} OWNER TO owner; GRANT pg_signal_backend TO owner`);
    expect(await bench.adapter(name, { user: 'owner' }).inspect(facts)).toMatchObject({
      ownsDatabase: true,
      canCreateDatabase: true,
      canEndSessions: true,
    });
  });

  test('of a read-only database, invalid indexes and prepared transactions', async () => {
    const name = await bench.database(
      'CREATE TABLE "T t" (a int); INSERT INTO "T t" VALUES (1), (1)',
    );
    await bench
      .sql('CREATE UNIQUE INDEX CONCURRENTLY "bad ix" ON "T t" (a)', { database: name })
      .catch(() => undefined);
    await bench.sql(`BEGIN; INSERT INTO "T t" VALUES (3); PREPARE TRANSACTION 'half''done'`, {
      database: name,
    });
    await bench.sql(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    const seen = await bench.adapter(name).inspect(facts);
    expect(seen.isReadOnly).toBe(true);
    expect(seen.invalidIndexes).toEqual(['public."bad ix"']);
    expect(seen.preparedTransactions).toMatchObject([{ id: "half'done" }]);
    await bench.sql(`SET default_transaction_read_only = off; ROLLBACK PREPARED 'half''done'`, {
      database: name,
    });
  });

  test('tell of a receiver of the log', async () => {
    const name = await bench.database();
    const receiver = spawn(
      join(bench.cluster.binFolder, 'pg_receivewal'),
      ['-D', bench.folder, '--no-loop'],
      { env: { ...bench.cluster.psqlEnvironment(), PGAPPNAME: 'far away' }, stdio: 'ignore' },
    );
    const ended = once(receiver, 'exit');
    try {
      const database = bench.adapter(name);
      await until(
        async () => (await database.inspect(facts)).standbys[0]?.state === 'streaming',
        'pg_receivewal streams',
      );
      expect((await database.inspect(facts)).standbys).toMatchObject([
        { name: 'far away', state: 'streaming' },
      ]);
    } finally {
      receiver.kill('SIGINT');
      await ended;
    }
  });
});

describe('sessions', () => {
  /** One session, idle or in a transaction, of another role. */
  async function withSession(
    database: Database,
    statement: string,
    work: () => Promise<void>,
  ): Promise<void> {
    const holder = spawn(join(bench.cluster.binFolder, 'psql'), ['-X', '-q', '-A', '-t'], {
      env: bench.cluster.psqlEnvironment({ database: database.name }),
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const ended = once(holder, 'exit');
    try {
      holder.stdin.write(`${statement};\n\\echo ready\n`);
      await once(holder.stdout, 'data');
      await work();
    } finally {
      holder.stdin.end();
      await ended;
    }
  }

  test('idle ones are counted, but are not busy', async () => {
    const database = bench.adapter(await bench.database());
    await withSession(database, 'SELECT', async () => {
      expect((await database.inspect(facts)).sessions).toBe(1);
      expect(await database.busySessions()).toBe(0);
    });
  });

  test('in a transaction they are busy, even when an ordinary role asks', async () => {
    const name = await bench.database();
    const database = bench.adapter(name);
    await withSession(database, 'BEGIN; SELECT', async () => {
      expect(await database.busySessions()).toBe(1);
      expect(await bench.adapter(name, { user: 'plain' }).busySessions()).toBe(1);
      const { longTransactions } = await database.inspect({ longTransactionSeconds: 0 });
      expect(longTransactions).toMatchObject([
        {
          user: 'postgres',
          state: 'idle in transaction',
          query: expect.stringContaining('SELECT'),
        },
      ]);
      expect((await database.inspect(facts)).longTransactions).toEqual([]);
    });
    expect(await database.busySessions()).toBe(0);
  });

  test('of other databases are not ours', async () => {
    const other = bench.adapter(await bench.database());
    const database = bench.adapter(await bench.database());
    await withSession(other, 'BEGIN', async () => {
      expect(await database.busySessions()).toBe(0);
      expect((await database.inspect(facts)).sessions).toBe(0);
    });
  });
});

describe('rows', () => {
  test('are counted in all tables that a dump holds', async () => {
    const name = await bench.database(`
      CREATE TABLE plain (a int); INSERT INTO plain VALUES (1), (2);
      CREATE TABLE empty ();
      CREATE UNLOGGED TABLE quick (a int); INSERT INTO quick VALUES (1);
      CREATE SCHEMA "My ""Shop";
      CREATE TABLE "My ""Shop"."or
der $(touch x) 'é;--" (a int); INSERT INTO "My ""Shop"."or
der $(touch x) 'é;--" VALUES (1), (2), (3);
      CREATE TABLE parent (a int); INSERT INTO parent VALUES (1);
      CREATE TABLE child () INHERITS (parent); INSERT INTO child VALUES (2), (3);
      CREATE TABLE logs (day int) PARTITION BY RANGE (day);
      CREATE TABLE logs1 PARTITION OF logs FOR VALUES FROM (0) TO (10);
      CREATE TABLE logs2 PARTITION OF logs FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (day);
      CREATE TABLE logs2a PARTITION OF logs2 FOR VALUES FROM (10) TO (15);
      INSERT INTO logs VALUES (1), (2), (11);
      CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM plain;
      CREATE MATERIALIZED VIEW later AS SELECT 1 WITH NO DATA;
      CREATE VIEW seen AS SELECT * FROM plain;
      CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
      CREATE FOREIGN TABLE passwd (line text) SERVER files OPTIONS (filename '/nowhere');
      CREATE EXTENSION pgcrypto; CREATE TABLE made (a int); ALTER EXTENSION pgcrypto ADD TABLE made;`);
    expect(await bench.adapter(name).countRows(name)).toEqual({
      'public.plain': 2,
      'public.empty': 0,
      'public.quick': 1,
      ['"My ""Shop"."or\nder $(touch x) \'é;--"']: 3,
      'public.parent': 1,
      'public.child': 2,
      'public.logs1': 2,
      'public.logs2a': 1,
    });
  });

  test('of more tables than one query takes', async () => {
    const name = await bench.database(
      `DO $$ BEGIN FOR i IN 1..450 LOOP EXECUTE format('CREATE TABLE t%s AS SELECT generate_series(1, %s)', i, i % 7); END LOOP; END $$`,
    );
    const counts = await bench.adapter(name).countRows(name);
    expect(Object.keys(counts)).toHaveLength(450);
    expect(counts['public.t6']).toBe(6);
    expect(counts['public.t433']).toBe(433 % 7);
  });

  test('of an empty database are none', async () => {
    const name = await bench.database();
    expect(await bench.adapter(name).countRows(name)).toEqual({});
  });

  test('are not vouched for under row-level security, nor without rights', async () => {
    const name = await bench.database(`
      CREATE TABLE secrets (a int); INSERT INTO secrets VALUES (1);
      ALTER TABLE secrets ENABLE ROW LEVEL SECURITY; GRANT SELECT ON secrets TO plain`);
    const database = bench.adapter(name, { user: 'plain' });
    expect((await failureFrom(database.countRows(name))).code).toBe('database-row-security');
    await bench.sql('DROP TABLE secrets; CREATE TABLE secrets (a int)', { database: name });
    expect((await failureFrom(database.countRows(name))).code).toBe('database-permission-denied');
  });

  test('written are counted by table', async () => {
    const name = await bench.database('CREATE TABLE "t t" (a int)');
    const database = bench.adapter(name);
    await bench.sql(
      'INSERT INTO "t t" SELECT generate_series(1, 5); UPDATE "t t" SET a = 0 WHERE a < 3; DELETE FROM "t t" WHERE a = 5',
      { database: name },
    );
    await until(
      async () => (await database.writeCounters())['public."t t"']?.inserted === 5,
      'the statistics show the writes',
    );
    expect((await database.writeCounters())['public."t t"']).toEqual({
      inserted: 5,
      updated: 2,
      deleted: 1,
    });
  });
});

test('room for a copy is looked for where the database’s tablespace is', async () => {
  const folder = join(bench.cluster.folder, 'tablespace');
  await mkdir(folder);
  const owner = await stat(bench.cluster.dataFolder);
  await chown(folder, owner.uid, owner.gid);
  await bench.sql(`CREATE TABLESPACE elsewhere LOCATION '${folder}'`);
  const name = await bench.database();
  await bench.sql(`ALTER DATABASE ${name} SET TABLESPACE elsewhere`);
  expect((await bench.adapter(name).inspect(facts)).dataDirectory).toBe(folder);
});

test('sizes are those of the tables named, partitions and indexes included', async () => {
  const name = await bench.database(
    `CREATE TABLE plain (n int PRIMARY KEY, t text);
     CREATE TABLE parted (n int) PARTITION BY RANGE (n);
     CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100000);
     CREATE TABLE other (n int);
     INSERT INTO plain SELECT n, repeat('x', 100) FROM generate_series(1, 5000) AS n;
     INSERT INTO parted SELECT n FROM generate_series(1, 20000) AS n;
     INSERT INTO other SELECT n FROM generate_series(1, 50000) AS n;`,
  );
  const database = bench.adapter(name);
  const sql = (text: string) => bench.sql(text, { database: name }).then(Number);
  expect(await database.sizeOf(['plain', 'public.plain', 'parted', 'public.missing'])).toEqual({
    bytes: await sql(`SELECT pg_table_size('plain') + pg_table_size('parted_1')`),
    indexBytes: await sql(`SELECT pg_indexes_size('plain')`),
  });
  expect(await database.sizeOf(['missing'])).toEqual({ bytes: 0, indexBytes: 0 });
});

describe('databases', () => {
  test('are found by name and oid, whatever the name', async () => {
    const name = `a"b 'c' $(touch x)\n\\d ü=;`;
    await bench.database('CREATE TABLE t AS SELECT 1 AS a', name);
    const database = bench.adapter(name);
    expect(database.name).toBe(name);
    expect(database.label).toBe(
      `postgresql a"b 'c' $(touch x)\\n\\d ü=; on 127.0.0.1:${bench.cluster.port}`,
    );
    const byName = await database.identify({ name });
    expect(byName).toMatchObject({ name, allowsConnections: true, connectionLimit: -1 });
    expect(await database.identify({ oid: byName!.oid })).toEqual(byName);
    expect(await database.countRows(name)).toEqual({ 'public.t': 1 });
    expect((await database.properties()).name).toBe(name);
    expect(await database.identify({ name: 'nobody knows' })).toBeUndefined();
    expect(await database.identify({ oid: 1_000_000_000 })).toBeUndefined();
  });

  test('are found by prefix, which is no pattern', async () => {
    await bench.database('', 'x%y_mw_2');
    await bench.database('', 'x%y_mw_1');
    await bench.database('', 'xayxmwx3');
    const database = bench.adapter(await bench.database());
    expect(await database.databasesWithPrefix('x%y_mw_')).toEqual(['x%y_mw_1', 'x%y_mw_2']);
    expect(await database.databasesWithPrefix('nothing')).toEqual([]);
  });
});
