import { withWindow } from '../assembly/window-session.ts';
import { smokeTest } from '../phases/smoke-test.ts';
import type { Action } from './action.ts';

export const smokeTestAction: Action = (surroundings) =>
  withWindow('smoke-test', surroundings, smokeTest);
