import { z } from 'zod';
import type { Clock } from '../../../ports/clock.ts';
import type { TaskOptions } from '../../../ports/database.ts';
import { fail, FailureError, type Failure } from '../../../ports/failure.ts';
import type { Psql, PsqlSession } from '../psql.ts';
import { StatementError } from '../statement-failure.ts';
import { limitSettings } from './limits.ts';
import { describeWait, type LockWait } from './lock-holders.ts';
import { observe, progressLine } from './progress.ts';

/** What every task works with. */
export interface TaskTools {
  readonly psql: Psql;
  readonly clock: Clock;
}

/** How a statement is spoken of when it fails. */
export interface Doing {
  /** For instance `VACUUM of public.orders`; may name the line of the SQL at which the server stopped. */
  readonly what: string | ((line: number | undefined) => string);
  /** The state of the database after a failure, one or two sentences. */
  readonly state: string | (() => string);
}

/**
 * A session for a task's statements, under its limits, watched from a second session while a statement takes long.
 * A failed statement ends psql; the next one gets a new connection.
 */
export interface TaskSession {
  /**
   * Runs SQL and returns the lines that it printed.
   * @throws FailureError with `doing` in it; `database-lock-timeout` names who held the lock
   */
  run(sql: string, doing: Doing): Promise<string[]>;
  /**
   * Rows of a query that may wait for locks (sizes of tables do): under the task's limits, the holder named.
   */
  rows<T>(sql: string, schema: z.ZodType<T>, doing: Doing): Promise<T[]>;
  /** Warnings of the server so far; complete after `close`. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

/** Seconds before the first look: most statements are over by then. */
const firstLookSeconds = 0.3;
const lookSeconds = 1;
const shortestLookSeconds = 0.1;

/** Opens no connection before the first statement. */
function taskSession(
  tools: TaskTools,
  options: TaskOptions,
  settings: Readonly<Record<string, string>>,
): TaskSession {
  const warnings: string[] = [];
  let open: { readonly session: PsqlSession; readonly pid: number } | undefined;

  const connect = async (): Promise<{ readonly session: PsqlSession; readonly pid: number }> => {
    if (open !== undefined) return open;
    const session = await tools.psql.start({
      settings: { ...limitSettings(options), ...settings },
      onNotice: (line) => {
        if (line.startsWith('WARNING:')) warnings.push(line.slice('WARNING:'.length).trim());
      },
    });
    const [pid] = await session.query('SELECT pg_catalog.pg_backend_pid()');
    open = { session, pid: Number(pid) };
    return open;
  };

  const run: TaskSession['run'] = async (sql, doing) => {
    let wait: LockWait = { lock: undefined, holders: [] };
    try {
      const { session, pid } = await connect();
      const query = session.query(sql);
      const watching = watch(tools, options, pid, query, (seen) => (wait = seen));
      try {
        return await query;
      } finally {
        await watching;
      }
    } catch (error) {
      // Ended already when the statement failed; not when whoever takes the progress lines threw.
      await open?.session.close();
      open = undefined;
      throw explained(error, doing, wait, options);
    }
  };

  return {
    warnings,
    run,
    async rows(sql, schema, doing) {
      // JSON has no line break in it, so that the answer is one line.
      const [line] = await run(
        `SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(mw_rows_)), '[]') FROM (\n${sql}\n) AS mw_rows_`,
        doing,
      );
      return z.array(schema).parse(JSON.parse(line ?? '[]'));
    },
    async close() {
      const { session } = open ?? {};
      open = undefined;
      await session?.close();
    },
  };
}

/** Does work on a session, and closes it. */
export async function withSession<T>(
  tools: TaskTools,
  options: TaskOptions,
  work: (session: TaskSession) => Promise<T>,
  settings: Readonly<Record<string, string>> = {},
): Promise<T> {
  const session = taskSession(tools, options, settings);
  let result: T;
  try {
    result = await work(session);
  } catch (error) {
    // What failed first is what the reader needs: of a cancelled run the closing fails as well.
    await session.close().catch(() => undefined);
    throw error;
  }
  await session.close();
  return result;
}

/** Does work on a session that only reads the catalogues: names without schema are the server's own. */
export function withObserver<T>(
  tools: TaskTools,
  options: TaskOptions,
  work: (session: TaskSession) => Promise<T>,
): Promise<T> {
  const settings = { search_path: 'pg_catalog', default_transaction_read_only: 'on' };
  return withSession(tools, options, work, settings);
}

/** Looks at the working session until its statement ends; what it cannot see does not disturb the task. */
async function watch(
  { psql, clock }: TaskTools,
  { lockTimeoutSeconds, onProgress }: TaskOptions,
  pid: number,
  query: Promise<unknown>,
  onWait: (wait: LockWait) => void,
): Promise<void> {
  // A wait must be seen at least twice before the lock timeout ends it.
  const interval =
    lockTimeoutSeconds > 0
      ? Math.max(shortestLookSeconds, Math.min(lookSeconds, lockTimeoutSeconds / 3))
      : lookSeconds;
  const ended = query.then(
    () => true,
    () => true,
  );
  const endedWithin = (seconds: number): Promise<boolean> =>
    Promise.race([
      ended,
      clock.wait(seconds).then(
        () => false,
        // The run is being cancelled; the statement's own end tells that.
        () => true,
      ),
    ]);
  let lastLine: string | undefined;
  for (
    let over = await endedWithin(Math.min(firstLookSeconds, interval));
    !over;
    over = await endedWithin(interval)
  ) {
    const seen = await observe(psql, pid).catch(() => undefined);
    if (seen === undefined) continue;
    const { wait, progress } = seen;
    // A look that comes after the wait has ended must not wipe out what was seen.
    if (wait.holders.length > 0) onWait(wait);
    // Ages change with every look; the same holders are told once.
    const line =
      wait.holders.length > 0
        ? `waiting for pid ${wait.holders.map((holder) => holder.pid).join(', ')}`
        : progress && progressLine(progress);
    if (line !== undefined && line !== lastLine) {
      onProgress?.(wait.holders.length > 0 ? describeWait(wait) : line);
    }
    lastLine = line;
  }
}

function explained(error: unknown, doing: Doing, wait: LockWait, options: TaskOptions): unknown {
  if (!(error instanceof FailureError) || error.failure.code === 'cancelled') return error;
  const { line, sqlState, said } = error instanceof StatementError ? error : {};
  const what = typeof doing.what === 'string' ? doing.what : doing.what(line);
  const failure: Failure = {
    ...error.failure,
    ...(error.failure.code === 'database-lock-timeout'
      ? lockTimeout(what, wait, options)
      : { message: `${what} failed: ${said === undefined ? error.failure.message : `${said}.`}` }),
    state: typeof doing.state === 'string' ? doing.state : doing.state(),
  };
  return new StatementError(failure, { sqlState, line, said });
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

/**
 * Works through items on several sessions at once; the first failure stops the others after their current item.
 * @returns the warnings of all sessions
 */
export async function onSessions<T>(
  tools: TaskTools,
  options: TaskOptions,
  sessions: number,
  items: readonly T[],
  work: (session: TaskSession, item: T) => Promise<void>,
): Promise<readonly string[]> {
  const queue = [...items];
  const warnings: string[] = [];
  let failed = false;
  const worker = async (): Promise<void> => {
    const session = taskSession(tools, options, {});
    try {
      for (let item = queue.shift(); item !== undefined && !failed; item = queue.shift()) {
        await work(session, item);
      }
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      await session.close();
      warnings.push(...session.warnings);
    }
  };
  const count = Math.max(1, Math.min(sessions, items.length));
  const results = await Promise.allSettled(Array.from({ length: count }, () => worker()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return warnings;
}

/** Refuses a number of jobs that is none. */
export function checkJobs(jobs: number): void {
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= 64) return;
  fail({
    code: 'database-limit-refused',
    message: `The number of jobs is ${jobs}; accepted are whole numbers from 1 to 64.`,
    state: 'Nothing was sent to the database.',
    next: 'Correct the jobs in the plan or the input.',
  });
}
