import { afterSections } from './checklist/after.ts';
import { approvalSections } from './checklist/approval.ts';
import { beforeSections } from './checklist/before.ts';
import { duringSections } from './checklist/during.ts';
import { emergencySections } from './checklist/emergency.ts';
import { fromNamedTests } from './checklist/evidence.ts';
import type {
  ChecklistFacts,
  ChecklistLine,
  ChecklistSection,
  Finding,
} from './checklist/finding.ts';
import { kindSections } from './checklist/kinds-of-work.ts';

export type { ChecklistFacts, ChecklistLine, ChecklistSection } from './checklist/finding.ts';

/** The production checklist: 15 sections, in its order. */
export const checklist: readonly ChecklistSection[] = [
  ...beforeSections,
  ...duringSections,
  ...afterSections,
  ...emergencySections,
  ...kindSections,
  ...approvalSections,
];

/** What became of a line. */
export type Verdict =
  | { readonly verdict: 'proved'; readonly by: string }
  | { readonly verdict: 'attested'; readonly by: string; readonly statement: string }
  | { readonly verdict: 'not-applicable'; readonly why: string }
  | { readonly verdict: 'open'; readonly why: string };

export interface ResolvedLine {
  readonly id: string;
  readonly title: string;
  readonly result: Verdict;
}

export interface ResolvedSection {
  readonly number: number;
  readonly part: ChecklistSection['part'];
  readonly title: string;
  readonly lines: readonly ResolvedLine[];
}

/** A line that a named person vouches for, from the plan. */
export interface Attestation {
  readonly line: string;
  readonly by: string;
  readonly statement: string;
}

/** A line that the plan declares not applicable. */
export interface Exemption {
  readonly line: string;
  readonly why: string;
}

/** Resolves every line. */
export function resolveChecklist(facts: ChecklistFacts): readonly ResolvedSection[] {
  const { attestations, notApplicable } = facts.input.plan.report;
  return checklist.map(({ number, part, title, lines }) => ({
    number,
    part,
    title,
    lines: lines.map((line) => ({
      id: line.id,
      title: line.title,
      result: decide(
        weighed(line.resolve(facts), fromNamedTests(facts, line.id)),
        attestations.filter((attestation) => attestation.line === line.id),
        notApplicable.filter((exemption) => exemption.line === line.id),
      ),
    })),
  }));
}

/**
 * What the plan's own choice of smoke tests adds to a line: it stands where there is no other evidence, and one of
 * them that failed speaks against any.
 */
function weighed(finding: Finding, named: Finding | undefined): Finding {
  if (named === undefined || finding.kind === 'failed') return finding;
  if (named.kind === 'failed') return named;
  return finding.kind === 'proof' ? finding : named;
}

/**
 * Weighs what the record found against what the plan says. A proof needs no word; against evidence no word
 * counts; where there is none, an attestation comes before a declaration that the line does not apply.
 */
export function decide(
  finding: Finding,
  attestations: readonly Attestation[],
  exemptions: readonly Exemption[],
): Verdict {
  const said = [
    ...attestations.map(({ by, statement }) => `${by} attests: “${statement}”`),
    ...exemptions.map(({ why }) => `the plan calls it not applicable: “${why}”`),
  ].join('; ');
  if (finding.kind === 'proof') return { verdict: 'proved', by: finding.by };
  if (finding.kind === 'failed') {
    return {
      verdict: 'open',
      why: said === '' ? finding.why : `${finding.why} This stands although ${said}.`,
    };
  }
  if (attestations.length > 0) {
    return {
      verdict: 'attested',
      by: [...new Set(attestations.map(({ by }) => by))].join(', '),
      statement: attestations.map(({ statement }) => statement).join(' '),
    };
  }
  const [exemption] = exemptions;
  if (exemption !== undefined) return { verdict: 'not-applicable', why: exemption.why };
  if (finding.kind === 'not-applicable') return { verdict: 'not-applicable', why: finding.why };
  return { verdict: 'open', why: finding.todo };
}

/** Attestations and exemptions of a plan that name no line of the checklist. */
export function unknownLines(
  attestations: readonly Attestation[],
  exemptions: readonly Exemption[],
): readonly string[] {
  const known = new Set(checklist.flatMap(({ lines }) => lines.map(({ id }) => id)));
  return [...attestations, ...exemptions].map(({ line }) => line).filter((id) => !known.has(id));
}

export interface ChecklistCounts {
  readonly proved: number;
  readonly attested: number;
  readonly notApplicable: number;
  readonly open: number;
}

export function countVerdicts(sections: readonly ResolvedSection[]): ChecklistCounts {
  const results = sections.flatMap(({ lines }) => lines.map(({ result }) => result.verdict));
  const count = (verdict: Verdict['verdict']): number =>
    results.filter((found) => found === verdict).length;
  return {
    proved: count('proved'),
    attested: count('attested'),
    notApplicable: count('not-applicable'),
    open: count('open'),
  };
}

/** One row a line for the documents: what proves it, and when it does not apply. */
export interface ProvabilityRow {
  readonly id: string;
  readonly section: string;
  readonly title: string;
  readonly provedBy: string;
  readonly notApplicableWhen: string;
}

/** Sections of which a plan may name smoke tests for single lines. */
const namedSections: readonly number[] = [2, 5, 6, 7];

function settledBy({ provedBy, notApplicableWhen }: ChecklistLine, section: number): string {
  const named = namedSections.includes(section)
    ? 'smoke tests that the plan names for it (`proves`)'
    : undefined;
  const ways = [
    ...(provedBy === null ? [] : [provedBy]),
    ...(named === undefined ? [] : [named]),
    ...(provedBy === null && notApplicableWhen === null
      ? ['a person’s attestation in the plan']
      : []),
  ];
  return ways.join('; else ');
}

/** Which line is provable by what; documents are generated from it. */
export function provabilityTable(): readonly ProvabilityRow[] {
  return checklist.flatMap((section) =>
    section.lines.map((line) => ({
      id: line.id,
      section: section.title,
      title: line.title,
      provedBy: settledBy(line, section.number),
      notApplicableWhen: line.notApplicableWhen ?? '',
    })),
  );
}
