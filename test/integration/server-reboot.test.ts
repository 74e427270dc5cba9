import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startSshServer } from '../../rehearsal/ssh-server.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { sshConnections, type SshConnections } from '../../src/hosts/ssh.ts';
import type { Host } from '../../src/ports/host.ts';
import { openRecord } from '../../src/record/window-record.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { startRebootingMachine, type RebootingMachine } from '../fixtures/rebooting-machine.ts';
import { statusOf } from '../fixtures/record-factory.ts';
import { closed, hostWith, runServerTasks, serverContext } from '../fixtures/server-world.ts';

let folder: TemporaryFolder;
let machine: RebootingMachine;
let connections: SshConnections;
let host: Host;
let world: FakeWorld;

beforeEach(async () => {
  folder = await makeTemporaryFolder('mw-reboot');
  machine = await startRebootingMachine(folder.path);
  connections = sshConnections({
    signal: new AbortController().signal,
    environment: { PATH: process.env.PATH ?? '' },
  });
  host = loginTo(machine);
  world = new FakeWorld();
  world.door = { kind: 'closed', windowId: statusOf().windowId };
});

afterEach(async () => {
  await connections.close();
  await machine.stop();
  await folder.remove();
});

function loginTo(server: {
  url: string;
  privateKey: string | undefined;
  knownHosts: string;
}): Host {
  return connections.host({
    url: server.url,
    privateKey: server.privateKey,
    knownHosts: server.knownHosts,
    sudo: false,
    connectTimeoutSeconds: 5,
  });
}

function contextFor(task: object, more: Partial<Parameters<typeof serverContext>[2]> = {}) {
  const command = [machine.rebootCommand];
  return serverContext(world, [{ task: 'reboot', command, timeout: '20s', ...task }], {
    host,
    fleet: { control: world.host },
    parts: { runner: hostWith() },
    ...more,
  });
}

