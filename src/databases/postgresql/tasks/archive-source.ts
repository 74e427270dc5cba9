import { z } from 'zod';
import { fail } from '../../../ports/failure.ts';
import type { Psql } from '../psql.ts';
import { quoteIdentifier } from '../quoting.ts';
import { findRelation } from './chosen-tables.ts';
import type { TaskSession } from './task-session.ts';

const column = z.object({
  name: z.string(),
  /** With length and precision, qualified where needed. */
  type: z.string(),
  /** Computed by the server from other columns. */
  isGenerated: z.boolean(),
});
export type Column = z.infer<typeof column>;

const reference = z.object({
  constraint: z.string(),
  /** The table whose rows refer to ours, quoted for SQL. */
  table: z.string(),
  columns: z.array(z.string()),
  referenced: z.array(z.string()),
  /** Whether removing one of our rows would change or remove rows there. */
  hasAction: z.boolean(),
});
export type Reference = z.infer<typeof reference>;

const shape = z.object({
  name: z.string(),
  kind: z.string(),
  columns: z.array(column),
  /** Of the primary key, in its order; empty without one. */
  key: z.array(column),
  references: z.array(reference),
  /** Row triggers that fire when rows go, or come. */
  deleteTriggers: z.array(z.string()),
  insertTriggers: z.array(z.string()),
  hasDeleteRule: z.boolean(),
  /** Other tables than partitions that inherit from it. */
  children: z.array(z.string()),
  root: z.string(),
  mayRemove: z.boolean(),
});
/** A table as archiving sees it. */
export interface TableShape extends z.infer<typeof shape> {
  readonly oid: string;
}

const doing = {
  what: 'Reading the columns and constraints of the table',
  state: 'Nothing was changed.',
};

