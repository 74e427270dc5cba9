import { beforeEach, describe, expect, test } from '@jest/globals';
import { rollback, type RollbackOptions } from '../../src/phases/rollback.ts';
import { fail } from '../../src/ports/failure.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeWorld, properties } from '../fixtures/fake-world.ts';
import { at, backup, statusOf } from '../fixtures/record-factory.ts';

const clone = 'shop_mw_20261122_010000_1a2b_restore_point';
const failed = 'shop_mw_20261122_010000_1a2b_failed';
const maintenance = { mode: 'fake', prior: { file: 'as it was' }, closedAt: at(-60) };
const restorePoint = {
  kind: 'clone',
  takenAt: at(-50),
  seconds: 1,
  database: clone,
  oid: 16_500,
  bytes: 1,
} as const;
/** A change of the schema was begun behind the closed door. */
const changing: Partial<WindowStatus> = {
  state: 'changing',
  blast: 'schema',
  maintenance,
  database: properties,
  backup,
  restorePoint,
};
const counted = { 'public.orders': { inserted: 5, updated: 0, deleted: 0 } };
/** The window ended well a while ago. */
const reopened: Partial<WindowStatus> = {
  ...changing,
  state: 'reopened',
  maintenance: { ...maintenance, reopenedAt: at(-10), restoration: '1 file given back' },
  writesAtReopening: counted,
};
const checks = [{ id: 'health', kind: 'http', url: '/' }];

let world: FakeWorld;

beforeEach(() => {
  world = new FakeWorld();
  world.databases = [
    ...world.databases,
    { name: clone, oid: 16_500, allowsConnections: false, connectionLimit: -1, bytes: 1 },
  ];
});

/** The door as this window left it. */
function closed(): void {
  world.door = { kind: 'closed', windowId: statusOf().windowId };
  world.isHooked = true;
}

async function roll(
  status: Partial<WindowStatus>,
  change: {
    options?: Partial<RollbackOptions>;
    plan?: Record<string, unknown>;
    /** What the window had begun before. */
    begun?: readonly string[];
  } = {},
) {
  const context = await world.contextOf(status, { plan: change.plan ?? {} });
  for (const step of change.begun ?? []) {
    const line = { phase: 'run-db-maintenance', step, title: step, blast: 'app' } as const;
    await context.record.append({ ...line, event: 'intent' });
  }
  const options = { force: false, acceptDataLoss: false, reason: 'a test', ...change.options };
  const outcome = await rollback(context, options);
  return { outcome, status: context.record.status };
}

describe('nothing is done', () => {
  test('after a window that was rolled back already', async () => {
    const { outcome } = await roll({ ...changing, state: 'rolled-back' });
    expect(outcome).toMatchObject({ kind: 'skipped', outputs: { outcome: 'nothing' } });
    expect(world.effects).toEqual([]);
  });

  test('after a window that ended well, unless an operator asks', async () => {
    const { outcome, status } = await roll(reopened);
    expect(outcome).toMatchObject({ kind: 'skipped', outputs: { outcome: 'nothing' } });
    expect([world.effects, status.state]).toEqual([[], 'reopened']);
  });
});

describe('a reopening that was killed behind the open door', () => {
  const { restoration: _, ...given } = reopened.maintenance ?? { mode: 'fake', prior: null };

  test('is brought to its end: what was there before the hook is given back', async () => {
    world.isHooked = true;
    const { outcome, status } = await roll({ ...reopened, maintenance: given });
    expect(outcome).toMatchObject({ kind: 'done', outputs: { outcome: 'reopened' } });
    expect([world.effects, status.state]).toEqual([['restore'], 'reopened']);
  });

  test('leaves a hook that the plan keeps', async () => {
    world.isHooked = true;
    const plan = { 'disable-maintenance': { hook: 'keep' } };
    const { outcome } = await roll({ ...reopened, maintenance: given }, { plan });
    expect([outcome.kind, world.effects]).toEqual(['skipped', []]);
  });
});

