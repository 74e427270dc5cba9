import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  blastClasses,
  isObliged,
  isOver,
  mayBecome,
  windowStates,
  worst,
  type WindowState,
} from '../../src/record/life.ts';

/** States that can be reached from one, itself included. */
function reachable(from: WindowState): Set<WindowState> {
  const found = new Set<WindowState>([from]);
  for (const state of found) {
    for (const next of windowStates) if (mayBecome(state, next)) found.add(next);
  }
  return found;
}

describe('the life of a window', () => {
  test('begins planned and may come to every state', () => {
    expect([...reachable('planned')].sort()).toEqual([...windowStates].sort());
  });

  test.each(windowStates)('from %s it may stay', (state) => {
    expect(mayBecome(state, state)).toBe(true);
  });

  test.each(windowStates.filter((state) => state !== 'rolled-back'))(
    'from %s a rollback may begin, and bring the site back as it was',
    (state) => {
      expect(mayBecome(state, 'rolling-back')).toBe(true);
      expect(reachable(state).has('rolled-back')).toBe(true);
    },
  );

  test('rolled back is the end', () => {
    expect([...reachable('rolled-back')]).toEqual(['rolled-back']);
  });

  test.each([
    ['planned', 'closed'],
    ['planned', 'changing'],
    ['prepared', 'changing'],
    ['closing', 'changing'],
    ['closed', 'reopened'],
    ['changing', 'reopening'],
    ['changing', 'closed'],
    ['changed', 'reopened'],
    ['reopened', 'changing'],
    ['reopened', 'closed'],
    ['held', 'reopened'],
    ['held', 'changing'],
  ] as const)('%s does not become %s without what comes between', (from, to) => {
    expect(mayBecome(from, to)).toBe(false);
  });

  test.each(['closed', 'changed', 'held'] as const)(
    'a reopening that failed on one of several hosts goes back to %s, which is where it came from',
    (state) => {
      expect([mayBecome(state, 'reopening'), mayBecome('reopening', state)]).toEqual([true, true]);
    },
  );

  test('a window that is over owes nothing, and nothing that may stand closed is over', () => {
    expect(windowStates.filter(isOver)).toEqual(['reopened', 'rolled-back']);
    expect(windowStates.filter((state) => isOver(state) && isObliged(state))).toEqual([]);
    expect(windowStates.filter((state) => !isObliged(state))).toEqual([
      'planned',
      'prepared',
      'reopened',
      'rolled-back',
    ]);
  });
});

test('the worse of two classes does not depend on order, and never gets better', () => {
  const blast = fc.constantFrom(...blastClasses);
  fc.assert(
    fc.property(blast, blast, blast, (a, b, c) => {
      expect(worst(a, b)).toBe(worst(b, a));
      expect(worst(worst(a, b), c)).toBe(worst(a, worst(b, c)));
      expect(worst(worst(a, b), a)).toBe(worst(a, b));
    }),
  );
  expect(worst('none', 'data')).toBe('data');
  expect(worst('schema', 'app')).toBe('schema');
});
