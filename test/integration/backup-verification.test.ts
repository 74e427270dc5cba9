import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startCluster, type Cluster } from '../../rehearsal/cluster.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { postgresql } from '../../src/databases/postgresql.ts';
import { ageEncryption } from '../../src/encryption/age.ts';
import { checkVerification } from '../../src/phases/backups/verification-checks.ts';
import { verifiedBackup } from '../../src/phases/backups/verified-backup.ts';
import { workersFor } from '../../src/phases/backups/workers.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import type { Database } from '../../src/ports/database.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { failureFrom, PostgresqlBench, until } from '../fixtures/postgresql-bench.ts';
import { forgetSubscription, makeRichDatabase, richRoles } from '../fixtures/rich-database.ts';

const run = promisify(execFile);
let bench: PostgresqlBench;
let elsewhere: Cluster;
let count = 0;
let directory: string;

beforeAll(async () => {
  bench = await PostgresqlBench.start();
  await bench.sql(richRoles);
  await makeRichDatabase(bench, 'rich');
  await bench.sql('CREATE EXTENSION amcheck', { database: 'rich' });
  await bench.database(
    `CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT g, md5(g::text) FROM generate_series(1, 5000) AS g;
     CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
     CREATE TRIGGER noted BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION note();`,
    'shop',
  );
  elsewhere = await startCluster();
});
afterAll(async () => {
  await forgetSubscription(bench, 'rich');
  await bench.stop();
  await elsewhere.stop();
});
beforeEach(() => {
  count += 1;
  directory = join(bench.folder, `backups${count}`);
});

function scratchServer(): Database {
  return postgresql({
    host: bench.host,
    clock: systemClock(),
    url: elsewhere.url(),
    elsewhere: true,
  });
}

async function contextOf(
  settings: Record<string, unknown>,
  parts: Partial<PhaseContext> & { readonly database: Database },
): Promise<PhaseContext> {
  const world = new FakeWorld();
  const made = await world.contextOf({}, { plan: { 'backup-db': { directory, ...settings } } });
  return {
    ...made,
    clock: systemClock(),
    fleet: { ...made.fleet, database: bench.host },
    ...parts,
  };
}

/** Databases that a window made and left, on both servers. */
async function leftDatabases(): Promise<string> {
  const query = `SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE datname LIKE '%\\_mw\\_%'`;
  return `${await bench.sql(query)}${await elsewhere.psql(query)}`;
}

async function standIns(): Promise<string> {
  return elsewhere.psql(
    `SELECT coalesce(string_agg(rolname, ' '), '') FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'`,
  );
}

/** Names in the folder of backups, apart from the notes beside them. */
async function kept(): Promise<readonly string[]> {
  return (await bench.host.list(directory)).filter((name) => !name.endsWith('.json'));
}

