import { beforeEach, describe, expect, test } from '@jest/globals';
import { disableMaintenance } from '../../src/phases/disable-maintenance.ts';
import { enableMaintenance } from '../../src/phases/enable-maintenance.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { rollback } from '../../src/phases/rollback.ts';
import { checkServices } from '../../src/phases/services/check.ts';
import { startServices, whatToStart } from '../../src/phases/services/start.ts';
import { whatToStop } from '../../src/phases/services/stop.ts';
import { smokeTest } from '../../src/phases/smoke-test.ts';
import type { ManagedService } from '../../src/ports/services.ts';
import type { ServiceRecord } from '../../src/record/services.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { takeRecord } from '../../src/record/window-record.ts';
import { FakeService, managed } from '../fixtures/fake-service.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { Killed } from '../fixtures/memory-host.ts';
import { statusOf } from '../fixtures/record-factory.ts';

const closing = { prepareOnly: false };
const opening = { reopenHeld: false };
const safely = { force: false, acceptDataLoss: false, reason: 'a test' };

let world: FakeWorld;
let acts: string[];
let web: FakeService;
let first: FakeService;
let second: FakeService;
let timer: FakeService;
let services: ManagedService[];
let base: PhaseContext;

beforeEach(() => {
  world = new FakeWorld();
  acts = [];
  web = new FakeService('web', 'web1', acts);
  first = new FakeService('workers', 'worker1', acts);
  second = new FakeService('workers', 'worker2', acts);
  timer = new FakeService('reports', 'web1', acts);
  services = [
    managed([timer], { resume: 'when-open', beforeDrain: true }),
    managed([first, second]),
    managed([web]),
  ];
});

async function contextOf(
  status: Partial<WindowStatus> = {},
  plan: Record<string, unknown> = {},
): Promise<PhaseContext> {
  base = await world.contextOf(status, { parts: { services }, plan });
  return base;
}

/** The same window in the eyes of another process. */
async function again(): Promise<PhaseContext> {
  const at = { stateDir: '/state', name: 'shop', runId: statusOf().run.id };
  const record = await takeRecord(world.host, world.clock, at);
  if (record === undefined) throw new Error('there is no record');
  return { ...base, services, record };
}

function entries(context: PhaseContext): readonly ServiceRecord[] {
  return context.record.status.services ?? [];
}

