import { z } from 'zod';
import type { ArchiveOptions } from '../../../ports/database-tasks.ts';
import { fail, FailureError, failureOf } from '../../../ports/failure.ts';
import { givenUp } from '../../../ports/online-guard.ts';
import { inTurn } from '../../../ports/in-turn.ts';
import type { KeyValues } from './archive-batch.ts';
import type { TableShape } from './archive-source.ts';
import { counted } from './counted.ts';
import type { ClientTools } from './task-clients.ts';
import type { TaskSession } from './task-session.ts';

/** What archiving works with, and what was found out before it begins. */
export interface ArchiveWork {
  readonly tools: ClientTools;
  readonly options: ArchiveOptions;
  readonly source: TableShape;
  readonly where: string;
  /** What people should know. */
  readonly notes: readonly string[];
}

/** Ours by chance only, like that of the migrations: `mw` in ASCII, and 2 for archives. */
const archiveLock = '28023, 2';

/** Settings under which keys and rows are written as text that the server reads back as the same value. */
export const textSettings = {
  // Hidden rows must not stay behind unnoticed.
  row_security: 'off',
  bytea_output: 'hex',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
} as const;

/** How often a batch is tried when a lock is not to be had, or another transaction was faster. */
const attempts = 3;
const secondsBetweenAttempts = 2;
/** Seconds of rest between two batches at most. */
const longestRestSeconds = 1;
/** How often the table is gone through: others may write while it is. */
const mostPasses = 10;

/**
 * Keeps other archives out of the database for as long as the session lives, and waits for the end of a killed run's
 * last transaction, whose session may outlive it.
 */
export async function lockArchives(session: TaskSession): Promise<void> {
  await session.run(`SELECT pg_catalog.pg_advisory_lock(${archiveLock})`, {
    what: 'Waiting for another archive of this database',
    state: 'Nothing of this batch was moved.',
    isRepeatable: true,
  });
}

/** Rows in a table, or those that match. */
export async function countIn(
  session: TaskSession,
  table: string,
  where: string | undefined,
  state: string,
): Promise<number> {
  const [row] = await session.rows(
    `SELECT pg_catalog.count(*) AS rows FROM ${table}${where === undefined ? '' : ` WHERE (\n${where}\n)`}`,
    z.object({ rows: z.number() }),
    { what: `Counting the rows of ${table}`, state },
  );
  return row?.rows ?? 0;
}

/** Tries a batch again when a lock was not to be had or another transaction was faster; it left nothing then. */
async function patiently<T>({ tools }: ArchiveWork, batch: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await batch();
    } catch (error) {
      const { code } = failureOf(error);
      const sqlState = (error as { sqlState?: string }).sqlState ?? '';
      const isPassing =
        code === 'database-lock-timeout' ||
        code === 'database-archive-mismatch' ||
        // Serialization failure and deadlock (manual, appendix A).
        sqlState === '40001' ||
        sqlState === '40P01';
      if (!isPassing || attempt === attempts) throw error;
      await tools.clock.wait(secondsBetweenAttempts);
    }
  }
}

/** The counts of a batch differ: its transaction must not be committed. */
export function refuseMismatch(what: string, state: string): never {
  fail({
    code: 'database-archive-mismatch',
    message: `${what}: the batch was rolled back.`,
    state,
    next: 'Look for a trigger or a policy on source or archive that drops rows, and for who else writes to them; then run the step again.',
  });
}

/** While the public is served, and unless the plan says otherwise, it rests as long as it worked. */
function pauseAfterBatch({ options, tools }: ArchiveWork, worked: number): number {
  if (options.pauseSeconds > 0 || tools.guard === undefined) return options.pauseSeconds;
  return Math.min(longestRestSeconds, worked);
}

/** What was moved stays moved when the task is given up. */
function withMoved(error: unknown, rows: number, source: string): unknown {
  const failure = failureOf(error);
  if (failure.code !== givenUp) return error;
  return new FailureError(
    {
      ...failure,
      state: `${counted(rows, 'row')} of ${source} are archived and removed; each other is where it was, and a later archive goes on with them.`,
    },
    { cause: error },
  );
}

/**
 * Goes through the rows in batches until none matches.
 * @param batch moves one, and tells how many rows and where it ended
 * @throws FailureError `database-archive-unfinished`
 */
export async function inBatches(
  work: ArchiveWork,
  session: TaskSession,
  matching: number,
  batch: (wish: {
    readonly after: KeyValues | undefined;
    readonly size: number;
  }) => Promise<{ readonly rows: number; readonly last: KeyValues | undefined }>,
): Promise<{ readonly rows: number; readonly batches: number }> {
  const { options, source, where, tools } = work;
  const { clock } = tools;
  let rows = 0;
  let batches = 0;
  let size = options.batchSize;
  for (let pass = 1; ; pass += 1) {
    const before = rows;
    for (let after: KeyValues | undefined; ;) {
      const begun = clock.monotonicSeconds();
      const what = `Archiving rows of ${source.name}`;
      const done = await inTurn(tools, what, (attempt) => {
        // Half as many rows are held half as long.
        if (attempt > 1) size = Math.max(1, Math.floor(size / 2));
        return patiently(work, () => batch({ after, size }));
      }).catch((error: unknown) => {
        throw withMoved(error, rows, source.name);
      });
      if (done.rows === 0) break;
      rows += done.rows;
      batches += 1;
      after = source.key.length > 0 ? done.last : undefined;
      options.onProgress?.(
        `archive ${source.name}: ${rows.toLocaleString('en-US')} of ${Math.max(rows, matching).toLocaleString('en-US')} rows`,
      );
      if (done.rows < size) break;
      const pause = pauseAfterBatch(work, clock.monotonicSeconds() - begun);
      if (pause > 0) await clock.wait(pause);
    }
    const left = await countIn(
      session,
      source.name,
      where,
      `${counted(rows, 'row')} are archived; whether any is left was not observed.`,
    );
    if (left === 0) return { rows, batches };
    if (pass < mostPasses && rows > before) continue;
    return fail({
      code: 'database-archive-unfinished',
      message: `${counted(left, 'row')} of ${source.name} still match after ${counted(pass, 'pass', 'passes')}: rows of other tables refer to them now, or somebody keeps writing such rows.`,
      state: `${counted(rows, 'row')} are archived and removed; the others are where they were.`,
      next: 'Stop who writes them, or let the condition name a fixed moment; then run the step again.',
    });
  }
}
