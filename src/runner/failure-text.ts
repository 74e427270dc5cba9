import type { Failure } from '../ports/failure.ts';

/** A failure as people read it: what happened, how things stand, what to do. */
export function describeFailure(failure: Failure): string {
  return `${failure.message}\nState now: ${failure.state}\nNext: ${failure.next}`;
}
