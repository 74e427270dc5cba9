import type { Plan } from '../plan/plan.ts';
import { planTasks } from './planned-tasks.ts';
import { changesData, serverTasksChangeData } from './server-tasks/planned-tasks.ts';

/** Whether a task that needs the site closed can change schema or data, so that a restore point comes first. */
export function needsRestorePoint(plan: Pick<Plan, 'runDbMaintenance' | 'updateServer'>): boolean {
  const closed = planTasks(plan.runDbMaintenance.tasks).filter(({ stage }) => stage === 'closed');
  return closed.some(changesData) || serverTasksChangeData(plan.updateServer.tasks);
}
