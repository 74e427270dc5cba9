import type { TaskSettings } from '../plan/settings/run-db-maintenance.ts';
import type { BlastClass } from '../record/life.ts';

/** A task with its id in the plan and what it can do to the system. */
export interface PlannedTask {
  readonly id: string;
  readonly stage: 'online' | 'closed';
  readonly blast: BlastClass;
  /** What follows when the window lacks the time for it. */
  readonly whenLate: 'skip' | 'abort';
  readonly settings: TaskSettings;
}

/** Names the tasks and classes them; ids are unique within a plan. */
export function planTasks(tasks: readonly TaskSettings[]): readonly PlannedTask[] {
  const taken = new Set<string>();
  return tasks.map((settings) => {
    const base = settings.id ?? settings.task;
    let id = base;
    for (let number = 2; taken.has(id); number += 1) id = `${base}-${number}`;
    taken.add(id);
    const blast = blastOf(settings);
    const whenLate = settings.whenLate ?? (blast === 'none' ? 'skip' : 'abort');
    return { id, stage: settings.stage, blast, whenLate, settings };
  });
}

function blastOf(task: TaskSettings): BlastClass {
  switch (task.task) {
    case 'migrate':
      return 'schema';
    case 'sql':
      return task.blast;
    case 'archive':
      // Online it comes before the restore point, and so nothing takes it back: what is archived stays archived.
      return task.stage === 'online' ? 'none' : 'data';
    default:
      return 'none';
  }
}

/** A task for people. */
export function titleOf({ id, settings }: PlannedTask): string {
  const all = (names: readonly string[] | 'all', what: string): string =>
    names === 'all' ? `all ${what}` : names.join(', ');
  switch (settings.task) {
    case 'vacuum':
      return `vacuum ${settings.full ? 'full ' : ''}${all(settings.tables, 'tables')}`;
    case 'analyze':
    case 'reindex':
    case 'repack':
      return `${settings.task} ${all(settings.tables, 'tables')}`;
    case 'refresh':
      return `refresh ${all(settings.views, 'materialized views')}`;
    case 'migrate':
      return settings.files === undefined
        ? `migrate by ${settings.command?.[0] ?? ''}`
        : `migrate from ${settings.files}`;
    case 'sql':
      return `sql ${id}`;
    case 'archive':
      return `archive ${settings.table} into ${settings.into ?? settings.folder ?? ''}`;
    case 'optimize-queries':
      return 'look for what slows queries down';
  }
}
