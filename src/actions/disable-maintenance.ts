import { withTakenWindow, withWindow, type WindowBody } from '../assembly/window-session.ts';
import { disableMaintenance } from '../phases/disable-maintenance.ts';
import type { Action } from './action.ts';

/** A held window is an operator's, whichever run held it; any other is reopened by its own run only. */
export const disableMaintenanceAction: Action = (surroundings) => {
  const body: WindowBody = (context, invocation) =>
    disableMaintenance(context, { reopenHeld: invocation['reopen-held'] === true });
  return surroundings.inputs['reopen-held']?.trim() === 'true'
    ? withTakenWindow('disable-maintenance', surroundings, 'anybody', body)
    : withWindow('disable-maintenance', surroundings, body);
};
