import { formatDuration } from '../plan/duration.ts';
import type { Plan } from '../plan/plan.ts';
import type { PredictedStep } from '../plan/prediction.ts';
import {
  availableSeconds,
  judgeBudget,
  sumOf,
  type Estimate,
  type TimeBudget,
} from '../plan/time-budget.ts';
import { fail, failureOf } from '../ports/failure.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import { outcomeOf } from '../record/journal.ts';
import { skipStep } from '../record/step.ts';
import type { BackupReceipt } from '../record/backup-receipt.ts';
import type { WindowStatus } from '../record/status.ts';
import type { PhaseContext } from './phase.ts';

/** A piece of work that is begun only when the window has the time for it, and to go back afterwards. */
export interface TimedWork {
  readonly phase: string;
  /** The steps of the journal that it is made of. */
  readonly steps: readonly string[];
  /** As a sentence begins, for instance `vacuum all tables`. */
  readonly title: string;
  /** What follows when the time does not suffice. */
  readonly whenLate: 'skip' | 'abort';
}

/** What of the status a budget depends on. */
type BudgetedStatus = Pick<WindowStatus, 'prediction' | 'backup' | 'restorePoint'>;
type BudgetContext = Pick<PhaseContext, 'record' | 'plan' | 'clock' | 'progress'>;

const smokeTestStep = 'smoke-test: checks';
const restoreTestStep = 'backup-db: restore-test-online';

/**
 * What the time left is held against; `undefined` in a window that preflight did not predict (an action used alone),
 * where nothing is known to hold against it.
 */
export function timeBudget({
  record: { status },
  plan,
  clock,
}: Pick<PhaseContext, 'record' | 'plan' | 'clock'>): TimeBudget | undefined {
  if (status.prediction === undefined) return undefined;
  const { seconds, basis } = reserveOf(status, plan);
  return {
    remaining: (Date.parse(status.deadline) - clock.now().getTime()) / 1000,
    reserve: seconds,
    reserveBasis: basis,
    smokeTests: smokeTestSeconds(status, plan),
  };
}

/** Time that is kept for going back; seconds. */
function reserveOf(status: BudgetedStatus, plan: Plan): Estimate {
  const { reserve } = plan.rollback;
  if (reserve !== undefined) return { seconds: reserve, basis: 'as the plan says' };
  const backup = status.restorePoint?.kind === 'dump' ? status.restorePoint.backup : status.backup;
  if (backup !== undefined) {
    return { seconds: backup.restoreSeconds, basis: restoreBasisOf(backup) };
  }
  const predicted = status.prediction?.find(({ step }) => step === restoreTestStep);
  return predicted === undefined
    ? { seconds: 0, basis: 'nothing to restore' }
    : { seconds: predicted.seconds, basis: `predicted, ${predicted.basis}` };
}

function restoreBasisOf({ restoreBasis }: Pick<BackupReceipt, 'restoreBasis'>): string {
  if (restoreBasis === 'estimated') return 'a guess: the backup was not restored';
  return restoreBasis === 'measured-elsewhere'
    ? 'the restore test on another server'
    : 'the restore test';
}

/** From earlier windows; without one as long as the checks may be tried. */
function smokeTestSeconds(status: BudgetedStatus, plan: Plan): number {
  if (plan.smokeTest.checks.length === 0) return 0;
  const predicted = status.prediction?.find(({ step }) => step === smokeTestStep);
  return predicted?.measured === true ? predicted.seconds : plan.smokeTest.deadline;
}

/**
 * Whether there is time for a piece of work. Prints the sum; work that was done already needs none.
 * @returns `go`, or why it is skipped, which is written down for its first step
 * @throws FailureError `time-budget` when the work cannot be left out
 */
export async function demandTime(
  context: BudgetContext,
  work: TimedWork,
): Promise<'go' | { readonly skipped: string }> {
  const { record, progress } = context;
  const { phase, steps, title, whenLate } = work;
  const left = steps.filter((step) => outcomeOf(record.journal, phase, step) === undefined);
  const estimate = estimateOf(
    record.status,
    left.map((step) => `${phase}: ${step}`),
  );
  const budget = timeBudget(context);
  if (budget === undefined || estimate === undefined) return 'go';
  const verdict = judgeBudget(budget, estimate);
  if (verdict.kind === 'enough') {
    progress.info(`time for ${title}: ${verdict.sum}: enough`);
    return 'go';
  }
  const lacking = `${verdict.sum}: ${formatDuration(verdict.lacking)} too little`;
  if (whenLate === 'abort') failForTime(title, lacking, record.status);
  const reason = `not enough time is left in the window: ${lacking}`;
  progress.warning(`${title} is left out: ${reason}`);
  await skipStep(context, phase, { id: steps[0] ?? phase, title }, reason);
  return { skipped: reason };
}

