import { beforeEach, describe, expect, test } from '@jest/globals';
import { disableMaintenance, downtimeSeconds } from '../../src/phases/disable-maintenance.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { at, smokeResults, statusOf } from '../fixtures/record-factory.ts';

const maintenance = { mode: 'fake', prior: { file: 'as it was' }, closedAt: at(-60) };
const closedByUs = { kind: 'closed', windowId: statusOf().windowId } as const;
const failedTests = [{ at: at(1), phase: 'smoke-test', passed: false, results: smokeResults }];
const passedTests = [{ at: at(2), phase: 'smoke-test', passed: true, results: smokeResults }];

let world: FakeWorld;

beforeEach(() => {
  world = new FakeWorld();
  world.door = closedByUs;
  world.isHooked = true;
});

async function disable(
  status: Partial<WindowStatus>,
  change: { reopenHeld?: boolean; plan?: Record<string, unknown> } = {},
) {
  const context = await world.contextOf({ maintenance, ...status }, { plan: change.plan ?? {} });
  const outcome = await disableMaintenance(context, { reopenHeld: change.reopenHeld ?? false });
  return { outcome, status: context.record.status, journal: context.record.journal };
}

describe('reopening', () => {
  test.each(['closed', 'changed', 'reopening'] as const)(
    'a window that is %s opens the door and gives the files back',
    async (state) => {
      world.writes = { 'public.orders': { inserted: 7, updated: 0, deleted: 0 } };
      const { outcome, status } = await disable({ state });
      expect(outcome.kind).toBe('done');
      expect(world.effects).toEqual(['open', 'restore']);
      expect(status).toMatchObject({
        state: 'reopened',
        writesAtReopening: world.writes,
        maintenance: { closedAt: at(-60), restoration: '1 file given back' },
      });
      const seconds = Number(outcome.outputs['downtime-seconds']);
      expect(seconds).toBeGreaterThan(60);
      expect(seconds).toBeLessThan(62);
    },
  );

  test('counts the writes before the door opens', async () => {
    world.writes = { 'public.orders': { inserted: 7, updated: 0, deleted: 0 } };
    world.bend.before = (effect) => {
      if (effect === 'open') world.writes = {};
    };
    const { status } = await disable({ state: 'changed' });
    expect(status.writesAtReopening).toEqual({
      'public.orders': { inserted: 7, updated: 0, deleted: 0 },
    });
  });

  test('keeps what a killed attempt counted: users may have written since', async () => {
    const counted = { 'public.orders': { inserted: 1, updated: 0, deleted: 0 } };
    world.writes = { 'public.orders': { inserted: 9, updated: 0, deleted: 0 } };
    const { status } = await disable({ state: 'reopening', writesAtReopening: counted });
    expect(status.writesAtReopening).toEqual(counted);
  });

  test('is not done until the application answers the public', async () => {
    world.isWell = false;
    const { outcome, status } = await disable({ state: 'changed' });
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'not-open',
        message:
          'The public URL https://shop.example.org/ did not answer from the application within 30 s; it answered 500 without X-Maintenance.',
      },
    });
    // The hook stays, so that a rollback closes by a flag.
    expect(world.effects).toEqual(['open']);
    expect(status.state).toBe('reopening');
    expect(status.maintenance).not.toHaveProperty('reopenedAt');
    expect(outcome.outputs).toEqual({});
  });

  test('keeps the hook when the plan says so, and writes it down', async () => {
    const plan = { 'disable-maintenance': { hook: 'keep' } };
    const { outcome, journal } = await disable({ state: 'changed' }, { plan });
    expect(outcome.kind).toBe('done');
    expect([world.effects, world.isHooked]).toEqual([['open'], true]);
    expect(journal.at(-1)).toMatchObject({ step: 'give-back', event: 'skipped' });
  });

  test('again tells that it is open, and gives back what an interrupted run did not', async () => {
    world.door = { kind: 'open' };
    const { outcome } = await disable({
      state: 'reopened',
      maintenance: { ...maintenance, reopenedAt: at(0) },
    });
    expect(outcome).toMatchObject({
      kind: 'done',
      detail: 'the site is open already',
      outputs: { 'downtime-seconds': '60' },
    });
    expect(world.effects).toEqual(['restore']);
  });

  test('by an operator leaves services that cannot be started to that operator', async () => {
    world.door = { kind: 'open' };
    const entry = {
      id: 'cron',
      host: 'local',
      kind: 'cron',
      title: 'cron file shop',
      resume: 'when-open',
      prior: 'running',
      priorDetail: 'in place',
      stopBegunAt: at(0),
    } as const;
    const { outcome, status, journal } = await disable(
      {
        state: 'reopened',
        maintenance: { ...maintenance, reopenedAt: at(0) },
        services: [entry, { ...entry, id: 'queue', startedAt: at(1) }],
      },
      { reopenHeld: true },
    );
    expect(outcome.kind).toBe('done');
    const note = 'not started again; an operator answers for it';
    expect(status.services?.map((each) => [each.id, each.note])).toEqual([
      ['cron', note],
      ['queue', undefined],
    ]);
    expect(
      journal.find(({ event, step }) => event === 'done' && step === 'leave-services')?.detail,
    ).toBe('not started again by this window: cron on local');
  });
});

