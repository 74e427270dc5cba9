import { isContact } from '../approval-facts.ts';
import { scheduledAndApproved } from './before.ts';
import {
  attestable,
  failed,
  none,
  proof,
  provable,
  type ChecklistFacts,
  type ChecklistSection,
  type Finding,
} from './finding.ts';

type Contact = 'lead' | 'technical' | 'business';

/** Section 15: who agreed. GitHub tells logins, not roles; the plan's contacts tell whose login it is. */
export const approvalSections: readonly ChecklistSection[] = [
  {
    number: 15,
    part: 'Approval',
    title: 'Final approval',
    lines: [
      fromContact('15.1', 'Approval by the technical lead', 'technical'),
      fromContact('15.2', 'Sign-off by operations', 'lead'),
      attestable(
        '15.3',
        'Approval by the security team',
        'GitHub does not tell the roles of reviewers: attest who approved, or declare in the plan that it is not needed.',
      ),
      fromContact('15.4', 'Approval by the business', 'business'),
      attestable('15.5', 'Approval by the change advisory board', ({ input }) => {
        const { reason } = input.record.status.run;
        return `Attest the decision of the board${reason === undefined ? '' : ` (the starter gave as reason: ${reason})`}.`;
      }),
      provable(
        '15.6',
        'Maintenance window confirmed',
        'preflight check `time`, and a gate approved by somebody other than the starter',
        scheduledAndApproved,
      ),
    ],
  },
];

function fromContact(id: string, title: string, role: Contact) {
  return provable(
    id,
    title,
    `a gate approved by the login that \`contacts.${role}\` names, for instance \`Ada Park (@ada)\``,
    (facts) => contactApproval(facts, role),
  );
}

function contactApproval({ approvals, input }: ChecklistFacts, role: Contact): Finding {
  const contact = input.plan.contacts[role];
  const theirs = approvals.reviews.filter(({ user }) => isContact(user, contact));
  const rejected = theirs.find(({ state }) => state === 'rejected');
  if (rejected !== undefined) {
    return failed(`${rejected.user} rejected ${rejected.environments.join(', ')}.`);
  }
  const approved = theirs.find(({ state }) => state === 'approved');
  if (approved?.selfApproval === true) {
    return failed(`${approved.user} approved a run that they started themselves.`);
  }
  if (approved !== undefined) {
    const comment = approved.comment === '' ? '' : `: “${approved.comment}”`;
    return proof(
      `${contact ?? approved.user} approved ${approved.environments.join(', ')}${comment}.`,
    );
  }
  const reviewers = approvals.reviews.map(({ user, state }) => `${user} (${state})`).join(', ');
  const seen = reviewers === '' ? 'No review of this run is known.' : `Reviewed by ${reviewers}.`;
  return none(
    `${seen} Attest the approval, or name the login with contacts.${role} of the plan, for instance Ada Park (@ada).`,
  );
}
