import type { TaskResult } from '../ports/database-tasks.ts';
import type { OnlineTerms } from '../ports/online-guard.ts';
import { migrate } from './migration.ts';
import { onTerms } from './online/guarded.ts';
import type { PhaseContext } from './phase.ts';
import type { PlannedTask } from './planned-tasks.ts';
import { requireDatabase } from './requirements.ts';
import { requireConsent, unconsented, unconsentedIn } from './task-consent.ts';
import { archiveOptions, limitsOf } from './task-options.ts';
import { withinReserve } from './time-budget.ts';

/** Has the database do a task and prove it; while the public is served, so that nobody is harmed by it. */
export async function performTask(
  context: PhaseContext,
  planned: PlannedTask,
): Promise<TaskResult> {
  if (planned.stage === 'closed') return perform(context, planned, undefined);
  const { value, figures } = await onTerms(context, (terms) => perform(context, planned, terms));
  return { ...value, figures: { ...value.figures, ...figures } };
}

async function perform(
  context: PhaseContext,
  planned: PlannedTask,
  online: OnlineTerms | undefined,
): Promise<TaskResult> {
  const { plan, progress, record } = context;
  const task = planned.settings;
  const database = requireDatabase(context);
  const { jobs } = plan.runDbMaintenance;
  const own = limitsOf(plan, task);
  const limits = {
    ...own,
    statementTimeoutSeconds: withinReserve(context, own.statementTimeoutSeconds),
  };
  const options = {
    ...limits,
    onProgress: (line: string) => {
      progress.info(line);
    },
    ...(online === undefined ? {} : { online }),
  };
  switch (task.task) {
    case 'vacuum':
      return database.vacuum(task.tables, {
        ...options,
        analyze: task.analyze,
        jobs,
        full: task.full,
      });
    case 'analyze':
      return database.analyze(task.tables, { ...options, jobs });
    case 'reindex':
      return database.reindex(task.tables, { ...options, concurrently: task.concurrently });
    case 'sql':
      requireConsent(await unconsented(context, planned));
      return database.runSql(task.sql, {
        ...options,
        inTransaction: task.transaction,
        expect: task.expect,
      });
    case 'migrate':
      return migrate(context, task, {
        ...options,
        // Tasks before this one take their time: what is about to run is read as it is now.
        onPending: (pending) => {
          requireConsent(unconsentedIn(context, planned, pending));
        },
      });
    case 'archive': {
      const place = { windowId: record.status.windowId, taskId: planned.id };
      return database.archive({ ...options, ...archiveOptions(limits, task, place) });
    }
    case 'refresh':
      return database.refresh(task.views, { ...options, concurrently: task.concurrently });
    case 'repack':
      return database.repack(task.tables, options);
    case 'optimize-queries':
      return database.optimizeQueries({ ...options, atMost: task.atMost });
  }
}
