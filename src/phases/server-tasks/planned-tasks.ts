import type { ServerTaskSettings } from '../../plan/settings/update-server.ts';
import { blastClasses, type BlastClass } from '../../record/life.ts';

/** A task of `update-server` with its id in the plan and what it can do to the system. */
export interface PlannedServerTask {
  readonly id: string;
  readonly stage: 'online' | 'closed';
  readonly blast: BlastClass;
  /** What follows when the window lacks the time for it. */
  readonly whenLate: 'skip' | 'abort';
  readonly settings: ServerTaskSettings;
}

/** Names the tasks and classes them; ids are unique within a plan. */
export function planServerTasks(
  tasks: readonly ServerTaskSettings[],
): readonly PlannedServerTask[] {
  const given = new Set(tasks.flatMap(({ id }) => (id === undefined ? [] : [id])));
  const taken = new Set<string>();
  return tasks.map((settings) => {
    let id = settings.id ?? settings.task;
    for (
      let number = 2;
      taken.has(id) || (settings.id === undefined && given.has(id));
      number += 1
    ) {
      id = `${settings.task}-${number}`;
    }
    taken.add(id);
    const whenLate = settings.whenLate ?? (settings.task === 'command' ? 'abort' : 'skip');
    return { id, stage: settings.stage, blast: blastOf(settings), whenLate, settings };
  });
}

/**
 * Server tasks change programs, not the application's data: below `schema`, so that after a failure the smoke tests
 * decide whether the site reopens. A command says itself what it can do.
 */
function blastOf(task: ServerTaskSettings): BlastClass {
  return task.task === 'command' ? task.blast : 'app';
}

/** Whether a task can change schema or data, so that a restore point comes first. */
export function changesData({ blast }: { readonly blast: BlastClass }): boolean {
  return blastClasses.indexOf(blast) >= blastClasses.indexOf('schema');
}

/** The same for all server tasks of a plan. */
export function serverTasksChangeData(tasks: readonly ServerTaskSettings[]): boolean {
  return planServerTasks(tasks).some(changesData);
}

/** The step of a task on one host; with several hosts each has its own. */
export function serverStep(task: string, host: string, hosts: readonly string[]): string {
  if (hosts.length < 2) return `task-${task}`;
  const slug = slugOf(host);
  const alike = hosts.filter((other) => slugOf(other) === slug);
  const number = alike.length < 2 ? '' : `-${alike.indexOf(host) + 1}`;
  return `task-${task}-on-${slug}${number}`;
}

function slugOf(host: string): string {
  return host
    .replace(/^ssh:\/\//, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}
