/**
 * Milliseconds of the machine's monotonic clock (CLOCK_MONOTONIC, see clock_gettime(2)): the same for all
 * processes, unlike `performance.now()`, and never set back.
 */
export function monotonicMilliseconds(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
