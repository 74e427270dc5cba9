import { reportSession } from '../assembly/report-session.ts';
import { wholeWindowSession } from '../assembly/whole-window-session.ts';
import { rollbackOwnAction } from './rollback.ts';
import type { Action } from './action.ts';

/** The whole window; making a cancelled one safe and reporting belong to {@link maintenanceWindowPostAction}. */
export const maintenanceWindowAction: Action = wholeWindowSession;

/**
 * Runs after the window whatever became of it: rolls back what was left half-way, then reports. What was refused
 * before this run had a record leaves it nothing to do: a record that is there is another run's.
 */
export const maintenanceWindowPostAction: Action = async (surroundings) => {
  const safe = await rollbackOwnAction(surroundings);
  const hasWindow = safe.outputs['window-id'] !== undefined;
  if (safe.outcome.kind === 'skipped' && !hasWindow) return safe;
  const report = await reportSession(surroundings);
  if (safe.outcome.kind === 'failed') return { ...report, outcome: safe.outcome };
  return report;
};
