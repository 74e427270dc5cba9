import type { TaskResult } from '../ports/database-tasks.ts';
import { fail, failureOf } from '../ports/failure.ts';
import { GaveWayError, givenUp, heldBack } from '../ports/online-guard.ts';
import { blastClasses } from '../record/life.ts';
import { runStep, skipStep } from '../record/step.ts';
import type { WindowStatus } from '../record/status.ts';
import { refuseHalfDone } from './half-done-changes.ts';
import { conclude, done, skipped, type PhaseContext, type PhaseOutcome } from './phase.ts';
import { planTasks, titleOf, type PlannedTask } from './planned-tasks.ts';
import { requireDatabase, requireState } from './requirements.ts';
import { describeRestorePoint, takeRestorePoint } from './restore-point.ts';
import { isRead, requireConsent, unconsented } from './task-consent.ts';
import { performTask } from './task-performance.ts';
import { demandTime, endedForTime } from './time-budget.ts';

export { planTasks, type PlannedTask } from './planned-tasks.ts';

const phase = 'run-db-maintenance';

export type Stage = 'online' | 'closed' | 'all';
type RecordedTask = NonNullable<WindowStatus['tasks']>[number];

/** Takes a restore point when a task changes schema or data, then runs the tasks of the stage in order. */
export function runDbMaintenance(
  context: PhaseContext,
  options: { readonly stage: Stage },
): Promise<PhaseOutcome> {
  return conclude(async () => {
    const tasks = planTasks(context.plan.runDbMaintenance.tasks);
    const online = tasks.filter((task) => task.stage === 'online');
    const closed = tasks.filter((task) => task.stage === 'closed');
    if (options.stage !== 'online' && closed.length > 0) {
      refuseWhileOpen(context);
      refuseHalfDone(context, 'update-server');
    }
    const now = tasks.filter(({ stage }) => options.stage === 'all' || stage === options.stage);
    refuseWithoutBackup(context, now);
    await readStatements(context, options.stage, now);
    if (options.stage !== 'closed') await runTasks(context, online);
    if (options.stage === 'online') {
      return online.length === 0
        ? skipped('the plan has no online tasks')
        : done(`${online.length} online tasks are done`);
    }
    const outputs = await runClosed(context, closed);
    return done(`${closed.length} tasks are done while closed`, outputs);
  });
}

/** Asked before any task runs, also those that could run now: a refusal leaves nothing half done. */
function refuseWhileOpen(context: PhaseContext): void {
  requireState(
    context,
    phase,
    ['closed', 'changing', 'changed'],
    'Close the site first with `enable-maintenance`: these tasks change what the public works with.',
  );
}

/** No rollback brings back what is archived online; the backup before it has the rows, should the condition be wrong. */
function refuseWithoutBackup({ record }: PhaseContext, tasks: readonly PlannedTask[]): void {
  const archives = tasks.filter(
    ({ stage, settings }) => stage === 'online' && settings.task === 'archive',
  );
  if (archives.length === 0 || record.status.backup !== undefined) return;
  fail({
    code: 'backup-missing',
    message: `${archives.map(({ id }) => id).join(', ')} would archive rows while the public is served, and this window has no verified backup.`,
    state: `The window is ${record.status.state}; nothing was done.`,
    next: 'Run `backup-db` before it in the same window; or archive with `stage: closed`, after the restore point.',
  });
}

/**
 * Reads all SQL that is about to run for what the plan has not consented to, before the first task: a refusal leaves
 * nothing half done.
 */
export async function readStatements(
  context: PhaseContext,
  stage: Stage,
  tasks: readonly PlannedTask[],
): Promise<void> {
  const read = tasks.filter(isRead);
  if (read.length === 0) return;
  await runStep(context, phase, {
    id: `consent-${stage}`,
    title: 'Read the SQL for what needs consent',
    blast: 'none',
    // Once is enough, as each task asks again when its turn comes; and after a kill the database may be sealed.
    perform: async () => {
      for (const task of read) requireConsent(await unconsented(context, task));
      return { tasks: read.length };
    },
    describe: ({ tasks: count }) => `tasks read: ${count}; the plan consents to all that needs it`,
  });
}

async function runClosed(
  context: PhaseContext,
  tasks: readonly PlannedTask[],
): Promise<Record<string, string>> {
  const { record } = context;
  if (tasks.length === 0) {
    await skipStep(
      context,
      phase,
      { id: 'closed-tasks', title: 'Tasks while closed' },
      'the plan has none',
    );
    return { 'restore-point': 'none' };
  }
  refuseUnfinished(context, tasks);
  const changes = tasks.some(
    (task) => blastClasses.indexOf(task.blast) >= blastClasses.indexOf('schema'),
  );
  if (changes) {
    const point = await takeRestorePoint(context);
    context.progress.info(`restore point: ${describeRestorePoint(point)}`);
  } else {
    await skipStep(
      context,
      phase,
      { id: 'restore-point', title: 'Take a restore point' },
      'no task changes schema or data',
    );
  }
  if (record.status.state !== 'changing') await record.become('changing');
  await runTasks(context, tasks);
  await record.become('changed');
  return { 'restore-point': record.status.restorePoint?.kind ?? 'none' };
}

