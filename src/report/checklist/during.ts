import { secondOf } from '../moment.ts';
import {
  both,
  fromBackup,
  fromChecks,
  fromLatency,
  fromReopening,
  fromRun,
  isApplication,
  lastRun,
} from './evidence.ts';
import {
  outOfScopeWithoutCommands,
  plansServerTask,
  securityPatched,
  updatesInstalled,
} from './server-work.ts';
import { codeTagged, servicesStopped } from './services.ts';
import {
  attestable,
  none,
  notApplicable,
  outOfScope,
  proof,
  provable,
  type ChecklistFacts,
  type ChecklistSection,
  type Finding,
} from './finding.ts';

const noTest = 'No smoke test of this kind ran after the work.';
const noPackages = 'the plan updates no packages';

/** Sections 4 to 6: during the work. */
export const duringSections: readonly ChecklistSection[] = [
  {
    number: 4,
    part: 'During',
    title: 'Execution',
    lines: [
      provable(
        '4.1',
        'Maintenance status file created',
        "the record's status file, which is the lock",
        ({ input }) => {
          const { status } = input.record;
          return proof(
            `window.json of ${status.windowId}, created at ${secondOf(status.startedAt, input.plan.window.timeZone)} and held as the lock.`,
          );
        },
      ),
      provable(
        '4.2',
        'Services stopped gracefully, where required',
        'each service of the plan: asked to end, seen stopped, none ended by force; requests under way were drained before',
        servicesStopped,
        'the plan stops no service',
      ),
      provable(
        '4.3',
        'System backups completed',
        'the receipt of `backup-db`, and the tag of the code where the plan names a checkout',
        (facts) => {
          const tagged = codeTagged(facts);
          return tagged === undefined ? fromBackup(facts) : both(fromBackup(facts), tagged);
        },
        'the plan names no database',
      ),
      outOfScopeWithoutCommands(
        '4.4',
        'Configuration changes applied',
        'this window changes no configuration besides what closes the site',
      ),
      provable(
        '4.5',
        'Software updates installed',
        'tasks `packages` of `update-server`: every planned version is installed, nothing half-way',
        updatesInstalled,
        noPackages,
      ),
      provable(
        '4.6',
        'Security patches applied',
        'tasks `packages` of `update-server`: no security update is left out',
        securityPatched,
        noPackages,
      ),
      provable(
        '4.7',
        'System configuration validated',
        'preflight check `nginx-config`: the web server accepts its configuration; after package updates, that dpkg has left nothing half-way',
        (facts) => {
          const checked = fromChecks(
            facts,
            'configuration',
            'No check of the web server is in this record.',
          );
          return plansServerTask(facts, 'packages')
            ? both(checked, updatesInstalled(facts))
            : checked;
        },
      ),
    ],
  },
  {
    number: 5,
    part: 'During',
    title: 'Validation and testing',
    lines: [
      provable(
        '5.1',
        'Function of the service verified',
        'all smoke tests after the work',
        (facts) => fromRun(facts, lastRun(facts), () => true, noTest),
      ),
      provable(
        '5.2',
        'Database connection tested',
        'smoke tests of kind `sql` or `write-canary`, or a task that ran on the database',
        databaseReached,
        'the plan names no database',
      ),
      provable(
        '5.3',
        'Application health checks passing',
        'smoke tests of kind `http`, `routing` or `browser` after the work',
        (facts) => fromRun(facts, lastRun(facts), isApplication, noTest),
      ),
      provable(
        '5.4',
        'Routing verified, through any load balancer',
        'a smoke test of kind `routing`, which asks each address; else the public URL: 503 with the window’s header while closed, the application after it',
        publicRoute,
      ),
      provable(
        '5.5',
        'TLS certificates validated',
        'smoke tests of kind `tls`; else requests to an https public URL, whose certificate is verified each time',
        certificates,
        'the public URL is plain http',
      ),
      provable(
        '5.6',
        'Performance within acceptable limits',
        'smoke tests with a `latency` limit after the work',
        (facts) => fromLatency(facts, lastRun(facts)),
      ),
    ],
  },
  {
    number: 6,
    part: 'During',
    title: 'Monitoring and alerts',
    lines: [
      outOfScope('6.1', 'System monitoring restored', 'this window switches no monitoring off'),
      attestable(
        '6.2',
        'Alert thresholds verified',
        'Alerting systems are not asked by this window: attest that the thresholds still fit.',
      ),
      attestable(
        '6.3',
        'Log aggregation working',
        'Log systems are not asked by this window: attest that logs of the window arrived.',
      ),
      attestable(
        '6.4',
        'Security monitoring active',
        'Security systems are not asked by this window: attest that they were active.',
      ),
      attestable(
        '6.5',
        'Performance dashboards updated',
        'Dashboards are not known to this window: attest that they show the window.',
      ),
      provable(
        '6.6',
        'Capacity checked',
        'preflight check `disk`: space for backup and restore test',
        (facts) => fromChecks(facts, 'disk', 'Preflight recorded no check of disk space.'),
      ),
    ],
  },
];

function databaseReached(facts: ChecklistFacts): Finding {
  const { plan, record } = facts.input;
  const tested = fromRun(
    facts,
    lastRun(facts),
    ({ kind }) => kind === 'sql' || kind === 'write-canary',
    noTest,
  );
  if (tested.kind !== 'none') return tested;
  const done = (record.status.tasks ?? []).filter(({ outcome }) => outcome === 'done');
  if (done.length > 0) {
    return proof(`Tasks that ran on it: ${done.map(({ id }) => id).join(', ')}.`);
  }
  return plan.database.url === undefined ? notApplicable('The plan names no database.') : tested;
}

/** The public's way to the application, as far as requests from outside show it. */
function publicRoute(facts: ChecklistFacts): Finding {
  const asked = fromRun(facts, lastRun(facts), ({ kind }) => kind === 'routing', '');
  if (asked.kind === 'failed') return asked;
  const seen = byPublicUrl(facts);
  if (asked.kind !== 'proof') return seen;
  return seen.kind === 'proof' ? both(asked, seen) : seen.kind === 'failed' ? seen : asked;
}

function byPublicUrl(facts: ChecklistFacts): Finding {
  const reopened = fromReopening(facts);
  if (reopened.kind !== 'proof') return reopened;
  const [span] = facts.downtime.spans;
  const { timeZone } = facts.input.plan.window;
  return proof(
    `The public URL answered 503 with this window's header at ${secondOf(span?.from ?? '', timeZone)}. ${reopened.by}`,
  );
}

function certificates(facts: ChecklistFacts): Finding {
  const asked = fromRun(facts, lastRun(facts), ({ kind }) => kind === 'tls', '');
  if (asked.kind === 'proof' || asked.kind === 'failed') return asked;
  const { publicUrl } = facts.input.plan;
  if (publicUrl === undefined) return none('The plan names no public URL.');
  if (!publicUrl.startsWith('https:')) return notApplicable('The public URL is plain http.');
  const reopened = fromReopening(facts);
  return reopened.kind === 'proof'
    ? proof(`${reopened.by} Its certificate was verified by the client that asked.`)
    : reopened;
}