describe('a reboot', () => {
  test('that is needed is made and proved, also of the host that keeps the record', async () => {
    const clock = systemClock();
    const stateDir = join(folder.path, 'state');
    await mkdir(stateDir);
    const record = await openRecord(host, clock, {
      stateDir,
      name: 'shop',
      run: { id: '1', attempt: 1 },
      settings: {},
      deadline: new Date(Date.now() + 3_600_000),
      leaseUntil: new Date(Date.now() + 3_600_000),
      suffix: '1a2b',
    });
    await record.become('closing');
    await record.become('closed');
    world.door = { kind: 'closed-by-another', holder: record.status.windowId };
    const before = await machine.bootId();
    const context = await contextFor(
      {},
      { fleet: {}, plan: { 'state-dir': stateDir }, parts: { runner: hostWith(), record } },
    );
    const { outcome, tasks, journal } = await runServerTasks(context);
    expect(outcome).toMatchObject({ kind: 'done', outputs: { rebooted: machine.url } });
    const after = await machine.bootId();
    expect(after).not.toBe(before);
    expect(machine.orders()).toBe(1);
    expect(tasks).toMatchObject([
      {
        id: 'reboot',
        outcome: 'done',
        items: [{ name: 'boot id', before, after }],
        proof: expect.stringContaining(`mounted: ${machine.data}`),
      },
    ]);
    expect(tasks[0]?.summary).toMatch(/\/run\/reboot-required is there \(linux-image\)/);
    expect(journal.map(({ step, event }) => `${step} ${event}`)).toEqual([
      'task-reboot intent',
      'task-reboot done',
    ]);
    // Everything is on the disk of the host that went down and came back.
    const bytes = await host.readFile(record.place.statusFile);
    expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({
      rebootsBegun: { 'task-reboot': { bootId: before } },
      state: 'changed',
    });
  });

  test('that is not needed, or never wanted, is not made', async () => {
    await machine.restart();
    const { tasks } = await runServerTasks(await contextFor({}));
    expect(tasks).toMatchObject([{ outcome: 'skipped' }]);
    expect(tasks[0]?.summary).toMatch(/^not needed: no \/run\/reboot-required/);
    world = new FakeWorld();
    const never = await runServerTasks(await contextFor({ when: 'never' }));
    expect(never.tasks).toMatchObject([{ outcome: 'skipped', summary: 'the plan says never' }]);
    expect(machine.orders()).toBe(0);
  });

  test('after which the boot id is the same was none', async () => {
    machine.onReboot = 'keeps-boot-id';
    const { outcome, tasks } = await runServerTasks(
      await contextFor({ when: 'always', timeout: '3s' }),
    );
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'reboot-not-proved',
        message: expect.stringMatching(/it answers, with the boot id .* that it had before/),
      },
    });
    expect(tasks).toMatchObject([{ outcome: 'failed' }]);
  });

  test('from which the host does not come back is told so', async () => {
    machine.onReboot = 'stays-away';
    const { outcome } = await runServerTasks(await contextFor({ timeout: '3s' }));
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'reboot-not-proved',
        message: expect.stringContaining('it does not answer'),
        next: expect.stringContaining('Look at its console'),
      },
    });
  });

  test('after which something is not mounted again is not over', async () => {
    machine.onReboot = 'lacks-a-mount';
    const { outcome } = await runServerTasks(await contextFor({ timeout: '3s' }));
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'reboot-not-ready',
        message: expect.stringContaining(`${machine.data} is not mounted`),
      },
    });
  });

  test('after which the door is open is a failure, whatever the boot id says', async () => {
    world.door = { kind: 'open' };
    const { outcome } = await runServerTasks(await contextFor({ timeout: '3s' }));
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'reboot-not-serving' } });
  });

  test('that a killed run had ordered is proved, and not ordered again', async () => {
    const bootId = randomUUID();
    const begun = { at: new Date().toISOString(), bootId, mounts: [machine.data] };
    const status = {
      ...closed,
      state: 'changing' as const,
      rebootsBegun: { 'task-reboot': begun },
    };
    const context = await contextFor({}, { status });
    await context.record.append({
      phase: 'update-server',
      step: 'task-reboot',
      title: 'Reboot',
      event: 'intent',
      blast: 'app',
    });
    const { outcome, tasks } = await runServerTasks(context);
    expect(outcome.kind).toBe('done');
    expect(machine.orders()).toBe(0);
    expect(tasks).toMatchObject([
      { outcome: 'done', items: [{ before: bootId, after: await machine.bootId() }] },
    ]);
  });

  test('that a killed run had recorded but not ordered is ordered', async () => {
    const begun = { at: new Date().toISOString(), bootId: await machine.bootId(), mounts: [] };
    const status = {
      ...closed,
      state: 'changing' as const,
      rebootsBegun: { 'task-reboot': begun },
    };
    const { outcome } = await runServerTasks(await contextFor({}, { status }));
    expect(outcome.kind).toBe('done');
    expect(machine.orders()).toBe(1);
  });
});

describe('the machine that the run is on', () => {
  test('is not rebooted', async () => {
    const { outcome, journal } = await runServerTasks(await contextFor({}, { host: hostWith() }));
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'reboot-own-host' } });
    expect(journal).toEqual([]);
  });

  test('is found out under another name, by its boot id', async () => {
    const server = await startSshServer();
    try {
      const { outcome } = await runServerTasks(
        await contextFor({ when: 'always' }, { host: loginTo(server) }),
      );
      expect(outcome).toMatchObject({
        kind: 'failed',
        failure: { code: 'reboot-own-host', message: expect.stringContaining(server.url) },
      });
      expect(machine.orders()).toBe(0);
    } finally {
      await connections.close();
      await server.stop();
    }
  });
});

test('a host that alone serves the public is not rebooted while the site is open', async () => {
  const { outcome } = await runServerTasks(
    await contextFor({ stage: 'online' }, { status: { state: 'prepared' } }),
  );
  expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'reboot-serving-host' } });
  expect(machine.orders()).toBe(0);
});
