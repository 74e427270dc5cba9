import type { Database } from '../ports/database.ts';
import { modeNeeds, settingLackedBy } from '../plan/modes.ts';
import { fail } from '../ports/failure.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import type { WindowState } from '../record/life.ts';
import type { PhaseContext } from './phase.ts';

/** @throws FailureError `setting-missing` */
export function requireDatabase(context: Pick<PhaseContext, 'database'>): Database {
  return (
    context.database ?? missing('database.url', 'database-url', 'the connection to the database')
  );
}

/** @throws FailureError `setting-missing` */
export function requireMode(context: Pick<PhaseContext, 'mode' | 'plan'>): MaintenanceMode {
  if (context.mode !== undefined) return context.mode;
  const { mode } = context.plan.enableMaintenance;
  // With all of these a mode is only missing where the plan has no name or no URL.
  const setting = settingLackedBy(context.plan.enableMaintenance) ?? modeNeeds[mode][0];
  return missing(`enable-maintenance.${setting}`, setting, `how the site is closed (mode ${mode})`);
}

/** @throws FailureError `setting-missing` */
export function requirePublicUrl(context: Pick<PhaseContext, 'plan'>): string {
  return (
    context.plan.publicUrl ??
    missing('public-url', 'public-url', 'where the public reaches the site')
  );
}

/**
 * Refuses a phase in a state of the window that it does not belong to.
 * @throws FailureError `window-state`
 */
export function requireState(
  context: PhaseContext,
  phase: string,
  accepted: readonly WindowState[],
  next: string,
): void {
  const { state, windowId } = context.record.status;
  if (accepted.includes(state)) return;
  fail({
    code: 'window-state',
    message: `${phase} does not belong to a window that is ${state} (${windowId}); it works on one that is ${accepted.join(', ')}.`,
    state: `The window is ${state}; nothing was done.`,
    next,
  });
}

function missing(path: string, input: string, what: string): never {
  return fail({
    code: 'setting-missing',
    message: `Neither the plan (${path}) nor the input \`${input}\` says ${what}.`,
    state: 'Nothing was touched.',
    next: `Add ${path} to the plan, or give the input \`${input}\`.`,
  });
}
