import { formatDuration } from '../plan/duration.ts';
import { hasFailed, type WindowStatus } from '../record/status.ts';
import type { ApprovalFacts } from './approval-facts.ts';
import { secondsBetween } from './moment.ts';
import { unfinishedSteps, unmended } from './outcome.ts';
import type { ReportInput } from './report-input.ts';
import type { TimelineRow } from './timeline.ts';

export type IssueSeverity = 'failed' | 'unfinished' | 'warning' | 'skipped';

/** Something that did not go as planned; in order of severity. */
export interface Issue {
  readonly severity: IssueSeverity;
  /** ISO 8601; `null` when it has no moment of its own. */
  readonly at: string | null;
  readonly where: string;
  readonly message: string;
  /** The state of the system after it, as it was told then. */
  readonly state: string | null;
  /** What to do, as it was told then. */
  readonly next: string | null;
  /** What became of it; `null` while it stands. */
  readonly resolution: string | null;
}

const order: readonly IssueSeverity[] = ['failed', 'unfinished', 'warning', 'skipped'];

/** Gathers what went wrong or was left out, from all that was recorded. */
export function issuesOf(
  input: ReportInput,
  rows: readonly TimelineRow[],
  approvals: ApprovalFacts,
): readonly Issue[] {
  const { status } = input.record;
  const issues = [
    ...stepIssues(rows, status),
    ...checkIssues(status),
    ...smokeIssues(status, rows),
    ...taskIssues(status, rows),
    ...approvalIssues(approvals),
    ...jobIssues(input, rows),
    ...timeIssues(status),
  ];
  return issues
    .map((issue, index) => ({ issue, index }))
    .sort(
      (a, b) =>
        order.indexOf(a.issue.severity) - order.indexOf(b.issue.severity) || a.index - b.index,
    )
    .map(({ issue }) => issue);
}

function issue(
  severity: IssueSeverity,
  where: string,
  message: string,
  more: Partial<Issue> = {},
): Issue {
  return { severity, at: null, where, message, state: null, next: null, resolution: null, ...more };
}

function stepIssues(rows: readonly TimelineRow[], status: WindowStatus): Issue[] {
  const standing = new Set(unmended(rows));
  const open = new Set(unfinishedSteps(rows));
  return rows.flatMap((row, index): Issue[] => {
    const where = `${row.phase}: ${row.title}`;
    if (row.outcome === 'failed') {
      const { failure } = row;
      return [
        issue('failed', where, failure?.message ?? row.detail, {
          at: row.endedAt,
          state: failure?.state ?? null,
          next: failure?.next ?? null,
          resolution: standing.has(row)
            ? endingOf(status, row)
            : 'a later attempt of the step succeeded',
        }),
      ];
    }
    if (open.has(row)) {
      return [
        issue('unfinished', where, 'The step began and no outcome was written.', {
          at: row.at,
          state: 'Whether it had its effect is not known from the record.',
          next: 'Run the phase again or `rollback`; both look at what is there.',
          resolution: endingOf(status, row),
        }),
      ];
    }
    if (row.outcome === 'interrupted') {
      const mended = rows
        .slice(index + 1)
        .some(
          (later) =>
            later.phase === row.phase && later.step === row.step && later.outcome === 'done',
        );
      return [
        issue('warning', where, 'The step was interrupted before its outcome was written.', {
          at: row.at,
          resolution: mended ? 'it was looked at again and proved done' : null,
        }),
      ];
    }
    if (row.outcome === 'skipped') {
      return [
        issue('skipped', where, row.detail === '' ? 'No reason recorded.' : row.detail, {
          at: row.at,
        }),
      ];
    }
    return [];
  });
}

/** What the end of the window did about a failure that came before it. */
function endingOf(status: WindowStatus, row: TimelineRow): string | null {
  if (status.state !== 'rolled-back' || row.phase === 'rollback') return null;
  return 'the window was rolled back';
}

