import { beforeEach, describe, expect, test } from '@jest/globals';
import { rollback } from '../../src/phases/rollback.ts';
import type { Checkout } from '../../src/ports/code.ts';
import type { ManagedService } from '../../src/ports/services.ts';
import type { ServiceRecord } from '../../src/record/services.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeService, managed } from '../fixtures/fake-service.ts';
import { FakeWorld, properties } from '../fixtures/fake-world.ts';
import { at, backup, statusOf } from '../fixtures/record-factory.ts';

const clone = 'shop_mw_20261122_010000_1a2b_restore_point';
const options = { force: false, acceptDataLoss: false, reason: 'a test' };
const entry = (id: string, resume: ServiceRecord['resume']): ServiceRecord => ({
  id,
  host: 'local',
  kind: 'unit',
  title: `fake ${id}`,
  resume,
  prior: 'running',
  priorDetail: 'running',
  mark: 'mark 1',
  stopBegunAt: at(-59),
  stoppedAt: at(-58),
});
const code = {
  host: 'local',
  directory: '/srv/shop',
  commit: 'a',
  branch: 'main',
  tag: 'maintenance-20261122-010000',
  taggedAt: at(-90),
  modified: 0,
  untracked: 0,
};
/** A change of the schema was begun behind the closed door, with both services stopped. */
const changing: Partial<WindowStatus> = {
  state: 'changing',
  blast: 'schema',
  maintenance: { mode: 'fake', prior: { file: 'as it was' }, closedAt: at(-60) },
  database: properties,
  backup,
  restorePoint: {
    kind: 'clone',
    takenAt: at(-50),
    seconds: 1,
    database: clone,
    oid: 16_500,
    bytes: 1,
  },
  services: [entry('reports', 'when-open'), entry('web', 'before-tests')],
  code: [code],
};

let world: FakeWorld;
let web: FakeService;
let reports: FakeService;
let services: ManagedService[];
let head: { commit: string; modified: number };

beforeEach(() => {
  world = new FakeWorld();
  world.databases = [
    ...world.databases,
    { name: clone, oid: 16_500, allowsConnections: false, connectionLimit: -1, bytes: 1 },
  ];
  world.door = { kind: 'closed', windowId: statusOf().windowId };
  world.isHooked = true;
  // Beside those of the world, so that their order shows.
  web = new FakeService('web', 'local', world.effects, 'stopped');
  reports = new FakeService('reports', 'local', world.effects, 'stopped');
  services = [managed([reports], { resume: 'when-open' }), managed([web])];
  head = { commit: 'b', modified: 0 };
});

/** The code in memory. */
function checkout(): Checkout {
  return {
    host: 'local',
    directory: '/srv/shop',
    check: async () => ({ verdict: 'passed', value: '' }),
    head: async () => ({ ...head, branch: 'main', untracked: 0 }),
    taggedCommit: async () => 'a',
    createTag: async () => undefined,
    remoteTaggedCommit: async () => undefined,
    push: async () => undefined,
    putBack: async ({ tag, commit }) => {
      world.effect(`code back to ${commit}`);
      head = { ...head, commit };
      return `detached at ${tag}`;
    },
    run: async ([program]) => world.effect(`run ${program}`),
  };
}

async function roll(status: Partial<WindowStatus> = {}, plan: Record<string, unknown> = {}) {
  const context = await world.contextOf(
    { ...changing, ...status },
    {
      parts: { services, checkouts: [checkout()] },
      plan: {
        'smoke-test': { checks: [{ id: 'health', kind: 'http', url: '/' }] },
        code: { directory: '/srv/shop', 'restart-command': ['restart'] },
        ...plan,
      },
    },
  );
  return { outcome: await rollback(context, options), status: context.record.status };
}

/** The effects that tell the order; those of the swap itself are tested elsewhere. */
function order(): string[] {
  return world.effects.filter((effect) => /code|run |start|stop|open|rename shop/.test(effect));
}

