/** Time, so that decisions on it can be tested without waiting. */
export interface Clock {
  now(): Date;
  /** Seconds of a clock that never goes back. */
  monotonicSeconds(): number;
  /** Waits; rejects with a `cancelled` FailureError when the run is being cancelled. */
  wait(seconds: number): Promise<void>;
}
