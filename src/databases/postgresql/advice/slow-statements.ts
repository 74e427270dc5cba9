import { z } from 'zod';
import { StatementError } from '../statement-failure.ts';
import type { TaskSession } from '../tasks/task-session.ts';
import { looking, percent, type Advice } from './advice.ts';

const place = z.object({ schema: z.string() });
const statement = z.object({
  id: z.string(),
  query: z.string(),
  calls: z.number(),
  totalSeconds: z.number(),
  meanMilliseconds: z.number(),
  rows: z.number(),
  share: z.number().nullable(),
});

const kind = 'slow-statement';

/** The statements that take most of the server's time, by pg_stat_statements. */
export async function slowStatements(session: TaskSession, atMost: number): Promise<Advice> {
  const [found] = await session.rows(
    `SELECT format('%I', n.nspname) AS schema FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_stat_statements'`,
    place,
    looking('pg_stat_statements'),
  );
  if (found === undefined) {
    return {
      kind,
      findings: [],
      note: 'slow statements are not known: the extension pg_stat_statements is not in the database (shared_preload_libraries, then CREATE EXTENSION pg_stat_statements)',
    };
  }
  const view = `${found.schema}.pg_stat_statements`;
  try {
    const rows = await session.rows(
      // Constants are taken out of these by the extension, but not out of others such as CREATE ROLE … PASSWORD.
      `SELECT queryid::text AS id, left(regexp_replace(query, '\\s+', ' ', 'g'), 400) AS query, calls, rows,
         total_exec_time / 1000 AS "totalSeconds", mean_exec_time AS "meanMilliseconds",
         total_exec_time / nullif(sum(total_exec_time) OVER (), 0) AS share
       FROM ${view}
       WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND queryid IS NOT NULL AND query ~* '^\\s*(select|insert|update|delete|with|merge)\\y'
       ORDER BY total_exec_time DESC LIMIT ${String(atMost)}`,
      statement,
      looking('slow statements'),
    );
    return {
      kind,
      findings: rows.map((row) => ({
        kind,
        object: row.query,
        observed: `${row.totalSeconds.toFixed(1)} s in ${row.calls.toLocaleString('en-US')} calls, ${row.meanMilliseconds.toFixed(1)} ms each, ${row.rows.toLocaleString('en-US')} rows${row.share === null ? '' : `; ${percent(row.share)} of the time of all statements`}`,
        statement: `SELECT query FROM ${view} WHERE queryid = ${row.id}`,
        why: 'It takes the most time in sum. The statement shows its whole text: EXPLAIN (ANALYZE, BUFFERS) it with real values, on a copy when it writes.',
      })),
    };
  } catch (error) {
    // 55000: the extension is there, but the library was not loaded when the server started.
    if (!(error instanceof StatementError) || error.sqlState !== '55000') throw error;
    return {
      kind,
      findings: [],
      note: 'slow statements are not known: pg_stat_statements is not in shared_preload_libraries',
    };
  }
}
