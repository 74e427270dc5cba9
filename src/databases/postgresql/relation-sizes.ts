import { z } from 'zod';
import type { Database } from '../../ports/database.ts';
import type { Psql } from './psql.ts';
import { findRelation } from './tasks/chosen-tables.ts';

const sizes = z.object({ bytes: z.int(), indexBytes: z.int() });

/** {@link Database.sizeOf}; pg_table_size counts TOAST as well (manual, 9.27.7). */
export async function sizeOf(
  psql: Psql,
  tables: readonly string[],
): ReturnType<Database['sizeOf']> {
  const found = await Promise.all(tables.map((table) => findRelation(psql, table, 'The table')));
  const oids = [...new Set(found.flatMap((relation) => (relation ? [relation.oid] : [])))];
  if (oids.length === 0) return { bytes: 0, indexBytes: 0 };
  // A partitioned table holds nothing itself; pg_partition_tree of another has no row.
  const [row] = await psql.rows(
    `SELECT coalesce(sum(pg_table_size(c.oid)), 0)::int8 AS bytes,
       coalesce(sum(pg_indexes_size(c.oid)), 0)::int8 AS "indexBytes"
     FROM pg_class AS c
     WHERE c.oid IN (${oids.join(', ')})
       OR c.oid IN (SELECT t.relid FROM unnest(ARRAY[${oids.join(', ')}]::oid[]) AS r (oid), pg_partition_tree(r.oid) AS t)`,
    sizes,
    { timeoutSeconds: 30 },
  );
  return row ?? { bytes: 0, indexBytes: 0 };
}
