import { isOver, type WindowState } from '../record/life.ts';
import { owedByReopening, owedInWords } from '../record/owed-by-reopening.ts';
import type { ApprovalFacts } from './approval-facts.ts';
import type { Downtime } from './downtime.ts';
import { missingTasks } from './outcome.ts';
import { isTakenBack, type RecoveryFacts } from './recovery.ts';
import type { ReportInput } from './report-input.ts';
import { codeLeft } from './code-versions.ts';
import { secondOf } from './moment.ts';
import { stepIds } from './step-ids.ts';
import { standbyLeft } from './standby-left.ts';
import { servicesHeld, servicesLeft } from './stopped-services.ts';
import { lastRow, type TimelineRow } from './timeline.ts';

/** Something that the window leaves to people. */
export interface LeftToDo {
  /** The system waits for it. */
  readonly urgent: boolean;
  readonly text: string;
}

export interface LeftToDoFacts {
  readonly input: ReportInput;
  readonly rows: readonly TimelineRow[];
  readonly downtime: Downtime;
  readonly recovery: RecoveryFacts;
  readonly approvals: ApprovalFacts;
}

const unfinishedAdvice: Readonly<Partial<Record<WindowState, string>>> = {
  closing:
    'Find out what the public sees, then run the same phase again, or `rollback`, which opens the site as it was.',
  closed:
    'Go on with the window from the same run, or run `rollback`: nothing was changed yet, so it only opens the site.',
  changing:
    'Run `rollback`: it looks at the database, goes back to the restore point, tests and reopens, or holds.',
  changed: 'Run `smoke-test` and `disable-maintenance`, or `rollback`.',
  reopening: 'Run `disable-maintenance` again, or `rollback`; both look at what the public sees.',
  'rolling-back': 'Run `rollback` again: it goes on where it was interrupted.',
};

/** What is left for people to do, the urgent first. Open lines of the checklist are told there. */
export function leftToDo(facts: LeftToDoFacts): readonly LeftToDo[] {
  const { status } = facts.input.record;
  const items = [
    ...obligations(facts),
    ...(isOver(status.state) ? servicesLeft(status).map(urgent) : []),
    ...codeLeft(status).map(later),
    ...standbyLeft(status),
    ...cleanUp(facts),
    ...followUp(facts),
  ];
  return [...items.filter(({ urgent }) => urgent), ...items.filter(({ urgent }) => !urgent)];
}

function obligations({ input, rows }: LeftToDoFacts): LeftToDo[] {
  const { status } = input.record;
  const { emergency, technical } = input.plan.contacts;
  const call = emergency ?? technical;
  const who = call === undefined ? '' : ` Call ${call}.`;
  const advice = unfinishedAdvice[status.state];
  if (status.state === 'held') {
    const next = rows.findLast(({ failure }) => failure !== null)?.failure?.next;
    return [
      urgent(
        `The site is held closed.${who} Repair the system and reopen it with \`disable-maintenance\` (reopen-held), or run \`rollback\` with \`force\`.`,
      ),
      ...(next === undefined ? [] : [urgent(`What the failed step advised: ${next}`)]),
      ...servicesHeld(status).map(urgent),
    ];
  }
  if (advice !== undefined) return [urgent(`The window is ${status.state}.${who} ${advice}`)];
  const owed = owedInWords(owedByReopening(status, input.plan.disableMaintenance.hook));
  if (owed.length > 0) {
    return [
      urgent(
        `The site is open, but its reopening was cut off: ${owed.join('; ')}. Run \`disable-maintenance\` again, or \`rollback\`: either does only that.`,
      ),
    ];
  }
  const hooked = lastRow(rows, stepIds.hook)?.outcome === 'done';
  if (status.state === 'prepared' && hooked) {
    return [
      later(
        status.maintenance?.mode === 'nginx'
          ? 'The hook is still in the site files, with the site open: run `rollback` to take it out.'
          : 'Maintenance mode is still ready to close, with the site open: run `rollback` to take that back.',
      ),
    ];
  }
  return [];
}

