import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { startCluster, type Cluster } from '../../rehearsal/cluster.ts';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { startWebFleet, type WebFleet } from '../../rehearsal/web-fleet.ts';
import { nodeHttp } from '../../src/http/node-http.ts';
import { viewOf } from '../../src/phases/public-view.ts';
import { unpackRecord } from '../../src/record/copy.ts';
import type { Report } from '../../src/report/report-model.ts';
import { runAction, type ActionEnd } from '../fixtures/action-process.ts';

const bypassToken = 'bypass-token-of-the-tests';
const login = { user: 'shop', password: 'a-password', database: 'shop' };

let fleet: WebFleet;
let cluster: Cluster;
let databaseHost: SshServer;
let folder: string;
let sitesBefore: readonly (Buffer | undefined)[];

/** Two web hosts, the first of which keeps the record, and the database on a third; the runner is none of them. */
beforeAll(async () => {
  [fleet, cluster] = await Promise.all([startWebFleet({ size: 2 }), startCluster()]);
  databaseHost = await startSshServer({ authorizedKey: fleet.publicKey });
  folder = await mkdtemp(join(tmpdir(), 'mw-fleet-window-'));
  await cluster.psql(`
    create role shop login createdb password '${login.password}';
    grant pg_signal_backend, pg_monitor to shop;
    create database shop owner shop;
  `);
  await cluster.psql('create table orders as select n from generate_series(1, 1000) n', login);
  sitesBefore = await siteFiles();
  await writeFile(join(folder, 'maintenance.yml'), stringify(plan()));
}, 120_000);

afterAll(async () => {
  await databaseHost.stop();
  await cluster.stop();
  await fleet.stop();
  await rm(folder, { recursive: true, force: true });
});

function plan(): object {
  return {
    name: 'shop',
    'state-dir': join(fleet.stateDir, 'acceptance'),
    'public-url': `${fleet.balancer.url}/`,
    hosts: {
      web: fleet.machines.map(({ url, address }) => ({ host: url, address })),
      database: databaseHost.url,
    },
    ssh: {
      'private-key': '$SSH_PRIVATE_KEY',
      'known-hosts': fleet.knownHosts + databaseHost.knownHosts,
    },
    'load-balancer': { 'health-path': fleet.healthPath },
    database: { url: '$DATABASE_URL' },
    preflight: { 'free-disk': '64 MiB' },
    'enable-maintenance': {
      'site-files': [fleet.siteFile],
      'nginx-command': [...fleet.nginxCommand],
      'bypass-token': '$BYPASS_TOKEN',
    },
    'run-db-maintenance': {
      tasks: [
        {
          task: 'sql',
          sql: 'alter table orders add column note text',
          expect: "select count(*) = 2 from information_schema.columns where table_name = 'orders'",
          blast: 'schema',
        },
      ],
    },
    'smoke-test': {
      checks: [
        { id: 'home', kind: 'http', url: '/', expect: { 'body-contains': 'shop on web' } },
        { id: 'orders', kind: 'sql', query: 'select count(*) from orders', equals: 1000 },
      ],
    },
  };
}

function step(entry: string, inputs: Readonly<Record<string, string>> = {}): Promise<ActionEnd> {
  return runAction({
    entry,
    inputs: { plan: 'maintenance.yml', ...inputs },
    workspace: folder,
    environment: {
      DATABASE_URL: cluster.url(login),
      SSH_PRIVATE_KEY: fleet.privateKey,
      BYPASS_TOKEN: bypassToken,
    },
  });
}

async function siteFiles(): Promise<readonly (Buffer | undefined)[]> {
  return Promise.all(fleet.machines.map(({ readFile: read }) => read(fleet.siteFile)));
}

async function views(): Promise<readonly string[]> {
  const urls = [fleet.balancer.url, ...fleet.machines.map(({ address }) => `http://${address}`)];
  return Promise.all(
    urls.map(async (url) => viewOf(await nodeHttp().request({ url: `${url}/` })).kind),
  );
}

