import type { Database } from '../ports/database.ts';
import { failureOf } from '../ports/failure.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import type { PreflightContext } from './preflight.ts';
import { planTasks, titleOf, type PlannedTask } from './planned-tasks.ts';
import {
  consentKeys,
  describeUnconsented,
  isRead,
  unconsented,
  type Unconsented,
} from './task-consent.ts';
import { isInPlan, selectedHosts } from './selected-hosts.ts';
import { archiveOptions, limitsOf } from './task-options.ts';

type TaskCheckContext = Pick<
  PreflightContext,
  'plan' | 'database' | 'runner' | 'fleet' | 'workspace'
>;

/** What can be known of the tasks before anything is touched. */
export async function checkTasks(context: TaskCheckContext): Promise<readonly Check[]> {
  const { database, plan } = context;
  if (database === undefined) return [];
  const tasks = planTasks(plan.runDbMaintenance.tasks);
  const checks: Check[] = [];
  const read = tasks.filter(isRead);
  if (read.length > 0) checks.push(await checkConsent(context, read));
  for (const task of tasks) {
    const preview = previewOf(context, database, task);
    if (preview !== undefined) checks.push(await checkPreview(task, preview));
  }
  return checks;
}

async function checkConsent(
  context: TaskCheckContext,
  tasks: readonly PlannedTask[],
): Promise<Check> {
  const head = {
    id: 'consent',
    title: 'SQL of the tasks',
    limit: 'does nothing that needs consent, or the plan consents to it by name',
  };
  const found: Unconsented[] = [];
  try {
    for (const task of tasks) found.push(...(await unconsented(context, task)));
  } catch (error) {
    const failure = failureOf(error);
    return { ...head, verdict: 'failed', value: failure.message, next: failure.next };
  }
  return found.length === 0
    ? { ...head, verdict: 'passed', value: `tasks read: ${tasks.length}` }
    : {
        ...head,
        verdict: 'failed',
        value: describeUnconsented(found),
        next: `When that is meant, add ${consentKeys(found)}; else correct the SQL.`,
      };
}

/** Asks what the task would refuse; resolves to what people should know. */
function previewOf(
  { plan, fleet }: TaskCheckContext,
  database: Database,
  task: PlannedTask,
): (() => Promise<readonly string[]>) | undefined {
  const { settings } = task;
  const limits = limitsOf(plan, settings);
  switch (settings.task) {
    case 'archive':
      return () =>
        database.previewArchive(
          archiveOptions(limits, settings, { windowId: 'preflight', taskId: task.id }),
        );
    case 'refresh':
      return () =>
        database.previewRefresh(settings.views, {
          ...limits,
          concurrently: settings.concurrently,
        });
    case 'repack':
      return () => database.previewRepack(settings.tables, limits);
    case 'migrate':
      return settings.command === undefined || isInPlan(fleet, settings.on)
        ? undefined
        : async () => selectedHosts(fleet, settings.on).map(({ name }) => name);
    default:
      return undefined;
  }
}

async function checkPreview(
  task: PlannedTask,
  preview: () => Promise<readonly string[]>,
): Promise<Check> {
  const head = {
    id: `task-${task.id}`,
    title: `Task ${task.id}: ${titleOf(task)}`,
    limit: 'can be done',
  };
  try {
    const notes = await preview();
    return notes.length === 0
      ? { ...head, verdict: 'passed', value: 'nothing is in its way' }
      : {
          ...head,
          verdict: 'warning',
          value: notes.join('; '),
          next: 'It is done all the same; the report shows it.',
        };
  } catch (error) {
    const failure = failureOf(error);
    return { ...head, verdict: 'failed', value: failure.message, next: failure.next };
  }
}
