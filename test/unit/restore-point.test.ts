import { describe, expect, test } from '@jest/globals';
import {
  chooseRestorePoint,
  describeRestorePoint,
  type RestorePointChoice,
  type RestorePointSituation,
} from '../../src/phases/restore-point.ts';
import { at, backup } from '../fixtures/record-factory.ts';

const obstacle = 'the role has no CREATEDB';

describe('the choice of a restore point', () => {
  test.each<[RestorePointSituation, RestorePointChoice]>([
    [{ wanted: 'auto', mayClone: true }, { kind: 'clone' }],
    [{ wanted: 'clone', mayClone: true }, { kind: 'clone' }],
    [
      { wanted: 'backup', mayClone: true },
      { kind: 'backup', reason: 'the plan asks for it' },
    ],
    [
      { wanted: 'auto', mayClone: false, obstacle },
      { kind: 'backup', reason: `no clone: ${obstacle}` },
    ],
    [
      { wanted: 'clone', mayClone: false, obstacle },
      { kind: 'impossible', reason: obstacle },
    ],
    [
      { wanted: 'backup', mayClone: false, obstacle },
      { kind: 'backup', reason: 'the plan asks for it' },
    ],
  ])('for %j', (situation, choice) => {
    expect(chooseRestorePoint(situation)).toEqual(choice);
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
  expect(describeRestorePoint(clone)).toBe('clone shop_mw_rp (1 KiB), taken in 0.7 s');
  expect(describeRestorePoint({ kind: 'backup', takenAt: at(41), seconds: 9, backup })).toBe(
    `verified backup ${backup.directory}, retaken while closed in 9 s`,
  );
});
