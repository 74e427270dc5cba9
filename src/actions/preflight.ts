import { preflightSession } from '../assembly/preflight-session.ts';
import { guarded } from '../assembly/window-session.ts';
import type { Action } from './action.ts';

export const preflightAction: Action = (surroundings) =>
  guarded(
    surroundings,
    async (machines) => (await preflightSession('preflight', surroundings, machines)).result,
  );