describe('a rollback that puts data back', () => {
  test('then puts code back, starts the services, tests, opens, and starts the timers', async () => {
    const { outcome, status } = await roll();
    expect(outcome.kind).toBe('done');
    expect(order()).toEqual([
      expect.stringMatching(/^rename shop /),
      expect.stringMatching(/^rename shop_\w+ shop$/),
      'code back to a',
      'run restart',
      'start mark 1 of web on local',
      'open',
      'start mark 1 of reports on local',
    ]);
    expect(status).toMatchObject({
      state: 'rolled-back',
      code: [{ putBack: { from: 'b', place: 'detached at maintenance-20261122-010000' } }],
    });
    expect(status.services?.every(({ startedAt }) => startedAt !== undefined)).toBe(true);
  });

  test('stops again what the smoke tests had started', async () => {
    web.onStart();
    const started = { ...entry('web', 'before-tests'), startedAt: at(-20) };
    const { outcome } = await roll({ services: [entry('reports', 'when-open'), started] });
    expect(outcome.kind).toBe('done');
    expect(order()[0]).toBe('stop web on local');
    expect(web.now.kind).toBe('running');
  });

  test('is not kept from it by a service that does not stop', async () => {
    web.onStart();
    web.onStop = () => undefined;
    const started = { ...entry('web', 'before-tests'), startedAt: at(-20) };
    const { outcome } = await roll({ services: [entry('reports', 'when-open'), started] });
    expect(outcome.kind).toBe('done');
    expect(world.progress.lines.join('\n')).toMatch(
      /warning fake web on local did not end .* The rollback goes on/,
    );
  });

  test('leaves code alone that nobody deployed', async () => {
    head.commit = 'a';
    const { outcome } = await roll();
    expect(outcome.kind).toBe('done');
    expect(world.effects.filter((effect) => /code|run /.test(effect))).toEqual([]);
  });

  test('is held when the code has changes, with the site closed and nothing started', async () => {
    head.modified = 2;
    const { outcome, status } = await roll();
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'code-modified' } });
    expect([status.state, world.door.kind, web.now.kind]).toEqual(['held', 'closed', 'stopped']);
    head.modified = 0;
  });

  test('is held when a service does not start, with the site closed', async () => {
    web.onStart = () => undefined;
    const { outcome, status } = await roll();
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'service-not-started' } });
    expect([status.state, world.door.kind]).toEqual(['held', 'closed']);
  });
});

test('a rollback that changes no data leaves the code of others alone', async () => {
  const { restorePoint: _, ...without } = changing;
  const { outcome } = await roll({
    ...without,
    state: 'closed',
    blast: 'app',
    restorePoint: undefined,
  });
  expect(outcome).toMatchObject({ kind: 'done', outputs: { outcome: 'reopened' } });
  expect(order()).toEqual([
    'start mark 1 of web on local',
    'open',
    'start mark 1 of reports on local',
  ]);
});

describe('a reopening that was killed behind the open door', () => {
  const started = { ...entry('web', 'before-tests'), startedAt: at(-20) };
  const reopened: Partial<WindowStatus> = {
    state: 'reopened',
    maintenance: {
      mode: 'fake',
      prior: { file: 'as it was' },
      closedAt: at(-60),
      reopenedAt: at(-10),
      restoration: '1 file given back',
    },
  };

  beforeEach(() => {
    world.door = { kind: 'open' };
    world.isHooked = false;
  });

  test('is brought to its end: what is to run when the site is open is started, no data is touched', async () => {
    const services = [entry('reports', 'when-open'), started];
    const { outcome, status } = await roll({ ...reopened, services });
    expect(outcome).toMatchObject({
      kind: 'done',
      detail: expect.stringContaining('reports on local runs again') as unknown,
      outputs: { outcome: 'reopened' },
    });
    expect(world.effects).toEqual(['start mark 1 of reports on local']);
    expect(status.state).toBe('reopened');
    expect(status.services?.[0]?.startedAt).toBeDefined();
  });

  test('owes nothing for what somebody put in its place', async () => {
    const services = [{ ...entry('reports', 'when-open'), note: 'replaced' }, started];
    const { outcome } = await roll({ ...reopened, services });
    expect([outcome.kind, world.effects]).toEqual(['skipped', []]);
  });
});
