import { fail, failureOf } from '../ports/failure.ts';
import type { RecordedServerTask } from '../record/status.ts';
import { runStep, skipStep } from '../record/step.ts';
import { refuseHalfDone } from './half-done-changes.ts';
import { conclude, done, skipped, type PhaseContext, type PhaseOutcome } from './phase.ts';
import { requireState } from './requirements.ts';
import { demandTime } from './time-budget.ts';
import { describeRestorePoint, takeRestorePoint } from './restore-point.ts';
import { selectedHosts } from './selected-hosts.ts';
import { stopServices } from './services/stop.ts';
import { foundDone, refuseUnfinished } from './server-tasks/command.ts';
import {
  changesData,
  planServerTasks,
  serverStep,
  type PlannedServerTask,
} from './server-tasks/planned-tasks.ts';
import {
  PartlyDoneError,
  type LookContext,
  type ServerTaskResult,
  type TaskPlace,
} from './server-tasks/server-task.ts';
import { needlessTask, performTask, refuseTask, titleOfTask } from './server-tasks/task-kinds.ts';

const phase = 'update-server';

export type ServerStage = 'online' | 'closed' | 'all';

/** A task on one of its hosts. */
export interface TaskAt {
  readonly task: PlannedServerTask;
  readonly place: TaskPlace;
}

/** Runs the plan's server tasks of the stage in order, each on one host after another; the first failure ends it. */
export function updateServer(
  context: PhaseContext,
  options: { readonly stage: ServerStage },
): Promise<PhaseOutcome> {
  return conclude(async () => {
    const all = tasksAt(context);
    const chosen = all.filter(
      ({ task }) => options.stage === 'all' || task.stage === options.stage,
    );
    if (chosen.length === 0) return nothingPlanned(context, options.stage);
    const closed = chosen.filter(({ task }) => task.stage === 'closed');
    if (closed.length > 0) {
      requireState(
        context,
        phase,
        ['closed', 'changing', 'changed'],
        'Close the site first with `enable-maintenance`: these tasks change what the public works with.',
      );
      refuseHalfDone(context, 'run-db-maintenance');
    }
    // Asked before any task runs: a refusal leaves nothing half done.
    for (const { task, place } of chosen) {
      await refuseTask(context, place, task);
      if (task.settings.task === 'command') {
        refuseUnfinished(context, phase, place.step, task.settings);
      }
    }
    for (const at of chosen.filter(({ task }) => task.stage === 'online'))
      await runTask(context, at);
    if (closed.length > 0) await runClosed(context, closed);
    return done(`${countOf(chosen)} done`, outputsOf(context));
  });
}

/**
 * Every task with every host that it is for, in order.
 * @throws FailureError `host-not-in-plan`, `no-such-host`, `task-on-several-hosts`
 */
export function tasksAt(context: LookContext): readonly TaskAt[] {
  return planServerTasks(context.plan.updateServer.tasks).flatMap((task) => {
    const hosts = selectedHosts(context.fleet, task.settings.on);
    const names = hosts.map(({ name }) => name);
    if (hosts.length === 0) {
      fail({
        code: 'no-such-host',
        message: `Task ${task.id} of update-server is for ${task.settings.on}, and the plan has no such host.`,
        state: 'Nothing was touched.',
        next: 'Name hosts under `hosts` of the plan, or correct `on` of the task.',
      });
    }
    if (changesData(task) && hosts.length > 1) {
      fail({
        code: 'task-on-several-hosts',
        message: `Task ${task.id} of update-server changes ${task.blast} and is for ${hosts.length} hosts: it would be done ${hosts.length} times.`,
        state: 'Nothing was touched.',
        next: 'Name one host with `on`, such as control.',
      });
    }
    return hosts.map((host) => ({
      task,
      place: { host, server: context.server(host), step: serverStep(task.id, host.name, names) },
    }));
  });
}

async function nothingPlanned(context: PhaseContext, stage: ServerStage): Promise<PhaseOutcome> {
  if (context.plan.updateServer.tasks.length === 0) {
    return skipped('the plan has no server tasks', outputsOf(context));
  }
  const reason = `the plan has no ${stage} server tasks`;
  await skipStep(
    context,
    phase,
    { id: `${stage}-tasks`, title: `Server tasks (${stage})` },
    reason,
  );
  return skipped(reason, outputsOf(context));
}

