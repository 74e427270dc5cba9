import { formatDuration } from '../../plan/duration.ts';
import { restoreBasisWords } from '../backup-proof.ts';
import { restorable, rollbackRehearsed } from './before.ts';
import { fromRun } from './evidence.ts';
import { rollbackOrder } from './services.ts';
import {
  attestable,
  none,
  notApplicable,
  proof,
  provable,
  type ChecklistFacts,
  type ChecklistSection,
  type Finding,
} from './finding.ts';

/** Sections 10 and 11: when things go wrong. */
export const emergencySections: readonly ChecklistSection[] = [
  {
    number: 10,
    part: 'Emergency',
    title: 'Rollback',
    lines: [
      provable(
        '10.1',
        'Criteria for a rollback defined',
        '`rollback.on-failure` of the plan, and the class of each step',
        ({ input }) =>
          proof(
            `The plan: rollback.on-failure is ${input.plan.rollback.onFailure} once a change of schema or data has begun; before that the site is opened as it was.`,
          ),
      ),
      provable(
        '10.2',
        'Rollback scripts tested',
        'the rehearsed restore of the backup, or a rollback that took place',
        rollbackRehearsed,
        'the plan names no database',
      ),
      provable(
        '10.3',
        'Rollback of the database ready',
        'a restore point, or the verified backup',
        restorable,
        'the plan names no database',
      ),
      provable(
        '10.4',
        'Order of service rollback documented',
        '`enable-maintenance.services` of the plan: stopped in order, started again in reverse',
        rollbackOrder,
        'the plan stops no service',
      ),
      attestable(
        '10.5',
        'Communication plan for a rollback',
        'Announcements are not made by this window: attest who tells whom.',
      ),
      provable(
        '10.6',
        'Steps to validate a rollback',
        'the smoke tests of the plan, which a rollback runs too',
        validation,
      ),
    ],
  },
  {
    number: 11,
    part: 'Emergency',
    title: 'Incident response',
    lines: [
      provable(
        '11.1',
        'Contacts of the incident response team',
        '`contacts.technical` and `contacts.emergency` of the plan',
        ({ input }) => {
          const { technical, emergency } = input.plan.contacts;
          return technical !== undefined && emergency !== undefined
            ? proof(`The plan: technical contact ${technical}, emergency contact ${emergency}.`)
            : none('Name contacts.technical and contacts.emergency in the plan.');
        },
      ),
      attestable('11.2', 'Escalation documented', 'Attest where the escalation is written down.'),
      attestable(
        '11.3',
        'Channels for emergency communication',
        'Attest which channels are used when the usual ones are down.',
      ),
      attestable('11.4', 'Contacts of vendors available', 'Attest where they are written down.'),
      provable(
        '11.5',
        'Recovery time objective defined',
        'the measured restore time, beside the planned duration of the window',
        ({ recovery, input }) =>
          recovery.backup === null
            ? none('No restore was measured: run `backup-db`, and attest the objective.')
            : proof(
                `A restore takes ${formatDuration(recovery.backup.restoreSeconds)} (${restoreBasisWords(recovery.backup.restoreBasis)}); the window was planned for ${formatDuration(input.plan.window.duration)}.`,
              ),
      ),
      provable(
        '11.6',
        'Business continuity plan activated',
        'nothing: only people activate it, when a window is held',
        ({ outcome }) =>
          outcome.kind === 'held' || outcome.kind === 'unfinished'
            ? none(`The window is ${outcome.kind}: decide on it, and attest the decision.`)
            : notApplicable('The window did not end in an emergency.'),
        'the window was neither held nor left unfinished',
      ),
    ],
  },
];

function validation(facts: ChecklistFacts): Finding {
  const run = facts.input.record.status.smokeTests?.findLast(({ phase }) => phase === 'rollback');
  const ran = fromRun(facts, run, () => true, '');
  if (ran.kind !== 'none') return ran;
  const { checks } = facts.input.plan.smokeTest;
  return checks.length > 0
    ? proof(
        `The plan: a rollback runs the smoke tests ${checks.map(({ id }) => id).join(', ')} before it reopens.`,
      )
    : none('The plan has no smoke tests: add some.');
}
