import { z } from 'zod';
import type { TaskSession } from '../tasks/task-session.ts';
import { firstUserOid, isForeign } from '../tasks/chosen-tables.ts';
import { looking } from './advice.ts';

const index = z.object({
  name: z.string(),
  table: z.string(),
  relation: z.string(),
  method: z.string(),
  /** Column number, class, collation and order of each key column; 0 stands for an expression. */
  keys: z.array(z.string()),
  /** Columns that are only carried along (INCLUDE). */
  included: z.array(z.string()),
  /** Expressions and predicate. */
  expressions: z.string(),
  predicate: z.string(),
  isUnique: z.boolean(),
  nullsNotDistinct: z.boolean(),
  /** Behind a constraint, a replica identity, or a part of another index. */
  isNeeded: z.boolean(),
  /** It begins with the columns of a foreign key of its table. */
  servesForeignKey: z.boolean(),
  bytes: z.number(),
  scans: z.number(),
});
export type AdvisedIndex = z.infer<typeof index>;

/** All valid indexes on tables of users. */
export async function readAdvisedIndexes(session: TaskSession): Promise<AdvisedIndex[]> {
  return session.rows(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, format('%I.%I', tn.nspname, t.relname) AS "table",
       i.indrelid::text AS relation, am.amname AS method,
       (SELECT jsonb_agg(concat_ws('/', i.indkey[k], i.indclass[k], i.indcollation[k], i.indoption[k]) ORDER BY k)
        FROM generate_series(0, i.indnkeyatts - 1) AS k) AS keys,
       coalesce((SELECT jsonb_agg(i.indkey[k]::text ORDER BY k) FROM generate_series(i.indnkeyatts, i.indnatts - 1) AS k), '[]') AS included,
       coalesce(pg_get_expr(i.indexprs, i.indrelid), '') AS expressions, coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
       i.indisunique AS "isUnique", coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false) AS "nullsNotDistinct",
       (i.indisprimary OR i.indisexclusion OR i.indisreplident OR c.relispartition OR c.relkind = 'I' OR i.indisclustered
         OR EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid)) AS "isNeeded",
       EXISTS (SELECT FROM pg_constraint AS k WHERE k.contype = 'f' AND k.conrelid = i.indrelid
         AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey) AS "servesForeignKey",
       pg_relation_size(c.oid) AS bytes, coalesce(s.idx_scan, 0) AS scans
     FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
     JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
     JOIN pg_am AS am ON am.oid = c.relam LEFT JOIN pg_stat_all_indexes AS s ON s.indexrelid = c.oid
     WHERE i.indisvalid AND i.indrelid >= ${String(firstUserOid)} AND t.relkind IN ('r', 'm', 'p') AND t.relpersistence <> 't'
       AND NOT (SELECT ${isForeign.replaceAll('c.oid', 't.oid')})
     ORDER BY 1`,
    index,
    looking('indexes'),
  );
}
