import { formatDuration } from '../plan/duration.ts';
import type { Plan } from '../plan/plan.ts';
import type { Approval } from '../ports/github.ts';
import type { WindowState } from '../record/life.ts';
import type { SmokeResult, WindowStatus } from '../record/status.ts';
import type { Downtime } from './downtime.ts';
import { minuteOf } from './moment.ts';
import { wasRestored } from './recovery.ts';
import type { TimelineRow } from './timeline.ts';

export type OutcomeKind =
  | 'completed'
  | 'completed-with-issues'
  | 'rolled-back'
  | 'held'
  /** Not carried out: refused by a gate, or ended before anything was closed. */
  | 'abandoned'
  /** Failed before the site was closed. */
  | 'failed'
  /** The record ends in the middle of the window's life. */
  | 'unfinished';

/** How the window ended; says no more than the record shows. */
export interface Outcome {
  readonly kind: OutcomeKind;
  readonly sentence: string;
}

export interface OutcomeFacts {
  readonly status: WindowStatus;
  readonly rows: readonly TimelineRow[];
  readonly downtime: Downtime;
  readonly plan: Plan;
  readonly approvals: readonly Approval[] | undefined;
}

/** What is known of the system in a state that is not the end of a window's life. */
const unfinishedStates: Readonly<Partial<Record<WindowState, string>>> = {
  closing: 'the record ends while the site was being closed; the public may see either answer',
  closed: 'the record ends with the site closed and its schema and data unchanged',
  changing:
    'the record ends while the system was being changed; the site is closed, and how far the change came is not proved',
  changed:
    'the record ends with the site still closed; the changes that it lists are proved, but nobody reopened it',
  reopening: 'the record ends while the site was being reopened; the public may see either answer',
  'rolling-back': 'the record ends in the middle of a rollback; the site counts as closed',
};

/** Tells the outcome in one sentence. */
export function outcomeOf(facts: OutcomeFacts): Outcome {
  const { status } = facts;
  switch (status.state) {
    case 'planned':
    case 'prepared':
      return beforeClosing(facts);
    case 'reopened':
      return completed(facts);
    case 'rolled-back':
      return { kind: 'rolled-back', sentence: rolledBack(facts) };
    case 'held':
      return { kind: 'held', sentence: held(facts) };
    default: {
      const failed = lastFailure(facts.rows);
      const head =
        failed === undefined ? 'Unfinished' : `Failed at ${nameOf(failed)} and unfinished`;
      return { kind: 'unfinished', sentence: `${head}: ${unfinishedStates[status.state] ?? ''}.` };
    }
  }
}

/** Gates that somebody rejected and nobody approved in this run. */
export function rejections(approvals: readonly Approval[] | undefined): readonly Approval[] {
  const approved = new Set(
    (approvals ?? [])
      .filter(({ state }) => state === 'approved')
      .flatMap(({ environments }) => environments),
  );
  return (approvals ?? []).filter(
    ({ state, environments }) =>
      state === 'rejected' && !environments.some((name) => approved.has(name)),
  );
}

/** Failed steps that no later attempt of the same step mended. */
export function unmended(rows: readonly TimelineRow[]): readonly TimelineRow[] {
  return rows.filter(
    (row, index) =>
      row.outcome === 'failed' &&
      !rows
        .slice(index + 1)
        .some(
          (later) =>
            later.phase === row.phase &&
            later.step === row.step &&
            (later.outcome === 'done' || later.outcome === 'skipped'),
        ),
  );
}

/** Steps that began and have no outcome; the report's own are still under way. */
export function unfinishedSteps(rows: readonly TimelineRow[]): readonly TimelineRow[] {
  return rows.filter((row) => row.outcome === 'unfinished' && row.phase !== 'report');
}

/** Tasks of the plan that have no result in the record. */
export function missingTasks(plan: Plan, status: WindowStatus): number {
  const servers = new Set((status.serverTasks ?? []).map(({ id }) => id)).size;
  return (
    Math.max(0, plan.runDbMaintenance.tasks.length - (status.tasks ?? []).length) +
    Math.max(0, plan.updateServer.tasks.length - servers)
  );
}

