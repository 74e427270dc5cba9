import { describe, expect, test } from '@jest/globals';
import { describeRestorePoint } from '../../src/phases/restore-point.ts';
import {
  chooseRestorePoint,
  obstaclesFor,
  type Obstacles,
  type RestorePointChoice,
  type WantedRestorePoint,
} from '../../src/phases/restore-points/choice.ts';
import { previewRestorePoint } from '../../src/phases/restore-points/consideration.ts';
import { factsOf } from '../fixtures/database-facts.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { at, backup } from '../fixtures/record-factory.ts';

const obstacle = 'the role has no CREATEDB';

describe('the choice of a restore point', () => {
  test.each<[WantedRestorePoint, Obstacles, RestorePointChoice]>([
    ['auto', { clone: undefined }, { kind: 'clone', reason: 'the quickest way back' }],
    [
      'auto',
      { clone: obstacle, dump: undefined },
      { kind: 'dump', reason: `no clone: ${obstacle}` },
    ],
    [
      'auto',
      { clone: obstacle, standby: undefined },
      { kind: 'standby', reason: `no clone: ${obstacle}` },
    ],
    [
      'auto',
      { clone: undefined, standby: 'it lags' },
      { kind: 'clone', reason: 'no standby: it lags' },
    ],
    [
      'auto',
      { clone: obstacle, standby: 'it lags', dump: undefined },
      { kind: 'dump', reason: `no standby: it lags; no clone: ${obstacle}` },
    ],
    [
      'auto',
      { clone: obstacle, dump: 'subscriptions' },
      {
        kind: 'impossible',
        wanted: 'dump',
        reason: `no clone: ${obstacle}; no dump: subscriptions`,
      },
    ],
    ['command', { command: undefined }, { kind: 'command', reason: 'the plan asks for it' }],
    [
      'standby',
      { standby: 'it lags' },
      { kind: 'impossible', wanted: 'standby', reason: 'it lags' },
    ],
    ['clone', { clone: undefined }, { kind: 'clone', reason: 'the plan asks for it' }],
    ['clone', { clone: obstacle }, { kind: 'impossible', wanted: 'clone', reason: obstacle }],
    ['dump', { dump: undefined }, { kind: 'dump', reason: 'the plan asks for it' }],
  ])('%s with %j', (wanted, obstacles, choice) => {
    expect(chooseRestorePoint(wanted, obstacles)).toEqual(choice);
  });

  test.each([
    ['a small database', 0.4, 'clone', 'the replica goes on'],
    ['a database as quick as the replica', 1, 'clone', 'the replica goes on'],
    ['a large database', 70, 'standby', 'copying is expected to take 1 min 10 s (database size)'],
  ])('auto takes for %s what is quicker', (_what, seconds, kind, words) => {
    const times = {
      clone: { seconds, basis: 'database size' },
      standby: { seconds: 1, basis: 'a moment' },
    };
    const choice = chooseRestorePoint('auto', { clone: undefined, standby: undefined }, times);
    expect(choice).toEqual({ kind, reason: expect.stringContaining(words) as unknown });
  });

  test.each<[WantedRestorePoint, boolean, string[], string[]]>([
    ['auto', false, [], ['clone']],
    ['auto', true, [], ['clone', 'standby']],
    ['auto', true, ['clone'], ['clone', 'standby']],
    ['auto', true, ['clone', 'standby'], ['clone', 'standby', 'dump']],
    ['auto', false, ['clone'], ['clone', 'dump']],
    ['command', true, [], ['command']],
  ])('%s (replica: %j, impossible: %j) asks %j', async (wanted, hasStandby, impossible, asked) => {
    const found: string[] = [];
    await obstaclesFor(wanted, hasStandby, (kind) => {
      found.push(kind);
      return Promise.resolve(impossible.includes(kind) ? 'no' : undefined);
    });
    expect(found).toEqual(asked);
  });
});

describe('what preflight tells of it', () => {
  test.each([
    [
      100 * 1024 ** 3,
      'clone: the quickest way back; expected to take 8 min 57 s while closed (database size)',
    ],
    [1024, 'clone: the quickest way back; expected to take 1 s while closed (database size)'],
  ])('for %i bytes', async (bytes, value) => {
    const world = new FakeWorld();
    world.databases = world.databases.map((entry) => ({ ...entry, bytes }));
    const { check, kind } = await previewRestorePoint(await world.contextOf());
    expect({ ...check, kind }).toMatchObject({
      id: 'restore-point',
      verdict: 'passed',
      kind: 'clone',
      value,
    });
  });

  test('where none can be taken', async () => {
    const world = new FakeWorld();
    const subscriptions = [{ name: 'prices', enabled: false }];
    world.database.inspect = () => Promise.resolve(factsOf({ subscriptions }));
    const { check, kind } = await previewRestorePoint(await world.contextOf());
    expect([check.verdict, kind]).toEqual(['failed', undefined]);
    expect(check.value).toMatch(/^none: no clone: .*prices; no dump: /);
  });

  test('where the plan asks for commands that it does not have', async () => {
    const plan = { 'run-db-maintenance': { 'restore-point': 'command' } };
    const { check } = await previewRestorePoint(await new FakeWorld().contextOf({}, { plan }));
    expect(check).toMatchObject({
      verdict: 'failed',
      value: 'no command: the plan has no run-db-maintenance.restore-point-command',
    });
  });
});

test('a restore point for people names what it is', () => {
  const clone = {
    kind: 'clone',
    takenAt: at(41),
    seconds: 0.7,
    database: 'shop_mw_rp',
    oid: 7,
    bytes: 1024,
  } as const;
  expect(describeRestorePoint(clone)).toBe('clone shop_mw_rp (1 KiB), taken while closed in 0.7 s');
  expect(describeRestorePoint({ kind: 'dump', takenAt: at(41), seconds: 9, backup })).toMatch(
    `dump ${backup.directory} (`,
  );
});
