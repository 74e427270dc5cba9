import { formatDuration } from '../../plan/duration.ts';

/** One answer of the application; `Infinity` when there was none, or an error where there was none before. */
export type Seconds = number;

/** How the application answers at one place. */
export interface Latency {
  /** Median before the work began. */
  readonly before: Seconds;
  /** Latest answers, oldest first. */
  readonly recent: readonly Seconds[];
}

/** Answers that are judged together, so that one slow answer is nobody's fault. */
export const windowSize = 5;
/** Fewer tell nothing. */
const leastAnswers = 3;
/** Without a limit in the plan. */
const defaultFactor = 3;
const defaultSlackSeconds = 0.1;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

/** Slower than this is harm. */
export function latencyLimit(before: Seconds, fromPlan: Seconds | undefined): Seconds {
  // Where it was slower than the plan's limit already, the work is not to blame.
  if (fromPlan !== undefined) return Math.max(fromPlan, before + defaultSlackSeconds);
  return Math.max(before * defaultFactor, before + defaultSlackSeconds);
}

/**
 * Decides whether the application answers too slowly.
 * @param pending seconds for which an answer has been waited for by now
 * @returns what is wrong as a clause; `undefined` when nothing is
 */
export function judgeLatency(
  latency: Latency,
  pending: Seconds,
  fromPlan: Seconds | undefined,
): string | undefined {
  const limit = latencyLimit(latency.before, fromPlan);
  const usual = `instead of ${formatDuration(latency.before)}`;
  // One that is this late need not be waited for.
  if (pending > Math.max(1, 3 * limit)) {
    return `the application has not answered for ${formatDuration(pending)} ${usual}`;
  }
  const recent = latency.recent.slice(-windowSize);
  if (recent.length < leastAnswers) return undefined;
  const now = median(recent);
  if (now <= limit) return undefined;
  return now === Infinity
    ? 'the application does not answer, or answers with errors'
    : `the application answers in ${formatDuration(now)} ${usual}`;
}
