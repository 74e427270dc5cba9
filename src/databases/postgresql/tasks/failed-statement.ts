import type { TaskOptions } from '../../../ports/database-tasks.ts';
import { FailureError, type Failure } from '../../../ports/failure.ts';
import { heldBack } from '../../../ports/online-guard.ts';
import type { OnlineGuard } from '../guard/online-guard.ts';
import { StatementError } from '../statement-failure.ts';
import { describeWait, type LockWait } from './lock-holders.ts';

/** How a statement is spoken of when it fails. */
export interface Doing {
  /** For instance `VACUUM of public.orders`; may name the line of the SQL at which the server stopped. */
  readonly what: string | ((line: number | undefined) => string);
  /** The state of the database after a failure, one or two sentences. */
  readonly state: string | (() => string);
  /**
   * While the public is served: whether the statement, by itself, may be run again when it had to give way; it stands
   * outside of a transaction then, and leaves nothing when it is cancelled.
   */
  readonly isRepeatable?: boolean;
  /**
   * Whether it asks for a lock that stops others, or holds such locks while it waits: everybody queues behind it, so
   * that it may wait no longer than they may.
   */
  readonly stopsOthers?: boolean;
  /** Whether it is a COMMIT: when its connection was lost nobody knows what came of it, and it is not tried again. */
  readonly isCommit?: boolean;
}

/** A guard, and the name by which it knows the sessions of a task. */
export interface TaskGuard extends OnlineGuard {
  readonly application: string;
}

/** A session under guard. */
interface Guarded {
  readonly guard: TaskGuard;
  readonly pid: number;
  /** Whether it may wait for a lock only as long as others may wait for it. */
  readonly isBrief: boolean;
}

/**
 * What a failed statement is told as: with what was being done, and the state that it left; one that gave way to others
 * has the code `database-held-back`.
 */
export async function explained(
  error: unknown,
  doing: Doing,
  wait: LockWait,
  options: TaskOptions,
  guarded: Guarded | undefined,
): Promise<unknown> {
  if (!(error instanceof FailureError) || error.failure.code === 'cancelled') return error;
  const { line, sqlState, said } = error instanceof StatementError ? error : {};
  const what = typeof doing.what === 'string' ? doing.what : doing.what(line);
  const isUnknown =
    doing.isCommit === true && error.failure.code !== 'database-statement-cancelled';
  const way =
    guarded === undefined || isUnknown ? undefined : await gaveWay(error.failure, guarded);
  if (way !== undefined) {
    return new FailureError({
      code: heldBack,
      message: way,
      state: typeof doing.state === 'string' ? doing.state : doing.state(),
      next: 'It is tried again.',
    });
  }
  const failure: Failure = {
    ...error.failure,
    ...(error.failure.code === 'database-lock-timeout'
      ? lockTimeout(what, wait, options)
      : { message: `${what} failed: ${said === undefined ? error.failure.message : `${said}.`}` }),
    state: typeof doing.state === 'string' ? doing.state : doing.state(),
  };
  return new StatementError(failure, { sqlState, line, said });
}

/** Why a statement gave way to others, as a clause; `undefined` when it failed by itself. */
async function gaveWay(
  { code }: Failure,
  { guard, pid, isBrief }: Guarded,
): Promise<string | undefined> {
  const reason = await guard.reasonFor(pid);
  if (reason !== undefined) return reason;
  if (!isBrief || code !== 'database-lock-timeout') return undefined;
  const seen = guard.waitOf(pid);
  return `its lock was not to be had, and others would have queued behind it${seen === '' ? '' : ` (${seen.replace(/\.$/, '')})`}`;
}

function lockTimeout(
  what: string,
  wait: LockWait,
  { lockTimeoutSeconds }: TaskOptions,
): Pick<Failure, 'message' | 'next'> {
  const who = describeWait(wait);
  return {
    message:
      `${what} was given up by the server after waiting ${lockTimeoutSeconds} seconds for a lock. ` +
      (who === '' ? 'Who held it was not seen.' : who),
    next: 'Let that transaction finish or end it, then run the step again; or raise the lock timeout.',
  };
}
