import { maintenanceWindow } from '../phases/maintenance-window.ts';
import { preflightSession } from './preflight-session.ts';
import type { Surroundings } from './surroundings.ts';
import { contextOf, guarded, recordOutputs, type ActionResult } from './window-session.ts';

/** Preflight, then the whole runbook in this process; the report is a session of its own. */
export function wholeWindowSession(surroundings: Surroundings): Promise<ActionResult> {
  return guarded(surroundings, async (machines) => {
    const { result, settings, world, record } = await preflightSession(
      'maintenance-window',
      surroundings,
      machines,
    );
    if (record === undefined) return result;
    const context = contextOf(settings.plan, surroundings, world, record);
    const outcome = await maintenanceWindow(context);
    return {
      outcome,
      outputs: { ...result.outputs, ...recordOutputs(record), ...outcome.outputs },
      ...(result.summary === undefined ? {} : { summary: result.summary }),
    };
  });
}
