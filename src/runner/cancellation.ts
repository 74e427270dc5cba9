/** A signal that is aborted when the runner cancels the run. */
export interface Cancellation {
  readonly signal: AbortSignal;
  /** Takes the handlers away again. */
  readonly release: () => void;
}

/**
 * Turns SIGINT and SIGTERM into an abort. The runner sends them to this process alone (SIGINT, 7.5 seconds later
 * SIGTERM, 2.5 seconds later it kills the tree), so what we started must be ended by us.
 */
export function cancellation(): Cancellation {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort();
  };
  process.on('SIGINT', abort);
  process.on('SIGTERM', abort);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', abort);
      process.off('SIGTERM', abort);
    },
  };
}
