import type { BlastClass, WindowState } from './life.ts';

export type FailurePolicy = 'rollback' | 'hold';

/** What follows a failure; looked up, never improvised. */
export type AfterFailure =
  | { readonly kind: 'nothing-to-do'; readonly reason: string }
  | { readonly kind: 'clean-up'; readonly reason: string }
  | { readonly kind: 'reopen'; readonly reason: string }
  | { readonly kind: 'restore'; readonly reason: string }
  | { readonly kind: 'hold'; readonly reason: string };

export interface FailureSituation {
  readonly state: WindowState;
  /** The worst class that was begun in this window. */
  readonly blast: BlastClass;
  /** What the plan wants from `schema` on. */
  readonly policy: FailurePolicy;
  /** Taken while closed: going back to it loses nothing. */
  readonly hasRestorePoint: boolean;
  /** Taken while the public was served: going back to it loses what was written since. */
  readonly hasVerifiedBackup: boolean;
  /**
   * Why all changes were proved and the site could not be reopened all the same, when that is no fault of the
   * application: a web host that is away, or what stands before them.
   */
  readonly unopened?: string | undefined;
  /** An operator asked for the rollback by name: a policy of `hold` no longer holds it back. */
  readonly asked: boolean;
  /** The operator consents to lose writes. */
  readonly acceptsLoss: boolean;
}

/**
 * Decides what happens after a failure. Below `schema` the window may reopen by itself; from `schema` on it
 * restores or holds, as the plan says; on an unknown state it never reopens, and it never loses writes unasked.
 */
export function afterFailure(situation: FailureSituation): AfterFailure {
  const { state, blast, policy, asked } = situation;
  if (state === 'rolled-back') {
    return { kind: 'nothing-to-do', reason: 'this window was rolled back already' };
  }
  if (state === 'planned' || state === 'prepared') {
    return {
      kind: 'clean-up',
      reason: 'the site was never closed; only preparations are taken back',
    };
  }
  if (state === 'held' && !asked) {
    return { kind: 'hold', reason: 'it was held before, and only an operator goes on from there' };
  }
  if (state === 'closing' || state === 'closed') {
    // Changes of tasks that ran before were made, and proved, while the public was served.
    return { kind: 'reopen', reason: 'nothing was changed since the site was closed' };
  }
  if (blast === 'none' || blast === 'app') {
    if (state === 'reopened') {
      return {
        kind: 'nothing-to-do',
        reason: 'the site is open and no schema or data was changed',
      };
    }
    return { kind: 'reopen', reason: `nothing beyond class "${blast}" was begun` };
  }
  const { unopened } = situation;
  if (unopened !== undefined && !asked && (state === 'changed' || state === 'reopening')) {
    return {
      kind: 'hold',
      reason: `all changes were proved, and ${unopened}: going back would lose them and open nothing more`,
    };
  }
  if (policy === 'hold' && !asked) {
    return {
      kind: 'hold',
      reason: `a change of class "${blast}" was begun and the plan says to hold`,
    };
  }
  if (!situation.hasRestorePoint) {
    const { hasVerifiedBackup, acceptsLoss } = situation;
    if (hasVerifiedBackup && asked && acceptsLoss) {
      return {
        kind: 'restore',
        reason: `a change of class "${blast}" was begun, there is no restore point, and an operator accepts to lose what was written since the backup`,
      };
    }
    return {
      kind: 'hold',
      reason: hasVerifiedBackup
        ? `a change of class "${blast}" was begun and there is no restore point; the verified backup lacks what was written since it was taken, so only an operator goes back to it (force and accept-data-loss)`
        : `a change of class "${blast}" was begun and there is neither a restore point nor a verified backup`,
    };
  }
  return { kind: 'restore', reason: `a change of class "${blast}" was begun` };
}
