import type * as z from 'zod';
import type { ActionId } from './action-ids.ts';
import { backupDbShape } from './settings/backup-db.ts';
import { codeShape } from './settings/code.ts';
import {
  disableMaintenanceInvocation,
  disableMaintenanceShape,
} from './settings/disable-maintenance.ts';
import {
  enableMaintenanceInvocation,
  enableMaintenanceShape,
} from './settings/enable-maintenance.ts';
import { preflightInvocation, preflightShape } from './settings/preflight.ts';
import { reportInvocation, reportShape } from './settings/report.ts';
import { rollbackInvocation, rollbackShape } from './settings/rollback.ts';
import {
  runDbMaintenanceInvocation,
  runDbMaintenanceShape,
} from './settings/run-db-maintenance.ts';
import {
  contactsShape,
  databaseShape,
  hostsShape,
  loadBalancerShape,
  rootShape,
  sshShape,
  windowIdInvocation,
  windowShape,
} from './settings/shared.ts';
import { smokeTestInvocation, smokeTestShape } from './settings/smoke-test.ts';
import { standbyShape } from './settings/standby.ts';
import { updateServerInvocation, updateServerShape } from './settings/update-server.ts';

export type Shape = Readonly<Record<string, z.ZodType>>;

/** Groups of shared settings by their section in the plan. */
export const sharedGroups = {
  window: windowShape,
  contacts: contactsShape,
  database: databaseShape,
  standby: standbyShape,
  code: codeShape,
  hosts: hostsShape,
  ssh: sshShape,
  'load-balancer': loadBalancerShape,
} as const satisfies Readonly<Record<string, Shape>>;
export type SharedGroup = keyof typeof sharedGroups;

export interface ActionDefinition {
  /** Name on the Marketplace. */
  readonly title: string;
  /** One sentence: what it does and what proves it. */
  readonly description: string;
  /** The step of the runbook by hand that it replaces. */
  readonly replaces: string;
  /** Its section of the plan; the root action has none of its own. */
  readonly section: Shape;
  readonly groups: readonly SharedGroup[];
  /** Inputs that belong to one run and not to a plan. */
  readonly invocation: Shape;
  /** Plan paths without which it cannot work. */
  readonly requires: readonly string[];
  /**
   * Whether it also needs what the plan's maintenance mode cannot do without (src/plan/modes.ts): `always`, or only
   * when the plan names a mode.
   */
  readonly needsMode?: 'always' | 'when-named';
  /** Output name to description. */
  readonly outputs: Readonly<Record<string, string>>;
}

const recordOutputs = {
  'window-id':
    'Id of the window, for instance `mw-20261122-020000-1a2b`; also the value of the `X-Maintenance` header.',
  state:
    'Where the life of the window stands: planned, prepared, closed, changed, reopened, rolled-back, held, …',
  record: "Copy of the window's record (compressed, without secrets) for later jobs.",
} as const;

/** How the machines are found; every action needs them. */
const machines = ['hosts', 'ssh'] as const satisfies readonly SharedGroup[];

