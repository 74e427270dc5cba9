/** What a number of measurements amounts to, in their own unit. */
export type Summary = {
  readonly count: number;
  readonly median: number;
  /** The largest. */
  readonly worst: number;
};

/**
 * The value in the middle; of an even number, the mean of the two in the middle.
 * @throws RangeError when there is none
 */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('nothing was measured');
  return (lower + upper) / 2;
}

/** @throws RangeError when there is nothing to sum up */
export function summarize(values: readonly number[]): Summary {
  return { count: values.length, median: median(values), worst: Math.max(...values) };
}

/**
 * How many times as much a measurement is than its neighbour, in the middle of all rounds. Each is held
 * against the neighbour of its own round, so that a machine which slows down for a while does not count.
 * @throws RangeError when there are no rounds, or not as many of one as of the other
 */
export function medianRatio(values: readonly number[], neighbours: readonly number[]): number {
  if (values.length !== neighbours.length) throw new RangeError('a round lacks its neighbour');
  return median(values.map((value, round) => value / (neighbours[round] ?? NaN)));
}