/**
 * Refuses to close the site when what cannot be left out, going back and testing would not fit before the window's
 * end.
 * @throws FailureError `time-budget`
 */
export function demandTimeToClose(context: BudgetContext): void {
  const { record, progress } = context;
  const budget = timeBudget(context);
  if (budget === undefined) return;
  const needed = (record.status.prediction ?? []).filter(
    ({ step, closed, skippable }) => closed && skippable !== true && step !== smokeTestStep,
  );
  const verdict = judgeBudget(budget, {
    seconds: secondsOf(needed),
    basis: 'all closed steps that must be',
  });
  if (verdict.kind === 'short') {
    failForTime(
      'Closing the site',
      `${verdict.sum}: ${formatDuration(verdict.lacking)} too little`,
      record.status,
    );
  }
  progress.info(`time for all that is done while closed: ${verdict.sum}: enough`);
}

function failForTime(title: string, sum: string, { state }: WindowStatus): never {
  const isOpen = state === 'planned' || state === 'prepared';
  fail({
    code: 'time-budget',
    message: `${title} does not fit into the window any more: ${sum}.`,
    state: isOpen
      ? 'It was not begun; the site is open.'
      : `It was not begun; the window is ${state}.`,
    next: 'Begin earlier or lengthen window.duration; let what can wait be skipped (when-late: skip); or, where going back takes less than a restore, say how long by rollback.reserve.',
  });
}

/** What is predicted for steps; `undefined` when none of them is. */
function estimateOf(status: WindowStatus, names: readonly string[]): Estimate | undefined {
  const found = (status.prediction ?? []).filter(({ step }) => names.includes(step));
  return found.length === 0
    ? undefined
    : {
        seconds: secondsOf(found),
        basis: [...new Set(found.map(({ basis }) => basis))].join(', '),
      };
}

/**
 * How long a statement may run: its own limit, but never into the time that is kept for going back and testing.
 * @param limit seconds; 0 means none
 */
export function withinReserve(
  context: Pick<PhaseContext, 'record' | 'plan' | 'clock'>,
  limit: number,
): number {
  const budget = timeBudget(context);
  if (budget === undefined) return limit;
  const available = Math.max(1, Math.floor(availableSeconds(budget)));
  return limit === 0 ? available : Math.min(limit, available);
}

/** Whether a piece of work was ended because the window's time was up for it, and the sum then. */
export function endedForTime(
  context: Pick<PhaseContext, 'record' | 'plan' | 'clock'>,
  error: unknown,
): string | undefined {
  if (failureOf(error).code !== 'database-statement-timeout') return undefined;
  const budget = timeBudget(context);
  return budget === undefined || availableSeconds(budget) > 1 ? undefined : sumOf(budget);
}

/** Whether the window as predicted fits into its time, with going back and testing; an item of preflight. */
export function checkTimeBudget(options: {
  readonly prediction: readonly PredictedStep[];
  readonly plan: Plan;
  readonly end: Date;
  readonly now: Date;
}): Check {
  const { prediction, plan, end, now } = options;
  const status = { prediction: [...prediction] };
  const needed = prediction.filter(
    ({ step, skippable }) => skippable !== true && step !== smokeTestStep,
  );
  const optional = prediction.filter(({ skippable }) => skippable === true);
  const { seconds: reserve, basis: reserveBasis } = reserveOf(status, plan);
  const budget = {
    remaining: (end.getTime() - now.getTime()) / 1000,
    reserve,
    reserveBasis,
    smokeTests: smokeTestSeconds(status, plan),
  };
  const verdict = judgeBudget(budget, {
    seconds: secondsOf(needed),
    basis: needed.every(({ measured }) => measured === true) ? 'as measured before' : 'predicted',
  });
  const head = {
    id: 'time-budget',
    title: 'Time for all steps, going back and testing',
    value: verdict.sum,
    limit: 'what cannot be left out fits into the time that is left',
  };
  if (verdict.kind === 'enough') {
    const spare = verdict.available - secondsOf(needed);
    if (spare >= secondsOf(optional)) return { ...head, verdict: 'passed' };
    return {
      ...head,
      verdict: 'warning',
      value: `${verdict.sum}; what may be left out needs ${formatDuration(secondsOf(optional))} more`,
      next: 'Some of the work that the plan lets be skipped will not be done; lengthen window.duration, or plan less.',
    };
  }
  return {
    ...head,
    // A guess may be far too cautious; before each step the time is held against what was measured until then.
    verdict: needed.every(({ measured }) => measured === true) ? 'failed' : 'warning',
    value: `${verdict.sum}: ${formatDuration(verdict.lacking)} too little`,
    next: 'Lengthen window.duration, begin earlier, or move work into another window.',
  };
}

function secondsOf(steps: readonly PredictedStep[]): number {
  return steps.reduce((sum, { seconds }) => sum + seconds, 0);
}
