import { describe, expect, test } from '@jest/globals';
import { compareContents, fewOf } from '../../src/phases/backups/content-comparison.ts';
import { estimateRestore } from '../../src/phases/backups/restore-estimate.ts';
import type { DatabaseContents } from '../../src/ports/database-contents.ts';
import type { RecordCopy } from '../../src/record/window-record.ts';
import { backup, statusOf } from '../fixtures/record-factory.ts';

const contents: DatabaseContents = {
  schemaVersion: 1,
  serverMajor: 15,
  rowHash: 'record',
  catalogue: {
    'table public.orders': { facts: { owner: 'shop', tablespace: 'fast' } },
    'function public.total()': { facts: { definition: 'SELECT 1' } },
    'index public.broken': {
      facts: { valid: 'false' },
      leftOut: 'pg_dump leaves invalid indexes out',
    },
    'extension hstore': { facts: { version: '1.8' }, notDumped: { owner: 'postgres' } },
  },
  sequences: { 'public.ids': { value: '10', called: true } },
  tables: { 'public.orders': { rows: 3, hash: '17', generated: '4' } },
  views: { 'public.totals': { rows: 1, hash: '5' } },
  largeObjects: { '0 to 4194303': { objects: 2000, hash: '9' } },
  later: { catalogue: {}, sequences: {} },
};
type Change = Partial<DatabaseContents>;

describe('two contents', () => {
  test.each<[string, Change, Change, string[], string[]]>([
    ['that are the same', {}, {}, [], []],
    [
      'with an invalid index that a dump leaves out',
      {},
      { catalogue: without('index public.broken') },
      [],
      ['index public.broken is not there: pg_dump leaves invalid indexes out'],
    ],
    [
      'with another owner of an extension',
      {},
      {
        catalogue: {
          ...contents.catalogue,
          'extension hstore': { facts: { version: '1.8' }, notDumped: { owner: 'eve' } },
        },
      },
      [],
      ['extension hstore: owner is eve instead of postgres'],
    ],
    [
      'with a function that was changed meanwhile',
      {
        later: {
          catalogue: { 'function public.total()': { facts: { definition: 'SELECT 2' } } },
          sequences: {},
        },
      },
      {
        catalogue: {
          ...contents.catalogue,
          'function public.total()': { facts: { definition: 'SELECT 2' } },
        },
      },
      [],
      ['function public.total() was changed while the dump was taken'],
    ],
    [
      'with a function that is neither what it was nor what it became',
      {
        later: {
          catalogue: { 'function public.total()': { facts: { definition: 'SELECT 2' } } },
          sequences: {},
        },
      },
      {
        catalogue: {
          ...contents.catalogue,
          'function public.total()': { facts: { definition: 'SELECT 3' } },
        },
      },
      ['function public.total(): definition is SELECT 3 instead of SELECT 1'],
      [],
    ],
    [
      'with a sequence between its two positions',
      { later: { catalogue: {}, sequences: { 'public.ids': { value: '20', called: true } } } },
      { sequences: { 'public.ids': { value: '15', called: true } } },
      [],
      ['sequence public.ids moved on while the dump was taken'],
    ],
    [
      'with a sequence behind both of its positions',
      { later: { catalogue: {}, sequences: { 'public.ids': { value: '20', called: true } } } },
      { sequences: { 'public.ids': { value: '9', called: true } } },
      ['sequence public.ids is at 9 instead of at 10 to at 20'],
      [],
    ],
    [
      'with other values in generated columns',
      {},
      { tables: { 'public.orders': { rows: 3, hash: '17', generated: '5' } } },
      [],
      ['table public.orders has other values in generated columns, which a restore computes anew'],
    ],
    [
      'with fewer large objects',
      {},
      { largeObjects: { '0 to 4194303': { objects: 1999, hash: '8' } } },
      ['large object 0 to 4194303: 1999 instead of 2000'],
      [],
    ],
    [
      'of servers of another version, whose definitions are told',
      {},
      {
        serverMajor: 17,
        catalogue: {
          ...without('index public.broken'),
          'function public.total()': { facts: { definition: 'SELECT  1;' } },
        },
      },
      [],
      [
        'function public.total(): definition is SELECT 1; instead of SELECT 1',
        'index public.broken is not there: pg_dump leaves invalid indexes out',
      ],
    ],
    [
      'whose rows were hashed in other ways',
      {},
      { rowHash: 'text', tables: { 'public.orders': { rows: 3, hash: '99' } } },
      [],
      ['the rows were hashed in different ways, and only counted'],
    ],
  ])('%s', (_, expected, found, differences, told) => {
    expect(compareContents({ ...contents, ...expected }, { ...contents, ...found })).toEqual({
      differences,
      told,
    });
  });

  test('on different servers may lie in different tablespaces', () => {
    const moved = {
      ...contents,
      catalogue: {
        ...contents.catalogue,
        'table public.orders': { facts: { owner: 'shop', tablespace: 'of the database' } },
      },
    };
    const words = ['table public.orders: tablespace is of the database instead of fast'];
    expect(compareContents(contents, moved, { elsewhere: true })).toEqual({
      differences: [],
      told: words,
    });
    expect(compareContents(contents, moved).differences).toEqual(words);
  });

  test('show where long definitions part, and not all of them', () => {
    const long = (end: string): Change => ({
      catalogue: {
        ...contents.catalogue,
        'function public.total()': { facts: { definition: `${'x'.repeat(500)} ${end}` } },
      },
    });
    const { differences } = compareContents(
      { ...contents, ...long('old') },
      { ...contents, ...long('new') },
    );
    expect(differences[0]).toContain('x new instead of …');
    expect(differences[0]?.length).toBeLessThan(150);
  });
});

function without(name: string): DatabaseContents['catalogue'] {
  return Object.fromEntries(Object.entries(contents.catalogue).filter(([key]) => key !== name));
}

test('a list for one sentence is bounded', () => {
  expect(fewOf(['a', 'b', 'c'], 2)).toBe('a; b; and 1 more');
  expect(fewOf(['a'], 2)).toBe('a');
});

describe('a guess at a restore', () => {
  const earlier = (
    bytes: number,
    restoreSeconds: number,
    restoreBasis?: 'estimated',
  ): RecordCopy => ({
    status: statusOf({
      backup: {
        ...backup,
        bytes,
        restoreSeconds,
        ...(restoreBasis === undefined ? {} : { restoreBasis }),
      },
    }),
    journal: [],
  });

  test.each([
    [[], 100, 20, 'a guess from the size of the database'],
    [[earlier(100, 7), earlier(100, 9)], 100, 9, 'a guess from the slowest of 2 earlier restores'],
    // Grown since, and never shorter than it was.
    [[earlier(50, 7)], 100, 14, 'a guess from the slowest of 1 earlier restores'],
    [[earlier(200, 7)], 100, 7, 'a guess from the slowest of 1 earlier restores'],
    // A guess is no basis for the next one.
    [[earlier(100, 1, 'estimated')], 100, 20, 'a guess from the size of the database'],
  ])('from %# earlier windows', (history, backupBytes, seconds, basis) => {
    expect(estimateRestore(history, { backupBytes, databaseBytes: 400e6 })).toEqual({
      seconds,
      basis,
    });
  });
});
