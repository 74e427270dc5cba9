import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { ageEncryption } from '../../src/encryption/age.ts';
import { sshConnections, type SshConnections } from '../../src/hosts/ssh.ts';
import type { Database } from '../../src/ports/database.ts';
import type { DumpManifest } from '../../src/ports/dump-manifest.ts';
import type { Encryption } from '../../src/ports/encryption.ts';
import type { Host } from '../../src/ports/host.ts';
import { deployer } from '../fixtures/host-kinds.ts';
import { failureFrom, PostgresqlBench, until } from '../fixtures/postgresql-bench.ts';
import {
  forgetSubscription,
  makeRichDatabase,
  richRoles,
  richRows,
  richSubscription,
  staleViews,
} from '../fixtures/rich-database.ts';

const run = promisify(execFile);

/** What a restore must bring back, beside rows: definitions, positions, contents, rights. */
const shown: Readonly<Record<string, string>> = {
  sequences: `SELECT schemaname, sequencename, last_value, start_value, increment_by, cycle FROM pg_sequences ORDER BY 1, 2`,
  extensions: `SELECT extname, nspname, extversion FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace ORDER BY 1`,
  'large objects': `SELECT oid, pg_get_userbyid(lomowner), lomacl, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1`,
  partitions: `SELECT c.oid::regclass, relispartition, pg_get_expr(relpartbound, c.oid) FROM pg_class AS c WHERE relname LIKE 'events%' ORDER BY relname`,
  persistence: `SELECT oid::regclass, relpersistence FROM pg_class WHERE relnamespace = 'shop'::regnamespace ORDER BY relname`,
  generated: `SELECT attrelid::regclass, attname, attgenerated, attidentity FROM pg_attribute WHERE (attgenerated <> '' OR attidentity <> '') ORDER BY attnum, attname`,
  'row security': `SELECT oid::regclass, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relrowsecurity ORDER BY relname`,
  policies: `SELECT schemaname, tablename, policyname, roles, cmd, qual FROM pg_policies`,
  'event triggers': `SELECT evtname, evtevent, evtenabled, evtfoid::regproc, evttags FROM pg_event_trigger ORDER BY 1`,
  triggers: `SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1`,
  publications: `SELECT pubname, tablename, rowfilter FROM pg_publication_tables ORDER BY 2`,
  audit: `SELECT what FROM shop.audit ORDER BY id`,
  'odd values': `SELECT md5(v::text) FROM shop.values AS v ORDER BY 1`,
  'generated values': `SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM shop.orders AS o`,
  'materialized views': `SELECT matviewname, ispopulated FROM pg_matviews ORDER BY 1`,
  rights: `SELECT oid::regclass, relacl FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind NOT IN ('i', 'I') ORDER BY relname`,
};

let bench: PostgresqlBench;
let server: SshServer;
let pool: SshConnections;
/** Another host: sshd in between, and another user. */
let keeper: Host;
let vault: TemporaryFolder;
let name: string;
let database: Database;
let expected: Record<string, string>;
let count = 0;

beforeAll(async () => {
  bench = await PostgresqlBench.start({ settings: { wal_level: 'logical' } });
  server = await startSshServer({ accounts: [deployer] });
  pool = sshConnections({
    signal: new AbortController().signal,
    environment: { PATH: process.env.PATH ?? '' },
  });
  const { url, privateKey, knownHosts } = server;
  keeper = pool.host({ url, privateKey, knownHosts, sudo: true, connectTimeoutSeconds: 10 });
  vault = await makeTemporaryFolder('vault');
  await bench.sql(richRoles);
  name = await makeRichDatabase(bench);
  database = bench.adapter(name);
  expected = await look(name);
});
afterAll(async () => {
  await forgetSubscription(bench, name);
  await pool.close();
  await server.stop();
  await bench.stop();
  await vault.remove();
});

async function look(on: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [what, query] of Object.entries(shown)) {
    found[what] = await bench.sql(query, { database: on });
  }
  return found;
}

function target(): string {
  count += 1;
  return join(vault.path, `backups${count}`, 'dump');
}

/** A database that the dump was restored into. */
async function restored(
  directory: string,
  manifest: DumpManifest,
  from: { keeper?: Host; encryption?: Encryption } = {},
): Promise<string> {
  count += 1;
  const scratch = `scratch${count}`;
  await database.createEmpty(scratch, manifest.database);
  const { seconds } = await database.restore({ directory, database: scratch, jobs: 2, ...from });
  expect(seconds).toBeGreaterThan(0);
  return scratch;
}

