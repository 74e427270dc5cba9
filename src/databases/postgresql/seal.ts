import { z } from 'zod';
import { fail } from '../../ports/failure.ts';
import { quoteDollar, quoteIdentifier, quoteLiteral } from './quoting.ts';
import type { Server } from './server.ts';

const session = z.object({ pid: z.int(), user: z.string(), application: z.string() });
const outcome = z.object({ ended: z.int(), left: z.array(session) });

/** Seconds between two looks of the server at the sessions that it ends. */
const pollSeconds = 0.005;

/**
 * Asks all sessions on a database to end until none is left; autovacuum's leave by themselves. A loop in the server,
 * for each look from outside would cost the start of a client. A transaction sees the sessions as they were at its
 * first look unless it forgets that (manual, 28.2.2).
 */
function endingLoop(database: string, withinSeconds: number): string {
  return `DO ${quoteDollar(`
  DECLARE
    deadline timestamptz := pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => ${String(withinSeconds)});
    ended int4[] := '{}';
    found int4[];
    asked bool;
  BEGIN
    LOOP
      PERFORM pg_catalog.pg_stat_clear_snapshot();
      SELECT coalesce(pg_catalog.array_agg(pid), '{}'), pg_catalog.bool_and(pg_catalog.pg_terminate_backend(pid))
        INTO found, asked
        FROM pg_catalog.pg_stat_activity
        WHERE datname = ${quoteLiteral(database)} AND pid <> pg_catalog.pg_backend_pid() AND usesysid IS NOT NULL;
      ended := ended || ARRAY(SELECT pg_catalog.unnest(found) EXCEPT SELECT pg_catalog.unnest(ended));
      EXIT WHEN found = '{}' OR pg_catalog.clock_timestamp() >= deadline;
      PERFORM pg_catalog.pg_sleep(${String(pollSeconds)});
    END LOOP;
    PERFORM pg_catalog.set_config('mw.ended', pg_catalog.cardinality(ended)::text, false);
  END`)}`;
}

function outcomeQuery(database: string): string {
  return `SELECT current_setting('mw.ended')::int AS ended, coalesce((
      SELECT json_agg(json_build_object('pid', pid, 'user', coalesce(usename, ''),
        'application', coalesce(application_name, '')))
      FROM pg_stat_activity
      WHERE datname = ${quoteLiteral(database)} AND pid <> pg_backend_pid() AND usesysid IS NOT NULL), '[]') AS left`;
}

export function allowConnectionsStatement(database: string, allow: boolean): string {
  return `ALTER DATABASE ${quoteIdentifier(database)} WITH ALLOW_CONNECTIONS ${String(allow)}`;
}

async function run(
  server: Server,
  database: string,
  withinSeconds: number,
  before: readonly string[],
): Promise<number> {
  const { psql } = server;
  const [row] = await psql.rows(outcomeQuery(database), outcome, {
    database: psql.maintenanceDatabase,
    first: [...before, endingLoop(database, withinSeconds)],
  });
  const { ended, left } = row ?? { ended: 0, left: [] };
  if (left.length === 0) return ended;
  const names = left
    .slice(0, 5)
    .map(({ pid, user, application }) => `${pid} (${user}${application && `, ${application}`})`);
  return fail({
    code: 'database-sessions-stay',
    message: `${left.length} sessions are still on database ${JSON.stringify(database)} ${withinSeconds} seconds after we began to end them: ${names.join('; ')}.`,
    state: 'The database is unchanged; other sessions on it were ended.',
    next: 'Stop what connects again and again (or disallow connections first), then run the step again.',
  });
}

/**
 * Ends all other sessions on a database and waits until they are gone.
 * @returns how many were ended
 * @throws FailureError `database-sessions-stay`; StatementError, for instance without the right to end them
 */
export function endSessions(
  server: Server,
  database: string,
  withinSeconds: number,
): Promise<number> {
  return run(server, database, withinSeconds, []);
}

/** Keeps new sessions out first, then ends those that are there: otherwise clients that come back never end. */
export function seal(server: Server, database: string, withinSeconds: number): Promise<number> {
  return run(server, database, withinSeconds, [allowConnectionsStatement(database, false)]);
}

/** Lets sessions in or keeps new ones out, superusers too. */
export async function setAllowConnections(
  server: Server,
  database: string,
  allow: boolean,
): Promise<void> {
  const { psql } = server;
  await psql.execute(allowConnectionsStatement(database, allow), {
    database: psql.maintenanceDatabase,
  });
}
