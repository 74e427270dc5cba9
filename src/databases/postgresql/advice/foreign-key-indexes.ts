import { z } from 'zod';
import { quoteIdentifier } from '../quoting.ts';
import type { TaskSession } from '../tasks/task-session.ts';
import { looking, megabytes, type Advice } from './advice.ts';

const kind = 'missing-foreign-key-index';

const missing = z.object({
  constraint: z.string(),
  table: z.string(),
  referenced: z.string(),
  columns: z.array(z.string()),
  isPartitioned: z.boolean(),
  bytes: z.number(),
  rows: z.number(),
});

/** Foreign keys whose columns no index of the referring table begins with. */
export async function missingForeignKeyIndexes(session: TaskSession): Promise<Advice> {
  const rows = await session.rows(
    `SELECT k.conname AS constraint, format('%I.%I', n.nspname, c.relname) AS "table",
       (SELECT format('%I.%I', rn.nspname, r.relname) FROM pg_class AS r JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
        WHERE r.oid = k.confrelid) AS referenced,
       (SELECT jsonb_agg(a.attname ORDER BY p.place) FROM unnest(k.conkey) WITH ORDINALITY AS p(number, place)
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = p.number) AS columns,
       c.relkind = 'p' AS "isPartitioned",
       (SELECT coalesce(sum(pg_table_size(coalesce(x.relid, c.oid))), 0) FROM (SELECT relid FROM pg_partition_tree(c.oid)
         UNION SELECT c.oid) AS x)::float8 AS bytes, greatest(c.reltuples, 0)::float8 AS rows
     FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE k.contype = 'f' AND k.conparentid = 0 AND NOT EXISTS (
       SELECT FROM pg_index AS i WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL
         AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
         AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] <@ k.conkey)
     ORDER BY bytes DESC, 2, 1`,
    missing,
    looking('foreign keys without an index'),
  );
  return {
    kind,
    findings: rows.map((row) => {
      const columns = row.columns.map(quoteIdentifier).join(', ');
      return {
        kind,
        object: `${row.table} (${columns})`,
        observed: `foreign key ${quoteIdentifier(row.constraint)} to ${row.referenced}; the table has ${megabytes(row.bytes)}`,
        statement: `CREATE INDEX ${row.isPartitioned ? '' : 'CONCURRENTLY '}ON ${row.table} (${columns})`,
        why: `Each DELETE, or UPDATE of the key, in ${row.referenced} reads all of ${row.table}${row.isPartitioned ? '. On a partitioned table the statement locks writers out: make the index on each partition concurrently first' : ''}.`,
      };
    }),
  };
}
