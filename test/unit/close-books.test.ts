import { describe, expect, test } from '@jest/globals';
import {
  archiveRecord,
  dropKeptRestorePoints,
  dropOlderRestorePoints,
  dropRestorePoint,
} from '../../src/phases/close-books.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { archivedRecords } from '../../src/record/archived-records.ts';
import type { RestorePoint } from '../../src/record/restore-point.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { at } from '../fixtures/record-factory.ts';

const given = {
  mode: 'fake',
  prior: null,
  closedAt: at(40),
  reopenedAt: at(45),
  restoration: '1 file given back',
};
const { restoration: _, ...hooked } = given;
const cron = {
  id: 'cron',
  host: 'local',
  kind: 'cron',
  title: 'crontab of shop',
  resume: 'when-open',
  prior: 'running',
  priorDetail: 'running',
  stopBegunAt: at(41),
} as const;

describe('the record of a window that is open again', () => {
  test.each<[string, Partial<WindowStatus>, boolean]>([
    ['is archived when nothing is owed', { maintenance: given }, true],
    ['stays while what was there before is not given back', { maintenance: hooked }, false],
    [
      'stays while a service is not seen to run again',
      { maintenance: given, services: [cron] },
      false,
    ],
    [
      'is archived when somebody put something else in place of a service',
      { maintenance: given, services: [{ ...cron, note: 'it was changed' }] },
      true,
    ],
  ])('%s', async (_what, status, archived) => {
    const context = await new FakeWorld().contextOf({ state: 'reopened', ...status });
    expect(await archiveRecord(context)).toBe(archived);
  });
});

const pointName = 'shop_mw_20261122_010000_1a2b_restore_point';
const clone: RestorePoint = {
  kind: 'clone',
  takenAt: at(41),
  seconds: 0.7,
  database: pointName,
  oid: 16_500,
  bytes: 1024,
};

function databaseNamed(name: string, oid: number) {
  return { name, oid, allowsConnections: false, connectionLimit: -1, bytes: 1024 };
}

async function booksOf(
  status: Partial<WindowStatus>,
  retention = '0s',
): Promise<{ world: FakeWorld; context: PhaseContext }> {
  const world = new FakeWorld();
  world.databases.push(databaseNamed(pointName, 16_500));
  const context = await world.contextOf(
    { state: 'reopened', maintenance: given, restorePoint: clone, ...status },
    { plan: { report: { 'restore-point-retention': retention } } },
  );
  return { world, context };
}

describe('the restore point of a window that is over', () => {
  test('goes with the report, and the record says when', async () => {
    const { world, context } = await booksOf({});
    await dropRestorePoint(context);
    expect(world.effects).toEqual([`drop ${pointName}`]);
    expect(context.record.status.restorePoint?.droppedAt).toBeDefined();
  });

  test('stays for the time that the plan gives, counted from the reopening', async () => {
    const { world, context } = await booksOf({}, '24h');
    await dropRestorePoint(context);
    expect(world.effects).toEqual([]);
    expect(context.record.status.restorePoint).toMatchObject({
      keptUntil: at(45 + 86_400),
    });
    expect(context.record.status.restorePoint?.droppedAt).toBeUndefined();
    expect(context.record.journal.at(-1)).toMatchObject({ event: 'skipped' });
    world.clock.pass(86_500);
    await dropRestorePoint(context);
    expect(world.effects).toEqual([`drop ${pointName}`]);
  });

  test.each(['held', 'changed', 'rolled-back'] as const)('stays while it is %s', async (state) => {
    const { world, context } = await booksOf({ state });
    await dropRestorePoint(context);
    expect(world.effects).toEqual([]);
    expect(context.record.status.restorePoint).toEqual(clone);
  });

  test('a database of its name with another oid is not dropped in its place', async () => {
    const { world, context } = await booksOf({});
    world.databases = world.databases.map((entry) =>
      entry.oid === 16_500 ? { ...entry, name: 'invoices' } : entry,
    );
    await expect(dropRestorePoint(context)).rejects.toMatchObject({
      failure: { code: 'restore-point-renamed' },
    });
    expect(world.effects).toEqual([]);
  });
});

describe('what earlier windows kept', () => {
  const next = 'mw-20261129-010000-aaaa';

  async function later(
    point: Partial<RestorePoint>,
    state: WindowStatus['state'] = 'reopened',
    earlierState: WindowStatus['state'] = 'reopened',
  ) {
    const { world, context } = await booksOf({
      state: earlierState,
      restorePoint: { ...clone, ...point } as RestorePoint,
    });
    await context.record.archive();
    const now = await world.contextOf({ windowId: next, state, maintenance: given });
    const request = { stateDir: '/state', name: 'shop', runId: 'r2' };
    const earlier = await archivedRecords(world.host, world.clock, request);
    return { world, now, earlier, request };
  }

  test.each([
    ['goes when its time is over', at(0), 'reopened', 'reopened', true],
    [
      'goes when its time is over, before the next window has begun',
      at(0),
      'planned',
      'reopened',
      true,
    ],
    ['stays until then', at(90_000), 'reopened', 'reopened', false],
    [
      'goes when a report could not drop it and a later window ended well',
      undefined,
      'reopened',
      'reopened',
      true,
    ],
    [
      'stays when a report could not drop it and no later one ended well',
      undefined,
      'planned',
      'reopened',
      false,
    ],
    [
      'is the application’s own when that window was rolled back',
      at(0),
      'reopened',
      'rolled-back',
      false,
    ],
  ] as const)('%s', async (_what, keptUntil, state, earlierState, gone) => {
    const { world, now, earlier, request } = await later(
      keptUntil === undefined ? {} : { keptUntil },
      state,
      earlierState,
    );
    await dropKeptRestorePoints(now, earlier);
    expect(world.effects).toEqual(gone ? [`drop ${pointName}`] : []);
    const [after] = await archivedRecords(world.host, world.clock, request);
    expect(after?.status.restorePoint?.droppedAt !== undefined).toBe(gone);
    expect(after?.journal.some(({ step }) => step === 'drop-restore-point')).toBe(gone);
  });

  test('what cannot be dropped is told, and the next is dropped all the same', async () => {
    const { world, now, earlier } = await later({ keptUntil: at(0) });
    world.bend.before = () => {
      throw new Error('the disk is on fire');
    };
    await dropKeptRestorePoints(now, earlier);
    expect(world.progress.lines.join()).toMatch(/is still there: .*on fire/);
  });

  test('clones that no record tells of go too, those that a record keeps do not', async () => {
    const { world, now, earlier } = await later({ keptUntil: at(90_000) });
    const forgotten = 'shop_mw_20261101_010000_ffff_restore_point';
    world.databases.push(databaseNamed(forgotten, 16_600));
    await dropOlderRestorePoints(now, earlier);
    expect(world.effects).toEqual([`drop ${forgotten}`]);
  });
});