/** Shape of a table by oid. */
export async function readShape(session: TaskSession, oid: string): Promise<TableShape> {
  const columns = (attributes: string): string =>
    `jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'isGenerated', a.attgenerated <> ''${attributes})`;
  const triggers = (bit: number): string =>
    `coalesce((SELECT jsonb_agg(DISTINCT format('%s on %s', t.tgname, t.tgrelid::regclass)) FROM pg_trigger AS t
      WHERE t.tgrelid IN (SELECT ${oid}::oid UNION SELECT relid FROM pg_partition_tree(${oid})) AND NOT t.tgisinternal
        AND t.tgenabled <> 'D' AND t.tgtype & 1 = 1 AND t.tgtype & ${bit} <> 0), '[]')`;
  const names = (relation: string, numbers: string): string =>
    `(SELECT jsonb_agg(a.attname ORDER BY n.place) FROM unnest(${numbers}) WITH ORDINALITY AS n(number, place)
      JOIN pg_attribute AS a ON a.attrelid = ${relation} AND a.attnum = n.number)`;
  const [found] = await session.rows(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind,
       coalesce((SELECT jsonb_agg(${columns('')} ORDER BY a.attnum) FROM pg_attribute AS a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns,
       coalesce((SELECT jsonb_agg(${columns('')} ORDER BY k.place) FROM pg_index AS i,
           unnest(i.indkey) WITH ORDINALITY AS k(number, place)
         JOIN pg_attribute AS a ON a.attrelid = ${oid} AND a.attnum = k.number
         WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts), '[]') AS key,
       coalesce((SELECT jsonb_agg(jsonb_build_object('constraint', k.conname, 'table', format('%I.%I', rn.nspname, r.relname),
           'columns', ${names('k.conrelid', 'k.conkey')}, 'referenced', ${names('k.confrelid', 'k.confkey')},
           'hasAction', k.confdeltype IN ('c', 'n', 'd')) ORDER BY k.conname)
         FROM pg_constraint AS k JOIN pg_class AS r ON r.oid = k.conrelid JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
         LEFT JOIN pg_constraint AS above ON above.oid = k.conparentid
         WHERE k.contype = 'f' AND k.confrelid = c.oid AND above.confrelid IS DISTINCT FROM c.oid), '[]') AS references,
       ${triggers(8)} AS "deleteTriggers", ${triggers(4)} AS "insertTriggers",
       EXISTS (SELECT FROM pg_rewrite AS w WHERE w.ev_class = c.oid AND w.ev_type = '4' AND w.ev_enabled <> 'D') AS "hasDeleteRule",
       coalesce((SELECT jsonb_agg(h.inhrelid::regclass::text) FROM pg_inherits AS h JOIN pg_class AS hc ON hc.oid = h.inhrelid
         WHERE h.inhparent = c.oid AND NOT hc.relispartition), '[]') AS children,
       coalesce(pg_partition_root(c.oid), c.oid)::oid::text AS root,
       has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'DELETE') AS "mayRemove"
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ${oid}`,
    shape,
    doing,
  );
  if (found === undefined) {
    return fail({
      code: 'database-table-unknown',
      message: 'The table was dropped while it was looked at.',
      state: 'Nothing was changed.',
      next: 'Find out who drops it, then run the step again.',
    });
  }
  return { ...found, oid };
}

/**
 * The table that rows are to be taken from.
 * @throws FailureError when rows cannot be taken from it one for one
 */
export async function findSource(
  psql: Psql,
  session: TaskSession,
  name: string,
): Promise<TableShape> {
  const found = await findRelation(psql, name, 'The table');
  const refuse = (code: string, problem: string, next: string): never =>
    fail({
      code,
      message: `${JSON.stringify(name)} ${problem}.`,
      state: 'Nothing was changed.',
      next,
    });
  if (found === undefined || !['r', 'p'].includes(found.relkind)) {
    return refuse(
      'database-table-unknown',
      `is no table that the role can see in database ${JSON.stringify(psql.database)}`,
      'Correct the name in the plan or the input; accepted are tables, with their schema when it is not on the search path.',
    );
  }
  const source = await readShape(session, found.oid);
  if (source.children.length > 0) {
    refuse(
      'database-archive-refused',
      `has tables that inherit from it (${source.children.join(', ')}), whose own columns would be lost`,
      'Archive those tables by tasks of their own.',
    );
  }
  if (source.hasDeleteRule) {
    refuse(
      'database-archive-refused',
      'has a rule ON DELETE, which makes something else of the removal',
      'Drop or disable the rule for the window, or archive by your own SQL.',
    );
  }
  if (!source.mayRemove) {
    refuse(
      'database-permission-denied',
      'may not be read and deleted from by the role',
      `GRANT SELECT, DELETE ON ${source.name} to it, or use another role.`,
    );
  }
  return source;
}

/** A column of the table, fit to stand where other tables are in scope. */
export function columnOf({ name }: Pick<TableShape, 'name'>, column: string): string {
  return `${name}.${quoteIdentifier(column)}`;
}

/** True for rows that no other row refers to. */
export function unreferenced(source: TableShape): string {
  return source.references
    .map(({ table, columns, referenced }) => {
      const pairs = columns.map(
        (name, at) =>
          `mw_referring.${quoteIdentifier(name)} = ${columnOf(source, referenced[at] ?? '')}`,
      );
      return ` AND NOT EXISTS (SELECT FROM ${table} AS mw_referring WHERE ${pairs.join(' AND ')})`;
    })
    .join('');
}

/**
 * Refuses rows that others refer to, before any row is moved.
 * @throws FailureError `database-archive-referenced`
 */
export async function refuseReferenced(
  session: TaskSession,
  source: TableShape,
  where: string,
): Promise<void> {
  for (const entry of source.references) {
    const one = { ...source, references: [entry] };
    const [row] = await session.rows(
      `SELECT count(*) AS rows FROM ${source.name} WHERE (\n${where}\n) AND NOT (true${unreferenced(one)})`,
      z.object({ rows: z.number() }),
      {
        what: `Looking for rows of ${entry.table} that refer to ${source.name}`,
        state: doing.state,
      },
    );
    if (row === undefined || row.rows === 0) continue;
    fail({
      code: 'database-archive-referenced',
      message: `${row.rows.toLocaleString('en-US')} of the rows that the condition names in ${source.name} are referred to by rows of ${entry.table} (foreign key ${quoteIdentifier(entry.constraint)}).`,
      state: 'Nothing was moved.',
      next: `Archive those rows of ${entry.table} by a task before this one, or exclude the rows from the condition.`,
    });
  }
}
