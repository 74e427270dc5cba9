import { monotonicMilliseconds } from './monotonic-clock.ts';

/** How often something is measured: on a busy machine less often than was asked for. */
export type Rounds = {
  readonly atMost: number;
  /** No round begins later than this after the first; there is always one. */
  readonly seconds: number;
};

/** Calls `round` one time after the other, with its number from 0. */
export async function repeat(
  { atMost, seconds }: Rounds,
  round: (number: number) => Promise<void>,
): Promise<void> {
  const end = monotonicMilliseconds() + seconds * 1000;
  for (let number = 0; number < atMost; number += 1) {
    if (number > 0 && monotonicMilliseconds() >= end) return;
    await round(number);
  }
}