async function expectAllOf(scratch: string, manifest: DumpManifest): Promise<void> {
  const rows = await database.countRows(scratch);
  expect(rows).toEqual(manifest.rows);
  expect(rows).toMatchObject(richRows);
  expect(await look(scratch)).toEqual(expected);
  const subscriptions = `SELECT count(*) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  expect(await bench.sql(subscriptions, { database: scratch })).toBe('0');
  // Refreshed by the restore, whatever they were.
  const total = 'SELECT sum(orders) FROM shop.totals';
  expect(await bench.sql(total, { database: name })).toBe('1819');
  expect(await bench.sql(total, { database: scratch })).toBe('1820');
}

describe('a database with one of everything', () => {
  test('comes back from the directory format, and fires no event trigger on its way', async () => {
    const directory = target();
    const manifest = await database.dump({ directory, windowId: 'w1', jobs: 2 });
    expect(manifest).toMatchObject({
      format: 'directory',
      encrypted: false,
      compression: { chosen: 'gzip:1' },
      rows: richRows,
    });
    expect(manifest.notes.join('\n')).toContain(richSubscription);
    expect(manifest.notes.join('\n')).toContain(staleViews.join(', '));
    expect(manifest.notes.join('\n')).toContain('shop.sessions');
    await expectAllOf(await restored(directory, manifest), manifest);
  });

  test('comes back from a stream over SSH; the database’s host needs no disk', async () => {
    // Whatever the client programs would write on their host, they could not.
    const clients = await bench.clients({
      pg_dump: 'ulimit -f 0; cd /proc',
      pg_restore: 'ulimit -f 0; cd /proc',
    });
    const streaming = bench.adapter(name, { clientDirectory: clients });
    const directory = target();
    const lines: string[] = [];
    const manifest = await streaming.dump({
      ...{ directory, windowId: 'w1', jobs: 2, keeper, compression: 'gzip' },
      onProgress: (line) => lines.push(line),
    });
    expect(lines).toContain('dumping "shop.orders"');
    expect(manifest).toMatchObject({ format: 'stream', encrypted: false, rows: richRows });
    expect(manifest.tocEntries).toBeGreaterThan(100);
    expect(manifest.files.map((file) => file.name)).toEqual(['database.dump']);
    expect(await keeper.list(directory)).toEqual(['database.dump', 'manifest.json']);
    expect(await keeper.list(join(directory, '..'))).toEqual(['dump']);
    expect((await keeper.status(directory))?.mode).toBe(0o700);
    expect((await keeper.status(join(directory, 'database.dump')))?.mode).toBe(0o600);
    const { stdout } = await run('sha256sum', [join(directory, 'database.dump')]);
    expect(stdout.split(' ')[0]).toBe(manifest.files[0]?.sha256);
    expect(await bench.host.list(bench.folder)).toEqual([clients.split('/').at(-1)]);
    await expectAllOf(await restored(directory, manifest, { keeper }), manifest);
  });

  test('leaves its host encrypted, and needs the private key to come back', async () => {
    const identityFile = join(vault.path, 'identity');
    await run('age-keygen', ['-o', identityFile]);
    const identity = await readFile(identityFile, 'utf8');
    const recipient = /public key: (\S+)/.exec(identity)?.[1] ?? '';
    const directory = target();
    const manifest = await database.dump({
      ...{ directory, windowId: 'w1', jobs: 2, keeper, compression: 'none' },
      encryption: ageEncryption([recipient], undefined),
    });
    expect(manifest).toMatchObject({
      format: 'stream',
      encrypted: true,
      compression: { chosen: 'none' },
    });
    expect(manifest.tocEntries).toBeGreaterThan(100);
    const file = await readFile(join(directory, 'database.dump.age'));
    expect(file.subarray(0, 21).toString()).toBe('age-encryption.org/v1');
    expect(file.includes('Customer1')).toBe(false);
    const encryption = ageEncryption([recipient], identity);
    await expectAllOf(await restored(directory, manifest, { keeper, encryption }), manifest);
    // Without the key, and with another one.
    await database.createEmpty('unreadable', manifest.database);
    const options = { directory, database: 'unreadable', jobs: 1, keeper };
    expect(await failureFrom(database.restore(options))).toMatchObject({
      code: 'database-dump-encrypted',
      message: expect.stringContaining('no private key'),
    });
    await run('age-keygen', ['-o', `${identityFile}2`]);
    const other = ageEncryption([recipient], await readFile(`${identityFile}2`, 'utf8'));
    expect(await failureFrom(database.restore({ ...options, encryption: other }))).toMatchObject({
      code: 'database-dump-encrypted',
      message: expect.stringContaining('could not be decrypted'),
    });
  });

  test('is refused for a role that row security keeps rows from', async () => {
    await bench.sql(
      `GRANT ALL ON DATABASE ${name} TO rich_reader; GRANT pg_read_all_data TO rich_reader`,
    );
    const limited = bench.adapter(name, { user: 'rich_reader' });
    for (const where of [{}, { keeper }]) {
      const directory = target();
      const failure = await failureFrom(
        limited.dump({ directory, windowId: 'w1', jobs: 2, ...where }),
      );
      expect(failure).toMatchObject({
        code: 'database-row-security',
        state: 'Nothing of the dump is left on disk; the database was only read.',
      });
      expect(await bench.host.list(join(directory, '..'))).toEqual([]);
    }
  });
});

describe('a stream that fails', () => {
  const broken: readonly [string, Record<string, string>, string, RegExp][] = [
    [
      'pg_dump ends early',
      { pg_dump: 'head -c 100000 /dev/zero; echo "pg_dump: error: gone" >&2; exit 1' },
      'database-',
      /gone/,
    ],
    [
      'pg_dump is killed',
      { pg_dump: '"$REAL" "$@" | head -c 30000; kill -9 $$' },
      'database-',
      /Dumping database/,
    ],
    ['what it prints is no dump', { pg_dump: 'echo hello' }, 'database-', /table of contents/],
    [
      'pg_dump is empty and says that all is well',
      { pg_dump: 'exit 0' },
      'database-',
      /table of contents/,
    ],
  ];
  test.each(broken)('when %s, nothing of it is left', async (_what, scripts, code, message) => {
    const clients = await bench.clients(scripts);
    const failing = bench.adapter(name, { clientDirectory: clients });
    const directory = target();
    const failure = await failureFrom(failing.dump({ directory, windowId: 'w1', jobs: 2, keeper }));
    expect(failure.code).toContain(code);
    expect(failure.message).toMatch(message);
    expect(failure.state).toBe('Nothing of the dump is left on disk; the database was only read.');
    expect(await keeper.list(join(directory, '..'))).toEqual([]);
  });

  test('when the keeping host’s disk is full, nothing of it is left, and the failure says where', async () => {
    const disk = join(vault.path, 'disk');
    await keeper.makeDirectory(disk, 0o755);
    const mount = ['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk] as const;
    expect(await keeper.run({ argv: mount })).toMatchObject({ exitCode: 0 });
    try {
      const options = { directory: join(disk, 'dump'), windowId: 'w1', jobs: 2, keeper };
      const failure = await failureFrom(database.dump({ ...options, compression: 'none' }));
      expect(failure).toMatchObject({
        code: 'database-disk-full',
        message: expect.stringContaining(`on ${keeper.name}`),
        state: 'Nothing of the dump is left on disk; the database was only read.',
      });
      expect(await keeper.list(disk)).toEqual([]);
    } finally {
      await keeper.run({ argv: ['umount', disk] });
    }
  });

  test('when counting fails, a pg_dump that waits for a lock is ended', async () => {
    const locked = await bench.database('CREATE TABLE held (a int); INSERT INTO held VALUES (1)');
    const holder = await bench.host.start({
      argv: ['psql', '-X', '-q', '-A', '-t'],
      env: bench.cluster.psqlEnvironment({ database: locked }),
    });
    await holder.write('BEGIN; LOCK held; SELECT 1;\n');
    expect(await holder.nextLine()).toBe('1');
    const directory = target();
    const failing = failureFrom(
      bench.adapter(locked).dump({ directory, windowId: 'w2', jobs: 1, keeper }),
    );
    const waiting = (which: string): Promise<string> =>
      bench.sql(
        `SELECT count(*), count(pg_terminate_backend(pid)) FILTER (WHERE query NOT LIKE 'LOCK TABLE%') FROM pg_stat_activity
         WHERE datname = '${locked}' AND wait_event_type = 'Lock' AND query ${which} 'LOCK TABLE%'`,
      );
    await until(async () => (await waiting('LIKE')) === '1|0', 'pg_dump waits');
    await until(async () => (await waiting('NOT LIKE')) === '1|1', 'the one that counts is ended');
    expect((await failing).code).toMatch(/^database-/);
    expect(await keeper.list(join(directory, '..'))).toEqual([]);
    const left = `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'maintenance-window dump w2%'`;
    expect(await bench.sql(left)).toBe('0');
    await holder.kill();
  });

  test('a dump that is damaged where it is kept is refused before the database is touched', async () => {
    const directory = target();
    const manifest = await database.dump({ directory, windowId: 'w1', jobs: 1, keeper });
    const file = join(directory, 'database.dump');
    const bytes = await readFile(file);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(file, bytes);
    await database.createEmpty('damaged', manifest.database);
    const options = { directory, database: 'damaged', jobs: 1, keeper };
    expect(await failureFrom(database.restore(options))).toMatchObject({
      code: 'database-dump-damaged',
    });
    expect(Object.keys(await database.countRows('damaged'))).toEqual([]);
  });
});
