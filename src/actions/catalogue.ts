import type { ActionId } from '../plan/action-ids.ts';
import type { Action } from './action.ts';
import { backupDbAction } from './backup-db.ts';
import { disableMaintenanceAction } from './disable-maintenance.ts';
import { enableMaintenanceAction } from './enable-maintenance.ts';
import { maintenanceWindowAction, maintenanceWindowPostAction } from './maintenance-window.ts';
import { preflightAction } from './preflight.ts';
import { reportAction } from './report.ts';
import { rollbackAction } from './rollback.ts';
import { runDbMaintenanceAction } from './run-db-maintenance.ts';
import { smokeTestAction } from './smoke-test.ts';
import { updateServerAction } from './update-server.ts';

/** Every action by its id. */
export const actions: Readonly<Record<ActionId, Action>> = {
  preflight: preflightAction,
  'backup-db': backupDbAction,
  'enable-maintenance': enableMaintenanceAction,
  'run-db-maintenance': runDbMaintenanceAction,
  'update-server': updateServerAction,
  'smoke-test': smokeTestAction,
  'disable-maintenance': disableMaintenanceAction,
  rollback: rollbackAction,
  report: reportAction,
  'maintenance-window': maintenanceWindowAction,
};

/** What runs after an action whatever became of it. */
export const postActions: Readonly<Partial<Record<ActionId, Action>>> = {
  'maintenance-window': maintenanceWindowPostAction,
};