test('a whole window over web hosts and a database host, each reached by SSH', async () => {
  const logs: string[] = [];
  const seen: Record<string, readonly string[]> = {};
  const reports = join(folder, 'report');
  let record = '';
  const steps: readonly [string, Record<string, string>?][] = [
    ['preflight'],
    ['backup-db'],
    ['enable-maintenance'],
    ['run-db-maintenance', { stage: 'closed' }],
    ['smoke-test'],
    ['disable-maintenance'],
    ['report', { 'output-directory': reports }],
  ];
  for (const [entry, inputs] of steps) {
    const end = await step(entry, inputs);
    if (end.code !== 0) throw new Error(`${entry} ended with ${end.code}:\n${end.log}`);
    logs.push(end.log);
    record = end.outputs.record ?? record;
    seen[entry] = await views();
  }
  const open = ['application', 'application', 'application'];
  const closed = ['closed', 'closed', 'closed'];
  expect(Object.values(seen)).toEqual([open, open, closed, closed, closed, open, open]);
  expect(await siteFiles()).toEqual(sitesBefore);

  const { status } = unpackRecord(record);
  expect(status).toMatchObject({ state: 'reopened' });
  expect(status.checks?.map(({ id }) => id)).toEqual(
    expect.arrayContaining(['host', 'host-2', 'host-3', 'clock', 'public-url-2', 'nginx-config-2']),
  );
  // The dump is on the machine of the client programs; here that one has our own files.
  expect(await readFile(join(status.backup?.directory ?? '', 'manifest.json'), 'utf8')).toContain(
    status.windowId,
  );
  const [web1] = fleet.machines;
  const kept = join(fleet.stateDir, 'acceptance/shop/history', status.windowId, 'window.json');
  expect((await web1?.readFile(kept))?.toString()).toContain('"reopened"');
  const report = JSON.parse(await readFile(join(reports, 'report.json'), 'utf8')) as Report;
  const issues = report.issues.map(({ severity, where, message }) => ({
    severity,
    where,
    message,
  }));
  expect([report.outcome.kind, issues]).toEqual(['completed', expect.any(Array)]);
  // What tells the runner to hide a secret is hidden by it.
  const shown = logs.join('\n').replaceAll(/^::add-mask::.*$/gm, '');
  for (const secret of [fleet.privateKey.split('\n')[1] ?? '', login.password, bypassToken]) {
    expect(shown).not.toContain(secret);
    expect(JSON.stringify(report)).not.toContain(secret);
  }
}, 300_000);

test('a window whose web host goes away is held on good data, and reopened when it is back', async () => {
  const [, web2] = fleet.machines;
  const runs: readonly [string, Record<string, string>?][] = [
    ['enable-maintenance'],
    ['run-db-maintenance', { stage: 'closed' }],
  ];
  await cluster.psql('alter table orders drop column note', login);
  for (const [entry, inputs] of runs) {
    const end = await step(entry, inputs);
    if (end.code !== 0) throw new Error(`${entry} ended with ${end.code}:\n${end.log}`);
  }
  await web2?.breakApplication(true);
  const inputs = { 'open-timeout': '2s' };
  const refused = await step('disable-maintenance', inputs);
  expect([refused.code, refused.outputs.state]).toEqual([1, 'changed']);
  expect(refused.log).toContain(`Web host ${web2?.url ?? ''} at`);
  expect(await views()).toEqual(['closed', 'closed', 'closed']);
  const held = await step('rollback');
  expect([held.code, held.outputs.state]).toEqual([1, 'held']);
  expect(held.log).toContain('all changes were proved');
  await web2?.breakApplication(false);
  const reopened = await step('disable-maintenance', { ...inputs, 'reopen-held': 'true' });
  expect([reopened.log, reopened.code]).toEqual([expect.any(String), 0]);
  expect(await views()).toEqual(['application', 'application', 'application']);
  expect(await siteFiles()).toEqual(sitesBefore);
  // Nothing of what was done and proved was taken back.
  const columns = "select count(*) from information_schema.columns where table_name = 'orders'";
  expect(await cluster.psql(columns, login)).toBe('2');
}, 300_000);
