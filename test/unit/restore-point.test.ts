import { describe, expect, test } from '@jest/globals';
import { describeRestorePoint } from '../../src/phases/restore-point.ts';
import {
  chooseRestorePoint,
  obstaclesFor,
  type Obstacles,
  type RestorePointChoice,
  type WantedRestorePoint,
} from '../../src/phases/restore-points/choice.ts';
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
    ['clone', { clone: undefined }, { kind: 'clone', reason: 'the plan asks for it' }],
    ['clone', { clone: obstacle }, { kind: 'impossible', wanted: 'clone', reason: obstacle }],
    ['dump', { dump: undefined }, { kind: 'dump', reason: 'the plan asks for it' }],
  ])('%s with %j', (wanted, obstacles, choice) => {
    expect(chooseRestorePoint(wanted, obstacles)).toEqual(choice);
  });

  test('asks no further than needed', async () => {
    const asked: string[] = [];
    await obstaclesFor('auto', (kind) => {
      asked.push(kind);
      return Promise.resolve(undefined);
    });
    expect(asked).toEqual(['clone']);
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
