import { z } from 'zod';
import type { TaskSession } from '../tasks/task-session.ts';
import { isForeign } from '../tasks/chosen-tables.ts';
import { looking, megabytes, percent, type Advice } from './advice.ts';

const kind = 'bloat';
const leastShare = 0.2;
const leastBytes = 1024 * 1024;
/** Tables that are measured, the largest first. */
const measured = 50;

const bloated = z.object({
  name: z.string(),
  bytes: z.number(),
  deadBytes: z.number(),
  freeBytes: z.number(),
});

const candidates = `SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, pg_relation_size(c.oid) AS bytes, c.reltuples, n.nspname, c.relname,
    coalesce((SELECT option_value::float8 / 100 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor'), 1) AS fill
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_am AS am ON am.oid = c.relam AND am.amname = 'heap'
  WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND NOT ${isForeign} AND pg_relation_size(c.oid) >= ${String(leastBytes)}
  ORDER BY pg_relation_size(c.oid) DESC LIMIT ${String(measured)}`;

/** Tables of which much is empty: measured where pgstattuple is there and permitted, else estimated from statistics. */
export async function bloatedTables(session: TaskSession): Promise<Advice> {
  const [extension] = await session.rows(
    `SELECT format('%I', n.nspname) AS schema,
       has_function_privilege(p.oid, 'EXECUTE') AS may
     FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
     JOIN pg_proc AS p ON p.pronamespace = n.oid AND p.proname = 'pgstattuple_approx' WHERE e.extname = 'pgstattuple'`,
    z.object({ schema: z.string(), may: z.boolean() }),
    looking('pgstattuple'),
  );
  const isMeasured = extension?.may === true;
  const rows = await session.rows(
    isMeasured
      ? `SELECT t.name, t.bytes::float8, s.dead_tuple_len::float8 AS "deadBytes", s.approx_free_space::float8 AS "freeBytes"
         FROM (${candidates}) AS t, LATERAL ${extension.schema}.pgstattuple_approx(t.oid) AS s`
      : `SELECT t.name, t.bytes::float8,
           t.bytes * least(1, coalesce(s.n_dead_tup::float8 / nullif(s.n_live_tup + s.n_dead_tup, 0), 0)) AS "deadBytes",
           -- A row has a header of 24 bytes and a pointer of 4 (manual, 73.6); its width comes from ANALYZE.
           greatest(0, t.bytes - (greatest(t.reltuples, 0) * (28 + w.width)) / (1 - 24 / 8192.0) / t.fill
             - t.bytes * least(1, coalesce(s.n_dead_tup::float8 / nullif(s.n_live_tup + s.n_dead_tup, 0), 0))) AS "freeBytes"
         FROM (${candidates}) AS t LEFT JOIN pg_stat_all_tables AS s ON s.relid = t.oid,
         LATERAL (SELECT sum(p.avg_width * (1 - p.null_frac)) AS width FROM pg_stats AS p
           WHERE p.schemaname = t.nspname AND p.tablename = t.relname AND NOT p.inherited) AS w
         WHERE w.width IS NOT NULL AND t.reltuples >= 0`,
    bloated,
    looking('bloat'),
  );
  const how = isMeasured ? 'measured by pgstattuple_approx' : 'estimated from the statistics';
  const findings = rows
    .map((row) => ({ ...row, share: (row.deadBytes + row.freeBytes) / Math.max(1, row.bytes) }))
    .filter(({ share, bytes }) => share >= leastShare && share * bytes >= leastBytes)
    .sort((a, b) => b.share * b.bytes - a.share * a.bytes)
    .map((row) => {
      const isDead = row.deadBytes > row.freeBytes;
      return {
        kind,
        object: row.name,
        observed: `${percent(row.share)} of ${megabytes(row.bytes)}: ${megabytes(row.deadBytes)} dead rows, ${megabytes(row.freeBytes)} free; ${how}`,
        statement: isDead ? `VACUUM (ANALYZE) ${row.name}` : `VACUUM (FULL, ANALYZE) ${row.name}`,
        why: isDead
          ? 'VACUUM makes the room of dead rows usable again. If they stay, an old transaction or replication slot still sees them.'
          : 'Scans read the empty room too. VACUUM FULL locks readers out: rather a repack task, or a vacuum task with full: true while closed.',
      };
    });
  return isMeasured
    ? { kind, findings }
    : {
        kind,
        findings,
        note: 'bloat is estimated from statistics (CREATE EXTENSION pgstattuple to measure it)',
      };
}