describe('before the site was closed', () => {
  test('preparations are taken back, and the door is left alone', async () => {
    world.isHooked = true;
    const prepared = { mode: 'fake', prior: { file: 'as it was' } };
    const { outcome, status } = await roll({ state: 'prepared', maintenance: prepared });
    expect(outcome).toMatchObject({ kind: 'done', outputs: { outcome: 'cleaned-up' } });
    expect(world.effects).toEqual(['restore', `drop ${clone}`]);
    expect(status.state).toBe('rolled-back');
    expect(status.rollback).toMatchObject({ from: 'prepared', reason: 'a test' });
    expect(status.rollback?.finishedAt).toBeDefined();
  });

  test('of a window that only planned, nothing is there to take back', async () => {
    world.databases = world.databases.slice(0, 1);
    world.door = { kind: 'closed-by-another', holder: 'ops' };
    const { outcome } = await roll({ state: 'planned' });
    expect(outcome).toMatchObject({ kind: 'done', outputs: { outcome: 'cleaned-up' } });
    expect([world.effects, world.door.kind]).toEqual([[], 'closed-by-another']);
  });
});

describe('when nothing was changed behind the closed door', () => {
  test.each(['closing', 'closed', 'changing', 'reopening'] as const)(
    'a window that is %s is opened, tested and cleaned up',
    async (state) => {
      closed();
      const status = { ...changing, state, blast: 'app' } as const;
      const { outcome, status: after } = await roll(status);
      expect(outcome).toMatchObject({ kind: 'done', outputs: { outcome: 'reopened' } });
      expect(world.effects).toEqual(['open', 'restore', `drop ${clone}`]);
      expect([world.door.kind, after.state]).toEqual(['open', 'rolled-back']);
    },
  );

  test('a database that was sealed for its clone is let in again first', async () => {
    closed();
    world.databases = world.databases.map((entry) => ({ ...entry, allowsConnections: false }));
    await roll({ ...changing, state: 'closed', blast: 'app' }, { begun: ['seal'] });
    expect(world.effects).toEqual(['unseal shop', 'open', 'restore', `drop ${clone}`]);
  });

  test('a database that somebody else closed stays closed', async () => {
    closed();
    world.databases = world.databases.map((entry) => ({ ...entry, allowsConnections: false }));
    await roll({ ...changing, state: 'closed', blast: 'app' });
    expect(world.effects).toEqual(['open', 'restore', `drop ${clone}`]);
  });
});

describe('when a change was begun', () => {
  test('the restore point takes the name, and the failed database is kept', async () => {
    closed();
    const { outcome, status } = await roll(changing, { plan: { 'smoke-test': { checks } } });
    expect(outcome).toMatchObject({
      kind: 'done',
      outputs: { outcome: 'restored', 'failed-database': failed },
    });
    // The door was seen to be shut, so it is left alone.
    expect(world.effects).toEqual([
      'seal shop',
      `rename shop ${failed}`,
      `rename ${clone} shop`,
      'reapply shop',
      'open',
      'restore',
    ]);
    expect(world.databases).toMatchObject([
      { name: failed, oid: 16_400, allowsConnections: false },
      { name: 'shop', oid: 16_500, allowsConnections: true },
    ]);
    expect(status).toMatchObject({
      state: 'rolled-back',
      rollback: { from: 'changing', failedDatabase: failed, replacementOid: 16_500 },
    });
  });

  test('the door is shut before the database is touched, also when it was found open', async () => {
    await roll(changing);
    expect(world.effects.slice(0, 3)).toEqual(['install', 'close', 'seal shop']);
  });

  test('and the door cannot be proved shut, the database is not touched', async () => {
    closed();
    world.bend.answer = () => ({ kind: 'answer', status: 200, headers: {}, body: '', seconds: 0 });
    const { outcome, status } = await roll(changing);
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'not-closed' } });
    expect(world.effects).toEqual(['close']);
    expect(status.state).toBe('held');
  });
});

