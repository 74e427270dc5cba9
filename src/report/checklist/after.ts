import { retentionWords } from '../backup-places.ts';
import { stepIds } from '../step-ids.ts';
import { lastRow } from '../timeline.ts';
import { secondOf } from '../moment.ts';
import type { SmokeCheck } from '../../plan/settings/smoke-test.ts';
import {
  both,
  fromComparison,
  fromReopening,
  fromRun,
  isApplication,
  lastRun,
} from './evidence.ts';
import { cleanUps } from './server-work.ts';
import { isByClock, servicesRunAgain } from './services.ts';
import {
  attestable,
  failed,
  none,
  notApplicable,
  outOfScope,
  proof,
  provable,
  type ChecklistFacts,
  type ChecklistSection,
  type Finding,
} from './finding.ts';
import { releasedWord } from '../wording.ts';

const noTest = 'No smoke test ran after the work.';
const watch =
  'This window does not watch the application after reopening: watch it for 15 to 20 minutes and attest what you saw.';

/** What became of older backups, where the plan has rules for them. */
function olderBackups({ recovery: { backup } }: ChecklistFacts): Finding {
  const retention = backup?.retention ?? [];
  if (retention.length === 0) {
    return none(
      'Without `backup-db.keep` this window neither deletes nor moves old backups: archive them as your retention says, and attest it.',
    );
  }
  const words = retention.map((place) => `${place.label}: ${retentionWords(place)}`).join('; ');
  const isDone = retention.every(
    ({ held, failed: broken }) => held === undefined && broken === undefined,
  );
  return isDone ? proof(`Retention: ${words}.`) : failed(`Retention: ${words}.`);
}

/** Sections 7 to 9: after the work. */
export const afterSections: readonly ChecklistSection[] = [
  {
    number: 7,
    part: 'After',
    title: 'Verification of the system',
    lines: [
      provable(
        '7.1',
        'All services running normally',
        'every service that the window stopped, started again and seen to stay up; all smoke tests after the work (`unit` and `compose` look at the services themselves), and the application’s answer at the public URL',
        (facts) => {
          const tested = both(
            fromRun(facts, lastRun(facts), () => true, noTest),
            fromReopening(facts),
          );
          const services = servicesRunAgain(facts);
          return services === undefined ? tested : both(services, tested);
        },
      ),
      attestable('7.2', 'Performance stable', watch),
      attestable('7.3', 'Error rates within their normal range', watch),
      provable(
        '7.4',
        'Function for users verified',
        'smoke tests of kind `http`, `routing` or `browser` after the work, and the application’s answer at the public URL',
        (facts) =>
          both(fromRun(facts, lastRun(facts), isApplication, noTest), fromReopening(facts)),
      ),
      provable(
        '7.5',
        'Integrations tested',
        'smoke tests of kind `http`, `tcp` or `tls` that ask another host than that of the public URL',
        integrations,
      ),
      provable(
        '7.6',
        'Scheduled jobs running',
        'timers and cron jobs that the window paused, seen active again; or smoke tests of kind `unit` on timers: they are active; whether a job that was due has run, they do not say',
        timers,
      ),
    ],
  },
  {
    number: 8,
    part: 'After',
    title: 'Documentation and report',
    lines: [
      provable('8.1', 'Maintenance report generated', 'this report', ({ input }) =>
        proof(
          `This report, written at ${secondOf(input.now.toISOString(), input.plan.window.timeZone)}.`,
        ),
      ),
      provable(
        '8.2',
        'Issues and their resolution documented',
        'the issues of this report, gathered from the journal',
        ({ issues }) => {
          const standing = issues.filter(
            ({ severity, resolution }) =>
              resolution === null && (severity === 'failed' || severity === 'unfinished'),
          ).length;
          return proof(
            issues.length === 0
              ? 'The record holds no failed, interrupted or skipped step and no warning.'
              : `${issues.length} listed under “Issues met”, ${standing} of them without a resolution.`,
          );
        },
      ),
      provable(
        '8.3',
        'Effect on performance assessed',
        'the same smoke tests before and after the work',
        fromComparison,
      ),
      attestable(
        '8.4',
        'Lessons learned written down',
        'Write them down, and attest where they are.',
      ),
      attestable(
        '8.5',
        'Change documentation updated',
        'Close the change request with this report, and attest it.',
      ),
      attestable(
        '8.6',
        'Stakeholders notified of the completion',
        'Announcements are not made by this window: tell those concerned, and attest it.',
      ),
    ],
  },
  {
    number: 9,
    part: 'After',
    title: 'Clean-up and follow-up',
    lines: [
      provable(
        '9.1',
        'Maintenance status file removed',
        "the record's move to the history, which frees the lock",
        ({ input, outcome }) => {
          if (input.recordArchived === true) {
            return proof('The record was moved to the history; the lock is free.');
          }
          return ['held', 'unfinished'].includes(outcome.kind)
            ? failed(
                `The window is ${input.record.status.state}: its record stays and keeps others out.`,
              )
            : none('The record was not moved to the history when this report was written.');
        },
      ),
      provable(
        '9.2',
        'Temporary files removed',
        'the site files given back, the restore point dropped, no failed database left; tasks `clean-up` of `update-server`',
        (facts) => {
          const servers = cleanUps(facts);
          return servers === undefined ? cleanedUp(facts) : both(cleanedUp(facts), servers);
        },
      ),
      provable(
        '9.3',
        'Old backups archived',
        'what `backup-db.keep` kept and removed, proved by listing each place afterwards, and the copies that were read back',
        (facts) => olderBackups(facts),
      ),
      outOfScope('9.4', 'Monitoring alerts enabled again', 'this window switches no alerts off'),
      provable(
        '9.5',
        'Follow-up tasks scheduled',
        'nothing: only people schedule what this report leaves to do',
        ({ leftToDo }) =>
          leftToDo.length === 0
            ? notApplicable('This window leaves nothing to do.')
            : none(
                `Schedule the ${leftToDo.length === 1 ? 'item' : `${leftToDo.length} items`} under “Left to do”, and attest it.`,
              ),
        'the window leaves nothing to do',
      ),
      attestable('9.6', 'Review of the maintenance scheduled', 'Agree on a date, and attest it.'),
    ],
  },
];