function checkIssues(status: WindowStatus): Issue[] {
  return (status.checks ?? []).flatMap((check) =>
    check.verdict === 'failed' || check.verdict === 'warning'
      ? [
          issue(
            check.verdict,
            `preflight: ${check.title}`,
            `${check.value} (limit: ${check.limit})`,
            { next: check.next ?? null },
          ),
        ]
      : [],
  );
}

function smokeIssues(status: WindowStatus, rows: readonly TimelineRow[]): Issue[] {
  // A failed step of the same phase tells it already.
  const told = new Set(
    rows.filter(({ outcome }) => outcome === 'failed').map(({ phase }) => phase),
  );
  const runs = status.smokeTests ?? [];
  const failed = runs
    .filter((run) => !run.passed && !told.has(run.phase))
    .flatMap((run) =>
      run.results
        .filter(hasFailed)
        .map((result) =>
          issue(
            'failed',
            `${run.phase}: smoke test ${result.id}`,
            `observed ${result.observed}, expected ${result.expected}`,
            { at: run.at },
          ),
        ),
    );
  // What preflight could not look at yet is looked at later.
  const last = runs.findLast(({ phase }) => phase !== 'preflight');
  const skipped = (last?.results ?? [])
    .filter((result) => result.skipped === true)
    .map((result) =>
      issue('skipped', `${last?.phase ?? ''}: smoke test ${result.id}`, result.observed, {
        ...(last === undefined ? {} : { at: last.at }),
      }),
    );
  return [...failed, ...skipped];
}

function taskIssues(status: WindowStatus, rows: readonly TimelineRow[]): Issue[] {
  const told = new Set(
    rows
      .filter(({ outcome }) => outcome === 'failed' || outcome === 'skipped')
      .map(({ step }) => step),
  );
  return (status.tasks ?? []).flatMap((task) =>
    task.outcome === 'done' || [...told].some((step) => step.includes(task.id))
      ? []
      : [issue(task.outcome, `run-db-maintenance: ${task.id}`, task.summary)],
  );
}

function approvalIssues(approvals: ApprovalFacts): Issue[] {
  return approvals.reviews.flatMap((review): Issue[] => {
    const where = `gate ${review.environments.join(', ')}`;
    if (review.state === 'rejected') {
      return [
        issue(
          'failed',
          where,
          `Rejected by ${review.user}${review.comment === '' ? '' : `: “${review.comment}”`}.`,
        ),
      ];
    }
    return review.selfApproval
      ? [
          issue(
            'warning',
            where,
            `Self-approval: ${review.user} started the run and approved it.`,
            {
              next: 'Let a second person look at the window, and turn on “prevent self-review” for the environment.',
            },
          ),
        ]
      : [];
  });
}

function jobIssues({ jobs }: ReportInput, rows: readonly TimelineRow[]): Issue[] {
  const fine = ['success', 'skipped', 'neutral', 'in_progress', 'queued', 'waiting', 'pending', ''];
  // The failed step tells more than its job does.
  if (unmended(rows).length > 0) fine.push('failure');
  return (jobs ?? [])
    .filter(({ conclusion }) => !fine.includes(conclusion))
    .map((job) =>
      issue('failed', `job ${job.name}`, `The job ended as “${job.conclusion}”.`, {
        at: job.completedAt ?? null,
      }),
    );
}

function timeIssues(status: WindowStatus): Issue[] {
  const issues: Issue[] = [];
  if (status.ignoredWindow !== undefined) {
    issues.push(
      issue(
        'warning',
        'window',
        `Started outside its planned time on purpose: ${status.ignoredWindow}`,
        {
          at: status.startedAt,
        },
      ),
    );
  }
  const over = secondsBetween(status.deadline, status.maintenance?.reopenedAt);
  if (over !== null && over > 0) {
    issues.push(
      issue(
        'warning',
        'window',
        `The site reopened ${formatDuration(over)} after the planned end.`,
        {
          at: status.maintenance?.reopenedAt ?? null,
        },
      ),
    );
  }
  return issues;
}
