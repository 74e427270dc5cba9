import { withWindow } from '../assembly/window-session.ts';
import { disableMaintenance } from '../phases/disable-maintenance.ts';
import type { Action } from './action.ts';

export const disableMaintenanceAction: Action = (surroundings) =>
  withWindow('disable-maintenance', surroundings, (context, invocation) =>
    disableMaintenance(context, { reopenHeld: invocation['reopen-held'] === true }),
  );
