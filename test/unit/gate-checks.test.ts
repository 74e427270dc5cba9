import { describe, expect, test } from '@jest/globals';
import { checkGates, judgeGate } from '../../src/phases/gate-checks.ts';
import type { PreflightContext } from '../../src/phases/preflight.ts';
import { fail } from '../../src/ports/failure.ts';
import type { GateEnvironment, GitHub } from '../../src/ports/github.ts';
import { planOf } from '../fixtures/record-factory.ts';

function environment(change: { reviewers?: string[]; preventsSelfReview?: boolean } = {}) {
  return {
    kind: 'found',
    reviewers: ['bo-lind', 'team:dba'],
    preventsSelfReview: false,
    waitMinutes: 0,
    ...change,
  } as const;
}

const missing = { kind: 'missing' } as const;
const unreadable = { kind: 'unreadable', reason: 'the token may not read it' } as const;
const unprotected = environment({ reviewers: [] });

describe('a gate', () => {
  test('with required reviewers passes, and names them', () => {
    expect(judgeGate('approval', environment(), false)).toEqual({
      id: 'gate-approval',
      title: 'Gate approval',
      verdict: 'passed',
      value: 'reviewers bo-lind, team:dba',
      limit: 'exists and has required reviewers',
    });
  });

  test('tells when nobody may review a run of his own', () => {
    const gate = environment({ preventsSelfReview: true });
    expect(judgeGate('approval', gate, false).value).toBe(
      'reviewers bo-lind, team:dba, no self-review',
    );
  });

  test.each<[GateEnvironment, string, RegExp]>([
    [missing, 'there is no environment of that name', /required reviewers/],
    [unreadable, 'cannot be read: the token may not read it', /actions: read/],
    [unprotected, 'has no required reviewers', /required reviewers/],
  ])('%j is none', (gate, value, next) => {
    const check = judgeGate('approval', gate, false);
    expect(check).toMatchObject({ verdict: 'failed' });
    expect(check.value).toContain(value);
    expect(check.next).toMatch(next);
    expect(check.next).toContain('preflight.accept-unprotected');
  });

  test.each<[GateEnvironment, string]>([
    [missing, 'there is no environment of that name'],
    [unreadable, 'cannot be read: the token may not read it'],
    [unprotected, 'has no required reviewers'],
  ])(
    '%j that the plan accepts by name is a warning and still tells what is wrong',
    (gate, value) => {
      const check = judgeGate('approval', gate, true);
      expect(check.verdict).toBe('warning');
      expect(check.value).toContain(value);
      expect(check.value).toMatch(/; accepted by name in the plan$/);
    },
  );

  test('with reviewers passes as such although the plan would accept it without', () => {
    expect(judgeGate('approval', environment(), true)).toEqual(
      judgeGate('approval', environment(), false),
    );
  });
});

describe('the gates of a plan', () => {
  const plan = planOf({
    preflight: { gates: ['approval', 'second', 'broken'], 'accept-unprotected': ['second'] },
  });

  function contextOf(change: { gated?: boolean; github?: GitHub | undefined }): PreflightContext {
    // The gates need nothing else of it.
    return { plan, gated: true, github: undefined, ...change } as unknown as PreflightContext;
  }

  function githubWith(answer: (name: string) => GateEnvironment): GitHub {
    return {
      environment: async (name) => answer(name),
      approvals: async () => [],
      jobs: async () => [],
    };
  }

  test('are all asked for, and each is judged for itself', async () => {
    const github = githubWith((name) =>
      name === 'approval' ? environment() : name === 'second' ? unprotected : missing,
    );
    expect(await checkGates(contextOf({ github }))).toMatchObject([
      { id: 'gate-approval', verdict: 'passed' },
      { id: 'gate-second', verdict: 'warning' },
      { id: 'gate-broken', verdict: 'failed' },
    ]);
  });

  test('that cannot be asked for count as unreadable, not as good', async () => {
    const github = githubWith((name) =>
      name === 'approval'
        ? environment()
        : fail({ code: 'github', message: `No answer on ${name}.`, state: 's', next: 'n' }),
    );
    const checks = await checkGates(contextOf({ github }));
    expect(checks.map(({ verdict }) => verdict)).toEqual(['passed', 'warning', 'failed']);
    expect(checks[2]?.value).toBe('cannot be read: No answer on broken.');
  });

  test('do not stand before a window in one job, whatever GitHub has', async () => {
    const github = githubWith(() => missing);
    const checks = await checkGates(contextOf({ github, gated: false }));
    expect(checks).toMatchObject([{ id: 'gates', verdict: 'not-applicable' }]);
    expect(checks[0]?.value).toMatch(/^a window in one job has no gates/);
  });

  test('cannot be asked for where GitHub does not run it', async () => {
    const [check, ...more] = await checkGates(contextOf({ github: undefined }));
    expect(more).toEqual([]);
    expect(check).toMatchObject({ id: 'gates', verdict: 'not-applicable' });
    expect(check?.value).toMatch(/^not run by GitHub/);
  });
});
