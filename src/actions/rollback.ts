import type { Surroundings } from '../assembly/surroundings.ts';
import { withTakenWindow, type ActionResult } from '../assembly/window-session.ts';
import { rollback } from '../phases/rollback.ts';
import type { Action } from './action.ts';

export const rollbackAction: Action = (surroundings) => rollBack(surroundings, 'anybody');

/** Rolls back what this very run left half-way; never another run's window. */
export const rollbackOwnAction: Action = (surroundings) => rollBack(surroundings, 'own');

function rollBack(surroundings: Surroundings, whose: 'anybody' | 'own'): Promise<ActionResult> {
  return withTakenWindow('rollback', surroundings, whose, (context, invocation) =>
    rollback(context, {
      force: invocation.force === true,
      acceptDataLoss: invocation['accept-data-loss'] === true,
      reason: `asked for by ${surroundings.run.actor ?? `run ${surroundings.run.id}`}`,
    }),
  );
}
