import { z } from 'zod';
import { fail } from '../../../ports/failure.ts';
import { inTurn } from '../../../ports/in-turn.ts';
import { describeHolder, lockHolder } from './lock-holders.ts';
import type { ClientTools } from './task-clients.ts';
import type { TaskSession } from './task-session.ts';

/** First key of the advisory lock that pg_repack holds on a table as long as it works (bin/pg_repack.c). */
const lockPrefix = 16185446;

const leftover = z.object({
  /** Oid of the table that was being written anew. */
  oid: z.string(),
  /** `null` when it was dropped since. */
  table: z.string().nullable(),
  /** For instance `repack.log_16400`, `trigger repack_trigger`. */
  objects: z.array(z.string()),
});
export type Leftover = z.infer<typeof leftover>;

/** What a pg_repack that was cut off leaves: a trigger and a log table that grows with each write to the table. */
export async function findLeftovers(session: TaskSession, state: string): Promise<Leftover[]> {
  return session.rows(
    `WITH objects AS (
       SELECT substring(c.relname FROM '_([0-9]+)$') AS oid, format('repack.%I', c.relname) AS object
       FROM pg_class AS c WHERE c.relnamespace = to_regnamespace('repack') AND c.relkind = 'r' AND c.relname ~ '^(log|table)_[0-9]+$'
       UNION SELECT substring(t.typname FROM '_([0-9]+)$'), format('type repack.%I', t.typname)
       FROM pg_type AS t WHERE t.typnamespace = to_regnamespace('repack') AND t.typname ~ '^pk_[0-9]+$'
       UNION SELECT t.tgrelid::text, 'trigger repack_trigger' FROM pg_trigger AS t WHERE t.tgname = 'repack_trigger'
     )
     SELECT o.oid, (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
       WHERE c.oid = o.oid::oid) AS "table", jsonb_agg(o.object ORDER BY o.object) AS objects
     FROM objects AS o GROUP BY o.oid ORDER BY o.oid`,
    leftover,
    { what: 'Looking for what pg_repack left behind', state },
  );
}

/** Moments that a session whose client was ended needs to let go of its lock. */
const tries = 25;
const secondsBetweenTries = 0.2;

/**
 * Drops what a pg_repack that was cut off left on these tables, and only when none works on them now.
 * @param tables oids
 * @returns how many tables there was something left on
 * @throws FailureError `database-repack-running`
 */
export async function dropLeftovers(
  tools: ClientTools,
  session: TaskSession,
  tables: readonly string[],
  state: string,
): Promise<number> {
  const found = (await findLeftovers(session, state)).filter(
    ({ oid, table }) => table === null || tables.includes(oid),
  );
  for (const entry of found) {
    const key = `${lockPrefix}, CAST(-2147483648 + ${entry.oid}::bigint AS integer)`;
    const how = {
      what: `Dropping what pg_repack left on ${entry.table ?? `a table that is gone (${entry.oid})`}`,
      state: `${state} ${entry.objects.join(', ')} is still there.`,
      stopsOthers: true,
    };
    await inTurn(tools, how.what, async () => {
      await acquire(tools, session, entry, key, state);
      if (entry.table === null) {
        await session.run(
          `DROP TABLE IF EXISTS repack.log_${entry.oid}, repack.table_${entry.oid} CASCADE; DROP TYPE IF EXISTS repack.pk_${entry.oid}`,
          how,
        );
      } else await session.run(`SELECT repack.repack_drop(${entry.oid}, 4)`, how);
      await session.run(`SELECT pg_catalog.pg_advisory_unlock(${key})`, how);
    });
  }
  return found.length;
}

async function acquire(
  tools: ClientTools,
  session: TaskSession,
  entry: Leftover,
  key: string,
  state: string,
): Promise<void> {
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    const [locked] = await session.run(`SELECT pg_catalog.pg_try_advisory_lock(${key})`, {
      what: 'Asking whether pg_repack is at work',
      state,
    });
    if (locked === 't') return;
    if (attempt < tries) await tools.clock.wait(secondsBetweenTries);
  }
  const holders = await holdersOf(
    tools,
    `l.locktype = 'advisory' AND l.classid = ${lockPrefix} AND l.objid::bigint = ((-2147483648 + ${entry.oid}::bigint) & 4294967295)`,
  );
  fail({
    code: 'database-repack-running',
    message: `Another pg_repack is at work on ${entry.table ?? entry.oid}${holders === '' ? '' : `: ${holders}`}.`,
    state,
    next: 'Wait until it has ended, then run the step again.',
  });
}

/** Sessions that hold locks, for people; `condition` speaks of `l`, a row of pg_locks. */
export async function holdersOf({ psql }: ClientTools, condition: string): Promise<string> {
  const rows = await psql.rows(
    `SELECT DISTINCT l.pid, s.usename AS "user", s.application_name AS application, s.state,
       extract(epoch FROM clock_timestamp() - s.state_change)::float8 AS "stateSeconds", NULL::float8 AS "querySeconds",
       extract(epoch FROM clock_timestamp() - s.xact_start)::float8 AS "transactionSeconds", NULL::text AS keyword
     FROM pg_locks AS l JOIN pg_stat_activity AS s ON s.pid = l.pid
     WHERE l.granted AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND ${condition} LIMIT 5`,
    lockHolder,
  );
  return rows.map(describeHolder).join(' and ');
}