describe('a window is held', () => {
  const hold = { rollback: { 'on-failure': 'hold' } };

  test('when the plan says so, with nothing touched', async () => {
    closed();
    const { outcome, status } = await roll(changing, { plan: hold });
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'held',
        message:
          'The window is held, because a change of class "schema" was begun and the plan says to hold.',
        next: expect.stringMatching(/^Call On call, \+49 30 1234567; then run/) as unknown,
      },
    });
    expect([world.effects, status.state]).toEqual([[], 'held']);
  });

  test('but goes back when an operator asks for it', async () => {
    closed();
    const { outcome } = await roll(changing, { plan: hold, options: { force: true } });
    expect(outcome).toMatchObject({ kind: 'done', outputs: { outcome: 'restored' } });
  });

  test('and stays so until an operator asks', async () => {
    closed();
    const { outcome, status } = await roll({ ...changing, state: 'held' });
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'held' } });
    expect([world.effects, status.state]).toEqual([[], 'held']);
  });

  test('without anything to go back to', async () => {
    closed();
    const { restorePoint: _, ...without } = changing;
    const { outcome } = await roll(without);
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'held' } });
    expect(world.effects).toEqual([]);
  });

  test.each([
    ['kept closed', () => closed(), 'the site is kept closed.'],
    ['open', () => {}, 'the site is open.'],
    [
      'unseen',
      () => Object.assign(world.mode, { state: () => Promise.reject(new Error('no host')) }),
      'whether the site is closed could not be seen.',
    ],
  ])('and tells of a door that is %s just that', async (_, arrange, told) => {
    arrange();
    const { outcome } = await roll(changing, { plan: hold });
    if (outcome.kind !== 'failed') throw new Error('it is held');
    expect(outcome.failure.state).toBe(
      `The database is as the failure left it; restore point and backup are kept; ${told}`,
    );
  });

  test('when the restored application does not pass its tests; the door stays shut', async () => {
    closed();
    world.isWell = false;
    const plan = { 'smoke-test': { checks, deadline: '1ms' }, 'enable-maintenance': {} };
    const { outcome, status } = await roll(changing, { plan });
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        state:
          'The window is rolling-back. The rollback did not succeed and is held; the site is kept closed.',
        next: expect.stringContaining('Call On call') as unknown,
      },
    });
    expect([world.door.kind, status.state]).toEqual(['closed', 'held']);
    expect(world.effects).not.toContain('open');
  });

  test('when an effect fails, and says of the failure what it was', async () => {
    closed();
    world.bend.before = (effect) => {
      if (effect.startsWith('rename shop'))
        fail({
          code: 'database-busy',
          message: 'It is in use.',
          state: 'Unchanged.',
          next: 'End it.',
        });
    };
    const { outcome, status } = await roll(changing);
    expect(outcome).toMatchObject({
      failure: {
        code: 'database-busy',
        message: 'It is in use.',
        state: 'Unchanged. The rollback did not succeed and is held; the site is kept closed.',
        next: expect.stringMatching(/^End it\. Call /) as unknown,
      },
    });
    expect(status.state).toBe('held');
  });
});

