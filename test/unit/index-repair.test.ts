import { describe, expect, test } from '@jest/globals';
import {
  ownLeftovers,
  planReindex,
  twinOfLeftover,
  type IndexState,
} from '../../src/databases/postgresql/tasks/index-repair.ts';

function index(bareName: string, changes: Partial<IndexState> = {}): IndexState {
  return {
    name: `public.${bareName}`,
    bareName,
    table: 'public.orders',
    relation: '20000',
    fileNode: '1',
    bytes: 8192,
    isValid: true,
    definition: 'btree (customer)',
    isDependedOn: false,
    isExclusion: false,
    isSystem: false,
    isForeign: false,
    isNameable: true,
    isPermitted: true,
    ...changes,
  };
}
const invalid = { isValid: false };
const original = index('by_customer');

describe('twinOfLeftover', () => {
  test.each(['by_customer_ccnew', 'by_customer_ccold', 'by_customer_ccnew2', 'x_ccold17'])(
    '%s is a leftover of its valid twin',
    (name) => {
      const leftover = index(name, invalid);
      expect(twinOfLeftover(leftover, [original, leftover])).toBe(original);
    },
  );

  test.each<[string, IndexState]>([
    ['it is valid', index('by_customer_ccnew')],
    ['its name is no leftover’s', index('by_customer_new', invalid)],
    ['the ending is inside the name', index('by_ccnew_customer', invalid)],
    ['its definition differs', index('a_ccnew', { ...invalid, definition: 'btree (note)' })],
    ['it is on another table', index('a_ccnew', { ...invalid, relation: '20001' })],
    ['a constraint stands on it', index('a_ccnew', { ...invalid, isDependedOn: true })],
  ])('no leftover to drop when %s', (_reason, candidate) => {
    expect(twinOfLeftover(candidate, [original, candidate])).toBeUndefined();
  });

  test('an invalid twin does not count', () => {
    const leftover = index('by_customer_ccnew', invalid);
    const other = index('by_customer', invalid);
    expect(twinOfLeftover(leftover, [leftover, other])).toBeUndefined();
    expect(twinOfLeftover(leftover, [leftover])).toBeUndefined();
  });
});

describe('ownLeftovers', () => {
  test('are new, invalid and like the original, which may be invalid itself', () => {
    const broken = index('by_customer', invalid);
    const old = index('by_customer_ccnew', invalid);
    const fresh = index('by_customer_ccnew1', invalid);
    const foreign = index('else_ccnew', { ...invalid, definition: 'btree (note)' });
    expect(ownLeftovers(broken, [broken, old], [broken, old, fresh, foreign])).toEqual([fresh]);
  });
});

describe('planReindex', () => {
  const all = { concurrently: true, named: false };

  test('drops leftovers first, rebuilds all else concurrently, invalid ones too', () => {
    const leftover = index('by_customer_ccnew', invalid);
    const broken = index('broken', { ...invalid, definition: 'btree (note)' });
    expect(planReindex([original, broken, leftover], all)).toEqual([
      { kind: 'drop', index: leftover, twin: 'public.by_customer' },
      { kind: 'rebuild', index: original, how: { kind: 'concurrently' } },
      { kind: 'rebuild', index: broken, how: { kind: 'concurrently' } },
    ]);
  });

  test.each<[string, Partial<IndexState>, Partial<typeof all>, object]>([
    ['plain when asked', {}, { concurrently: false }, { how: { kind: 'plain', why: 'asked' } }],
    [
      'plain for an exclusion constraint',
      { isExclusion: true },
      {},
      { how: { kind: 'plain', why: 'exclusion' } },
    ],
    [
      'plain for a catalogue by name',
      { isSystem: true, isForeign: true },
      { named: true },
      { how: { kind: 'plain', why: 'system' } },
    ],
    [
      'not for catalogues among all',
      { isSystem: true, isForeign: true },
      {},
      { kind: 'leave', why: 'foreign' },
    ],
    [
      'not for an extension’s among all',
      { isForeign: true, isPermitted: false },
      {},
      { kind: 'leave', why: 'foreign' },
    ],
    [
      'refused for an extension’s by name',
      { isForeign: true, isPermitted: false },
      { named: true },
      { kind: 'leave', why: 'not-permitted' },
    ],
    [
      'refused for another owner’s',
      { isPermitted: false },
      {},
      { kind: 'leave', why: 'not-permitted' },
    ],
    [
      'not where the schema is out of reach',
      { isNameable: false },
      {},
      { kind: 'leave', why: 'unnameable' },
    ],
  ])('%s', (_title, state, options, decision) => {
    const [found] = planReindex([index('a', state)], { ...all, ...options });
    expect(found).toMatchObject(decision);
  });
});