/** The suite: everything that inputs, documents, schema and flags are generated from. */
export const actionDefinitions: Readonly<Record<ActionId, ActionDefinition>> = {
  preflight: {
    title: 'Maintenance preflight',
    description:
      'Checks plan, time, gates, host, database, disk, web server and smoke tests before anything is touched, and predicts the timeline.',
    replaces:
      'Prerequisites: window scheduled, stakeholders notified, tasks documented, rollback plan ready',
    section: preflightShape,
    groups: ['window', 'contacts', 'database', 'standby', 'code', 'load-balancer', ...machines],
    invocation: preflightInvocation,
    requires: ['name', 'public-url'],
    needsMode: 'when-named',
    outputs: {
      ...recordOutputs,
      'predicted-downtime': 'Seconds for which the site is predicted to be closed.',
      'server-tasks':
        'Stages that the plan has tasks of `update-server` for: `online`, `closed`, both, or nothing.',
    },
  },
  'backup-db': {
    title: 'Verified database backup',
    description:
      "Dumps the database while the site is up, restores the dump into a scratch database, compares every table's rows and drops it.",
    replaces: 'Step 1, create backup: `pg_dump mydb > backup.sql`',
    section: backupDbShape,
    groups: ['database', 'code', ...machines],
    invocation: windowIdInvocation,
    requires: ['name', 'database.url'],
    outputs: {
      ...recordOutputs,
      directory: 'Folder of the backup on the host.',
      sha256: 'Checksum over all files of the backup.',
      bytes: 'Size of the backup in bytes.',
      'restore-seconds': 'Seconds that the proving restore took.',
      'code-tag': 'Tag of the code, when the plan names a checkout.',
    },
  },
  'enable-maintenance': {
    title: 'Enable maintenance mode',
    description:
      'Closes the site to the public with 503, drains what is under way, and proves it at the public URL; otherwise undoes everything.',
    replaces: 'Step 2, enable maintenance mode: edit nginx, `nginx -t`, reload',
    section: enableMaintenanceShape,
    groups: ['window', 'database', 'standby', 'load-balancer', ...machines],
    invocation: { ...enableMaintenanceInvocation, ...windowIdInvocation },
    requires: ['name', 'public-url'],
    needsMode: 'always',
    outputs: { ...recordOutputs, 'closed-at': 'When the public URL was proved closed (ISO 8601).' },
  },
  'run-db-maintenance': {
    title: 'Run database maintenance',
    description:
      'Takes a restore point, then runs vacuum, analyze, reindex, migrations and SQL, each with its own post-condition.',
    replaces:
      'Step 3, perform maintenance: `VACUUM ANALYZE; REINDEX DATABASE mydb;`, schema changes',
    section: runDbMaintenanceShape,
    groups: ['database', 'standby', ...machines],
    invocation: { ...runDbMaintenanceInvocation, ...windowIdInvocation },
    requires: ['name', 'database.url'],
    outputs: {
      ...recordOutputs,
      'restore-point':
        'Kind of the restore point that was taken: clone, standby, dump, command, or none.',
    },
  },
  'update-server': {
    title: 'Update servers',
    description:
      'Installs package updates, reboots, cleans up, rotates logs, renews certificates and runs application tasks, each with its own proof.',
    replaces:
      'Step 3, perform maintenance on the server: `apt-get upgrade`, `reboot`, log rotation, `certbot renew`, disk clean-up',
    section: updateServerShape,
    groups: ['database', 'standby', ...machines],
    invocation: { ...updateServerInvocation, ...windowIdInvocation },
    requires: ['name'],
    outputs: {
      ...recordOutputs,
      updated: 'Number of packages that were updated, over all hosts.',
      rebooted: 'Hosts that were rebooted, separated by spaces.',
      'freed-bytes': 'Bytes that the clean-up freed, over all hosts.',
    },
  },
  'smoke-test': {
    title: 'Smoke test',
    description:
      'Checks application, database, network, certificates, services, logs and pages, behind the closed door too, until all pass or the deadline is over.',
    replaces: 'Step 4, test before enabling: `curl -I http://localhost:8000/healthz`',
    section: smokeTestShape,
    groups: ['database', ...machines],
    invocation: { ...smokeTestInvocation, ...windowIdInvocation },
    requires: ['name', 'public-url', 'smoke-test.checks'],
    outputs: {
      ...recordOutputs,
      passed: 'Number of checks that passed.',
      failed: 'Number of checks that failed.',
      junit: 'Path of the results as JUnit XML on the runner.',
    },
  },
  'disable-maintenance': {
    title: 'Disable maintenance mode',
    description:
      'Lifts only what this window set, proves that the public URL answers from the application, and gives back byte for byte what was there before.',
    replaces: 'Step 5, disable maintenance mode, and step 6, verify',
    section: disableMaintenanceShape,
    groups: ['database', 'load-balancer', ...machines],
    invocation: { ...disableMaintenanceInvocation, ...windowIdInvocation },
    requires: ['name', 'public-url'],
    outputs: { ...recordOutputs, 'downtime-seconds': 'Seconds for which the public was kept out.' },
  },
  rollback: {
    title: 'Roll back a maintenance window',
    description:
      'Makes the system safe from the record alone: closes, goes back to the restore point, tests, reopens; otherwise holds.',
    replaces: 'Rollback plan: enable maintenance, `psql mydb < backup.sql`, restart, verify',
    section: rollbackShape,
    groups: ['database', 'standby', 'code', 'load-balancer', ...machines],
    invocation: { ...rollbackInvocation, ...windowIdInvocation },
    requires: ['name'],
    outputs: {
      ...recordOutputs,
      outcome: 'What was done: nothing, cleaned-up, reopened, restored or held.',
      'downtime-seconds': 'Seconds for which the public was kept out, once it no longer is.',
      'failed-database': 'Name under which the failed database is kept.',
    },
  },
  report: {
    title: 'Maintenance report',
    description:
      'Writes what was done, proved, attested and left open as Markdown, JSON and HTML, uploads it, and closes the books of the window.',
    replaces: 'Post-maintenance: create maintenance report, notify users',
    section: reportShape,
    groups: ['window', 'contacts', 'database', 'standby', ...machines],
    invocation: reportInvocation,
    requires: ['name'],
    outputs: {
      'window-id': recordOutputs['window-id'],
      state: recordOutputs.state,
      directory: 'Folder of the report files on the runner.',
      'artifact-id': 'Id of the artifact `maintenance-report-…`, named after the window.',
    },
  },
  'maintenance-window': {
    title: 'Maintenance Window',
    description:
      'Runs a whole maintenance window: verified backup, 503, database work, smoke tests, reopening or rollback, report.',
    replaces: 'The whole runbook',
    section: {},
    groups: ['window', 'contacts', 'database', 'standby', 'code', 'load-balancer', ...machines],
    invocation: {
      ...preflightInvocation,
      'output-directory': reportInvocation['output-directory'],
    },
    requires: ['name', 'public-url', 'database.url'],
    needsMode: 'always',
    outputs: {
      ...recordOutputs,
      'downtime-seconds': 'Seconds for which the public was kept out.',
    },
  },
};

