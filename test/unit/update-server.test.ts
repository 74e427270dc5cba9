import { beforeEach, describe, expect, test } from '@jest/globals';
import { enableMaintenance } from '../../src/phases/enable-maintenance.ts';
import { previewServers } from '../../src/phases/server-preview.ts';
import { updateServer, type ServerStage } from '../../src/phases/update-server.ts';
import { fail } from '../../src/ports/failure.ts';
import type { Host } from '../../src/ports/host.ts';
import type { Server } from '../../src/ports/server.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { debianServer } from '../../src/servers/debian.ts';
import { FakeService, managed } from '../fixtures/fake-service.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { MemoryHost } from '../fixtures/memory-host.ts';
import { closed } from '../fixtures/server-world.ts';

const names = ['ssh://web1.example.org', 'ssh://web2.example.org'];
const cache = { task: 'command', id: 'cache', command: ['clear'], on: 'web' };

let world: FakeWorld;
/** Commands that were run, as `host: argv`. */
let ran: string[];
/** Exit code of a command on a host. */
let exitCode: (host: string, program: string) => number;

beforeEach(() => {
  world = new FakeWorld();
  ran = [];
  exitCode = () => 0;
});

const hostNamed = (name: string): Host =>
  Object.defineProperty(new MemoryHost(), 'name', { value: name });

function serverOf(host: Host): Server {
  return {
    ...debianServer(host, world.clock),
    bootId: async () => `boot of ${host.name}`,
    run: async ({ argv }) => {
      ran.push(`${host.name}: ${argv.join(' ')}`);
      const code = exitCode(host.name, argv[0] ?? '');
      return { exitCode: code, stdout: '', stderr: '', timedOut: false, seconds: 0 };
    },
  };
}

async function contextWith(tasks: object[], status: Partial<WindowStatus>) {
  const web = names.map(hostNamed);
  return world.contextOf(status, {
    plan: { 'update-server': { tasks } },
    parts: {
      server: serverOf,
      fleet: {
        control: web[0] ?? world.host,
        web: web.map((host, index) => ({ host, address: { host: `192.0.2.${index}`, port: 443 } })),
        database: world.host,
        workers: [],
        parallel: 4,
      },
    },
  });
}

async function run(tasks: object[], stage: ServerStage, status: Partial<WindowStatus> = closed) {
  const context = await contextWith(tasks, status);
  const outcome = await updateServer(context, { stage });
  return { outcome, context, status: context.record.status, journal: context.record.journal };
}

describe('server tasks', () => {
  test('come one host after another, in order', async () => {
    const { outcome, status } = await run(
      [cache, { ...cache, id: 'warm', command: ['warm'] }],
      'all',
    );
    expect(outcome).toMatchObject({ kind: 'done', detail: '2 server tasks on 2 hosts done' });
    expect(ran).toEqual([
      `${names[0]}: clear`,
      `${names[1]}: clear`,
      `${names[0]}: warm`,
      `${names[1]}: warm`,
    ]);
    expect(status.state).toBe('changed');
    expect(status.serverTasks?.map(({ id, host }) => `${id} ${host}`)).toHaveLength(4);
  });

  test('end with the first failure: the host after it is not touched', async () => {
    exitCode = (host) => (host === names[0] ? 3 : 0);
    const { outcome, status } = await run([cache], 'all');
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'server-task-failed' } });
    expect(ran).toEqual([`${names[0]}: clear`]);
    expect(status).toMatchObject({ state: 'changing', blast: 'app' });
    expect(status.serverTasks).toMatchObject([{ host: names[0], outcome: 'failed' }]);
  });

  test('that were done are not done again; the rest is', async () => {
    exitCode = (host) => (host === names[1] ? 3 : 0);
    const { context } = await run([cache], 'all');
    exitCode = () => 0;
    ran = [];
    const again = await updateServer(context, { stage: 'all' });
    expect(again.kind).toBe('done');
    expect(ran).toEqual([`${names[1]}: clear`]);
  });

  test('of a stage run alone', async () => {
    const early = { ...cache, id: 'early', stage: 'online', command: ['early'] };
    const prepared = await run([cache, early], 'online', { state: 'prepared' });
    expect(prepared.outcome.kind).toBe('done');
    expect(prepared.status.state).toBe('prepared');
    expect(ran.every((line) => line.endsWith('early'))).toBe(true);
    ran = [];
    await run([cache, early], 'closed');
    expect(ran.every((line) => line.endsWith('clear'))).toBe(true);
  });

  test('that need the site closed are refused while it is open, before any other runs', async () => {
    const early = { ...cache, id: 'early', stage: 'online' };
    const { outcome } = await run([early, cache], 'all', { state: 'prepared' });
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'window-state' } });
    expect(ran).toEqual([]);
  });

  test('that the plan has none of are nothing to do', async () => {
    expect((await run([], 'closed')).outcome).toMatchObject({ kind: 'skipped' });
    const { outcome, status } = await run([cache], 'online', { state: 'prepared' });
    expect(outcome).toMatchObject({
      kind: 'skipped',
      reason: 'the plan has no online server tasks',
    });
    expect([status.state, ran]).toEqual(['prepared', []]);
  });

  test.each([
    [{ ...cache, blast: 'data' }, 'task-on-several-hosts'],
    [{ ...cache, on: 'workers' }, 'no-such-host'],
    [{ ...cache, on: 'ssh://elsewhere.example.org' }, 'host-not-in-plan'],
  ])('for the wrong hosts are refused: %j', async (task, code) => {
    const { outcome, context } = await run([task], 'all');
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code } });
    expect([ran, context.record.journal]).toEqual([[], []]);
    const { checks } = await previewServers(context);
    expect(checks).toMatchObject([{ id: 'server-tasks', verdict: 'failed' }]);
  });

  test('that fail half-way in schema or data are not run again', async () => {
    exitCode = () => 1;
    const move = { ...cache, id: 'move', on: 'control', blast: 'data' };
    const { context, status } = await run([move], 'all');
    expect(status).toMatchObject({ blast: 'data', restorePoint: { kind: 'clone' } });
    exitCode = () => 0;
    ran = [];
    const again = await updateServer(context, { stage: 'all' });
    expect(again).toMatchObject({ kind: 'failed', failure: { code: 'task-unfinished' } });
    expect(ran).toEqual([]);
  });
});

