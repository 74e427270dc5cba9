import { withWindow } from '../assembly/window-session.ts';
import { backupDb } from '../phases/backup-db.ts';
import type { Action } from './action.ts';

export const backupDbAction: Action = (surroundings) =>
  withWindow('backup-db', surroundings, backupDb);