describe('a backup', () => {
  test('whose files are read again is told not to have been restored', async () => {
    const context = await contextOf({ verify: 'checksum' }, { database: bench.adapter('shop') });
    const { verification, restoreBasis, restoreSeconds } = await verifiedBackup(
      context,
      'backup-db',
      'online',
    );
    expect(verification?.level).toBe('checksum');
    expect(verification?.observed.join('\n')).toMatch(
      /^\d+ files have the checksums of the manifest; \d+ entries and the data of 1 tables can be read\nnothing was restored, so that it can be is not proved; .* is a guess from the size of the database$/,
    );
    expect(restoreBasis).toBe('estimated');
    expect(restoreSeconds).toBeGreaterThan(0);
    expect(await leftDatabases()).toBe('');
  });

  test('has the workers that its host has processors for, where the plan leaves it to them', async () => {
    const dumps: number[] = [];
    const database = bench.adapter('shop');
    const watched: Database = {
      ...database,
      dump: (options) => {
        dumps.push(options.jobs);
        return database.dump(options);
      },
    };
    const context = await contextOf({ jobs: 'auto' }, { database: watched });
    const receipt = await verifiedBackup(context, 'backup-db', 'online');
    expect(receipt.restoreBasis).toBe('measured');
    const processors = Number((await run('nproc', ['--all'])).stdout);
    expect(dumps).toEqual([workersFor(processors, 'online')]);
  });

  test('with a damaged file is set aside by the reading alone', async () => {
    const database = bench.adapter('shop');
    const damaging: Database = {
      ...database,
      dump: async (options) => {
        const manifest = await database.dump(options);
        const data = manifest.files.find(({ name }) => /^\d+\.dat/.test(name));
        const path = join(options.directory, data?.name ?? '');
        const bytes = await readFile(path);
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
        await writeFile(path, bytes);
        return manifest;
      },
    };
    const context = await contextOf({ verify: 'checksum' }, { database: damaging });
    const { code, message } = await failureFrom(verifiedBackup(context, 'backup-db', 'online'));
    expect(code).toBe('database-dump-damaged');
    expect(message).toContain('has another checksum');
    expect((await kept()).every((name) => name.endsWith('.unverified'))).toBe(true);
  });

  test('is compared with the very snapshot that was dumped, while others write', async () => {
    const writer = spawn(join(bench.cluster.binFolder, 'psql'), ['-X', '-q'], {
      env: bench.cluster.psqlEnvironment({ database: 'rich' }),
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = once(writer, 'exit');
    writer.stdin.write(`SET session_replication_role = replica;
      DO $$ BEGIN FOR i IN 1..2000000 LOOP
        INSERT INTO shop.audit (what) VALUES ('under way');
        UPDATE shop.orders SET net = net + 1 WHERE id = 1 + i % 50;
        PERFORM nextval('shop.untouched');
        COMMIT;
        EXIT WHEN EXISTS (SELECT FROM shop.empty);
      END LOOP; END $$;\n`);
    const written = async (): Promise<number> =>
      Number(
        await bench.sql(`SELECT count(*) FROM shop.audit WHERE what = 'under way'`, {
          database: 'rich',
        }),
      );
    await until(async () => (await written()) > 10, 'rows are being written');
    const context = await contextOf(
      { verify: 'restore-and-compare', amcheck: 'both' },
      { database: bench.adapter('rich') },
    );
    const receipt = await verifiedBackup(context, 'backup-db', 'online');
    expect(await written()).toBeGreaterThan(receipt.rows['shop.audit'] ?? 0);
    await bench.sql('INSERT INTO shop.empty VALUES (1)', { database: 'rich' });
    writer.stdin.end();
    await ended;
    await bench.sql('DELETE FROM shop.empty', { database: 'rich' });

    const observed = receipt.verification?.observed.join('\n') ?? '';
    expect(observed).toMatch(/^restored into a scratch database in /);
    expect(observed).toMatch(
      /equal to the dump's own snapshot: \d+ definitions, \d+ sequences, \d+ rows in 19 tables by their hashes, 3 large objects/,
    );
    expect(observed).toContain('subscription from_elsewhere is not there');
    expect(observed).toContain('materialized view shop.totals has other rows: it was stale');
    expect(observed).toContain('sequence shop.untouched moved on while the dump was taken');
    expect(observed).toContain('pg_amcheck found no damage in the restored database');
    expect(observed).toContain('pg_amcheck found no damage in rich itself');
    expect(receipt.restoreBasis).toBe('measured');
    expect(await leftDatabases()).toBe('');
  });

  test.each(['checksum', 'restore-and-compare'] as const)(
    'that was streamed and encrypted is proved by %s as well',
    async (verify) => {
      const keyFile = join(bench.folder, `key-${verify}`);
      await run('age-keygen', ['-o', keyFile]);
      const identity = await readFile(keyFile, 'utf8');
      const recipient = /age1[0-9a-z]+/.exec(identity)?.[0] ?? '';
      const made = await contextOf({ verify }, { database: bench.adapter('shop') });
      const context = {
        ...made,
        fleet: { ...made.fleet, backups: bench.host },
        encryption: () => ageEncryption([recipient], identity),
      };
      const receipt = await verifiedBackup(context, 'backup-db', 'online');
      expect(receipt.verification?.observed.join('\n')).toContain(
        verify === 'checksum'
          ? 'the data of 1 tables can be read'
          : '5000 rows in 1 tables by their hashes',
      );
      const files = (await bench.host.list(receipt.directory)).filter(
        (name) => name !== 'manifest.json',
      );
      expect(files.every((name) => name.endsWith('.age'))).toBe(true);
      expect(files).toHaveLength(verify === 'checksum' ? 1 : 2);
    },
  );

  test('that lost something is set aside, whatever its rows', async () => {
    const database = bench.adapter('shop');
    const losing: Database = {
      ...database,
      restore: async (options) => {
        const restored = await database.restore(options);
        await bench.sql(
          `DROP TRIGGER noted ON orders; UPDATE orders SET note = 'x' WHERE id = 7; CREATE TABLE more ()`,
          { database: options.database },
        );
        return restored;
      },
    };
    const context = await contextOf({ verify: 'restore-and-compare' }, { database: losing });
    const { code, message, state } = await failureFrom(
      verifiedBackup(context, 'backup-db', 'online'),
    );
    expect(code).toBe('backup-differs');
    expect(message).toContain('table public.more should not be there');
    expect(message).toContain('trigger noted on public.orders is missing');
    expect(message).toContain('table public.orders has as many rows (5000), but not the same');
    expect(state).toContain('.unverified');
    expect((await kept()).every((name) => name.endsWith('.unverified'))).toBe(true);
    expect(await leftDatabases()).toBe('');
  });
});

describe('a restore test on another server', () => {
  test('has stand-ins for its roles, and leaves nothing there', async () => {
    const context = await contextOf(
      { verify: 'restore-and-compare', amcheck: 'restored' },
      { database: bench.adapter('rich'), scratch: scratchServer() },
    );
    const checks = await checkVerification(context);
    expect(checks.map(({ verdict }) => verdict)).toEqual(['passed', 'passed']);
    expect(checks[1]?.value).toContain('stand-ins are made for 3 roles');
    const receipt = await verifiedBackup(context, 'backup-db', 'online');
    expect(receipt.restoreBasis).toBe('measured-elsewhere');
    expect(receipt.verification?.observed[0]).toMatch(
      /^restored into a scratch database on 127.0.0.1:\d+ in /,
    );
    expect(await leftDatabases()).toBe('');
    expect(await standIns()).toBe('');
  });

  test('that was killed is cleaned up by the next one', async () => {
    const runner = spawn(
      process.execPath,
      [
        join(import.meta.dirname, 'backup-verification-runner.ts'),
        bench.cluster.url({ database: 'rich' }),
        elsewhere.url(),
        directory,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const ended = once(runner, 'exit');
    await until(
      async () => (await standIns()) !== '' && (await leftDatabases()) !== '',
      'the scratch database is there',
    );
    runner.kill('SIGKILL');
    await ended;
    expect(await leftDatabases()).toContain('_scratch');
    // Another window of the same name; the one that was killed had another id.
    const context = await contextOf(
      { verify: 'restore' },
      { database: bench.adapter('rich'), scratch: scratchServer() },
    );
    await verifiedBackup(context, 'backup-db', 'online');
    expect(await leftDatabases()).toBe('');
    expect(await standIns()).toBe('');
  });

  test('is refused on the server of the application, and where something lacks', async () => {
    const same = await contextOf(
      {},
      { database: bench.adapter('shop'), scratch: bench.adapter('postgres') },
    );
    const [check] = await checkVerification(same);
    expect(check?.verdict).toBe('failed');
    expect(check?.value).toContain('it is the very server that the application’s database is on');
    const { code } = await failureFrom(verifiedBackup(same, 'backup-db', 'online'));
    expect(code).toBe('scratch-unfit');
    expect(await leftDatabases()).toBe('');

    const needs = await bench.adapter('rich').restoreNeeds();
    const { obstacles } = await scratchServer().scratchFitness({
      ...needs,
      serverMajor: 99,
      serverVersion: '99.1',
      extensions: [{ name: 'postgis', version: '3' }],
    });
    expect(obstacles.join('; ')).toMatch(
      /^it is PostgreSQL 15\.\S+, older than the application’s 99\.1; it lacks the extensions "postgis"$/,
    );
    expect(needs.roles.map(({ name }) => name)).toContain('Rich "guest"');
  });
});

describe('pg_amcheck', () => {
  test('is refused where it cannot look', async () => {
    const context = await contextOf({ amcheck: 'both' }, { database: bench.adapter('shop') });
    const [check] = await checkVerification(context);
    expect(check?.verdict).toBe('failed');
    expect(check?.value).toContain(
      'not in the source: the extension amcheck is not installed in shop',
    );
  });

  test('finds a damaged index of the source, which no dump shows', async () => {
    const database = await bench.database(
      `CREATE EXTENSION amcheck; CREATE TABLE many (id int PRIMARY KEY); INSERT INTO many SELECT generate_series(1, 20000)`,
    );
    const path = await bench.sql(`SELECT pg_relation_filepath('many_pkey')`, { database });
    await bench.cluster.halt();
    const file = await open(join(bench.cluster.dataFolder, path), 'r+');
    const bytes = Buffer.alloc(16);
    const at = 3 * 8192 + 8192 - 200;
    await file.read(bytes, 0, 16, at);
    await file.write(
      bytes.map((byte) => byte ^ 0x55),
      0,
      16,
      at,
    );
    await file.close();
    await bench.cluster.resume();
    const context = await contextOf({ amcheck: 'source' }, { database: bench.adapter(database) });
    const { code, message, state } = await failureFrom(
      verifiedBackup(context, 'backup-db', 'online'),
    );
    expect(code).toBe('database-damaged');
    expect(message).toContain(`btree index ${database}.public.many_pkey: `);
    expect(state).toContain('was taken and proved before, and stays');
    expect((await kept()).every((name) => !name.endsWith('.unverified'))).toBe(true);
    expect(await kept()).toHaveLength(1);
  });
});
