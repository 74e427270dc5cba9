import { rejections } from '../outcome.ts';
import { independentApprovals } from '../approval-facts.ts';
import { formatDuration } from '../../plan/duration.ts';
import { stepIds } from '../step-ids.ts';
import { lastRow } from '../timeline.ts';
import { both, fromBackup, fromChecks, fromLatencyBefore } from './evidence.ts';
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

/** Sections 1 to 3: before the work. */
export const beforeSections: readonly ChecklistSection[] = [
  {
    number: 1,
    part: 'Before',
    title: 'Planning and preparation',
    lines: [
      provable(
        '1.1',
        'Maintenance window scheduled and approved',
        'preflight check `time` against a planned start, and a gate approved by somebody other than the starter',
        scheduledAndApproved,
      ),
      attestable('1.2', 'Change request submitted and approved', ({ input }) => {
        const { reason } = input.record.status.run;
        return `${reason === undefined ? 'No reason was given for this window.' : `The starter gave as reason: ${reason}.`} Attest the change request by its number.`;
      }),
      attestable(
        '1.3',
        'Stakeholders notified of the window',
        'Announcements are not made by this window: attest who was told, when and how.',
      ),
      provable(
        '1.4',
        'Rollback plan documented and tested',
        'the `rollback` section of the plan, and the rehearsed restore of the backup',
        rollbackRehearsed,
        'the plan names no database',
      ),
      attestable('1.5', 'Emergency contacts identified and available', ({ input }) => {
        const { emergency } = input.plan.contacts;
        return emergency === undefined
          ? 'The plan names no emergency contact (contacts.emergency).'
          : `The plan names ${emergency}; attest that they can be reached during the window.`;
      }),
      provable(
        '1.6',
        'Backup verification completed',
        'the receipt of `backup-db`: restored into a scratch database, rows compared table by table',
        fromBackup,
        'the plan names no database',
      ),
    ],
  },
  {
    number: 2,
    part: 'Before',
    title: 'System health',
    lines: [
      attestable(
        '2.1',
        'All critical alerts resolved',
        'Alerting systems are not asked by this window: attest that none was firing.',
      ),
      provable(
        '2.2',
        'System performance within normal limits',
        "preflight's smoke tests that have a `latency` limit",
        fromLatencyBefore,
      ),
      provable(
        '2.3',
        'Database replication healthy',
        'preflight check `replication`',
        (facts) =>
          fromChecks(facts, 'replication', 'Preflight recorded no check of replication: run it.'),
        'the database has no standby',
      ),
      provable(
        '2.4',
        'Backup systems operational',
        'the receipt of `backup-db`',
        fromBackup,
        'the plan names no database',
      ),
      attestable(
        '2.5',
        'Monitoring systems working',
        'Monitoring systems are not asked by this window: attest that they were recording.',
      ),
      provable(
        '2.6',
        'Load balancer health checks passing',
        'preflight check `load-balancer-health`: each web host answers `load-balancer.health-path`',
        (facts) =>
          fromChecks(
            facts,
            'loadBalancer',
            'The plan names no `load-balancer.health-path`: name it, attest that all is well, or declare that there is no load balancer.',
          ),
      ),
    ],
  },
  {
    number: 3,
    part: 'Before',
    title: 'Safety preparations',
    lines: [
      provable(
        '3.1',
        'Role for safe operation configured',
        'preflight check `role`: what the database role may do',
        (facts) => fromChecks(facts, 'role', 'Preflight recorded no check of the database role.'),
        'the plan names no database',
      ),
      provable(
        '3.2',
        'Protection against dangerous commands enabled',
        'preflight checks `gate-…`: every gate exists and has required reviewers',
        (facts) =>
          fromChecks(
            facts,
            'gates',
            'No gate was checked: name environments with required reviewers under preflight.gates.',
          ),
      ),
      provable(
        '3.3',
        'Creation of the backup verified',
        'the receipt of `backup-db`',
        fromBackup,
        'the plan names no database',
      ),
      provable(
        '3.4',
        'Rollback scripts generated',
        'a restore point or a verified backup in the record, from which `rollback` works alone',
        restorable,
        'the plan names no database',
      ),
      provable(
        '3.5',
        'Safety confirmation tested',
        'a gate that held the run until somebody answered',
        ({ approvals }) => {
          const asked = approvals.reviews.filter(({ state }) => state !== 'pending');
          return asked.length > 0
            ? proof(
                `The run waited at ${asked.map(({ environments, user, state }) => `${environments.join(', ')}, ${state} by ${user}`).join('; ')}.`,
              )
            : none(unreviewed(approvals));
        },
      ),
      provable(
        '3.6',
        'Maintenance mode ready',
        'the mode, got ready ahead of time (nginx: the hook, proved at the public URL); or the preflight checks of the mode',
        (facts) => {
          const hook = lastRow(facts.rows, stepIds.hook);
          if (hook?.outcome === 'done') return proof(`${hook.phase}: ${hook.detail}.`);
          if (hook?.outcome === 'failed') return failed(`${hook.phase}: ${hook.detail}`);
          return fromChecks(
            facts,
            'mode',
            'Maintenance mode was neither checked nor put in place.',
          );
        },
      ),
    ],
  },
];