describe('after the site reopened', () => {
  const force = { options: { force: true } };

  test('what users wrote is not thrown away unasked: nothing is done', async () => {
    world.writes = { 'public.orders': { inserted: 8, updated: 0, deleted: 0 } };
    const { outcome, status } = await roll(reopened, force);
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'writes-would-be-lost',
        state: 'The site is open on the changed database; nothing was done.',
      },
    });
    if (outcome.kind === 'failed')
      expect(outcome.failure.message).toContain('public.orders: 3 inserted');
    expect([world.effects, world.door.kind, status.state]).toEqual([[], 'open', 'reopened']);
  });

  test('unknown writes count as writes', async () => {
    const { writesAtReopening: _, ...uncounted } = reopened;
    const { outcome } = await roll(uncounted, force);
    expect(outcome).toMatchObject({ failure: { code: 'writes-would-be-lost' } });
    expect(world.effects).toEqual([]);
  });

  test('an operator may accept the loss', async () => {
    world.writes = { 'public.orders': { inserted: 8, updated: 0, deleted: 0 } };
    const { outcome, status } = await roll(reopened, {
      options: { force: true, acceptDataLoss: true },
    });
    expect(outcome).toMatchObject({ kind: 'done', outputs: { outcome: 'restored' } });
    expect(status).toMatchObject({
      state: 'rolled-back',
      rollback: { from: 'reopened', acceptedLoss: 'accepted' },
      earlierClosures: [{ closedAt: at(-60), reopenedAt: at(-10) }],
    });
    expect(Date.parse(status.maintenance!.closedAt!)).toBeGreaterThan(Date.parse(at(-10)));
  });

  test('without writes it goes back', async () => {
    world.writes = counted;
    const { outcome, status } = await roll(reopened, force);
    expect(outcome).toMatchObject({ kind: 'done', outputs: { outcome: 'restored' } });
    expect(status.rollback?.acceptedLoss).toBe('nothing was written');
  });

  test('writes that turn up behind the closed door open it again on the changed database', async () => {
    world.writes = counted;
    world.bend.before = (effect) => {
      // Counted only when the sessions ended.
      if (effect === 'seal shop')
        world.writes = { 'public.orders': { inserted: 6, updated: 0, deleted: 0 } };
    };
    const { outcome, status } = await roll(reopened, force);
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'writes-would-be-lost' } });
    expect(world.effects.filter((effect) => effect.startsWith('rename'))).toEqual([]);
    expect([world.door.kind, world.isHooked, status.state]).toEqual(['open', false, 'reopened']);
    expect(world.databases[0]).toMatchObject({ name: 'shop', allowsConnections: true });
    expect(status.rollback).toBeUndefined();
  });

  test('an open site on a good database is not held for want of a way back', async () => {
    const dropped = { ...reopened, restorePoint: { ...restorePoint, droppedAt: at(-5) } };
    const { outcome, status } = await roll(dropped, force);
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'no-restore-point',
        state: 'The site is open on the changed database; nothing was done.',
      },
    });
    expect([world.effects, status.state]).toEqual([[], 'reopened']);
  });
});

describe('a clone', () => {
  test('is proved by who answers under the name, and no row is counted', async () => {
    closed();
    world.database.countRows = () => {
      throw new Error('this would take longer the larger the database is');
    };
    const { outcome, status } = await roll(changing);
    expect(outcome).toMatchObject({ kind: 'done', outputs: { outcome: 'restored' } });
    expect(status.state).toBe('rolled-back');
  });

  test('that somebody changed is not swapped in, and nothing is renamed', async () => {
    closed();
    world.databases = world.databases.map((entry) =>
      entry.name === clone ? { ...entry, bytes: 9_000_000 } : entry,
    );
    const { outcome, status } = await roll(changing);
    expect(outcome).toMatchObject({
      failure: {
        code: 'restore-point-changed',
        state: expect.stringContaining('the failed database still has its name') as unknown,
      },
    });
    expect(world.effects.filter((effect) => effect.startsWith('rename'))).toEqual([]);
    expect(status.state).toBe('held');
  });

  test('that somebody let sessions into is not swapped in, whatever its size', async () => {
    closed();
    world.databases = world.databases.map((entry) =>
      entry.name === clone ? { ...entry, allowsConnections: true } : entry,
    );
    const { outcome, status } = await roll(changing);
    expect(outcome).toMatchObject({
      failure: {
        code: 'restore-point-changed',
        message: expect.stringContaining('allows connections') as unknown,
      },
    });
    expect(world.effects.filter((effect) => effect.startsWith('rename'))).toEqual([]);
    expect(status.state).toBe('held');
  });

  test('that is gone holds the window before anything is renamed', async () => {
    closed();
    world.databases = world.databases.filter(({ name }) => name !== clone);
    const { outcome, status } = await roll(changing);
    expect(outcome).toMatchObject({ failure: { code: 'restore-point-gone' } });
    expect(world.effects.filter((effect) => effect.startsWith('rename'))).toEqual([]);
    expect(status.state).toBe('held');
  });

  test('whose name leads elsewhere is not proved', async () => {
    closed();
    world.database.queryValue = () => Promise.resolve('4711');
    const { outcome, status } = await roll(changing);
    expect(outcome).toMatchObject({ failure: { code: 'restore-point-unproved' } });
    expect([status.state, world.door.kind]).toEqual(['held', 'closed']);
  });
});
