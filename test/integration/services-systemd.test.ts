import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startSystemdMachine, type SystemdMachine } from '../../rehearsal/systemd-machine.ts';
import { servicesOf } from '../../src/assembly/services.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { localHost } from '../../src/hosts/local.ts';
import { disableMaintenance } from '../../src/phases/disable-maintenance.ts';
import { enableMaintenance } from '../../src/phases/enable-maintenance.ts';
import type { PhaseContext, PhaseOutcome } from '../../src/phases/phase.ts';
import { checkServices } from '../../src/phases/services/check.ts';
import type { Host } from '../../src/ports/host.ts';
import { systemdUnit } from '../../src/services/systemd.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { planOf, statusOf } from '../fixtures/record-factory.ts';

/** A real systemd with real units; only the door and the record are in memory. */
const sleeper = '[Service]\nExecStart=/bin/sleep infinity\n';
const units = {
  'web.service': sleeper,
  'workers.service': sleeper,
  'disabled.service': sleeper,
  'dull.service': `[Service]
ExecStart=/bin/sh -c "trap '' TERM; while :; do sleep 0.1; done"
TimeoutStopSec=1500ms
`,
  'crasher.service':
    '[Service]\nExecStart=/bin/sh -c "test ! -e FLAG || { echo no port left; exit 3; }; exec sleep infinity"\nRestart=always\nRestartSec=100ms\nStartLimitIntervalSec=0\n',
  'job.service':
    '[Service]\nType=oneshot\nExecStart=/bin/sh -c "while test -e FLAG; do sleep 0.05; done"\n',
  'job.timer': '[Timer]\nOnActiveSec=1h\nUnit=job.service\n',
  'once.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n',
  'door.socket': '[Socket]\nListenStream=/run/door\nService=web.service\n',
};

let machine: SystemdMachine;
let host: Host;

beforeAll(async () => {
  machine = await startSystemdMachine(units);
  // The flag lies beside the units: the one folder that both sides see.
  const flag = join(machine.units, 'flag');
  for (const name of ['crasher.service', 'job.service'] as const) {
    await writeFile(join(machine.units, name), units[name].replaceAll('FLAG', flag));
  }
  await machine.systemctl('daemon-reload');
  await machine.systemctl('start', 'user-manager.service');
  host = localHost({ environment: { PATH: machine.path } });
}, 30_000);
afterAll(() => machine.stop());

async function show(unit: string, property: string): Promise<string> {
  const { stdout } = await machine.systemctl('show', unit, `--property=${property}`, '--value');
  return stdout.trim();
}

async function done(phase: Promise<PhaseOutcome>): Promise<void> {
  const outcome = await phase;
  // The failure itself, where there is one, and not only that it is none.
  expect(outcome.kind === 'failed' ? outcome.failure : outcome.kind).toBe('done');
}

async function start(...names: string[]): Promise<void> {
  const { code, stderr } = await machine.systemctl('start', ...names);
  if (code !== 0) throw new Error(stderr);
}

async function settings(services: readonly Record<string, unknown>[]): Promise<{
  world: FakeWorld;
  context: PhaseContext;
}> {
  const world = new FakeWorld();
  const plan = planOf({
    'enable-maintenance': {
      'site-files': ['/etc/nginx/shop'],
      services: services.map((each) => ({ settle: '400ms', drain: '10s', ...each })),
    },
    'state-dir': '/state',
    'smoke-test': {},
  });
  const fleet = {
    control: world.host,
    web: [{ host, address: undefined }],
    database: world.host,
    workers: [],
    parallel: 8,
  };
  const parts = {
    clock: systemClock(),
    fleet,
    services: servicesOf(plan, { fleet }, statusOf().windowId),
  };
  // The services are waited for by the system's clock, so the window's end is told by it, too.
  const deadline = new Date(Date.now() + 3_600_000).toISOString();
  const context = await world.contextOf({ deadline }, { parts });
  return { world, context: { ...context, plan } };
}