describe('a whole window', () => {
  test('stops in order, and starts in reverse order what was running', async () => {
    second.now = { kind: 'stopped', detail: 'not enabled' };
    const context = await contextOf();
    expect(await enableMaintenance(context, closing)).toMatchObject({ kind: 'done' });
    expect(acts).toEqual(['stop reports on web1', 'stop workers on worker1', 'stop web on web1']);
    expect(
      entries(context).map(({ id, host, prior, stoppedAt }) => [
        id,
        host,
        prior,
        stoppedAt !== undefined,
      ]),
    ).toEqual([
      ['reports', 'web1', 'running', true],
      ['workers', 'worker1', 'running', true],
      ['workers', 'worker2', 'stopped', false],
      ['web', 'web1', 'running', true],
    ]);
    acts.length = 0;
    expect(await disableMaintenance(context, opening)).toMatchObject({ kind: 'done' });
    expect(acts).toEqual([
      'start mark 1 of web on web1',
      'start mark 1 of workers on worker1',
      'start mark 1 of reports on web1',
    ]);
    expect([web.now.kind, first.now.kind, second.now.kind, timer.now.kind]).toEqual([
      'running',
      'running',
      'stopped',
      'running',
    ]);
  });

  test('starts what the tests need behind the closed door, and timers when the site is open', async () => {
    const doors: string[] = [];
    for (const service of [web, first, second, timer]) {
      service.before = (act) => void doors.push(`${act}, ${world.door.kind}`);
    }
    const context = await contextOf(
      {},
      { 'smoke-test': { checks: [{ id: 'a', kind: 'http', url: '/' }] } },
    );
    await enableMaintenance(context, closing);
    doors.length = 0;
    expect(await smokeTest(context)).toMatchObject({ kind: 'done' });
    await disableMaintenance(context, opening);
    expect(doors).toEqual([
      'start mark 1 of web on web1, closed',
      'start mark 1 of workers on worker1, closed',
      'start mark 1 of workers on worker2, closed',
      'start mark 1 of reports on web1, open',
    ]);
  });

  test('ends the timer before it waits for requests under way, and the others after it', async () => {
    const looks: string[] = [];
    for (const service of [web, timer]) {
      service.before = (act) => void looks.push(`${act} after ${world.looks} looks`);
    }
    await enableMaintenance(await contextOf(), closing);
    expect(looks).toEqual(['stop reports on web1 after 0 looks', 'stop web on web1 after 2 looks']);
  });

  test('leaves alone what an operator has started or stopped meanwhile', async () => {
    second.now = { kind: 'stopped', detail: 'stopped' };
    const context = await contextOf();
    await enableMaintenance(context, closing);
    acts.length = 0;
    web.onStart();
    await disableMaintenance(context, opening);
    expect(acts).toEqual(['start mark 1 of workers on worker1', 'start mark 1 of reports on web1']);
  });

  test('records how all were before, ahead of the first stop', async () => {
    timer.before = () => {
      const text = world.host.text('/state/shop/window.json');
      const { services: written } = JSON.parse(text ?? '{}') as WindowStatus;
      expect(written?.map(({ prior, stopBegunAt }) => [prior, stopBegunAt !== undefined])).toEqual([
        ['running', true],
        ['running', false],
        ['running', false],
        ['running', false],
      ]);
    };
    expect(await enableMaintenance(await contextOf(), closing)).toMatchObject({ kind: 'done' });
  });
});

describe('a service that does not stop', () => {
  beforeEach(() => {
    second.onStop = () => {
      second.now = { kind: 'changing', detail: 'deactivating' };
    };
  });

  test('has the others started again and the site reopened', async () => {
    second.onStart = () => {
      second.now = { kind: 'running', detail: 'running' };
    };
    const context = await contextOf();
    const outcome = await enableMaintenance(context, closing);
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'service-not-stopped',
        message: 'fake workers on worker2 did not end within 30 s; it is deactivating.',
        state: 'Everything was undone: the site is open, and what closes it is as it was before.',
      },
    });
    expect([world.door.kind, context.record.status.state]).toEqual(['open', 'rolled-back']);
    expect([web, first, second, timer].map(({ now }) => now.kind)).toEqual(
      Array(4).fill('running'),
    );
    // What was not stopped is not started.
    expect(acts).not.toContain('start mark 1 of web on web1');
  });

  test('is ended by force with consent, and the record says so', async () => {
    services = [managed([first, second], { mayKill: true })];
    const context = await contextOf();
    expect(await enableMaintenance(context, closing)).toMatchObject({ kind: 'done' });
    expect(acts).toEqual([
      'stop workers on worker1',
      'stop workers on worker2',
      'kill workers on worker2',
    ]);
    expect(entries(context).map(({ killed }) => killed)).toEqual([undefined, true]);
    expect(world.progress.lines).toContain(
      'warning fake workers on worker2 did not end by itself: killed.',
    );
  });
});

