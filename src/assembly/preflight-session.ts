import { randomBytes } from 'node:crypto';
import { dropKeptRestorePoints } from '../phases/close-books.ts';
import { preflight } from '../phases/preflight.ts';
import type { PhaseOutcome } from '../phases/phase.ts';
import { markLogs } from '../phases/smoke-checks/log-marks.ts';
import { checkTimeBudget } from '../phases/time-budget.ts';
import { predict, predictedDowntime } from '../plan/prediction.ts';
import { copySecretReferences } from '../plan/copy-secrets.ts';
import { secretReferences } from '../plan/secrets.ts';
import type { GitHub } from '../ports/github.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import { renderPreflight } from '../report/preflight-summary.ts';
import { archivedRecords } from '../record/archived-records.ts';
import type { ExistingRecord } from '../record/admission.ts';
import { openRecord, readHistory, type WindowRecord } from '../record/window-record.ts';
import type { Machines } from './machines.ts';
import { predictableSteps, tableSizes } from './predictable-steps.ts';
import { assembleSettings, type AssembledSettings } from './settings.ts';
import type { Surroundings } from './surroundings.ts';
import { copiesOf, copySecretsOf } from './backup-copies.ts';
import { checkoutsOf } from './code.ts';
import { servicesOf } from './services.ts';
import { standbyOf } from './standby.ts';
import {
  databaseOf,
  modeOf,
  scratchOf,
  secretsOf,
  secretValues,
  worldOf,
  type World,
} from './world.ts';
import { deadlineOf, recordOutputs, type ActionResult } from './window-session.ts';

/** What a preflight leaves: its result, and the record that it opened when all was well. */
export interface PreflightSession {
  readonly result: ActionResult;
  readonly settings: AssembledSettings;
  readonly world: World;
  readonly record: WindowRecord | undefined;
}

/**
 * Looks at everything, then opens the window's record when all checks passed and this is no dry run.
 * @param id the action whose inputs and requirements hold: `preflight`, or the root action
 */
