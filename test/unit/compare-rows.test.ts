import { describe, expect, test } from '@jest/globals';
import { compareRows } from '../../src/phases/backups/row-comparison.ts';

const rows = { 'public.orders': 3, 'public.items': 0 };

describe('comparing the rows of a copy', () => {
  test.each([
    ['equal ones', rows, undefined],
    ['equal ones in another order', { 'public.items': 0, 'public.orders': 3 }, undefined],
    ['fewer rows', { ...rows, 'public.orders': 2 }, 'table public.orders has 2 rows instead of 3'],
    ['more rows', { ...rows, 'public.items': 1 }, 'table public.items has 1 rows instead of 0'],
    // An empty table counts too.
    ['a table too few', { 'public.orders': 3 }, 'table public.items is missing'],
    ['a table too many', { ...rows, 'public.new': 0 }, 'table public.new is not in the backup'],
  ])('%s', (_, actual, expected) => {
    expect(compareRows(rows, actual)).toBe(expected);
  });

  test('of nothing with nothing finds no difference', () => {
    expect(compareRows({}, {})).toBeUndefined();
  });
});
