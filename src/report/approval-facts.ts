import type { Approval } from '../ports/github.ts';
import type { Plan } from '../plan/plan.ts';

/** A review as the report tells it. */
export interface ApprovalFact extends Approval {
  /** The reviewer is the one who started the run. */
  readonly selfApproval: boolean;
}

export interface ApprovalFacts {
  /** `false` when GitHub could not be asked; then nothing is known of approvals. */
  readonly known: boolean;
  readonly note: string | null;
  readonly reviews: readonly ApprovalFact[];
}

/** Reads the reviews; GitHub logins are equal whatever their case. */
export function approvalFacts(
  approvals: readonly Approval[] | undefined,
  note: string | undefined,
  actor: string | undefined,
): ApprovalFacts {
  return {
    known: approvals !== undefined,
    note: note ?? null,
    reviews: (approvals ?? []).map((approval) => ({
      state: approval.state,
      user: approval.user,
      comment: approval.comment,
      environments: [...approval.environments],
      selfApproval: approval.state === 'approved' && sameLogin(approval.user, actor),
    })),
  };
}

/** Approvals by somebody other than the one who started the run. */
export function independentApprovals(facts: ApprovalFacts): readonly ApprovalFact[] {
  return facts.reviews.filter(({ state, selfApproval }) => state === 'approved' && !selfApproval);
}

/** Which contact of the plan a login belongs to, when the plan names it with the contact: `Ada Park (@ada)`. */
export function isContact(login: string, contact: string | undefined): boolean {
  return [...(contact ?? '').matchAll(/(?<![\w.+-])@([A-Za-z0-9][A-Za-z0-9-]*)/g)].some(
    ([, name = '']) => sameLogin(login, name),
  );
}

/** A line of the sign-off block at the end of the checklist. */
export interface SignOff {
  readonly title: string;
  readonly value: string;
}

/** Who signed before and after: the reviews of gates, told by the gates' names. */
export function signOffs(facts: ApprovalFacts, plan: Plan): readonly SignOff[] {
  const by = (names: (name: string) => boolean): string =>
    facts.reviews
      .filter(({ state, environments }) => state === 'approved' && environments.some(names))
      .map(({ user, selfApproval }) => (selfApproval ? `${user} (self-approval)` : user))
      .join(', ');
  const isSignOff = (name: string): boolean => /sign-?off/i.test(name);
  return [
    {
      title: 'Pre-maintenance sign-off',
      value: by((name) => plan.preflight.gates.includes(name) && !isSignOff(name)),
    },
    { title: 'Post-maintenance sign-off', value: by(isSignOff) },
  ];
}

function sameLogin(a: string, b: string | undefined): boolean {
  return a.toLowerCase() === b?.toLowerCase();
}