describe('a service that does not start', () => {
  test('keeps the site closed, and is started by the next run when it is mended', async () => {
    const context = await contextOf();
    await enableMaintenance(context, closing);
    web.onStart = () => {
      web.now = { kind: 'failed', detail: 'failed (failed), result exit-code' };
    };
    expect(await disableMaintenance(context, opening)).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'service-not-started',
        message: 'fake web on web1 did not start: it is failed (failed), result exit-code.',
      },
    });
    expect([world.door.kind, context.record.status.state]).toEqual(['closed', 'closed']);
    expect(world.progress.lines).toContain('warning web1, fake web: cannot bind to port 80');
    expect(JSON.stringify(context.record.journal)).not.toContain('cannot bind');
    web.onStart = () => {
      web.now = { kind: 'running', detail: 'running' };
    };
    expect(await disableMaintenance(context, opening)).toMatchObject({ kind: 'done' });
  });

  test('has failed as well when it starts and is restarted again and again', async () => {
    const context = await contextOf();
    await enableMaintenance(context, closing);
    const { wait } = world.clock;
    world.clock.wait = async (seconds) => {
      if (acts.includes('start mark 1 of web on web1')) web.runs += 1;
      return wait.call(world.clock, seconds);
    };
    expect(await disableMaintenance(context, opening)).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'service-not-up',
        message:
          'fake web on web1 started and did not stay up: it is running again, after a restart.',
      },
    });
    expect(world.door.kind).toBe('closed');
  });

  test('after the opening is told, the site stays open, and the site files are given back', async () => {
    const context = await contextOf();
    await enableMaintenance(context, closing);
    timer.onStart = () => undefined;
    expect(await disableMaintenance(context, opening)).toMatchObject({
      failure: { code: 'service-not-started' },
    });
    expect([world.door.kind, world.isHooked, context.record.status.state]).toEqual([
      'open',
      false,
      'reopened',
    ]);
    timer.onStart = () => {
      timer.now = { kind: 'running', detail: 'running' };
    };
    expect(await disableMaintenance(context, opening)).toMatchObject({ kind: 'done' });
    expect(timer.now.kind).toBe('running');
  });

  test('because something else is in its place is told, and nothing is overwritten', async () => {
    const context = await contextOf();
    await enableMaintenance(context, closing);
    timer.now = { kind: 'replaced', detail: 'the new one stands; the one of before is kept' };
    expect(await disableMaintenance(context, opening)).toMatchObject({ kind: 'done' });
    expect(acts).not.toContain('start mark 1 of reports on web1');
    expect(entries(context).find(({ id }) => id === 'reports')?.note).toContain('is kept');
  });
});

test('a service that is not there is refused while the site is still open', async () => {
  web.now = { kind: 'missing', detail: 'systemd knows no such unit' };
  const context = await contextOf();
  expect(await enableMaintenance(context, closing)).toMatchObject({
    kind: 'failed',
    failure: { code: 'service-missing' },
  });
  expect([acts, world.effects, context.record.status.state]).toEqual([[], ['install'], 'prepared']);
});

test('what the window stopped and the plan names no more is told, not forgotten', async () => {
  const context = await contextOf();
  await enableMaintenance(context, closing);
  services = [];
  const outcome = await disableMaintenance(await again(), opening);
  expect(outcome).toMatchObject({ failure: { code: 'service-not-in-plan' } });
  expect(world.door.kind).toBe('closed');
});

test('a host that cannot be looked at is one failed check of preflight', async () => {
  second.check = () => Promise.reject(new Error('no route to host'));
  const checks = await checkServices(await contextOf());
  expect(checks.map(({ id, verdict }) => `${id} ${verdict}`)).toEqual([
    'service-reports passed',
    'service-workers-1 passed',
    'service-workers-2 failed',
    'service-web passed',
  ]);
});

