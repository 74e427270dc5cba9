import { describe, expect, test } from '@jest/globals';
import { afterFailure, type FailureSituation } from '../../src/record/failure-policy.ts';
import { blastClasses, windowStates } from '../../src/record/life.ts';

/** Everything that can be the case. */
const situations: readonly FailureSituation[] = windowStates.flatMap((state) =>
  blastClasses.flatMap((blast) =>
    (['rollback', 'hold'] as const).flatMap((policy) =>
      [true, false].flatMap((hasRestorePoint) =>
        [true, false].flatMap((hasVerifiedBackup) =>
          [true, false].flatMap((asked) =>
            [true, false].map((acceptsLoss) => ({
              state,
              blast,
              policy,
              hasRestorePoint,
              hasVerifiedBackup,
              asked,
              acceptsLoss,
            })),
          ),
        ),
      ),
    ),
  ),
);

const closed: FailureSituation = {
  state: 'changing',
  blast: 'schema',
  policy: 'rollback',
  hasRestorePoint: true,
  hasVerifiedBackup: true,
  asked: false,
  acceptsLoss: false,
};

function decide(change: Partial<FailureSituation>): string {
  return afterFailure({ ...closed, ...change }).kind;
}

describe('changes that were proved, on a site that a host kept from reopening', () => {
  const away = { unopened: 'web3 could not be opened' };

  test.each(['changed', 'reopening'] as const)('are held when the window is %s', (state) => {
    expect(decide({ ...away, state })).toBe('hold');
    expect(afterFailure({ ...closed, ...away, state }).reason).toContain(
      'web3 could not be opened',
    );
  });

  test('are given up when an operator asks', () => {
    expect(decide({ ...away, state: 'changed', asked: true })).toBe('restore');
  });

  test('do not keep a half-made change from being taken back', () => {
    expect(decide({ ...away, state: 'changing' })).toBe('restore');
  });

  test('are no reason to hold what can be reopened without a loss', () => {
    expect(decide({ ...away, state: 'changed', blast: 'app' })).toBe('reopen');
  });
});

describe('whatever is the case', () => {
  test('a site is never reopened on what was changed while it was closed', () => {
    const reopened = situations.filter((situation) => afterFailure(situation).kind === 'reopen');
    expect(reopened.length).toBeGreaterThan(0);
    const onChange = reopened
      .filter(({ blast }) => blast === 'schema' || blast === 'data')
      .map(({ state }) => state);
    // In these nothing was changed yet; the class is that of tasks done while the public was served.
    expect(new Set(onChange)).toEqual(new Set(['closing', 'closed']));
  });

  test('writes of the public are never lost unasked', () => {
    const lossy = situations
      .filter(
        ({ hasRestorePoint, asked, acceptsLoss }) => !hasRestorePoint && !(asked && acceptsLoss),
      )
      .filter((situation) => afterFailure(situation).kind === 'restore');
    expect(lossy).toEqual([]);
  });

  test('nothing is restored from nothing', () => {
    const restored = situations.filter((situation) => afterFailure(situation).kind === 'restore');
    expect(restored.length).toBeGreaterThan(0);
    expect(
      restored.filter(
        ({ hasRestorePoint, hasVerifiedBackup }) => !hasRestorePoint && !hasVerifiedBackup,
      ),
    ).toEqual([]);
  });

  test('a plan that says hold is held to, unless an operator asks by name', () => {
    const overruled = situations
      .filter(({ policy, asked }) => policy === 'hold' && !asked)
      .filter((situation) => afterFailure(situation).kind === 'restore');
    expect(overruled).toEqual([]);
  });

  test('a held window stays held until an operator asks', () => {
    const kinds = situations
      .filter(({ state, asked }) => state === 'held' && !asked)
      .map((situation) => afterFailure(situation).kind);
    expect(new Set(kinds)).toEqual(new Set(['hold']));
  });

  test('a closed site is never left with nothing to do', () => {
    const left = situations
      .filter((situation) => afterFailure(situation).kind === 'nothing-to-do')
      .map(({ state }) => state);
    expect(new Set(left)).toEqual(new Set(['rolled-back', 'reopened']));
  });

  test('what was decided has a reason', () => {
    expect(situations.filter((situation) => afterFailure(situation).reason === '')).toEqual([]);
  });
});

describe('what follows', () => {
  test.each([
    ['a failure before closing', { state: 'prepared', blast: 'app' }, 'clean-up'],
    ['a failed online change', { state: 'prepared', blast: 'data' }, 'clean-up'],
    ['a failed drain', { state: 'closing', blast: 'app' }, 'reopen'],
    ['a failed restore point', { state: 'closed', blast: 'app' }, 'reopen'],
    ['a failed migration', { state: 'changing', blast: 'schema' }, 'restore'],
    ['a failed smoke test', { state: 'changed', blast: 'data' }, 'restore'],
    ['a failed reopening', { state: 'reopening', blast: 'schema' }, 'restore'],
    ['a failed migration that is to be held', { policy: 'hold' }, 'hold'],
    ['the same, asked for by name', { policy: 'hold', asked: true }, 'restore'],
    [
      'a failed migration without any copy',
      { hasRestorePoint: false, hasVerifiedBackup: false },
      'hold',
    ],
    ['a failed change with an online backup only', { hasRestorePoint: false }, 'hold'],
    [
      'the same, asked for with consent to lose writes',
      { hasRestorePoint: false, asked: true, acceptsLoss: true },
      'restore',
    ],
    [
      'a failed restore point after an online change',
      { state: 'closed', blast: 'data', hasRestorePoint: false },
      'reopen',
    ],
    ['a killed rollback', { state: 'rolling-back' }, 'restore'],
    ['a held window, asked for by name', { state: 'held', asked: true }, 'restore'],
    ['a second rollback', { state: 'rolled-back' }, 'nothing-to-do'],
    [
      'a window without changes that ended well',
      { state: 'reopened', blast: 'app' },
      'nothing-to-do',
    ],
    ['a window with changes that ended well', { state: 'reopened', asked: true }, 'restore'],
  ] as const)('%s', (_, change, kind) => {
    expect(decide(change)).toBe(kind);
  });
});