function timers(facts: ChecklistFacts): Finding {
  const paused = servicesRunAgain(facts, isByClock);
  if (paused !== undefined) return paused;
  return fromRun(
    facts,
    lastRun(facts),
    (_, check) => check?.kind === 'unit' && check.unit.endsWith('.timer'),
    'No smoke test looks at a timer: add one of kind `unit`, or attest that the jobs due while the site was closed have run.',
  );
}

function integrations(facts: ChecklistFacts): Finding {
  const { publicUrl } = facts.input.plan;
  const own = publicUrl === undefined ? undefined : new URL(publicUrl).hostname;
  return fromRun(
    facts,
    lastRun(facts),
    (_, check) => {
      const asked = check === undefined ? undefined : otherHost(check);
      return asked !== undefined && own !== undefined && asked !== own;
    },
    'No smoke test asks another host: add one for each integration, or attest it.',
  );
}

/** The host that a check names; `undefined` when it names none, or asks nothing of it. */
function otherHost(check: SmokeCheck): string | undefined {
  switch (check.kind) {
    case 'http':
      return URL.canParse(check.url) ? new URL(check.url).hostname : undefined;
    case 'tcp':
      return check.host;
    case 'tls':
      return check.address?.replace(/:\d+$/, '');
    default:
      return undefined;
  }
}

function cleanedUp({ input, rows, recovery }: ChecklistFacts): Finding {
  const { status } = input.record;
  const { restorePoint, rollback } = recovery;
  const left = [
    typeof rollback?.failedDatabase === 'string'
      ? `the failed database ${rollback.failedDatabase}`
      : '',
    restorePoint?.kind === 'clone' &&
    !restorePoint.dropped &&
    restorePoint.keptUntil === null &&
    rollback?.restored !== true
      ? `the restore point ${restorePoint.place}`
      : '',
    lastRow(rows, stepIds.giveBack)?.outcome === 'skipped' ? 'the hook in the site files' : '',
  ].filter((what) => what !== '');
  if (left.length > 0)
    return failed(`Left in place when this report was written: ${left.join(', ')}.`);
  const restoration = status.maintenance?.restoration;
  if (restoration === undefined) {
    return status.maintenance === undefined
      ? none('The record tells of nothing that was put in place or taken away.')
      : failed('The site files have not been given back.');
  }
  const dropped =
    restorePoint?.dropped === true
      ? ` Restore point ${restorePoint.place} ${releasedWord(restorePoint.kind)}.`
      : restorePoint !== null && restorePoint.keptUntil !== null
        ? ` Restore point ${restorePoint.place} is kept until ${secondOf(restorePoint.keptUntil, input.plan.window.timeZone)}, as planned.`
        : '';
  return proof(`Site files: ${restoration}.${dropped}`);
}
