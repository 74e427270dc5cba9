import type { Surroundings } from '../assembly/surroundings.ts';
import type { ActionResult } from '../assembly/window-session.ts';

/** What an action does: from what its face brings to what its face gives back. */
export type Action = (surroundings: Surroundings) => Promise<ActionResult>;
