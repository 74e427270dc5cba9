import { z } from 'zod';
import { firstUserOid, isForeign } from './chosen-tables.ts';
import type { IndexState } from './index-repair.ts';
import type { TaskSession } from './task-session.ts';

const indexState: z.ZodType<IndexState> = z.object({
  name: z.string(),
  bareName: z.string(),
  table: z.string(),
  relation: z.string(),
  fileNode: z.string(),
  bytes: z.number(),
  isValid: z.boolean(),
  definition: z.string(),
  isDependedOn: z.boolean(),
  isExclusion: z.boolean(),
  isSystem: z.boolean(),
  isForeign: z.boolean(),
  isNameable: z.boolean(),
  isPermitted: z.boolean(),
});

/**
 * The indexes of tables and of their TOAST tables.
 * @param tables oids of tables that hold rows (an index on a partitioned table has no file)
 */
export async function readIndexes(
  session: TaskSession,
  tables: readonly string[],
  state: string,
): Promise<IndexState[]> {
  if (tables.length === 0) return [];
  return session.rows(
    `WITH chosen AS (
       SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS table_name, c.reltoastrelid, ${isForeign} AS is_foreign
       FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid IN (${tables.join(', ')})
     ), relations AS (
       SELECT oid, table_name, is_foreign FROM chosen
       UNION ALL SELECT reltoastrelid, table_name, is_foreign FROM chosen WHERE reltoastrelid <> 0
     )
     SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relname AS "bareName", r.table_name AS "table",
       i.indrelid::text AS relation, pg_relation_filenode(c.oid)::text AS "fileNode", pg_relation_size(c.oid) AS bytes,
       i.indisvalid AS "isValid",
       json_build_object('method', c.relam, 'columns',
         (SELECT json_agg(pg_get_indexdef(i.indexrelid, k, false) ORDER BY k) FROM generate_series(1, i.indnatts) AS k),
         'keys', i.indnkeyatts, 'classes', i.indclass::text, 'collations', i.indcollation::text,
         'order', i.indoption::text, 'predicate', pg_get_expr(i.indpred, i.indrelid), 'unique', i.indisunique,
         'nulls', to_json(i)->'indnullsnotdistinct', 'storage', c.reloptions, 'tablespace', c.reltablespace
       )::text AS definition,
       (i.indisprimary OR i.indisexclusion OR i.indisreplident OR c.relispartition
         OR EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid)) AS "isDependedOn",
       i.indisexclusion AS "isExclusion",
       i.indrelid < ${firstUserOid} AS "isSystem", r.is_foreign AS "isForeign",
       has_schema_privilege(c.relnamespace, 'USAGE') AS "isNameable",
       (pg_has_role(c.relowner, 'USAGE') OR CASE WHEN current_setting('server_version_num')::int >= 170000
         THEN has_table_privilege(i.indrelid, 'MAINTAIN') ELSE false END) AS "isPermitted"
     FROM relations AS r JOIN pg_index AS i ON i.indrelid = r.oid
     JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'i'
     ORDER BY r.table_name, c.relname`,
    indexState,
    { what: 'Reading the indexes of the tables', state },
  );
}
