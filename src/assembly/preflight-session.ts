import { randomBytes } from 'node:crypto';
import { dropKeptRestorePoints } from '../phases/close-books.ts';
import { preflight, type PreflightResult } from '../phases/preflight.ts';
import type { PhaseOutcome } from '../phases/phase.ts';
import { markLogs } from '../phases/smoke-checks/log-marks.ts';
import { planTasks } from '../phases/run-db-maintenance.ts';
import { predict, predictedDowntime, type PredictableStep } from '../plan/prediction.ts';
import type { Plan } from '../plan/plan.ts';
import { secretReferences } from '../plan/secrets.ts';
import type { GitHub } from '../ports/github.ts';
import { serverTasksChangeData } from '../phases/server-tasks/planned-tasks.ts';
import { renderPreflight } from '../report/preflight-summary.ts';
import { archivedRecords } from '../record/archived-records.ts';
import type { ExistingRecord } from '../record/admission.ts';
import { openRecord, readHistory, type WindowRecord } from '../record/window-record.ts';
import type { Machines } from './machines.ts';
import { predictableServerSteps } from './predictable-server-steps.ts';
import { assembleSettings, type AssembledSettings } from './settings.ts';
import type { Surroundings } from './surroundings.ts';
import { checkoutsOf } from './code.ts';
import { predictableServiceSteps, servicesOf } from './services.ts';
import { databaseOf, modeOf, secretsOf, secretValues, worldOf, type World } from './world.ts';
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
    mode: modeOf(plan, secrets, world, {
      id: known?.status.windowId ?? 'preflight',
      expectedEnd: new Date(now.getTime() + plan.window.duration * 1000),
      workspace: surroundings.workspace,
    }),
    services: servicesOf(plan, world, known?.status.windowId ?? 'preflight'),
    checkouts: checkoutsOf(plan, world),
    github: await githubOf(surroundings),
    gated: id === 'preflight',
    existing,
    run: surroundings.run,
    ignoreWindow,
  });
  const history = await readHistory(world.host, { stateDir: plan.stateDir, name: plan.name ?? '' });
  const prediction = predict(predictableSteps(plan), looked.facts, history);
  const summary = renderPreflight({
    settings: settings.raw,
    plan,
    checks: looked.checks,
    prediction,
    serverTasks: looked.serverTasks,
    position: looked.position,
    secretVariables: secretReferences(plan).map(({ variable }) => variable),
    secretValues: secretValues(secrets),
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
  const outcome = outcomeOf(looked, invocation['dry-run'] === true);
  if (outcome.kind !== 'done') {
    return { result: { outcome, outputs, summary }, settings, world, record: undefined };
  }
  const reason = textOf(invocation.reason);
  const deadline = deadlineOf(plan, looked.position, now);
  const record = await openRecord(world.host, world.clock, {
    stateDir: plan.stateDir,
    name: plan.name ?? '',
    run: { ...surroundings.run, ...(reason === undefined ? {} : { reason }) },
    settings: settings.raw,
    deadline,
    leaseUntil: deadline,
    ...(ignoreWindow && looked.position.kind === 'outside'
      ? { ignoredWindow: reason ?? 'no reason was given' }
      : {}),
    suffix: randomBytes(2).toString('hex'),
  });
  await record.update({
    settings: settings.raw,
    checks: [...looked.checks],
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

function outcomeOf(looked: PreflightResult, dryRun: boolean): PhaseOutcome {
  const failed = looked.checks.filter((check) => check.verdict === 'failed');
  if (failed.length > 0) {
    return {
      kind: 'failed',
      outputs: {},
      failure: {
        code: 'preflight-failed',
        message: `${failed.length} of ${looked.checks.length} checks failed: ${failed
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
  return { kind: 'done', detail: `${looked.checks.length} checks, none failed`, outputs: {} };
}

/** The steps of a window that take time, in order. */
function predictableSteps(plan: Plan): readonly PredictableStep[] {
  const tasks = planTasks(plan.runDbMaintenance.tasks);
  const work = {
    vacuum: 'scan',
    analyze: 'scan',
    reindex: 'rebuild',
    migrate: 'moment',
    sql: 'moment',
    archive: 'scan',
    refresh: 'rebuild',
    repack: 'rewrite',
    'optimize-queries': 'moment',
  } as const;
  const workOf = ({ settings }: (typeof tasks)[number]): PredictableStep['work'] =>
    settings.task === 'vacuum' && settings.full ? 'rewrite' : work[settings.task];
  const steps = (stage: 'online' | 'closed'): PredictableStep[] =>
    tasks
      .filter((task) => task.stage === stage)
      .map((task) => ({
        phase: 'run-db-maintenance',
        step: `task-${task.id}`,
        closed: stage === 'closed',
        work: workOf(task),
      }));
  const changes =
    tasks.some((task) => task.blast !== 'none' && task.stage === 'closed') ||
    serverTasksChangeData(plan.updateServer.tasks);
  const needsCopy = changes && plan.runDbMaintenance.restorePoint !== 'dump';
  const needsDump = changes && plan.runDbMaintenance.restorePoint === 'dump';
  return [
    { phase: 'backup-db', step: 'dump-online', closed: false, work: 'dump' },
    { phase: 'backup-db', step: 'restore-test-online', closed: false, work: 'restore' },
    ...steps('online'),
    ...predictableServerSteps(plan, 'online'),
    { phase: 'enable-maintenance', step: 'hook', closed: false, work: 'moment' },
    { phase: 'enable-maintenance', step: 'flag', closed: true, work: 'moment' },
    { phase: 'enable-maintenance', step: 'drain', closed: true, work: 'moment' },
    ...predictableServiceSteps(plan, 'stop'),
    ...(needsCopy
      ? [{ phase: 'run-db-maintenance', step: 'clone', closed: true, work: 'copy' } as const]
      : []),
    ...(needsDump
      ? [
          { phase: 'run-db-maintenance', step: 'dump-closed', closed: true, work: 'dump' } as const,
          {
            phase: 'run-db-maintenance',
            step: 'restore-test-closed',
            closed: true,
            work: 'restore',
          } as const,
        ]
      : []),
    ...steps('closed'),
    ...predictableServerSteps(plan, 'closed'),
    ...predictableServiceSteps(plan, 'start'),
    { phase: 'smoke-test', step: 'checks', closed: true, work: 'moment' },
    { phase: 'disable-maintenance', step: 'lift-flag', closed: true, work: 'moment' },
  ];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
