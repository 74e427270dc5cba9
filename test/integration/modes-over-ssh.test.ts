import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { sshConnections, type SshConnections } from '../../src/hosts/ssh.ts';
import { appMode } from '../../src/modes/app.ts';
import { commandMode } from '../../src/modes/command.ts';
import { failureOf } from '../../src/ports/failure.ts';
import type { Host } from '../../src/ports/host.ts';

const text = "# it's $(whoami)'s\r\nSITE_CLOSED='no' # \u00e9";
let folder: TemporaryFolder;
let server: SshServer;
let pool: SshConnections;
let file: string;

beforeAll(async () => {
  server = await startSshServer({
    accounts: [
      { name: 'plain', uid: 61_100, shell: '/bin/bash', sudo: false },
      { name: 'deploy', uid: 61_101, shell: '/bin/bash', sudo: true },
    ],
  });
  pool = sshConnections({
    signal: new AbortController().signal,
    environment: { PATH: process.env.PATH ?? '' },
  });
});
beforeEach(async () => {
  folder = await makeTemporaryFolder('modes-over-ssh');
  chmodSync(folder.path, 0o755);
  // Characters that a shell would make something of.
  mkdirSync(join(folder.path, "it's a $(place)"));
  file = join(folder.path, "it's a $(place)", '.env');
  writeFileSync(file, text, { mode: 0o644 });
});
afterEach(() => folder.remove());
afterAll(async () => {
  await pool.close();
  await server.stop();
});

function hostOf(user: string, sudo: boolean): Host {
  return pool.host({
    url: `ssh://${user}@${server.address}:${server.port}`,
    privateKey: server.privateKey,
    knownHosts: server.knownHosts,
    sudo,
    connectTimeoutSeconds: 10,
  });
}

const shared = () => ({
  windowId: 'mw-20261122-020000-1a2b',
  folder: join(folder.path, 'mode'),
});

function appOn(user: string, sudo: boolean) {
  return appMode(
    { host: hostOf(user, sudo) },
    {
      ...shared(),
      file,
      format: 'auto',
      key: 'SITE_CLOSED',
      create: false,
      reloadCommand: ['sh', '-c', 'cat "$0" > loaded', file],
      commands: {
        environment: { API_KEY: "k'ey" },
        workingDirectory: folder.path,
        timeoutSeconds: 30,
      },
    },
  );
}

test('app: closes, opens and gives back on another machine, by sudo', async () => {
  const mode = appOn('deploy', true);
  expect((await mode.check()).map(({ verdict }) => verdict)).toEqual([
    'passed',
    'passed',
    'passed',
    'passed',
    'warning',
  ]);
  const prior = await mode.plan();
  await mode.install(prior);
  const before = identity();
  await mode.close();
  expect(readFileSync(file, 'utf8')).toBe(text.replace("'no'", "'yes'"));
  expect(readFileSync(join(folder.path, 'loaded'), 'utf8')).toContain("'yes'");
  expect(await mode.state()).toMatchObject({ kind: 'closed' });
  await mode.open();
  expect(await mode.restore(prior)).toMatchObject({ kind: 'restored' });
  expect(readFileSync(file, 'utf8')).toBe(text);
  expect(identity()).toEqual(before);
  expect(existsSync(shared().folder)).toBe(false);
});

test('app: a user without the right to write is told so before anything is touched', async () => {
  const mode = appOn('plain', false);
  const failed = (await mode.check()).filter(({ verdict }) => verdict === 'failed');
  expect(failed.map(({ id }) => id)).toEqual(['app-writable']);
  const install = mode.install(await mode.plan()).catch(failureOf);
  expect(await install).toMatchObject({ code: 'app-file-unwritable' });
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('command: the commands run on the other machine, with their folder and environment', async () => {
  const script = join(folder.path, 'site');
  writeFileSync(
    script,
    '#!/bin/sh\ncase $1 in down) echo "$API_KEY" > down;; up) rm down;; status) [ -e down ];; esac\n',
    { mode: 0o755 },
  );
  const mode = commandMode(
    { host: hostOf('deploy', true), clock: systemClock() },
    {
      ...shared(),
      closeCommand: ['./site', 'down'],
      openCommand: ['./site', 'up'],
      statusCommand: ['./site', 'status'],
      commands: {
        environment: { API_KEY: "k'ey $(id)" },
        workingDirectory: folder.path,
        timeoutSeconds: 30,
      },
    },
  );
  expect((await mode.check()).map(({ verdict }) => verdict)).toEqual([
    'passed',
    'passed',
    'warning',
  ]);
  const prior = await mode.plan();
  await mode.install(prior);
  await mode.close();
  expect(readFileSync(join(folder.path, 'down'), 'utf8')).toBe("k'ey $(id)\n");
  await mode.open();
  expect(existsSync(join(folder.path, 'down'))).toBe(false);
  expect(await mode.restore(prior)).toMatchObject({ kind: 'restored' });
});

function identity() {
  const { mode, uid, gid } = statSync(file);
  return { mode, uid, gid };
}