/** Server tasks by id; one is done when it is on each of its hosts, or had nothing to do there. */
function serverTaskCounts(status: WindowStatus): {
  readonly all: number;
  readonly done: number;
} {
  const tasks = status.serverTasks ?? [];
  const all = new Set(tasks.map(({ id }) => id));
  const failed = new Set(tasks.filter(({ outcome }) => outcome === 'failed').map(({ id }) => id));
  return { all: all.size, done: all.size - failed.size };
}

function beforeClosing({ status, rows, approvals }: OutcomeFacts): Outcome {
  const [rejected] = rejections(approvals);
  if (rejected !== undefined) {
    const comment = rejected.comment === '' ? '' : `: “${rejected.comment}”`;
    return {
      kind: 'abandoned',
      sentence: `Not carried out: ${rejected.user} rejected ${rejected.environments.join(', ')}${comment}; the site was not closed.`,
    };
  }
  const failed = lastFailure(rows);
  if (failed !== undefined) {
    return {
      kind: 'failed',
      sentence: `Failed at ${nameOf(failed)}, before the site was closed: ${firstLine(failed.detail)}`,
    };
  }
  const refused = (status.checks ?? []).filter(({ verdict }) => verdict === 'failed');
  if (refused.length > 0) {
    const names = refused.map(({ title }) => title).join('; ');
    return {
      kind: 'failed',
      sentence: `Refused by preflight, nothing was touched: ${names}.`,
    };
  }
  if (unfinishedSteps(rows).length > 0) {
    return {
      kind: 'unfinished',
      sentence: `Unfinished: the record ends in the middle of ${unfinishedSteps(rows).map(nameOf).join(', ')}; the site was not closed.`,
    };
  }
  return {
    kind: 'abandoned',
    sentence:
      status.state === 'planned'
        ? `Not carried out: ${(status.checks ?? []).length > 0 ? 'no check failed, and ' : ''}the window went no further; nothing was touched.`
        : 'Not carried out: the window was prepared and went no further; the site was not closed.',
  };
}

function completed(window: OutcomeFacts): Outcome {
  const { status, rows, plan } = window;
  const tasks = status.tasks ?? [];
  const servers = serverTaskCounts(status);
  const done = tasks.filter(({ outcome }) => outcome === 'done').length + servers.done;
  const planned = tasks.length + servers.all + missingTasks(plan, status);
  const lastSmoke = status.smokeTests?.at(-1);
  const troubles = [
    planned > done
      ? `${planned - done} of ${planned} tasks ${planned - done === 1 ? 'was' : 'were'} not done`
      : '',
    lastSmoke?.passed === false ? 'the last smoke test failed' : '',
    ...unmended(rows).map((row) => `${nameOf(row)} failed`),
    ...unfinishedSteps(rows).map((row) => `${nameOf(row)} has no outcome`),
  ].filter((trouble) => trouble !== '');
  const facts = [
    done > 0 ? `${done} of ${planned} ${planned === 1 ? 'task' : 'tasks'} done` : '',
    lastSmoke?.passed === true ? smokeWords(lastSmoke.results) : '',
    publicWords(window),
  ].filter((fact) => fact !== '');
  if (troubles.length > 0) {
    return {
      kind: 'completed-with-issues',
      sentence: `Ended with the site open, but ${troubles.join('; ')}. ${sentenceCase(facts.join(', '))}.`,
    };
  }
  return { kind: 'completed', sentence: `Completed: ${facts.join(', ')}.` };
}

function rolledBack({ status, rows, downtime, plan }: OutcomeFacts): string {
  const failed = lastFailure(rows);
  const { rollback } = status;
  const because =
    failed !== undefined
      ? ` after ${nameOf(failed)} failed`
      : rollback !== undefined
        ? ` (${rollback.reason.replace(/\.$/, '')})`
        : '';
  const what = !wasRestored(rows)
    ? 'neither schema nor data had to be restored'
    : `the database was put back to ${restoreBasis(status, plan)}`;
  const seconds = downtime.seconds;
  const door =
    downtime.kind === 'reopened' && seconds !== null
      ? `the public was kept out for ${formatDuration(seconds)}`
      : downtime.kind === 'never-closed'
        ? 'the public was never kept out'
        : 'the public was not proved to be kept out at any time';
  return `Rolled back${because}: ${what}, and ${door}.`;
}

