import { z } from 'zod';
import { quoteLiteral } from '../quoting.ts';
import { queued } from './queue.ts';

/** A condition on `a`, a row of pg_stat_get_activity, that only sessions of ours fulfil. */
export type Ours = string & { readonly ours: unique symbol };

/** Sessions that bear a name which nobody else can know, and belong to our own role. */
export function byName(application: string): Ours {
  return `(a.application_name = ${quoteLiteral(application)} AND a.usesysid = (SELECT oid FROM pg_roles WHERE rolname = session_user))` as Ours;
}

/** Sessions of our role, with our name, on a database that is ours alone. */
export function byDatabase(database: string): Ours {
  return `(a.datid = (SELECT oid FROM pg_database WHERE datname = ${quoteLiteral(database)}) AND a.application_name LIKE 'maintenance-window%'
    AND a.usesysid = (SELECT oid FROM pg_roles WHERE rolname = session_user))` as Ours;
}

export const look = z.object({
  queued: z.array(queued),
  /** Sessions of ours that wait for a lock. */
  waiting: z.array(z.number()),
});

/**
 * Who waits for a session of ours, in one row of JSON. pg_blocking_pids needs the lock manager for itself for a moment
 * (manual, 9.27), so it is asked only of those who wait; the activity only when somebody does.
 * Left out: autovacuum, which belongs to nobody (no user) and gives way by itself.
 */
export function lookSql(ours: Ours): string {
  return `WITH mw_waiting AS MATERIALIZED (
      SELECT DISTINCT ON (l.pid) l.pid, l.mode, l.relation, l.database, (to_jsonb(l) ->> 'waitstart')::timestamptz AS since
      FROM pg_locks AS l WHERE NOT l.granted ORDER BY l.pid
    ), mw_sessions AS MATERIALIZED (
      SELECT a.pid, a.usesysid, a.application_name, ${ours} AS is_ours FROM pg_stat_get_activity(NULL) AS a
      WHERE EXISTS (SELECT FROM mw_waiting)
    ), mw_queued AS MATERIALIZED (
      SELECT w.*, s.usesysid, s.application_name, s.is_ours,
        (SELECT array_agg(b.pid) FROM mw_sessions AS b WHERE b.is_ours AND b.pid = ANY (pg_blocking_pids(w.pid))) AS behind
      FROM mw_waiting AS w JOIN mw_sessions AS s ON s.pid = w.pid WHERE s.usesysid IS NOT NULL
    )
    SELECT json_build_object(
      'queued', (SELECT coalesce(json_agg(json_build_object('pid', q.pid, 'user', pg_get_userbyid(q.usesysid), 'application', q.application_name,
          'mode', q.mode, 'relation', CASE WHEN q.database = (SELECT oid FROM pg_database WHERE datname = current_database()) THEN q.relation::regclass::text END,
          'waitedSeconds', extract(epoch FROM clock_timestamp() - q.since)::float8, 'behind', q.behind)), '[]')
        FROM mw_queued AS q WHERE NOT q.is_ours AND q.behind IS NOT NULL),
      'waiting', (SELECT coalesce(json_agg(q.pid), '[]') FROM mw_queued AS q WHERE q.is_ours))`;
}

/**
 * Ends what sessions of ours do, by number, or all that do anything. A cancel passes by a session that is idle in its
 * transaction and keeps its locks, so that one is ended as a whole. That a session is ours is asked in the same moment.
 * @returns a query for the numbers of those that were told
 */
export function giveWaySql(ours: Ours, sessions: readonly number[] | 'all'): string {
  const which = sessions === 'all' ? `a.state <> 'idle'` : `a.pid IN (${sessions.join(', ')})`;
  return `SELECT a.pid FROM pg_stat_get_activity(NULL) AS a
    WHERE ${ours} AND ${which} AND a.pid <> pg_backend_pid()
      AND CASE WHEN a.state LIKE 'idle in transaction%' THEN pg_terminate_backend(a.pid) ELSE pg_cancel_backend(a.pid) END`;
}