export async function preflightSession(
  id: 'preflight' | 'maintenance-window',
  surroundings: Surroundings,
  machines: Machines,
): Promise<PreflightSession> {
  const settings = await assembleSettings(id, surroundings, machines);
  const { plan, invocation, known } = settings;
  const world = await worldOf(plan, surroundings, machines);
  const secrets = secretsOf(plan, surroundings);
  const copySecrets = copySecretsOf(plan, surroundings);
  const now = world.clock.now();
  const existing: ExistingRecord =
    known === undefined ? { kind: 'none' } : { kind: 'status', status: known.status };
  const ignoreWindow = invocation['ignore-window'] === true;
  const database = databaseOf(plan, secrets, world);
  const looked = await preflight({
    ...world,
    plan,
    workspace: surroundings.workspace,
    variable: (name) => surroundings.environment[name],
    progress: surroundings.progress,
    database,
    scratch: scratchOf(plan, secrets, world),
    standby: standbyOf(plan, secrets, world),
    mode: modeOf(plan, secrets, world, {
      id: known?.status.windowId ?? 'preflight',
      expectedEnd: new Date(now.getTime() + plan.window.duration * 1000),
      workspace: surroundings.workspace,
    }),
    services: servicesOf(plan, world, known?.status.windowId ?? 'preflight'),
    checkouts: checkoutsOf(plan, world),
    ...copiesOf(plan, surroundings, world),
    github: await githubOf(surroundings),
    gated: id === 'preflight',
    existing,
    run: surroundings.run,
    ignoreWindow,
  });
  const history = await readHistory(world.host, { stateDir: plan.stateDir, name: plan.name ?? '' });
  const sizes = await tableSizes(plan, database, looked.facts !== undefined);
  const prediction = predict(
    predictableSteps(plan, sizes, looked.restorePoint),
    looked.facts,
    history,
  );
  const end = deadlineOf(plan, looked.position, now);
  const checks = [...looked.checks, checkTimeBudget({ prediction, plan, end, now })];
  const summary = renderPreflight({
    settings: settings.raw,
    plan,
    checks,
    prediction,
    serverTasks: looked.serverTasks,
    position: looked.position,
    secretVariables: [...secretReferences(plan), ...copySecretReferences(plan)].map(
      ({ variable }) => variable,
    ),
    secretValues: [...secretValues(secrets), ...copySecrets.values()],
    dryRun: invocation['dry-run'] === true,
    ignoreWindow,
    actor: surroundings.run.actor,
    reason: textOf(invocation.reason),
    now,
  });
  const stages = new Set(plan.updateServer.tasks.map(({ stage }) => stage));
  const outputs = {
    'predicted-downtime': String(predictedDowntime(prediction)),
    'server-tasks': [...stages].join(' '),
  };
  const outcome = outcomeOf(checks, invocation['dry-run'] === true);
  if (outcome.kind !== 'done') {
    return { result: { outcome, outputs, summary }, settings, world, record: undefined };
  }
  const reason = textOf(invocation.reason);
  const record = await openRecord(world.host, world.clock, {
    stateDir: plan.stateDir,
    name: plan.name ?? '',
    run: { ...surroundings.run, ...(reason === undefined ? {} : { reason }) },
    settings: settings.raw,
    deadline: end,
    leaseUntil: end,
    ...(ignoreWindow && looked.position.kind === 'outside'
      ? { ignoredWindow: reason ?? 'no reason was given' }
      : {}),
    suffix: randomBytes(2).toString('hex'),
  });
  await record.update({
    settings: settings.raw,
    checks,
    prediction: [...prediction],
    ...(looked.smokeTests.length === 0
      ? {}
      : {
          smokeTests: [
            {
              at: now.toISOString(),
              phase: 'preflight',
              passed: true,
              results: [...looked.smokeTests],
            },
          ],
        }),
  });
  await dropKeptRestorePoints(
    {
      ...world,
      plan,
      record,
      database,
      standby: standbyOf(plan, secrets, world),
      progress: surroundings.progress,
      workspace: surroundings.workspace,
      variable: (name) => surroundings.environment[name],
    },
    await archivedRecords(world.host, world.clock, {
      stateDir: plan.stateDir,
      name: plan.name ?? '',
      runId: surroundings.run.id,
    }),
  );
  await markLogs({ plan, fleet: world.fleet, clock: world.clock, record }, 'window');
  await record.append({
    phase: 'preflight',
    step: 'checks',
    title: 'Look at everything that the window depends on',
    event: 'done',
    blast: 'none',
    detail: outcome.detail,
  });
  return {
    result: { outcome, outputs: { ...recordOutputs(record), ...outputs }, summary },
    settings,
    world,
    record,
  };
}

/** GitHub's API, where GitHub runs us. */
export async function githubOf(surroundings: Surroundings): Promise<GitHub | undefined> {
  const { github, run } = surroundings;
  if (github === undefined) return undefined;
  // Loaded only where it is used: it makes up half of the bundle's start.
  const { githubRest } = await import('../github/rest.ts');
  return githubRest({ ...github, runId: run.id });
}

function outcomeOf(checks: readonly Check[], dryRun: boolean): PhaseOutcome {
  const failed = checks.filter((check) => check.verdict === 'failed');
  if (failed.length > 0) {
    return {
      kind: 'failed',
      outputs: {},
      failure: {
        code: 'preflight-failed',
        message: `${failed.length} of ${checks.length} checks failed: ${failed
          .map((check) => `${check.title}: ${check.value.replace(/\.$/, '')}`)
          .join('; ')}.`,
        state: 'Nothing was touched.',
        next: [...new Set(failed.map((check) => check.next ?? ''))]
          .filter((next) => next !== '')
          .join(' '),
      },
    };
  }
  if (dryRun) {
    return {
      kind: 'skipped',
      reason: 'dry run: all checks passed, nothing was touched',
      outputs: {},
    };
  }
  return { kind: 'done', detail: `${checks.length} checks, none failed`, outputs: {} };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
