import type * as z from 'zod';
import type { Clock } from '../ports/clock.ts';
import { failureOf } from '../ports/failure.ts';
import type { Progress } from '../ports/progress.ts';
import { outcomeOf } from './journal.ts';
import type { BlastClass } from './life.ts';
import type { WindowRecord } from './window-record.ts';

type Json = z.core.util.JSONType;

/** One effect of a phase: announced, done, proved, written down. */
export interface Step<T extends Json> {
  /** Unique within its phase; kebab-case. */
  readonly id: string;
  /** What it does, as the runbook would say it. */
  readonly title: string;
  readonly blast: BlastClass;
  /**
   * Looks at the world: what the step would return when its effect is already there, else `undefined`. Called
   * after a kill and on every repetition. Without it, a recorded outcome counts and anything else is done again.
   */
  observe?(): Promise<T | undefined>;
  /** Does it and proves it; throws FailureError when the proof fails. */
  perform(): Promise<T>;
  /** One line for people on what was observed. */
  describe(result: T): string;
}

export interface StepContext {
  readonly record: WindowRecord;
  readonly clock: Clock;
  readonly progress: Progress;
}

/** Runs a step over the record: observes first, writes the intent, performs, writes the outcome. */
export async function runStep<T extends Json>(
  context: StepContext,
  phase: string,
  step: Step<T>,
): Promise<T> {
  const { record, clock, progress } = context;
  const head = { phase, step: step.id, title: step.title, blast: step.blast };
  const recorded = outcomeOf(record.journal, phase, step.id);
  if (step.observe === undefined) {
    if (recorded !== undefined) return recorded.data as T;
  } else {
    const observed = await step.observe();
    if (observed !== undefined) {
      if (recorded === undefined) {
        const detail = `${step.describe(observed)} (found done)`;
        await record.append({ ...head, event: 'done', seconds: 0, detail, data: observed });
        progress.end(phase, step.id, 'done', detail, 0);
      }
      return observed;
    }
  }
  await record.begin(step.blast);
  await record.append({ ...head, event: 'intent' });
  progress.begin(phase, step.id, step.title);
  const begun = clock.monotonicSeconds();
  const seconds = (): number => Math.round((clock.monotonicSeconds() - begun) * 1000) / 1000;
  try {
    const result = await step.perform();
    const detail = step.describe(result);
    await record.append({ ...head, event: 'done', seconds: seconds(), detail, data: result });
    progress.end(phase, step.id, 'done', detail, seconds());
    return result;
  } catch (error) {
    const failure = failureOf(error);
    const line = { ...head, event: 'failed', seconds: seconds(), detail: failure.message } as const;
    // A disk that is full fails both; what failed first is what the reader needs.
    await record.append({ ...line, failure }).catch((second: unknown) => {
      progress.warning(`The failure could not be written down: ${failureOf(second).message}`);
    });
    progress.end(phase, step.id, 'failed', failure.message, seconds());
    throw error;
  }
}

/** Writes down that a step was not needed, and why. */
export async function skipStep(
  context: StepContext,
  phase: string,
  step: { readonly id: string; readonly title: string },
  reason: string,
): Promise<void> {
  const head = { phase, step: step.id, title: step.title, blast: 'none' as const };
  await context.record.append({ ...head, event: 'skipped', detail: reason });
  context.progress.end(phase, step.id, 'skipped', reason, 0);
}
