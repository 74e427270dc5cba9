import { z } from 'zod';
import type { Clock } from '../../../ports/clock.ts';
import type { TaskOptions } from '../../../ports/database-tasks.ts';
import { fail } from '../../../ports/failure.ts';
import { inTurn } from '../../../ports/in-turn.ts';
import { onlineSettings, strongLockTimeout } from '../guard/throttle.ts';
import type { Psql, PsqlSession } from '../psql.ts';
import { explained, type Doing, type TaskGuard } from './failed-statement.ts';
import { limitSettings } from './limits.ts';
import { describeWait, type LockWait } from './lock-holders.ts';
import { observe, progressLine } from './progress.ts';

export type { Doing } from './failed-statement.ts';

/** What every task works with. */
export interface TaskTools {
  readonly psql: Psql;
  readonly clock: Clock;
  /** Watches over the working sessions while the public is served. */
  readonly guard?: TaskGuard | undefined;
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

interface OpenSession {
  readonly session: PsqlSession;
  readonly pid: number;
  readonly leave: () => void;
  /** Whether its lock timeout is that of statements which others queue behind. */
  isBrief: boolean;
}

/** Opens no connection before the first statement. */
function taskSession(
  tools: TaskTools,
  options: TaskOptions,
  settings: Readonly<Record<string, string>>,
): TaskSession {
  const { guard } = tools;
  const warnings: string[] = [];
  let open: OpenSession | undefined;

  const connect = async (): Promise<OpenSession> => {
    if (open !== undefined) return open;
    const session = await tools.psql.start({
      settings: {
        ...limitSettings(options),
        ...(guard === undefined ? {} : onlineSettings(guard)),
        ...settings,
      },
      onNotice: (line) => {
        if (line.startsWith('WARNING:')) warnings.push(line.slice('WARNING:'.length).trim());
      },
    });
    const [pid] = await session.query('SELECT pg_catalog.pg_backend_pid()');
    const abort = (): void => void session.abort().catch(() => undefined);
    open = {
      session,
      pid: Number(pid),
      leave: guard?.enter(Number(pid), abort) ?? (() => undefined),
      isBrief: false,
    };
    return open;
  };

  const runOnce: TaskSession['run'] = async (sql, doing) => {
    let wait: LockWait = { lock: undefined, holders: [] };
    const isBrief = guard !== undefined && doing.stopsOthers === true;
    const limits = isBrief ? strongLockTimeout(options, guard.terms) : options;
    let at: number | undefined;
    try {
      const connected = await connect();
      const { session, pid } = connected;
      at = pid;
      if (connected.isBrief !== isBrief) await session.query(lockTimeoutSql(limits));
      connected.isBrief = isBrief;
      const query = session.query(sql);
      const watching = watch(tools, limits, pid, query, (seen) => (wait = seen));
      try {
        return await query;
      } finally {
        await watching;
      }
    } catch (error) {
      // Ended already when the statement failed; not when whoever takes the progress lines threw.
      await open?.session.close();
      open?.leave();
      open = undefined;
      const known =
        guard !== undefined && at !== undefined ? { guard, pid: at, isBrief } : undefined;
      throw await explained(error, doing, wait, limits, known);
    }
  };

  const run: TaskSession['run'] = (sql, doing) =>
    doing.isRepeatable === true
      ? inTurn(tools, typeof doing.what === 'string' ? doing.what : doing.what(undefined), () =>
          runOnce(sql, doing),
        )
      : runOnce(sql, doing);

  return {
    warnings,
    run,
    async rows(sql, schema, doing) {
      // JSON has no line break in it, so that the answer is one line.
      const [line] = await run(
        `SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(mw_rows_)), '[]') FROM (\n${sql}\n) AS mw_rows_`,
        { ...doing, isRepeatable: true },
      );
      return z.array(schema).parse(JSON.parse(line ?? '[]'));
    },
    async close() {
      const { session, leave } = open ?? {};
      open = undefined;
      leave?.();
      await session?.close();
    },
  };
}

function lockTimeoutSql(limits: TaskOptions): string {
  return `SELECT FROM pg_catalog.set_config('lock_timeout', '${limitSettings(limits).lock_timeout ?? '0'}', false)`;
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
  // Its questions are short and hold nothing up.
  return withReader({ ...tools, guard: undefined }, options, work);
}

/** Likewise, but under guard: its questions may take long. */
export function withReader<T>(
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
  const end = new AbortController();
  const isOver = (): true => {
    end.abort();
    return true;
  };
  const ended = query.then(isOver, isOver);
  const endedWithin = (seconds: number): Promise<boolean> =>
    Promise.race([
      ended,
      clock.wait(seconds, end.signal).then(
        () => end.signal.aborted,
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
