import type { ReportInput } from '../report-input.ts';
import type { ApprovalFacts } from '../approval-facts.ts';
import type { Downtime } from '../downtime.ts';
import type { Issue } from '../issues.ts';
import type { LeftToDo } from '../left-to-do.ts';
import type { Outcome } from '../outcome.ts';
import type { RecoveryFacts } from '../recovery.ts';
import type { TimelineRow } from '../timeline.ts';

/** All that a line of the checklist may be resolved from. */
export interface ChecklistFacts {
  readonly input: ReportInput;
  readonly rows: readonly TimelineRow[];
  readonly downtime: Downtime;
  readonly outcome: Outcome;
  readonly recovery: RecoveryFacts;
  readonly approvals: ApprovalFacts;
  readonly issues: readonly Issue[];
  readonly leftToDo: readonly LeftToDo[];
}

/** What the record says of a line, before the plan's attestations are heard. */
export type Finding =
  | { readonly kind: 'proof'; readonly by: string }
  /** There is evidence, and it speaks against the line; no attestation hides it. */
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'not-applicable'; readonly why: string }
  /** No evidence either way. */
  | { readonly kind: 'none'; readonly todo: string };

/** A line of the checklist: what proves it, and how it is looked up. */
export interface ChecklistLine {
  /** Section and line, for instance `1.3`; plans attest by it. */
  readonly id: string;
  readonly title: string;
  /** What proves it, for the documents; `null` when only a person can vouch for it. */
  readonly provedBy: string | null;
  /** When it does not apply, for the documents; `null` when it always does. */
  readonly notApplicableWhen: string | null;
  readonly resolve: (facts: ChecklistFacts) => Finding;
}

export interface ChecklistSection {
  readonly number: number;
  readonly part: 'Before' | 'During' | 'After' | 'Emergency' | 'Kinds of work' | 'Approval';
  readonly title: string;
  readonly lines: readonly ChecklistLine[];
}

export function proof(by: string): Finding {
  return { kind: 'proof', by };
}

export function failed(why: string): Finding {
  return { kind: 'failed', why };
}

export function notApplicable(why: string): Finding {
  return { kind: 'not-applicable', why };
}

export function none(todo: string): Finding {
  return { kind: 'none', todo };
}

/** A line that the record can prove. */
export function provable(
  id: string,
  title: string,
  provedBy: string,
  resolve: (facts: ChecklistFacts) => Finding,
  notApplicableWhen: string | null = null,
): ChecklistLine {
  return { id, title, provedBy, notApplicableWhen, resolve };
}

/** A line that only a named person can vouch for; `todo` says how it gets settled. */
export function attestable(
  id: string,
  title: string,
  todo: string | ((facts: ChecklistFacts) => string),
): ChecklistLine {
  return {
    id,
    title,
    provedBy: null,
    notApplicableWhen: null,
    resolve: (facts) => none(typeof todo === 'string' ? todo : todo(facts)),
  };
}

/** A line that no window of this kind has anything to do with. */
export function outOfScope(id: string, title: string, why: string): ChecklistLine {
  return {
    id,
    title,
    provedBy: null,
    notApplicableWhen: why,
    resolve: () => notApplicable(`${why.charAt(0).toUpperCase()}${why.slice(1)}.`),
  };
}
