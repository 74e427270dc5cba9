import { formatDuration } from '../../../plan/duration.ts';
import type { TaskOptions, TaskResult } from '../../../ports/database.ts';
import type { GuardFigures } from '../../../ports/online-guard.ts';
import type { TaskTools } from '../tasks/task-session.ts';
import { byName } from './look.ts';
import { startGuard } from './online-guard.ts';

/** Does a task under guard when its terms say that the public is served, and tells what the guard had to do. */
export async function guardedTask<T extends TaskTools>(
  tools: T,
  { online }: TaskOptions,
  work: (tools: T) => Promise<TaskResult>,
): Promise<TaskResult> {
  if (online === undefined) return work(tools);
  // A name that nobody can guess: who bears it is ours.
  const application = `maintenance-window online ${globalThis.crypto.randomUUID()}`;
  const guard = await startGuard(tools, byName(application), online);
  let figures: GuardFigures;
  let result: TaskResult;
  try {
    result = await work({ ...tools, guard: Object.assign(guard, { application }) });
  } finally {
    figures = await guard.end();
  }
  const told = describeGuard(figures);
  return {
    ...result,
    summary: told === '' ? result.summary : `${result.summary}; ${told}`,
    figures: { ...result.figures, ...guardFigures(figures) },
  };
}

/** Figures of a guard for the report. */
export function guardFigures(figures: GuardFigures): Record<string, number> {
  return {
    'times-held-back': figures.heldBack,
    'statements-that-gave-way': figures.cancelled,
    'longest-wait-of-others-seconds': Math.round(figures.longestWaitSeconds * 1000) / 1000,
  };
}

/** What the guard had to do, for people; empty when it had nothing to do. */
export function describeGuard(figures: GuardFigures): string {
  const { heldBack, cancelled, longestWaitSeconds, lastReason } = figures;
  if (heldBack === 0 && cancelled === 0) return '';
  const parts = [
    ...(cancelled === 0 ? [] : [`gave way ${cancelled} ${cancelled === 1 ? 'time' : 'times'}`]),
    ...(heldBack === 0 ? [] : [`was held back ${heldBack} ${heldBack === 1 ? 'time' : 'times'}`]),
  ];
  const longest =
    longestWaitSeconds === 0
      ? ''
      : `; nobody waited for it longer than ${formatDuration(longestWaitSeconds)}`;
  return `it ${parts.join(' and ')}${lastReason === undefined ? '' : ` (the last time, ${lastReason})`}${longest}`;
}