test('services that start with the machine are stopped again while the site is closed', async () => {
  const acts: string[] = [];
  const worker = new FakeService('worker', 'web1', acts);
  const services = [managed([worker])];
  const base = await contextWith([{ task: 'reboot', on: 'control', when: 'always' }], {});
  let boots = 1;
  const context = {
    ...base,
    services,
    fleet: { ...base.fleet, web: [{ host: world.host, address: undefined }] },
    server: (host: Host): Server => ({
      ...serverOf(host),
      bootId: async () => `boot ${host === base.fleet.control ? boots : 0}`,
      uptimeSeconds: async () => 60,
      rebootNeed: async () => ({ needed: true, reason: 'a newer kernel' }),
      mounts: async () => [],
      unready: async () => undefined,
      runSoon: async () => {
        boots += 1;
        worker.onStart();
        // The record lies on the host that goes down; here it is on another one.
        const record = new TextEncoder().encode('{}');
        const folder = base.record.place.folder;
        await host.makeDirectory(folder, 0o711);
        await host.writeFile(base.record.place.statusFile, record, { mode: 0o600 });
      },
    }),
  };
  expect((await enableMaintenance(context, { prepareOnly: false })).kind).toBe('done');
  expect(acts).toEqual(['stop worker on web1']);
  const outcome = await updateServer(context, { stage: 'all' });
  expect(outcome).toMatchObject({ kind: 'done', outputs: { rebooted: names[0] } });
  expect(acts).toEqual(['stop worker on web1', 'stop worker on web1']);
  expect(await worker.state()).toMatchObject({ kind: 'stopped' });
});

describe('a preview', () => {
  test('tells of every task on every host, and of what cannot be looked at', async () => {
    const context = await contextWith([cache], closed);
    const { checks, previews } = await previewServers(context);
    expect(checks.map(({ id, verdict }) => `${id} ${verdict}`)).toEqual([
      'server-cache-on-web1-example-org warning',
      'server-cache-on-web2-example-org warning',
    ]);
    expect(previews.map(({ host, summary }) => `${host} ${summary}`)).toEqual(
      names.map((name) => `${name} runs ["clear"]`),
    );
    const broken = await contextWith([{ task: 'packages' }], closed);
    const look = await previewServers({
      ...broken,
      server: (host) => ({
        ...serverOf(host),
        packages: {
          ...serverOf(host).packages,
          holder: () =>
            fail({ code: 'x', message: `${host.name} is away.`, state: 's', next: 'Look there.' }),
        },
      }),
    });
    expect(look.checks).toMatchObject([
      { verdict: 'failed', value: `${names[0]} is away.`, next: 'Look there.' },
      { verdict: 'failed', value: `${names[1]} is away.` },
    ]);
    expect(look.previews).toEqual([]);
  });
});
