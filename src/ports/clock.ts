/** Time, so that decisions on it can be tested without waiting. */
export interface Clock {
  now(): Date;
  /** Seconds of a clock that never goes back. */
  monotonicSeconds(): number;
  /**
   * Waits; rejects with a `cancelled` FailureError when the run is being cancelled.
   * @param until ends the wait early, quietly, when it is aborted: a timer that nobody waits for any more would keep
   *   the program from ending
   */
  wait(seconds: number, until?: AbortSignal): Promise<void>;
}