async function runClosed(context: PhaseContext, tasks: readonly TaskAt[]): Promise<void> {
  const { record, progress } = context;
  if (tasks.some(({ task }) => changesData(task))) {
    const point = await takeRestorePoint(context);
    progress.info(`restore point: ${describeRestorePoint(point)}`);
  }
  if (record.status.state !== 'changing') await record.become('changing');
  for (const at of tasks) await runTask(context, at);
  await record.become('changed');
}

async function runTask(context: PhaseContext, { task, place }: TaskAt): Promise<void> {
  const { record, clock } = context;
  const { host, step } = place;
  const begun = clock.monotonicSeconds();
  const note = (
    outcome: RecordedServerTask['outcome'],
    result: Pick<RecordedServerTask, 'summary' | 'proof' | 'figures' | 'items'>,
  ): Promise<void> =>
    record.update({
      serverTasks: [
        ...(record.status.serverTasks ?? []).filter(
          (other) => other.id !== task.id || other.host !== host.name,
        ),
        {
          id: task.id,
          task: task.settings.task,
          host: host.name,
          stage: task.stage,
          outcome,
          seconds: clock.monotonicSeconds() - begun,
          summary: result.summary,
          proof: result.proof,
          figures: { ...result.figures },
          items: [...result.items],
        },
      ],
    });
  const last = record.journal.findLast(
    (line) => line.phase === phase && line.step === step && line.event !== 'note',
  )?.event;
  // Already seen to: an earlier run of this phase did it, or found that there was nothing to do.
  if (last === 'done' || last === 'skipped') return;
  const wasKilled = last === 'intent';
  const title = titleOfTask(task, host.name);
  const time = await demandTime(context, { phase, steps: [step], title, whenLate: task.whenLate });
  if (time !== 'go') {
    await note('skipped', { summary: time.skipped, proof: '', figures: {}, items: [] });
    return;
  }
  try {
    const needless = await needlessTask(context, place, task);
    if (needless !== undefined) {
      await note('skipped', needless);
      await skipStep(context, phase, { id: step, title }, needless.summary);
      return;
    }
    const { settings } = task;
    await runStep(context, phase, {
      id: step,
      title,
      blast: task.blast,
      ...(wasKilled && settings.task === 'command'
        ? {
            observe: async () => {
              const found = await foundDone(context, place, settings);
              if (found === undefined) return undefined;
              await note(found.outcome, found);
              return shownOf(found);
            },
          }
        : {}),
      perform: async () => {
        const result = await performTask(context, place, task, wasKilled);
        await note(result.outcome, result);
        return shownOf(result);
      },
      describe: ({ summary, proof }) => (proof === '' ? summary : `${summary}; ${proof}`),
    });
    if (settings.task === 'reboot' || settings.task === 'packages') await stopAgain(context);
  } catch (error) {
    const partial = error instanceof PartlyDoneError ? error.partial : { figures: {}, items: [] };
    await note('failed', { summary: failureOf(error).message, proof: '', ...partial });
    throw error;
  }
}

/** What starts with the machine, or with the update of its package, is to stand still while the site is closed. */
async function stopAgain(context: PhaseContext): Promise<void> {
  const { state, services } = context.record.status;
  if (services === undefined || !['closed', 'changing', 'changed'].includes(state)) return;
  await stopServices(context, phase, 'all');
}

function shownOf({ summary, proof }: ServerTaskResult): { summary: string; proof: string } {
  return { summary, proof };
}

function countOf(tasks: readonly TaskAt[]): string {
  const hosts = new Set(tasks.map(({ place }) => place.host.name));
  const ids = new Set(tasks.map(({ task }) => task.id));
  return `${ids.size} server ${ids.size === 1 ? 'task' : 'tasks'} on ${hosts.size} ${hosts.size === 1 ? 'host' : 'hosts'}`;
}

function outputsOf({ record }: PhaseContext): Record<string, string> {
  const tasks = record.status.serverTasks ?? [];
  const sum = (figure: string): number =>
    tasks.reduce((total, { figures }) => total + (figures[figure] ?? 0), 0);
  const rebooted = tasks.filter(({ task, outcome }) => task === 'reboot' && outcome === 'done');
  return {
    updated: String(sum('packages')),
    rebooted: rebooted.map(({ host }) => host).join(' '),
    'freed-bytes': String(sum('freed-bytes')),
  };
}
