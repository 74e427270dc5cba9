import { formatDuration } from './duration.ts';

/** What the time left is held against; seconds. */
export interface TimeBudget {
  /** Until the window's end. */
  readonly remaining: number;
  /** Kept for going back: what the restore test took, or what the plan says. */
  readonly reserve: number;
  /** Where the reserve comes from, for instance `the restore test`. */
  readonly reserveBasis: string;
  /** Kept for the smoke tests that come before the public is let in. */
  readonly smokeTests: number;
}

/** What a step is thought to need. */
export interface Estimate {
  readonly seconds: number;
  /** Where the figure comes from. */
  readonly basis: string;
}

export type BudgetVerdict =
  | { readonly kind: 'enough'; readonly available: number; readonly sum: string }
  | {
      readonly kind: 'short';
      readonly available: number;
      /** Seconds that are missing. */
      readonly lacking: number;
      readonly sum: string;
    };

/** Seconds that may be worked before the window has to go back, test and open; negative when it is late already. */
export function availableSeconds({ remaining, reserve, smokeTests }: TimeBudget): number {
  return remaining - reserve - smokeTests;
}

/** Whether what is left beyond the reserve covers a step, with the sum as people would write it down. */
export function judgeBudget(budget: TimeBudget, estimate: Estimate): BudgetVerdict {
  const available = availableSeconds(budget);
  const sum = `${sumOf(budget)}; it is thought to need ${formatDuration(estimate.seconds)} (${estimate.basis})`;
  return available >= estimate.seconds
    ? { kind: 'enough', available, sum }
    : { kind: 'short', available, lacking: estimate.seconds - available, sum };
}

/** For instance `47 min left − 12 min to go back (the restore test) − 60 s for smoke tests = 34 min`. */
export function sumOf(budget: TimeBudget): string {
  const { remaining, reserve, reserveBasis, smokeTests } = budget;
  const left = `${signed(remaining)} left`;
  return `${left} − ${formatDuration(reserve)} to go back (${reserveBasis}) − ${formatDuration(smokeTests)} for smoke tests = ${signed(availableSeconds(budget))}`;
}

function signed(seconds: number): string {
  return seconds < 0 ? `−${formatDuration(-seconds)}` : formatDuration(seconds);
}
