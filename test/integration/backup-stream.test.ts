import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeNetworkNamespace, type NetworkNamespace } from '../../rehearsal/network-namespace.ts';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { backupDbAction } from '../../src/actions/backup-db.ts';
import { localHost } from '../../src/hosts/local.ts';
import { readRecord } from '../../src/record/window-record.ts';
import { makeAgeKey, type AgeKey } from '../fixtures/age-keys.ts';
import { ProgressLines } from '../fixtures/memory-host.ts';
import { PostgresqlBench } from '../fixtures/postgresql-bench.ts';
import { until } from '../fixtures/processes.ts';
import { forgetSubscription, makeRichDatabase, richRoles } from '../fixtures/rich-database.ts';

let folder: TemporaryFolder;
let bench: PostgresqlBench;
let network: NetworkNamespace;
let server: SshServer;
let key: AgeKey;
let database: string;
let runs = 0;

/** The host of the database has clients and a server to talk to, and no account of ours there can write one byte. */
beforeAll(async () => {
  folder = await makeTemporaryFolder('stream');
  await chmod(folder.path, 0o711);
  const shell = join(folder.path, 'shell-without-disk');
  await writeFile(shell, '#!/bin/sh\nulimit -f 0\nexec /bin/sh "$@"\n');
  await chmod(shell, 0o755);
  network = await makeNetworkNamespace();
  bench = await PostgresqlBench.start({
    settings: { wal_level: 'logical', listen_addresses: `127.0.0.1, ${network.hostAddress}` },
  });
  await writeFile(
    join(bench.cluster.dataFolder, 'pg_hba.conf'),
    `host all all ${network.address}/32 scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n`,
  );
  await bench.sql('SELECT pg_reload_conf()').catch(() => undefined);
  server = await startSshServer({
    namespace: network,
    accounts: [{ name: 'diskless', uid: 61_235, shell, sudo: false }],
  });
  key = await makeAgeKey();
  await bench.sql(richRoles);
  database = await makeRichDatabase(bench);
  await bench.sql(
    `CREATE TABLE shop.much AS SELECT i, md5(i::text) AS t FROM generate_series(1, 200000) AS i`,
    { database },
  );
});
afterAll(async () => {
  await forgetSubscription(bench, database);
  await server.stop();
  await network.close();
  await bench.stop();
  await folder.remove();
});

/** Runs `backup-db` on a plan whose database is on the other host, and whose backups are kept here. */
async function backUp(backupDb: Record<string, unknown>) {
  runs += 1;
  const url = new URL(bench.cluster.url({ database }));
  url.hostname = network.hostAddress;
  const secrets = {
    DATABASE_URL: url.href,
    SSH_KEY: server.privateKey ?? '',
    BACKUP_IDENTITY: key.identity,
  };
  const stateDir = join(folder.path, `state${runs}`);
  const kept = join(folder.path, `kept${runs}`);
  const plan = {
    name: 'shop',
    host: 'local',
    'state-dir': stateDir,
    hosts: { database: server.url },
    ssh: { 'private-key': '$SSH_KEY', 'known-hosts': server.knownHosts },
    database: { url: '$DATABASE_URL' },
    'backup-db': { directory: kept, 'stream-to': 'local', ...backupDb },
  };
  await mkdir(join(folder.path, `workspace${runs}`));
  await writeFile(join(folder.path, `workspace${runs}`, 'plan.yml'), JSON.stringify(plan));
  const progress = new ProgressLines();
  const cancelling = new AbortController();
  const running = backupDbAction({
    inputs: { plan: 'plan.yml' },
    environment: { PATH: process.env.PATH, ...secrets },
    workspace: join(folder.path, `workspace${runs}`),
    run: { id: `run-${runs}`, attempt: 1 },
    progress,
    signal: cancelling.signal,
    mask: () => undefined,
    github: undefined,
  });
  const read = () =>
    readRecord(localHost({ environment: { PATH: process.env.PATH ?? '' } }), {
      stateDir,
      name: 'shop',
    });
  return { running, kept, progress, secrets, read, cancel: () => cancelling.abort() };
}

test('a host without disk is backed up encrypted, and everything comes back as it was', async () => {
  const { running, kept, progress, secrets, read } = await backUp({
    recipients: [key.recipient],
    identity: '$BACKUP_IDENTITY',
    verify: 'restore-and-compare',
  });
  const { outcome, outputs } = await running;
  expect(outcome).toMatchObject({ kind: 'done' });
  const directory = outputs.directory ?? '';
  expect(directory).toMatch(new RegExp(`^${kept}/shop-mw-`));
  const names = await readdir(directory);
  expect(names).toContain('database.dump.age');
  for (const name of names) {
    expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    const text = await readFile(join(directory, name), 'latin1');
    // Of a table's definition, of its rows.
    expect([name, name !== 'manifest.json' && /GENERATED|Customer1@/.test(text)]).toEqual([
      name,
      false,
    ]);
  }
  const record = await read();
  expect(record?.status.backup).toMatchObject({
    format: 'stream',
    host: 'local',
    encrypted: true,
    compression: { chosen: expect.stringMatching(/^(?:none|gzip:[16])$/) },
    verification: { level: 'restore-and-compare' },
    notes: [
      expect.stringContaining('from_elsewhere'),
      expect.stringContaining('shop.totals'),
      expect.stringContaining('shop.sessions'),
    ],
  });
  const lines = progress.lines.join('\n');
  expect(lines).toMatch(
    /dump-online: .* rows, (?:none|gzip:[16]) \(measured on [\d.]+ MB .*\), encrypted, sha256/,
  );
  const said = JSON.stringify([lines, record]);
  for (const secret of [key.identity, bench.cluster.superuserPassword]) {
    expect(said).not.toContain(secret);
  }
  expect(secrets.DATABASE_URL).toContain(bench.cluster.superuserPassword);
  const left = `SELECT count(*) FROM pg_database WHERE datname LIKE '%\\_mw\\_%'`;
  expect(await bench.sql(left)).toBe('0');
});

test('a run that is cancelled in mid-stream leaves nothing, here or there', async () => {
  const { running, kept, cancel } = await backUp({ compression: 'none', jobs: 1 });
  const parts = async (): Promise<string[]> => {
    const names = await readdir(kept).catch(() => []);
    return names.filter((name) => name.endsWith('.partial'));
  };
  await until('bytes arrive', async () => {
    for (const part of await parts()) {
      const found = await stat(join(kept, part, 'database.dump')).catch(() => undefined);
      if ((found?.size ?? 0) > 0) return true;
    }
    return false;
  });
  cancel();
  expect((await running).outcome).toMatchObject({ kind: 'failed', failure: { code: 'cancelled' } });
  expect(await parts()).toEqual([]);
  expect(await readdir(kept)).toEqual([]);
  await until('pg_dump has let go of the server', async () => {
    const dumps = `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'maintenance-window dump%'`;
    return (await bench.sql(dumps)) === '0';
  });
});
