/**
 * What went wrong, told so that the reader can act: what happened, what state the system is in now,
 * and what to do next.
 */
export interface Failure {
  /** Stable kebab-case reason code, for outputs, reports and tests. */
  readonly code: string;
  /** One sentence: what happened. */
  readonly message: string;
  /** One sentence: the state of the system now. */
  readonly state: string;
  /** One sentence: what to do next. */
  readonly next: string;
}

/** A {@link Failure} on its way up. Phases turn it into an outcome; nothing else swallows it. */
export class FailureError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, options?: { cause?: unknown }) {
    super(failure.message, options);
    this.name = 'FailureError';
    this.failure = failure;
  }
}

/** Throws a {@link FailureError}. */
export function fail(failure: Failure, cause?: unknown): never {
  throw new FailureError(failure, cause === undefined ? undefined : { cause });
}

/** The {@link Failure} in anything thrown; what is not ours becomes code `unexpected`. */
export function failureOf(error: unknown): Failure {
  if (error instanceof FailureError) return error.failure;
  return {
    code: 'unexpected',
    message: messageOf(error),
    state: 'The step was interrupted; the journal names the last effect that was observed.',
    next: 'Read the journal with `maintenance-window status`, then run the phase again or `rollback`.',
  };
}

/** The message of anything thrown, also of errors that belong to another realm. */
export function messageOf(error: unknown): string {
  const { message } = Object(error) as { message?: unknown };
  return typeof message === 'string' ? message : String(error);
}
