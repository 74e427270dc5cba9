import { posix } from 'node:path';
import type { Plan } from '../plan/plan.ts';
import type { TaskSettings } from '../plan/settings/run-db-maintenance.ts';
import type { ArchiveOptions, StatementLimits } from '../ports/database-tasks.ts';

/** The limits of a task's statements: its own, else those of the section. */
export function limitsOf(plan: Plan, task: TaskSettings): StatementLimits {
  const { lockTimeout, statementTimeout } = plan.runDbMaintenance;
  return {
    lockTimeoutSeconds: task.lockTimeout ?? lockTimeout,
    statementTimeoutSeconds: task.statementTimeout ?? statementTimeout,
  };
}

/**
 * What an archive task asks of the database. Files of one window stand apart from those of another: after a rollback
 * their rows are in the table again, and the next window archives them anew.
 */
export function archiveOptions(
  limits: StatementLimits,
  task: Extract<TaskSettings, { task: 'archive' }>,
  place: { readonly windowId: string; readonly taskId: string },
): ArchiveOptions {
  return {
    ...limits,
    table: task.table,
    where: task.where,
    target:
      task.into === undefined
        ? {
            kind: 'folder',
            path: posix.join(task.folder ?? '', place.windowId, place.taskId),
          }
        : { kind: 'table', name: task.into },
    batchSize: task.batchSize,
    pauseSeconds: task.pause ?? 0,
  };
}
