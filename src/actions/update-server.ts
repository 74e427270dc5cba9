import { serverDryRun } from '../assembly/server-dry-run.ts';
import { withWindow } from '../assembly/window-session.ts';
import { updateServer, type ServerStage } from '../phases/update-server.ts';
import type { Action } from './action.ts';

/** A dry run needs no window, and opens none. */
export const updateServerAction: Action = (surroundings) =>
  surroundings.inputs['dry-run']?.trim() === 'true'
    ? serverDryRun(surroundings)
    : withWindow('update-server', surroundings, (context, invocation) =>
        updateServer(context, { stage: invocation.stage as ServerStage }),
      );
