import type { Check } from '../ports/maintenance-mode.ts';
import type { JobResult } from '../ports/github.ts';
import type { SmokeResult, WindowStatus } from '../record/status.ts';
import { isOver } from '../record/life.ts';
import { adviceOf, type AdviceFact } from './advice.ts';
import { approvalFacts, signOffs, type ApprovalFacts, type SignOff } from './approval-facts.ts';
import {
  countVerdicts,
  resolveChecklist,
  unknownLines,
  type ChecklistCounts,
  type ResolvedSection,
} from './checklist.ts';
import { downtimeOf, type Downtime } from './downtime.ts';
import { issuesOf, type Issue } from './issues.ts';
import { leftToDo, type LeftToDo } from './left-to-do.ts';
import { secondsBetween } from './moment.ts';
import { missingTasks, outcomeOf, type Outcome } from './outcome.ts';
import { comparePrediction, type Predictions } from './prediction.ts';
import { codeFacts, type CodeFact } from './code-versions.ts';
import { isTakenBack, recoveryFacts, type RecoveryFacts } from './recovery.ts';
import { serviceFacts, type ServiceFact } from './stopped-services.ts';
import type { ReportInput } from './report-input.ts';
import { phaseDurations, timelineOf, type PhaseDuration, type TimelineRow } from './timeline.ts';

export type { ReportInput } from './report-input.ts';

/** The version of the report's JSON; raised when a reader of the old one would misread the new. */
export const reportVersion = 1;

export interface ReportHead {
  readonly name: string;
  readonly windowId: string;
  readonly state: string;
  readonly publicUrl: string | null;
  readonly run: {
    readonly id: string;
    readonly attempt: number;
    readonly url: string | null;
    readonly actor: string | null;
  };
  /** Runs that wrote to the record besides the one that began it, such as a later rollback. */
  readonly otherRuns: readonly string[];
  readonly reason: string | null;
  readonly startedAt: string;
  /** `null` while the window has not ended. */
  readonly endedAt: string | null;
  readonly seconds: number | null;
  readonly planned: {
    /** `null` when the plan names no start, or the window ignored it. */
    readonly start: string | null;
    readonly end: string;
    readonly durationSeconds: number;
  };
  /** IANA zone in which people read the times. */
  readonly timeZone: string;
  readonly ignoredWindow: string | null;
}

export interface TaskFact {
  readonly id: string;
  readonly task: string;
  readonly stage: 'online' | 'closed';
  readonly outcome: 'done' | 'failed' | 'skipped';
  readonly seconds: number;
  readonly summary: string;
  readonly proof: string;
  readonly figures: readonly Figure[];
  /** The rollback went back to a state before it. */
  readonly undone: boolean;
}

/** What was done to one machine. */
export interface ServerTaskFact {
  readonly id: string;
  readonly task: string;
  readonly host: string;
  readonly stage: 'online' | 'closed';
  readonly outcome: 'done' | 'failed' | 'skipped';
  readonly seconds: number;
  readonly summary: string;
  readonly proof: string;
  readonly figures: readonly Figure[];
  /** Single things with their state before and after: versions of packages, ends of certificates. */
  readonly items: readonly {
    readonly name: string;
    readonly before: string | null;
    readonly after: string | null;
  }[];
}

/** A figure of a task; units stand in its name. `after` is `null` for a figure without a counterpart. */
export interface Figure {
  readonly name: string;
  readonly before: number;
  readonly after: number | null;
}

export interface SmokeRunFact {
  readonly at: string;
  readonly phase: string;
  readonly passed: boolean;
  readonly results: readonly SmokeResult[];
}

export interface Contact {
  readonly role: string;
  readonly value: string;
}

/** Everything that the report says, as JSON; moments in ISO 8601 UTC, durations in seconds, sizes in bytes. */
export interface Report {
  readonly schemaVersion: typeof reportVersion;
  readonly generatedAt: string;
  readonly head: ReportHead;
  readonly outcome: Outcome;
  readonly downtime: Downtime;
  readonly leftToDo: readonly LeftToDo[];
  readonly issues: readonly Issue[];
  readonly timeline: readonly TimelineRow[];
  readonly phases: readonly PhaseDuration[];
  /** `null` in a window that preflight did not predict. */
  readonly prediction: Predictions | null;
  readonly tasks: readonly TaskFact[];
  readonly serverTasks: readonly ServerTaskFact[];
  /** What tasks found and did not change, the worst first within a kind. */
  readonly advice: readonly AdviceFact[];
  /** Tasks of the plan without a result in the record. */
  readonly missingTasks: number;
  readonly checks: readonly Check[];
  readonly smokeTests: readonly SmokeRunFact[];
  readonly services: readonly ServiceFact[];
  readonly code: readonly CodeFact[];
  readonly recovery: RecoveryFacts;
  readonly approvals: ApprovalFacts;
  readonly jobs: readonly JobResult[];
  readonly contacts: readonly Contact[];
  readonly signOffs: readonly SignOff[];
  readonly checklist: readonly ResolvedSection[];
  readonly counts: ChecklistCounts;
  readonly nextWindow: string | null;
}