describe('killed anywhere', () => {
  /** Runs `work`, killed before its nth change of the world or the record. @returns whether it was killed */
  async function killedAt(nth: number, work: () => Promise<unknown>): Promise<boolean> {
    let changes = 0;
    const tick = (): void => {
      changes += 1;
      if (changes >= nth) throw new Killed('killed');
    };
    const setAll = (before: () => void): void => {
      world.host.before = before;
      world.bend.before = before;
      for (const service of [web, first, second, timer]) service.before = before;
    };
    setAll(tick);
    await work().catch(() => undefined);
    setAll(() => undefined);
    return changes >= nth;
  }

  async function freshWorld(): Promise<PhaseContext> {
    world = new FakeWorld();
    for (const service of [web, first, timer]) service.onStart();
    second.now = { kind: 'stopped', detail: 'stopped' };
    return contextOf();
  }

  function expectAllAsBefore(): void {
    expect([web, first, second, timer].map(({ id, now }) => `${id} ${now.kind}`)).toEqual([
      'web running',
      'workers running',
      'workers stopped',
      'reports running',
    ]);
    expect(world.door.kind).toBe('open');
  }

  test.each(['the same phase and the next', 'rollback'])(
    'while closing, %s ends with everything as it was',
    async (how) => {
      let kills = 0;
      for (let nth = 1; ; nth += 1) {
        expect(nth).toBeLessThan(100);
        const context = await freshWorld();
        const killed = await killedAt(nth, () => enableMaintenance(context, closing));
        if (how === 'rollback') {
          await rollback(await again(), safely);
        } else {
          expect(await enableMaintenance(await again(), closing)).toMatchObject({ kind: 'done' });
          expect([web, first, timer].map(({ now }) => now.kind)).toEqual(Array(3).fill('stopped'));
          expect(await disableMaintenance(await again(), opening)).toMatchObject({ kind: 'done' });
        }
        expectAllAsBefore();
        if (!killed) break;
        kills += 1;
      }
      expect(kills).toBeGreaterThan(20);
    },
  );

  test('while reopening, the same phase again ends with everything as it was', async () => {
    let kills = 0;
    for (let nth = 1; ; nth += 1) {
      expect(nth).toBeLessThan(100);
      const context = await freshWorld();
      await enableMaintenance(context, closing);
      const killed = await killedAt(nth, () => disableMaintenance(context, opening));
      expect(await disableMaintenance(await again(), opening)).toMatchObject({ kind: 'done' });
      expectAllAsBefore();
      if (!killed) break;
      kills += 1;
    }
    expect(kills).toBeGreaterThan(20);
  });
});

describe('the decisions', () => {
  const entry = {
    id: 'web',
    host: 'local',
    kind: 'unit',
    title: 'unit web.service',
    resume: 'before-tests',
    prior: 'running',
    priorDetail: 'active (running)',
  } as const satisfies ServiceRecord;
  const begun = { ...entry, stopBegunAt: '2026-11-22T01:00:00.000Z' };

  test.each([
    ['running', 'running', 'stop'],
    ['running', 'changing', 'stop'],
    ['running', 'stopped', 'leave'],
    ['running', 'failed', 'leave'],
    ['stopped', 'running', 'leave'],
    ['failed', 'running', 'leave'],
  ] as const)('before %s, now %s: %s', (prior, now, what) => {
    expect(whatToStop({ prior }, now)).toBe(what);
  });

  test.each([
    ['never asked to stop', entry, 'stopped', 'leave'],
    ['asked to stop, now stopped', begun, 'stopped', 'start'],
    ['asked to stop, now failed', begun, 'failed', 'start'],
    ['asked to stop, now changing', begun, 'changing', 'start'],
    ['asked to stop, now missing', begun, 'missing', 'start'],
    ['asked to stop, now running', begun, 'running', 'found'],
    ['asked to stop, now replaced', begun, 'replaced', 'leave'],
    ['started again', { ...begun, startedAt: '2026-11-22T01:01:00.000Z' }, 'stopped', 'leave'],
  ] as const)('%s', (_what, recorded, kind, decision) => {
    expect(whatToStart(recorded, { kind, detail: '' })).toBe(decision);
  });

  test('asked to stop, now running beside what the stop put aside: start takes that away', () => {
    expect(whatToStart(begun, { kind: 'running', detail: '', leftover: true })).toBe('start');
  });
});

test('without services nothing is written of them', async () => {
  services = [];
  const context = await contextOf();
  await enableMaintenance(context, closing);
  await startServices(context, 'smoke-test', 'before-tests');
  expect(context.record.status).not.toHaveProperty('services');
});