describe('a window with units', () => {
  beforeEach(async () => {
    await machine.systemctl('stop', 'disabled.service', 'dull.service', 'crasher.service');
    await start('web.service', 'workers.service', 'job.timer');
  });

  test('stops them in order, and starts what was running', async () => {
    const { context } = await settings([
      { id: 'jobs', kind: 'unit', unit: 'job.timer' },
      { id: 'disabled', kind: 'unit', unit: 'disabled.service' },
      { id: 'workers', kind: 'unit', unit: 'workers.service' },
      { id: 'web', kind: 'unit', unit: 'web.service' },
    ]);
    const before = await show('web.service', 'MainPID');
    await done(enableMaintenance(context, { prepareOnly: false }));
    expect(await show('web.service', 'ActiveState,MainPID')).toBe('0\ninactive');
    expect(await show('job.timer', 'ActiveState')).toBe('inactive');
    const stops = context.record.journal.filter(
      ({ step, event }) => step.startsWith('stop-') && event !== 'intent',
    );
    expect(stops.map(({ step, event }) => `${step} ${event}`)).toEqual([
      'stop-jobs done',
      'stop-disabled skipped',
      'stop-workers done',
      'stop-web done',
    ]);

    await done(disableMaintenance(context, { reopenHeld: false }));
    expect(await show('web.service', 'ActiveState')).toBe('active');
    expect(await show('web.service', 'MainPID')).not.toBe(before);
    expect(await show('workers.service', 'ActiveState')).toBe('active');
    expect(await show('job.timer', 'ActiveState')).toBe('active');
    expect(await show('disabled.service', 'ActiveState')).toBe('inactive');
    expect(
      context.record.status.services?.map(({ id, startedAt }) => [id, startedAt !== undefined]),
    ).toEqual([
      ['jobs', true],
      ['disabled', false],
      ['workers', true],
      ['web', true],
    ]);
  }, 30_000);

  test('lets a job that a timer has begun come to its end', async () => {
    const flag = join(machine.units, 'flag');
    await writeFile(flag, '');
    await machine.systemctl('start', '--no-block', 'job.service');
    const unit = systemdUnit(host, { unit: 'job.timer', scope: 'system', drainSeconds: 10 });
    await unit.stop(10);
    expect(await unit.state()).toEqual({
      kind: 'changing',
      detail: 'job.service, which it began, is still at work',
    });
    await host.remove(flag);
    for (let looks = 0; (await unit.state()).kind === 'changing' && looks < 200; looks += 1);
    expect(await unit.state()).toMatchObject({ kind: 'stopped' });
  }, 30_000);

  test('that does not end is undone: all run again, and the site is open', async () => {
    await start('dull.service');
    const { context, world } = await settings([
      { id: 'workers', kind: 'unit', unit: 'workers.service' },
      { id: 'dull', kind: 'unit', unit: 'dull.service', drain: '500ms' },
    ]);
    expect(await enableMaintenance(context, { prepareOnly: false })).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'service-not-stopped',
        message:
          'unit dull.service on local did not end within 0.5 s; it is deactivating (stop-sigterm).',
      },
    });
    expect([world.door.kind, context.record.status.state]).toEqual(['open', 'rolled-back']);
    expect(await show('workers.service', 'ActiveState')).toBe('active');
    expect(await show('dull.service', 'ActiveState')).toBe('active');
  }, 30_000);

  test('is ended by force with consent, and that is told', async () => {
    await start('dull.service');
    const { context } = await settings([
      { id: 'dull', kind: 'unit', unit: 'dull.service', drain: '500ms', kill: true },
    ]);
    await done(enableMaintenance(context, { prepareOnly: false }));
    expect(await show('dull.service', 'MainPID')).toBe('0');
    expect(context.record.status.services).toMatchObject([{ prior: 'running', killed: true }]);
    await done(disableMaintenance(context, { reopenHeld: false }));
    expect(await show('dull.service', 'ActiveState')).toBe('active');
  }, 30_000);

  test('that crashes when it is started keeps the site closed, with the last lines of its log', async () => {
    await start('crasher.service');
    const { context, world } = await settings([
      { id: 'crasher', kind: 'unit', unit: 'crasher.service' },
    ]);
    await enableMaintenance(context, { prepareOnly: false });
    await writeFile(join(machine.units, 'flag'), '');
    const outcome = await disableMaintenance(context, { reopenHeld: false });
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { code: expect.stringMatching(/^service-not-(?:started|up)$/) as unknown },
    });
    expect(world.door.kind).toBe('closed');
    expect(world.progress.lines.join('\n')).toContain('no port left');
    await host.remove(join(machine.units, 'flag'));
    await done(disableMaintenance(context, { reopenHeld: false }));
    expect(await show('crasher.service', 'ActiveState')).toBe('active');
  }, 30_000);
});

test("a user's own units are stopped and started by the manager of that user", async () => {
  const unit = systemdUnit(host, { unit: 'web.service', scope: 'user', drainSeconds: 5 });
  expect(await unit.state()).toMatchObject({ kind: 'stopped' });
  await unit.start(undefined, 5);
  expect(await unit.state()).toMatchObject({ kind: 'running' });
  await unit.stop(5);
  expect(await unit.state()).toMatchObject({ kind: 'stopped' });
}, 30_000);

test('preflight says of each unit what it is, and what is wrong with it', async () => {
  await start('web.service');
  await machine.systemctl('stop', 'disabled.service');
  const { context } = await settings([
    { id: 'web', kind: 'unit', unit: 'web.service' },
    { id: 'disabled', kind: 'unit', unit: 'disabled.service' },
    { id: 'nothing', kind: 'unit', unit: 'nothing.service' },
    { id: 'once', kind: 'unit', unit: 'once.service' },
    { id: 'dull', kind: 'unit', unit: 'dull.service', drain: '10s' },
    { id: 'door', kind: 'unit', unit: 'door.socket' },
  ]);
  const checks = await checkServices(context);
  expect(checks.map(({ id, verdict }) => `${id} ${verdict}`)).toEqual([
    'service-web passed',
    'service-disabled passed',
    'service-nothing failed',
    'service-once failed',
    'service-dull warning',
    'service-door passed',
  ]);
  const values = Object.fromEntries(checks.map(({ id, value }) => [id, value]));
  expect(values['service-web']).toMatch(/^active \(running\), process \d+; it is stopped while/);
  expect(values['service-disabled']).toBe('inactive (dead); it is left so');
  expect(values['service-nothing']).toBe('systemd knows no such unit');
  expect(values['service-once']).toContain('runs once');
  expect(values['service-dull']).toContain('by force after 1.5 s (TimeoutStopSec)');
}, 30_000);