describe('what this window did not set', () => {
  test('is not lifted', async () => {
    world.door = { kind: 'closed-by-another', holder: 'ops' };
    const context = await world.contextOf({ state: 'planned' });
    const outcome = await disableMaintenance(context, { reopenHeld: false });
    expect(outcome).toMatchObject({
      kind: 'skipped',
      reason: expect.stringContaining('nothing is lifted that it did not set') as unknown,
    });
    expect([world.effects, world.door.kind]).toEqual([[], 'closed-by-another']);
    expect(context.record.status.state).toBe('planned');
  });
});

describe('after smoke tests', () => {
  test.each(['closed', 'changed'] as const)(
    'that failed, a window that is %s stays closed',
    async (state) => {
      const { outcome, status } = await disable({ state, smokeTests: failedTests });
      expect(outcome).toMatchObject({
        kind: 'failed',
        failure: { code: 'smoke-test-failed', state: 'The site is closed.' },
      });
      expect([world.effects, world.door.kind, status.state]).toEqual([[], 'closed', state]);
    },
  );

  test('the last run of them counts', async () => {
    const mended = await disable({
      state: 'changed',
      smokeTests: [...failedTests, ...passedTests],
    });
    expect(mended.outcome.kind).toBe('done');
    const worse = await disable({ state: 'changed', smokeTests: [...passedTests, ...failedTests] });
    expect(worse.outcome.kind).toBe('failed');
  });

  test('that failed before an operator repaired a held system, it is for him to reopen', async () => {
    const { outcome, status } = await disable(
      { state: 'held', smokeTests: failedTests },
      { reopenHeld: true },
    );
    expect([outcome.kind, status.state]).toEqual(['done', 'reopened']);
  });
});

describe('a window in another state', () => {
  test.each(['prepared', 'closing', 'changing', 'rolling-back', 'rolled-back', 'held'] as const)(
    'that is %s is not reopened',
    async (state) => {
      const { outcome } = await disable({ state });
      expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'window-state' } });
      expect(world.effects).toEqual([]);
    },
  );

  test.each(['closed', 'changing', 'changed', 'rolling-back'] as const)(
    'that is %s is not reopened as held either: a run may be at it',
    async (state) => {
      const { outcome } = await disable({ state }, { reopenHeld: true });
      expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'window-state' } });
      expect(world.effects).toEqual([]);
    },
  );
});

describe('the downtime', () => {
  async function downtimeOf(status: Partial<WindowStatus>) {
    return downtimeSeconds({ record: await world.recordOf(status) });
  }

  test('is unknown while the public is kept out, and when it never was', async () => {
    expect(await downtimeOf({ maintenance })).toBeUndefined();
    expect(await downtimeOf({})).toBeUndefined();
  });

  test('is the sum of all closures', async () => {
    const reopened = { ...maintenance, reopenedAt: at(30) };
    expect(await downtimeOf({ maintenance: reopened })).toBe(90);
    const earlierClosures = [{ closedAt: at(-100), reopenedAt: at(-95) }];
    expect(await downtimeOf({ maintenance: reopened, earlierClosures })).toBe(95);
  });
});