/** Input with the path of the plan file; every action has it. */
export const planInput = {
  name: 'plan',
  description:
    'Path of the plan file in the checked-out repository, for instance `.github/maintenance.yml`. Inputs win over it.',
} as const;

/** Input with the token for GitHub's interface, of the actions that ask it about gates, approvals and jobs. */
export const tokenInput = {
  name: 'github-token',
  description: 'Token that reads environments, approvals and jobs of this run (`actions: read`).',
  actions: ['preflight', 'report', 'maintenance-window'] as readonly ActionId[],
} as const;

/** One input of an action: where its value goes in the plan, or `invocation` when it belongs to the run. */
export interface ActionInput {
  readonly name: string;
  readonly type: z.ZodType;
  readonly target:
    | { readonly kind: 'plan'; readonly path: readonly string[] }
    | { readonly kind: 'invocation'; readonly key: string };
}

/** The settings that an action takes as inputs, its own first; {@link planInput} and {@link tokenInput} come in addition. */
export function inputsOf(id: ActionId): readonly ActionInput[] {
  const definition = actionDefinitions[id];
  const inputs: ActionInput[] = [];
  for (const [key, type] of Object.entries(definition.section)) {
    inputs.push({ name: key, type, target: { kind: 'plan', path: [id, key] } });
  }
  for (const [key, type] of Object.entries(definition.invocation)) {
    inputs.push({ name: key, type, target: { kind: 'invocation', key } });
  }
  for (const [key, type] of Object.entries(rootShape)) {
    inputs.push({ name: key, type, target: { kind: 'plan', path: [key] } });
  }
  for (const name of definition.groups) {
    for (const [key, type] of Object.entries(sharedGroups[name] as Shape)) {
      inputs.push({ name: `${name}-${key}`, type, target: { kind: 'plan', path: [name, key] } });
    }
  }
  return inputs;
}