/**
 * SQL that may have changed something is not run a second time when nobody knows what the first time did: killed
 * before its outcome was written, or failed half-way outside a transaction. The restore point is known to be good.
 */
function refuseUnfinished(context: PhaseContext, tasks: readonly PlannedTask[]): void {
  for (const task of tasks) {
    const { settings } = task;
    if (settings.task !== 'sql' || task.blast === 'none') continue;
    const isKilled = wasKilled(context, task) && settings.expect === undefined;
    const isHalfDone = lastEvent(context, task) === 'failed' && !settings.transaction;
    if (!isKilled && !isHalfDone) continue;
    failUnfinished(task);
  }
}

function lastEvent(context: PhaseContext, task: PlannedTask): string | undefined {
  return context.record.journal.findLast(
    (line) => line.phase === phase && line.step === stepOf(task),
  )?.event;
}

/** Whether an earlier run began the task and did not live to write its outcome. */
function wasKilled(context: PhaseContext, task: PlannedTask): boolean {
  return lastEvent(context, task) === 'intent';
}

/**
 * After a kill the plan's own question tells whether the SQL was carried through.
 * @returns `undefined` when it was not, and may be run again
 */
async function foundDone(
  context: PhaseContext,
  task: PlannedTask,
): Promise<{ summary: string; proof: string } | undefined> {
  const { settings } = task;
  if (settings.task !== 'sql' || settings.expect === undefined) return undefined;
  const value = await requireDatabase(context).queryValue(settings.expect, { timeoutSeconds: 60 });
  if (value === 'true' || value === 't') {
    return { summary: 'carried through before it was killed', proof: 'its expect query is true' };
  }
  return settings.transaction ? undefined : failUnfinished(task);
}

function failUnfinished(task: PlannedTask): never {
  return fail({
    code: 'task-unfinished',
    message: `Task ${task.id} was interrupted, and what its statements did is unknown.`,
    state: 'The site is closed; the restore point is intact.',
    next: 'Run `rollback` to go back to the restore point; with `expect` such a task can find out by itself.',
  });
}

async function runTasks(context: PhaseContext, tasks: readonly PlannedTask[]): Promise<void> {
  const { record, clock } = context;
  for (const task of tasks) {
    const begun = clock.monotonicSeconds();
    const note = (outcome: RecordedTask['outcome'], result: TaskResult): Promise<void> =>
      record.update({
        tasks: [
          ...(record.status.tasks ?? []).filter((other) => other.id !== task.id),
          {
            id: task.id,
            task: task.settings.task,
            stage: task.stage,
            outcome,
            seconds: clock.monotonicSeconds() - begun,
            summary: result.summary,
            proof: result.proof,
            figures: { ...result.figures },
            ...(result.findings === undefined
              ? {}
              : { findings: result.findings.map((finding) => ({ ...finding })) }),
          },
        ],
      });
    const title = titleOf(task);
    const step = stepOf(task);
    const work = { phase, steps: [step], title, whenLate: task.whenLate };
    const time = await demandTime(context, work);
    if (time !== 'go') {
      await note('skipped', { summary: time.skipped, proof: '', figures: {} });
      continue;
    }
    try {
      await runStep(context, phase, {
        id: step,
        title,
        blast: task.blast,
        ...(wasKilled(context, task) ? { observe: () => foundDone(context, task) } : {}),
        perform: async () => {
          const result = await performTask(context, task);
          await note('done', result);
          return { summary: result.summary, proof: result.proof };
        },
        describe: ({ summary, proof }) => `${summary}; ${proof}`,
      });
    } catch (error) {
      const sum = endedForTime(context, error);
      if (sum !== undefined && task.whenLate === 'skip') {
        const reason = `it was ended, for it ran into the time kept for going back: ${sum}`;
        await note('skipped', { summary: reason, proof: '', figures: {} });
        await skipStep(context, phase, { id: step, title }, reason);
        continue;
      }
      const given = givenUpReason(context, task, error);
      const figures = error instanceof GaveWayError ? error.figures : {};
      if (given !== undefined) {
        await note('skipped', { summary: given, proof: '', figures });
        await skipStep(context, phase, { id: step, title }, given);
        continue;
      }
      await note('failed', { summary: failureOf(error).message, proof: '', figures });
      throw error;
    }
  }
}

/** Why an online task is skipped that gave way to the public; `undefined` when its failure ends the step. */
function givenUpReason(
  { plan }: PhaseContext,
  { stage, settings }: PlannedTask,
  error: unknown,
): string | undefined {
  const own = 'whenHeldBack' in settings ? settings.whenHeldBack : undefined;
  const policy = own ?? plan.runDbMaintenance.whenHeldBack;
  const { code, message, state } = failureOf(error);
  const gaveWay = [givenUp, heldBack, 'database-lock-timeout'].includes(code);
  return stage === 'online' && gaveWay && policy === 'skip' ? `${message} ${state}` : undefined;
}

function stepOf(task: PlannedTask): string {
  return `task-${task.id}`;
}
