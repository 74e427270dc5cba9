import { formatDuration } from '../../../plan/duration.ts';
import type { TaskOptions, TaskResult } from '../../../ports/database-tasks.ts';
import { failureOf } from '../../../ports/failure.ts';
import {
  GaveWayError,
  givenUp,
  guardFigures,
  heldBack,
  type GuardFigures,
} from '../../../ports/online-guard.ts';
import type { ClientTools } from '../tasks/task-clients.ts';
import { endEarlier } from './earlier-sessions.ts';
import { byName } from './look.ts';
import { startGuard } from './online-guard.ts';

/** Does a task under guard when its terms say that the public is served, and tells what the guard had to do. */
export async function guardedTask(
  tools: ClientTools,
  { online, onProgress }: TaskOptions,
  work: (tools: ClientTools) => Promise<TaskResult>,
): Promise<TaskResult> {
  if (online === undefined) return work(tools);
  const { windowId } = tools;
  if (windowId !== undefined) await endEarlier(tools, namesOf(windowId));
  // A name that nobody can guess: who bears it is ours. The server keeps 63 bytes of it.
  const part = globalThis.crypto.randomUUID().replaceAll('-', '').slice(0, 12);
  const application = `${namesOf(windowId ?? '')}${part}`;
  const guard = await startGuard(tools, byName(application), online, onProgress);
  let result: TaskResult;
  try {
    result = await work({ ...tools, guard: Object.assign(guard, { application }) });
  } catch (error) {
    const figures = guardFigures(await guard.end());
    const failure = failureOf(error);
    const isOurs = [givenUp, heldBack, 'database-lock-timeout'].includes(failure.code);
    throw isOurs ? new GaveWayError(failure, figures, error) : error;
  }
  const figures = await guard.end();
  const told = describeGuard(figures);
  return {
    ...result,
    summary: told === '' ? result.summary : `${result.summary}; ${told}`,
    figures: { ...result.figures, ...guardFigures(figures) },
  };
}

/** How the names of a window's guarded sessions begin. */
function namesOf(windowId: string): string {
  return `maintenance-window online ${windowId.slice(0, 24)} `;
}

/** What the guard had to do, for people; empty when it had nothing to do. */
function describeGuard(figures: GuardFigures): string {
  const { heldBack: waited, cancelled, longestWaitSeconds, lastReason } = figures;
  if (waited === 0 && cancelled === 0) return '';
  const times = (count: number): string => `${count} ${count === 1 ? 'time' : 'times'}`;
  const parts = [
    ...(cancelled === 0 ? [] : [`gave way ${times(cancelled)}`]),
    ...(waited === 0 ? [] : [`was held back ${times(waited)}`]),
  ];
  const longest =
    longestWaitSeconds === 0
      ? ''
      : `; nobody waited for it longer than ${formatDuration(longestWaitSeconds)}`;
  return `it ${parts.join(' and ')}${lastReason === undefined ? '' : ` (the last time, ${lastReason})`}${longest}`;
}
