import { z } from 'zod';
import type { Clock } from '../../../ports/clock.ts';
import { fail } from '../../../ports/failure.ts';
import { quoteLiteral } from '../quoting.ts';
import type { TaskSession } from './task-session.ts';

const activity = z.object({
  oid: z.string(),
  name: z.string(),
  kind: z.enum(['leaf', 'partitioned']),
  deadRows: z.number(),
  bytes: z.number(),
  vacuumed: z.boolean(),
  analyzed: z.boolean(),
  /** Whether statistics are missing that ANALYZE must have written; false where the role may not read them. */
  lacksStatistics: z.boolean(),
});
/** What the server's statistics say of a table. */
export type TableActivity = z.infer<typeof activity>;

/** The server's time, as text; later events are compared with it on the server. */
export async function serverTime(session: TaskSession): Promise<string> {
  const [row] = await session.rows(
    'SELECT clock_timestamp()::text AS now',
    z.object({ now: z.string() }),
    { what: 'Asking for the server’s time', state: 'Nothing was changed.' },
  );
  return row?.now ?? 'infinity';
}

/**
 * Dead rows, bytes and whether a manual VACUUM and ANALYZE have ended since `since` (pg_stat_all_tables; the
 * timestamps of autovacuum are others).
 */
export async function tableActivity(
  session: TaskSession,
  oids: readonly string[],
  since: string,
  state: string,
): Promise<TableActivity[]> {
  if (oids.length === 0) return [];
  const start = `${quoteLiteral(since)}::timestamptz`;
  // Sizes want a lock on the table, so this can wait like any other statement.
  return session.rows(
    `SELECT c.oid::text AS oid, format('%I.%I', n.nspname, c.relname) AS name,
       CASE c.relkind WHEN 'p' THEN 'partitioned' ELSE 'leaf' END AS kind,
       coalesce(s.n_dead_tup, 0) AS "deadRows", pg_total_relation_size(c.oid) AS bytes,
       coalesce(s.last_vacuum >= ${start}, false) AS vacuumed,
       -- The server analyzes every table but pg_statistic (do_analyze_rel in its commands/analyze.c).
       -- Without partitions there is nothing to sample, and nothing is noted.
       (c.oid = 'pg_statistic'::regclass OR coalesce(s.last_analyze >= ${start}, false)
        OR c.relkind = 'p' AND NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) AS t
          JOIN pg_class AS l ON l.oid = t.relid WHERE l.relkind = 'r')) AS analyzed,
       (c.reltuples > 0 AND c.oid <> 'pg_statistic'::regclass AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid)
        AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0
                    AND NOT a.attisdropped AND a.attstattarget IS DISTINCT FROM 0)
        AND NOT EXISTS (SELECT FROM pg_stats AS t WHERE t.schemaname = n.nspname AND t.tablename = c.relname)
       ) AS "lacksStatistics"
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
     WHERE c.oid IN (${oids.join(', ')})
     ORDER BY 2`,
    activity,
    { what: 'Reading sizes and statistics of the tables', state },
  );
}

/** What must have happened to every table. */
export interface Expectation {
  readonly vacuumed: boolean;
  readonly analyzed: boolean;
}

function unproved(table: TableActivity, expected: Expectation): string | undefined {
  if (expected.vacuumed && table.kind === 'leaf' && !table.vacuumed) return 'no VACUUM ended';
  if (expected.analyzed && !table.analyzed) return 'no ANALYZE ended';
  if (expected.analyzed && table.lacksStatistics) return 'it has rows, but no statistics';
  return undefined;
}

/** Until 14 the server's statistics came late: they were sent to a collector (manual 14, 28.2). */
const looks = 25;
const secondsBetweenLooks = 0.2;

/**
 * Observes that each table was worked on since `since`; an exit code proves nothing, since VACUUM and ANALYZE
 * skip with a warning what they may not touch.
 * @param warnings what the server warned of, for the message
 * @throws FailureError `database-vacuum-unproved`, `database-analyze-unproved`
 */
export async function proveActivity(
  clock: Clock,
  session: TaskSession,
  oids: readonly string[],
  since: string,
  expected: Expectation,
  warnings: readonly string[],
): Promise<TableActivity[]> {
  for (let look = 1; ; look += 1) {
    const tables = await tableActivity(
      session,
      oids,
      since,
      'The statements are done; what came of them was not observed.',
    );
    const open = tables.flatMap((table) => {
      const reason = unproved(table, expected);
      return reason === undefined ? [] : [`${table.name} (${reason})`];
    });
    const gone = oids.length - tables.length;
    if (open.length === 0 && gone === 0) return tables;
    if (look === looks || warnings.length > 0 || gone > 0) {
      const verb = expected.vacuumed ? 'vacuum' : 'analyze';
      const dropped = gone === 0 ? [] : [`${gone} dropped meanwhile`];
      fail({
        code: `database-${verb}-unproved`,
        message:
          `The statements succeeded, but the server does not show that these tables were worked on: ${[...open, ...dropped].join(', ')}.` +
          (warnings.length === 0 ? '' : ` It warned: ${warnings.join('; ')}`),
        state: `The other tables are done; ${verb} changes no data.`,
        next: 'Check the role’s rights, that track_counts is on, and who drops tables; then run the step again.',
      });
    }
    await clock.wait(secondsBetweenLooks);
  }
}

export function sum(tables: readonly TableActivity[], of: 'deadRows' | 'bytes'): number {
  return tables.reduce((total, table) => total + table[of], 0);
}
