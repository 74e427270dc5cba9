import { failureOf } from '../ports/failure.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import type { LookContext, Preview } from './server-tasks/server-task.ts';
import { previewTask, titleOfTask } from './server-tasks/task-kinds.ts';
import { tasksAt, type TaskAt } from './update-server.ts';

/** What a server task would do on one host. */
export interface ServerPreview {
  readonly task: string;
  readonly host: string;
  readonly stage: 'online' | 'closed';
  readonly summary: string;
  readonly lines: readonly string[];
}

export interface ServerLook {
  readonly checks: readonly Check[];
  readonly previews: readonly ServerPreview[];
}

/** Looks at what each server task would do on each of its hosts; touches nothing. */
export async function previewServers(
  context: LookContext,
  stage: 'online' | 'closed' | 'all' = 'all',
): Promise<ServerLook> {
  const checks: Check[] = [];
  const previews: ServerPreview[] = [];
  let tasks: readonly TaskAt[] = [];
  try {
    tasks = tasksAt(context).filter(({ task }) => stage === 'all' || task.stage === stage);
  } catch (error) {
    const { message, next } = failureOf(error);
    const head = { id: 'server-tasks', title: 'Server tasks', limit: 'each has its hosts' };
    return { checks: [{ ...head, verdict: 'failed', value: message, next }], previews };
  }
  for (const { task, place } of tasks) {
    const head = {
      id: `server-${place.step.replace(/^task-/, '')}`,
      title: titleOfTask(task, place.host.name),
      limit: 'can be done',
    };
    try {
      const preview = await previewTask(context, place, task);
      checks.push({ ...head, ...verdictOf(preview) });
      previews.push({
        task: task.id,
        host: place.host.name,
        stage: task.stage,
        summary: preview.summary,
        lines: preview.lines,
      });
    } catch (error) {
      const { message, next } = failureOf(error);
      checks.push({ ...head, verdict: 'failed', value: message, next });
    }
  }
  return { checks, previews };
}

function verdictOf({ summary, warning }: Preview): Pick<Check, 'verdict' | 'value' | 'next'> {
  return warning === undefined
    ? { verdict: 'passed', value: summary }
    : { verdict: 'warning', value: `${summary}; ${warning}`, next: 'The report shows it.' };
}