/** Builds the report from what was recorded; pure, and of any state of a window. */
export function buildReport(input: ReportInput): Report {
  const { record, plan, now } = input;
  const { status } = record;
  const rows = timelineOf(record.journal);
  const downtime = downtimeOf(status, now);
  const outcome = outcomeOf({ status, rows, downtime, plan, approvals: input.approvals });
  const recovery = recoveryFacts(status, rows, plan, now);
  const approvals = approvalFacts(input.approvals, input.approvalsNote, status.run.actor);
  const issues = issuesOf(input, rows, approvals);
  const left = [...leftToDo({ input, rows, downtime, recovery, approvals }), ...strayLines(input)];
  const checklist = resolveChecklist({
    input,
    rows,
    downtime,
    outcome,
    recovery,
    approvals,
    issues,
    leftToDo: left,
  });
  return {
    schemaVersion: reportVersion,
    generatedAt: now.toISOString(),
    head: headOf(input, rows),
    outcome,
    downtime,
    leftToDo: left,
    issues,
    timeline: rows,
    phases: phaseDurations(rows),
    prediction: comparePrediction(status.prediction, rows, downtime),
    tasks: (status.tasks ?? []).map(({ findings: _shownAsAdvice, ...task }) => ({
      ...task,
      figures: figuresOf(task.figures),
      undone: task.outcome === 'done' && isTakenBack(task.stage, recovery),
    })),
    serverTasks: (status.serverTasks ?? []).map((task) => ({
      ...task,
      figures: figuresOf(task.figures),
    })),
    advice: adviceOf(status),
    missingTasks: missingTasks(plan, status),
    checks: (status.checks ?? []).map(checkOf),
    smokeTests: status.smokeTests ?? [],
    services: serviceFacts(status),
    code: codeFacts(status),
    recovery,
    approvals,
    jobs: input.jobs ?? [],
    contacts: contactsOf(input),
    signOffs: signOffs(approvals, plan),
    checklist,
    counts: countVerdicts(checklist),
    nextWindow: input.nextWindow ?? null,
  };
}

function headOf({ record, plan }: ReportInput, rows: readonly TimelineRow[]): ReportHead {
  const { status, journal } = record;
  const { window } = plan;
  const endedAt = endOf(status, rows);
  const end = Date.parse(status.deadline);
  const hasStart =
    window.start !== undefined && status.ignoredWindow === undefined && !Number.isNaN(end);
  return {
    name: status.name,
    windowId: status.windowId,
    state: status.state,
    publicUrl: plan.publicUrl ?? null,
    run: {
      id: status.run.id,
      attempt: status.run.attempt,
      url: status.run.url ?? null,
      actor: status.run.actor ?? null,
    },
    otherRuns: [...new Set(journal.map(({ runId }) => runId))].filter((id) => id !== status.run.id),
    reason: status.run.reason ?? null,
    startedAt: status.startedAt,
    endedAt,
    seconds: secondsBetween(status.startedAt, endedAt),
    planned: {
      start: hasStart ? new Date(end - window.duration * 1000).toISOString() : null,
      end: status.deadline,
      durationSeconds: window.duration,
    },
    timeZone: window.timeZone,
    ignoredWindow: status.ignoredWindow ?? null,
  };
}

/** When the last thing of an ended window happened; the report's own steps come after its end. */
function endOf(status: WindowStatus, rows: readonly TimelineRow[]): string | null {
  const notClosed = status.state === 'planned' || status.state === 'prepared';
  if (!isOver(status.state) && !notClosed) return null;
  const ends = rows
    .filter(({ phase }) => phase !== 'report')
    .map(({ at, endedAt }) => endedAt ?? at);
  return (
    [...ends, status.rollback?.finishedAt, status.maintenance?.reopenedAt]
      .filter((moment) => moment !== undefined)
      .sort()
      .at(-1) ?? status.updatedAt
  );
}

/** Pairs `…-before` with `…-after`. */
function figuresOf(figures: Readonly<Record<string, number>>): readonly Figure[] {
  return Object.entries(figures).flatMap(([name, value]): Figure[] => {
    if (name.endsWith('-after') && `${name.slice(0, -6)}-before` in figures) return [];
    if (!name.endsWith('-before')) return [{ name, before: value, after: null }];
    const stem = name.slice(0, -'-before'.length);
    const after = figures[`${stem}-after`];
    return [
      after === undefined
        ? { name, before: value, after: null }
        : { name: stem, before: value, after },
    ];
  });
}

function checkOf(check: NonNullable<WindowStatus['checks']>[number]): Check {
  const { id, title, verdict, value, limit, next } = check;
  return { id, title, verdict, value, limit, ...(next === undefined ? {} : { next }) };
}

function contactsOf({ plan }: ReportInput): readonly Contact[] {
  const { lead, technical, business, emergency } = plan.contacts;
  return [
    { role: 'Maintenance lead', value: lead },
    { role: 'Technical contact', value: technical },
    { role: 'Business contact', value: business },
    { role: 'Emergency contact', value: emergency },
  ].map(({ role, value }) => ({ role, value: value ?? '' }));
}

/** What the plan says of lines that are not in the checklist would otherwise get lost. */
function strayLines({ plan }: ReportInput): readonly LeftToDo[] {
  const { attestations, notApplicable } = plan.report;
  return unknownLines(attestations, notApplicable).map((id) => ({
    urgent: false,
    text: `The plan speaks of line ${id}, which is not in the checklist: correct report.attestations or report.not-applicable.`,
  }));
}