/** The gate and the time; both are needed. Line 15.6 asks the same of the final approval. */
export function scheduledAndApproved(facts: ChecklistFacts): Finding {
  return both(scheduled(facts), approved(facts));
}

function scheduled(facts: ChecklistFacts): Finding {
  const { status } = facts.input.record;
  if (status.ignoredWindow !== undefined) {
    return failed(`It began outside its planned time on purpose: ${status.ignoredWindow}.`);
  }
  if (facts.input.plan.window.start === undefined) {
    return none('The plan names no start (window.start), so any time counted as the window.');
  }
  return fromChecks(facts, 'time', 'Preflight recorded no check of the time.');
}

function approved({ approvals, input }: ChecklistFacts): Finding {
  const [rejected] = rejections(input.approvals);
  if (rejected !== undefined) {
    return failed(`${rejected.user} rejected ${rejected.environments.join(', ')}.`);
  }
  const others = independentApprovals(approvals);
  if (others.length > 0) {
    return proof(
      `Approved by ${others.map(({ user, environments }) => `${user} (${environments.join(', ')})`).join(', ')}.`,
    );
  }
  const [self] = approvals.reviews.filter(({ selfApproval }) => selfApproval);
  if (self !== undefined) {
    return failed(`Approved only by ${self.user}, who started the run.`);
  }
  return none(unreviewed(approvals));
}

function unreviewed({ known, note }: ChecklistFacts['approvals']): string {
  if (!known) return `The approvals of this run are not known${note === null ? '' : `: ${note}`}.`;
  return 'Nobody reviewed this run at a gate.';
}

/** What a rollback falls back to was restored once, as a rehearsal, or the rollback itself took place. */
export function rollbackRehearsed(facts: ChecklistFacts): Finding {
  const { rollback } = facts.recovery;
  const policy = `The plan says to ${facts.input.plan.rollback.onFailure === 'hold' ? 'hold' : 'roll back'} after a failed change.`;
  if (rollback !== null) {
    return rollback.finishedAt === null
      ? failed(`${policy} The rollback of this window did not finish.`)
      : proof(
          `${policy} The rollback of this window finished${rollback.seconds === null ? '' : ` after ${formatDuration(rollback.seconds)}`}.`,
        );
  }
  const backup = fromBackup(facts);
  return backup.kind === 'proof'
    ? proof(`${policy} What it falls back to was restored as a rehearsal; ${backup.by}`)
    : backup;
}

/** Whether there is something to go back to. */
export function restorable(facts: ChecklistFacts): Finding {
  const { restorePoint } = facts.recovery;
  const { status } = facts.input.record;
  if (restorePoint !== null) {
    return proof(
      `Restore point (${restorePoint.kind} ${restorePoint.place}) taken in ${formatDuration(restorePoint.seconds)}${restorePoint.dropped ? ', and dropped when it was not needed any more' : '; \`rollback\` needs this record and nothing else'}.`,
    );
  }
  const backup = fromBackup(facts);
  if (backup.kind === 'proof') return backup;
  if (status.blast === 'schema' || status.blast === 'data') {
    return failed('A change began without a restore point and without a verified backup.');
  }
  return backup;
}