function restoreBasis(status: WindowStatus, plan: Plan): string {
  const { timeZone } = plan.window;
  if (status.restorePoint !== undefined) {
    return `the restore point of ${minuteOf(status.restorePoint.takenAt, timeZone)}`;
  }
  return status.backup === undefined
    ? 'an earlier state that the record does not name'
    : `the backup of ${minuteOf(status.backup.takenAt, timeZone)}`;
}

function held({ status, rows, downtime, plan }: OutcomeFacts): string {
  const since = downtime.spans.at(-1);
  const { heldDoors } = status;
  const closed =
    heldDoors !== undefined && heldDoors !== 'the site is kept closed'
      ? heldDoors
      : downtime.kind === 'still-closed' && since !== undefined
        ? `the site is kept closed since ${minuteOf(since.from, plan.window.timeZone)}`
        : 'the site counts as closed, which was not proved from outside';
  const failures = unmended(rows);
  const first = failures.find(({ phase }) => phase !== 'rollback');
  const then = failures.findLast(({ phase }) => phase === 'rollback');
  const reasons = [
    first === undefined ? '' : `${nameOf(first)} failed`,
    then === undefined ? '' : `${nameOf(then)} failed`,
  ].filter((reason) => reason !== '');
  if (reasons.length === 0 && status.rollback !== undefined) {
    reasons.push(lowerFirst(status.rollback.reason.replace(/\.$/, '')));
  }
  const kept = unopened(status);
  return `Held: ${closed}${kept}${reasons.length === 0 ? '' : `, because ${reasons.join(', and then ')}`}; a person has to decide.`;
}

/** Changes that were proved are good, although the site could not be reopened on them. */
function unopened({ reopening, rollback }: WindowStatus): string {
  const { failedAt, blame, hosts = [] } = reopening ?? {};
  const isRestored = rollback?.replacementOid !== undefined;
  if (failedAt === undefined || isRestored || blame === undefined || blame === 'application') {
    return '';
  }
  return blame === 'front'
    ? '; all changes were made and proved, and what stands before the web hosts kept the public from them'
    : `; all changes were made and proved, and ${hosts.join(', ')} could not be opened`;
}

function publicWords({ status, downtime, plan }: OutcomeFacts): string {
  const reopenedAt = status.maintenance?.reopenedAt;
  if (reopenedAt === undefined) return 'the site is open';
  const at = minuteOf(reopenedAt, plan.window.timeZone);
  const seconds =
    downtime.seconds === null ? '' : ` after ${formatDuration(downtime.seconds)} of maintenance`;
  return `the public URL answered from the application at ${at}${seconds}`;
}

function lastFailure(rows: readonly TimelineRow[]): TimelineRow | undefined {
  // A rollback's own failure says what is wrong now; otherwise what led to it counts.
  const failures = unmended(rows);
  return failures.find(({ phase }) => phase !== 'rollback') ?? failures.at(-1);
}

function nameOf(row: TimelineRow): string {
  return `${row.phase} (${lowerFirst(row.title)})`;
}

function lowerFirst(text: string): string {
  // Names such as SQL or URL stay as they are.
  return /^\p{Lu}\p{Ll}/u.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function firstLine(text: string): string {
  const [line = ''] = text.split('\n');
  return line.endsWith('.') ? line : `${line}.`;
}

/** For instance `4 smoke tests passed, 1 skipped`. */
function smokeWords(results: readonly SmokeResult[]): string {
  const skipped = results.filter((result) => result.skipped === true).length;
  const passed = `${results.length - skipped} smoke tests passed`;
  return skipped === 0 ? passed : `${passed}, ${skipped} skipped`;
}
