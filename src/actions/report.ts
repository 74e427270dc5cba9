import { reportSession } from '../assembly/report-session.ts';
import type { Action } from './action.ts';

export const reportAction: Action = reportSession;
