import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findFreePort } from '../../rehearsal/free-port.ts';
import type { PlanChange, SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import { runAction } from '../fixtures/action-process.ts';
import { badInputs, canary, hostileNames } from '../fixtures/bad-inputs.ts';
import { badPlans, edited } from '../fixtures/bad-plans.ts';
import { CertificateAuthority } from '../fixtures/certificates.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { systemState, type SystemState } from '../fixtures/system-state.ts';

let site: Site;
let baseline: Omit<SystemState, 'stateFiles'>;

beforeAll(async () => {
  site = await startSite({ megabytes: 1 });
  baseline = await stateOf(await freshPlan(site));
}, 120_000);

afterAll(async () => {
  await site.stop();
});

async function stateOf(plan: SitePlan): Promise<Omit<SystemState, 'stateFiles'>> {
  const { stateFiles: _record, ...rest } = await systemState(site, plan);
  return rest;
}

type Trial = {
  readonly entry?: string;
  readonly changes?: readonly PlanChange[];
  readonly edit?: (text: string) => string;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
};

/**
 * Runs an action that must refuse: one error with its three parts, a non-zero exit, and a system that is as it was,
 * seen by its owner, its administrator and the public. The canary of hostile names was not touched.
 */
async function refused(trial: Trial): Promise<string> {
  const plan = await freshPlan(site, {
    // Some of these systems never answer.
    changes: [{ path: ['smoke-test', 'deadline'], value: '100ms' }, ...(trial.changes ?? [])],
  });
  if (trial.edit !== undefined)
    await writeFile(plan.path, trial.edit(await readFile(plan.path, 'utf8')));
  const end = await runAction({
    entry: trial.entry ?? 'preflight',
    inputs: { plan: plan.path, ...trial.inputs },
    environment: { ...plan.environment, ...trial.environment },
  });
  const { message, state, next } = failureTold(end);
  expect(await stateOf(plan)).toEqual(baseline);
  expect(state).not.toBe('');
  expect(next.length).toBeGreaterThan(15);
  return `${message}\n${next}`;
}

describe('a bad plan', () => {
  test.each(badPlans)('%s', async (_name, edits, said) => {
    expect(await refused({ edit: (text) => edited(text, edits) })).toContain(said);
  });

  test.each([
    ['is empty', () => '', 'name: missing'],
    ['is a list', () => '- name: shop\n', 'is a mapping of sections'],
    ['is no YAML', (text: string) => `${text}\n  bad: [1, 2\n`, 'maintenance.yml:'],
    ['has a key twice', (text: string) => `${text}\nname: other\n`, 'name'],
    ['uses an alias without its anchor', (text: string) => `${text}\nextra: *gone\n`, 'gone'],
    ['is binary', () => '\u0000\u0001\u0002', 'maintenance.yml'],
    ['is indented by tabs', () => 'name: shop\nwindow:\n\tduration: 60m\n', 'maintenance.yml:'],
  ])('%s', async (_name, edit, said) => {
    expect(await refused({ edit })).toContain(said);
  });
});

describe('a bad input', () => {
  test.each(badInputs)('%s %s=%j', async (entry, name, value, said) => {
    expect(await refused({ entry, inputs: { [name]: value } })).toContain(said);
  });
});

describe('a hostile name', () => {
  test.each(hostileNames)('%j as name of the window', async (name) => {
    const said = await refused({ entry: 'enable-maintenance', inputs: { name } });
    expect(said).toContain('input name:');
  });

  test.each(hostileNames)('%j as table to vacuum', async (name) => {
    const trial = { entry: 'run-db-maintenance', inputs: { stage: 'online' } };
    const tasks = [{ task: 'vacuum', tables: [name] }];
    const changes = [{ path: ['run-db-maintenance', 'tasks'], value: tasks }];
    expect(await refused({ ...trial, changes })).not.toBe('');
  });

  test.each(hostileNames)('%j as site file', async (name) => {
    const changes = [
      { path: ['enable-maintenance', 'site-files'], value: [join(site.workFolder, name)] },
    ];
    expect(await refused({ changes, entry: 'enable-maintenance' })).not.toBe('');
  });
});

describe('a secret', () => {
  test.each([
    ['that is missing', { DATABASE_URL: '' }, 'DATABASE_URL (database.url)'],
    ['of the bypass that is missing', { MAINTENANCE_BYPASS_TOKEN: '' }, 'MAINTENANCE_BYPASS_TOKEN'],
    ['of the bypass that is short', { MAINTENANCE_BYPASS_TOKEN: 'short' }, 'bypass-token'],
    [
      'of the bypass with a line break',
      { MAINTENANCE_BYPASS_TOKEN: 'abcdefghijklmnop\nSet-Cookie: x' },
      'bypass-token',
    ],
    ['that is no URL', { DATABASE_URL: 'shop' }, 'database URL'],
    ['of another engine', { DATABASE_URL: 'mysql://shop:pw@127.0.0.1/shop' }, 'postgresql'],
    [
      'with a wrong port',
      { DATABASE_URL: 'postgresql://shop:pw@127.0.0.1:99999/shop' },
      'database URL',
    ],
    ['without a database', { DATABASE_URL: 'postgresql://shop:pw@127.0.0.1:5432/' }, 'database'],
  ])('%s', async (_name, environment, said) => {
    expect(await refused({ environment })).toContain(said);
  });
});

describe('a database', () => {
  test.each([
    ['with a wrong password', { password: 'wrong-password' }, 'password authentication failed'],
    ['that is missing', { database: 'shopp' }, 'database "shopp" does not exist'],
    ['whose role is unknown', { user: 'nobody-here' }, 'password authentication failed'],
    ['whose name is hostile', { database: 'shop"; drop table orders; --' }, 'does not exist'],
  ])('%s', async (_name, login, said) => {
    const url = site.cluster.url({
      user: site.databaseUser,
      password: site.databasePassword,
      database: site.databaseName,
      ...login,
    });
    expect(await refused({ environment: { DATABASE_URL: url } })).toContain(said);
  });
});

describe('a web server', () => {
  const siteFiles = (value: unknown): readonly PlanChange[] => [
    { path: ['enable-maintenance', 'site-files'], value },
  ];

  test.each([
    ['without a server block', 'upstream shop { server 127.0.0.1:1; }\n', 'server'],
    ['with a brace too few', 'server { listen 127.0.0.1:1; location / {\n', 'brace'],
    ['with a brace too many', 'server { listen 127.0.0.1:1; } }\n', 'brace'],
    ['with a quote that does not end', 'server { return 200 "no end; }\n', 'quote'],
    ['of noise', '\u0000\u0001{{{"\u0002', ''],
    ['that is empty', '', 'server'],
  ])('with a site file %s', async (name, text, said) => {
    const path = join(site.workFolder, `${name.replaceAll(' ', '-')}.conf`);
    await writeFile(path, text);
    expect(await refused({ changes: siteFiles([path]) })).toContain(said);
  });

  test.each([
    ['that is not there', (folder: string) => join(folder, 'nowhere.conf'), 'nowhere.conf'],
    ['that is a folder', (folder: string) => folder, 'is a folder'],
  ])('with a site file %s', async (_name, path, said) => {
    expect(await refused({ changes: siteFiles([path(site.workFolder)]) })).toContain(said);
  });

  test('with a site file that nginx does not load', async () => {
    const path = join(site.workFolder, 'elsewhere.conf');
    await writeFile(path, 'server { listen 127.0.0.1:1; }\n');
    expect(await refused({ changes: siteFiles([path]) })).toContain('elsewhere.conf');
  });

  test.each([
    ['whose command is missing', ['no-such-nginx'], 'no-such-nginx'],
    ['whose command is something else', ['true'], 'nginx'],
    ['whose command fails', ['false'], 'nginx'],
  ])('%s', async (_name, command, said) => {
    const changes = [{ path: ['enable-maintenance', 'nginx-command'], value: command }];
    expect(await refused({ changes })).toContain(said);
  });

  test('whose server names are not those of the plan', async () => {
    const changes = [{ path: ['enable-maintenance', 'servers'], value: ['other.example.org'] }];
    expect(await refused({ changes })).toContain('other.example.org');
  });
});

describe('a folder', () => {
  test.each([
    ['for the record', ['state-dir'], 'enable-maintenance'],
    ['for backups', ['backup-db', 'directory'], 'backup-db'],
  ])('%s that cannot be made', async (_name, path, entry) => {
    const file = join(site.workFolder, 'a-file');
    await writeFile(file, '');
    const changes = [{ path, value: join(file, 'below') }];
    expect(await refused({ entry, changes })).toContain(file);
  });

  test('of migrations without any', async () => {
    const folder = join(site.workFolder, 'no-migrations');
    await mkdir(folder, { recursive: true });
    const tasks = [{ task: 'migrate', files: folder }];
    const changes = [{ path: ['run-db-maintenance', 'tasks'], value: tasks }];
    // Closed tasks on an open site: told before the folder is looked at.
    const said = await refused({ entry: 'run-db-maintenance', changes });
    expect(said).toContain('Close the site first');
  });
});

describe('a host over SSH', () => {
  let server: SshServer;
  let skewed: SshServer;
  let other: SshServer;
  let clockFolder: string;

  beforeAll(async () => {
    clockFolder = await mkdtemp(join(site.workFolder, 'clock-'));
    const early = `#!/bin/sh\nexec /bin/date -d '-10 minutes' "$@"\n`;
    await writeFile(join(clockFolder, 'date'), early, { mode: 0o755 });
    server = await startSshServer();
    other = await startSshServer();
    skewed = await startSshServer({ configuration: `SetEnv PATH=${clockFolder}:/usr/bin:/bin` });
  });
  afterAll(async () => {
    for (const each of [server, other, skewed]) await each.stop();
  });

  const on = (machine: SshServer, ssh: Record<string, unknown>): readonly PlanChange[] => [
    { path: ['host'], value: machine.url },
    { path: ['ssh'], value: { 'private-key': '$SSH_PRIVATE_KEY', ...ssh } },
  ];
  const key = (machine: SshServer) => ({ SSH_PRIVATE_KEY: machine.privateKey ?? '' });

  test('that is not there', async () => {
    const changes = [
      { path: ['host'], value: `ssh://nobody@127.0.0.1:${await findFreePort()}` },
      { path: ['ssh'], value: { 'connect-timeout': '2s' } },
    ];
    expect(await refused({ changes })).toContain('ssh://nobody@127.0.0.1');
  });

  test('whose key is not known', async () => {
    const changes = on(server, { 'known-hosts': other.knownHosts });
    expect(await refused({ changes, environment: key(server) })).toContain('key');
  });

  test('whose key has changed', async () => {
    const changed = `${server.knownHosts.split(' ')[0]} ${other.hostKey.publicKey}`;
    const changes = on(server, { 'known-hosts': changed });
    expect(await refused({ changes, environment: key(server) })).toContain(
      'shows another host key than the one that is known for it',
    );
  });

  test('that does not take the key', async () => {
    const changes = on(server, { 'known-hosts': server.knownHosts });
    expect(await refused({ changes, environment: key(other) })).toContain(server.url);
  });

  test.each([
    ['is missing', '', 'SSH_PRIVATE_KEY (ssh.private-key)'],
    ['is none', 'not a key', 'key'],
    ['is cut short', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n', 'key'],
  ])('whose private key %s', async (_name, text, said) => {
    const changes = on(server, { 'known-hosts': server.knownHosts });
    const trial = { changes, environment: { SSH_PRIVATE_KEY: text } };
    expect(await refused(trial)).toContain(said);
  });

  test('whose clock is ten minutes late', async () => {
    const changes = on(skewed, { 'known-hosts': skewed.knownHosts });
    expect(await refused({ changes, environment: key(skewed) })).toMatch(/clock/i);
  });

  test('where no state folder can be made', async () => {
    const changes = [
      ...on(server, { 'known-hosts': server.knownHosts }),
      { path: ['state-dir'], value: '/proc/no-folder' },
    ];
    expect(await refused({ changes, environment: key(server) })).toContain('/proc/no-folder');
  });
});

test('a certificate that has expired', async () => {
  const authority = await CertificateAuthority.create();
  const identity = await authority.leaf({ names: 'DNS:localhost', days: -3 });
  const server = createServer(identity, (_request, response) => response.end('ok'));
  const port = await findFreePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  try {
    const changes = [{ path: ['public-url'], value: `https://localhost:${port}/` }];
    const environment = { NODE_EXTRA_CA_CERTS: authority.rootFile };
    expect(await refused({ changes, environment })).toMatch(/expired/);
  } finally {
    server.close();
    await authority.remove();
  }
});

test('no hostile name was ever run by a shell', () => {
  expect(existsSync(canary)).toBe(false);
});
