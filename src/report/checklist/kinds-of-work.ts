import { fromComparison, fromRun, lastRun, plannedTasks } from './evidence.ts';
import { afterUpdates, outOfScopeWithoutCommands, securityIdentified } from './server-work.ts';
import {
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

const noPackages = 'the plan updates no packages';
const noRelease = 'this window deploys no version of the application';
const noInfrastructure = 'this window changes no infrastructure';
const noMigration =
  'The plan has no migration, and this window deploys no version of the application.';

/** What no record of a host shows. */
const peopleOnUpdates = [
  [
    '12.2',
    'Vulnerabilities assessed',
    'Attest who assessed what the updates mend, and what they leave.',
  ],
  ['12.3', 'Patches tested in staging', 'Attest where these updates ran before.'],
  ['12.4', 'Security scan after patching', 'Scan the hosts, and attest what it found.'],
  ['12.5', 'Compliance verified', 'Attest which rules these updates satisfy.'],
  [
    '12.6',
    'Security team notified',
    'Tell them what was installed and what is on hold, and attest it.',
  ],
] as const;

/** Sections 12 to 14: lines that belong to some kinds of work only. */
export const kindSections: readonly ChecklistSection[] = [
  {
    number: 12,
    part: 'Kinds of work',
    title: 'Security updates',
    lines: [
      provable(
        '12.1',
        'Security patches identified',
        'tasks `packages` of `update-server`: the fetched lists of packages, by name',
        securityIdentified,
        noPackages,
      ),
      ...peopleOnUpdates.map(([id, title, todo]) =>
        provable(id, title, 'nothing: only people do', afterUpdates(todo), noPackages),
      ),
    ],
  },
  {
    number: 13,
    part: 'Kinds of work',
    title: 'Application updates',
    lines: [
      provable(
        '13.1',
        'Application version tested',
        'smoke tests after a migration',
        withMigration((facts) =>
          fromRun(facts, lastRun(facts), () => true, 'No smoke test ran after the migration.'),
        ),
        'the plan has no migration',
      ),
      provable(
        '13.2',
        'Database migrations validated',
        'the post-condition of each `migrate` task: checksums, and the version reached',
        withMigration(migrations),
        'the plan has no migration',
      ),
      outOfScopeWithoutCommands(
        '13.3',
        'Configuration changes reviewed',
        'this window changes no configuration besides what closes the site',
      ),
      outOfScopeWithoutCommands('13.4', 'Feature flags configured', noRelease),
      provable(
        '13.5',
        'User acceptance tested',
        'nothing: only people accept a change',
        withMigration(() => none('Attest who accepted the migrated application.')),
        'the plan has no migration',
      ),
      provable(
        '13.6',
        'Effect on performance assessed',
        'the same smoke tests before and after a migration',
        withMigration(fromComparison),
        'the plan has no migration',
      ),
    ],
  },
  {
    number: 14,
    part: 'Kinds of work',
    title: 'Infrastructure changes',
    lines: [
      outOfScope('14.1', 'Infrastructure changes documented', noInfrastructure),
      outOfScope('14.2', 'Capacity planned', noInfrastructure),
      outOfScope('14.3', 'Network changes coordinated', noInfrastructure),
      outOfScope('14.4', 'DNS changes scheduled', noInfrastructure),
      outOfScope('14.5', 'Load balancer configuration updated', noInfrastructure),
      outOfScope('14.6', 'Firewall rules validated', noInfrastructure),
    ],
  },
];

function withMigration(
  resolve: (facts: ChecklistFacts) => Finding,
): (facts: ChecklistFacts) => Finding {
  return (facts) => {
    if (plannedTasks(facts, 'migrate') === 0) return notApplicable(noMigration);
    if (facts.recovery.rollback?.restored === true) {
      return failed('What this window migrated was undone by its rollback.');
    }
    return resolve(facts);
  };
}

function migrations({ input }: ChecklistFacts): Finding {
  const planned = input.plan.runDbMaintenance.tasks.filter(({ task }) => task === 'migrate').length;
  const results = (input.record.status.tasks ?? []).filter(({ task }) => task === 'migrate');
  const bad = results.find(({ outcome }) => outcome === 'failed');
  if (bad !== undefined) return failed(`Task ${bad.id}: ${bad.summary}`);
  const done = results.filter(({ outcome }) => outcome === 'done');
  return done.length >= planned
    ? proof(done.map(({ id, proof: shown }) => `Task ${id}: ${shown}`).join('; ') + '.')
    : none(`${done.length} of ${planned} migrations ran.`);
}
