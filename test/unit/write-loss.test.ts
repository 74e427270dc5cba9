import { describe, expect, test } from '@jest/globals';
import { describeWrites } from '../../src/phases/write-loss.ts';

const none = { inserted: 0, updated: 0, deleted: 0 };
const before = { 'public.orders': { inserted: 10, updated: 5, deleted: 1 }, 'public.log': none };

describe('the writes between two looks', () => {
  test.each([
    ['none', before, undefined],
    [
      'some of each kind',
      { ...before, 'public.orders': { inserted: 12, updated: 6, deleted: 4 } },
      'public.orders: 2 inserted, 1 updated, 3 deleted',
    ],
    [
      'of one kind, in two tables',
      {
        'public.orders': { inserted: 10, updated: 6, deleted: 1 },
        'public.log': { ...none, inserted: 7 },
      },
      'public.orders: 1 updated; public.log: 7 inserted',
    ],
    [
      'into a table that was not there',
      { ...before, 'public.new': { ...none, inserted: 2 } },
      'public.new: 2 inserted',
    ],
    ['a new table without rows', { ...before, 'public.new': none }, undefined],
    [
      'counters that went back, beside one that did not',
      { ...before, 'public.orders': { inserted: 2, updated: 6, deleted: 1 } },
      'public.orders: an unknown number inserted, 1 updated',
    ],
    ['a table that is gone', { 'public.log': none }, 'public.orders: gone'],
  ])('%s', (_, now, expected) => {
    expect(describeWrites(before, now)).toBe(expected);
  });
});