function cleanUp({ input, recovery }: LeftToDoFacts): LeftToDo[] {
  const { status } = input.record;
  const { plan } = input;
  const items: LeftToDo[] = [];
  const failed = recovery.rollback?.failedDatabase;
  if (typeof failed === 'string' && status.standby?.promotedAt === undefined) {
    items.push(
      later(
        `The failed database is kept as ${failed}: find out what went wrong in it, then drop it.`,
      ),
    );
  }
  const writesFiles = plan.runDbMaintenance.tasks.some(
    (task) => task.task === 'archive' && task.folder !== undefined,
  );
  const archives = (status.tasks ?? []).filter(({ task }) => writesFiles && task === 'archive');
  // The files of one that ran online, before the restore point, are the only place of its rows.
  for (const { id } of archives.filter(({ stage }) => isTakenBack(stage, recovery))) {
    items.push(
      later(
        `The rows that task ${id} archived are in the table again: its CSV files of this window, if it wrote any (folder ${status.windowId}/${id}), are copies. Remove them.`,
      ),
    );
  }
  const point = recovery.restorePoint;
  const ended = status.state === 'reopened' || status.state === 'rolled-back';
  if (point !== null && ended && !point.dropped && point.kind !== 'dump') {
    const swapped = recovery.rollback?.restored === true;
    if (!swapped && point.keptUntil !== null) {
      items.push(
        later(
          `The restore point ${point.place} is kept until ${secondOf(point.keptUntil, plan.window.timeZone)}, as planned: the next preflight or report after that drops it.`,
        ),
      );
    } else if (!swapped && status.state === 'reopened') {
      items.push(
        later(
          `The restore point ${point.place} is still there although it was to be dropped: the next report does it.`,
        ),
      );
    }
  }
  if (status.state === 'reopened' && plan.disableMaintenance.hook === 'keep') {
    items.push(
      later(
        status.maintenance?.mode === 'nginx'
          ? 'The hook stays in the site files for the next window, as planned.'
          : 'Maintenance mode stays ready for the next window, as planned.',
      ),
    );
  }
  return items;
}

function followUp({ input, rows, downtime, recovery, approvals }: LeftToDoFacts): LeftToDo[] {
  const { status } = input.record;
  const { plan } = input;
  const items: LeftToDo[] = [];
  if (recovery.rollback?.restored === true && !recovery.rollback.loss.startsWith('Nothing')) {
    items.push(urgent(`Tell those concerned what was lost: ${recovery.rollback.loss}`));
  }
  const undone = (status.tasks ?? []).filter(({ outcome }) => outcome !== 'done');
  const missing = missingTasks(plan, status);
  if (status.state === 'rolled-back' && plan.runDbMaintenance.tasks.length > 0) {
    items.push(
      later('Find the cause, rehearse it on a copy, and plan the tasks for another window.'),
    );
  } else if (undone.length + missing > 0 && status.state === 'reopened') {
    const names = undone.map(({ id }) => id).join(', ');
    const rest = missing === 0 ? '' : `${names === '' ? '' : ' and '}${missing} without a result`;
    items.push(later(`Plan the tasks that were not done for another window: ${names}${rest}.`));
  }
  if (downtime.kind === 'reopened' && !rows.some(({ phase }) => phase === 'monitor')) {
    items.push(
      later('Watch logs, error rates and response times for 15 to 20 minutes after the reopening.'),
    );
  }
  if (approvals.reviews.some(({ selfApproval }) => selfApproval)) {
    items.push(later('Let somebody other than its starter review this window.'));
  }
  // Afterwards they are issues of the window, not work.
  for (const check of isOver(status.state) ? [] : (status.checks ?? [])) {
    if (check.next !== undefined && ['failed', 'warning'].includes(check.verdict)) {
      items.push(later(`${check.title}: ${check.next}`));
    }
  }
  return items;
}

function urgent(text: string): LeftToDo {
  return { urgent: true, text };
}

function later(text: string): LeftToDo {
  return { urgent: false, text };
}
