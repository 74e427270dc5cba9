import { withWindow } from '../assembly/window-session.ts';
import { enableMaintenance } from '../phases/enable-maintenance.ts';
import type { Action } from './action.ts';

export const enableMaintenanceAction: Action = (surroundings) =>
  withWindow('enable-maintenance', surroundings, (context, invocation) =>
    enableMaintenance(context, { prepareOnly: invocation['prepare-only'] === true }),
  );
