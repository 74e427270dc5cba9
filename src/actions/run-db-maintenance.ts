import { withWindow } from '../assembly/window-session.ts';
import { runDbMaintenance, type Stage } from '../phases/run-db-maintenance.ts';
import type { Action } from './action.ts';

export const runDbMaintenanceAction: Action = (surroundings) =>
  withWindow('run-db-maintenance', surroundings, (context, invocation) =>
    runDbMaintenance(context, { stage: invocation.stage as Stage }),
  );
