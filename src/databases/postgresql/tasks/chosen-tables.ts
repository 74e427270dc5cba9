import { z } from 'zod';
import { fail } from '../../../ports/failure.ts';
import type { Psql, PsqlOptions } from '../psql.ts';
import { quoteLiteral, quoteQualified } from '../quoting.ts';
import { parseQualifiedName } from './qualified-name.ts';

const relation = z.object({
  /** Oid as text. */
  oid: z.string(),
  /** `schema.table`, quoted for SQL where needed. */
  name: z.string(),
  kind: z.enum(['table', 'materialized view', 'partitioned table']),
  /** Whether the role may maintain it. */
  isPermitted: z.boolean(),
  /** Whether it belongs to the system or to an extension, so that nobody expects the role to maintain it. */
  isForeign: z.boolean(),
});
export type Relation = z.infer<typeof relation>;

/** A relation that a statement names, with those that hold its rows. */
export interface ChosenTable extends Relation {
  /** Itself, or all partitions that hold rows. */
  readonly leaves: readonly Relation[];
}

/**
 * Whether the role may VACUUM and ANALYZE `c`: its owner, the database's owner unless it is shared (manual, VACUUM),
 * and since PostgreSQL 17 whoever has the MAINTAIN privilege. The privilege is asked for by a name that older
 * servers refuse, hence the CASE.
 */
const isPermitted = `(pg_has_role(c.relowner, 'USAGE')
  OR (NOT c.relisshared AND pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE'))
  OR CASE WHEN current_setting('server_version_num')::int >= 170000 THEN has_table_privilege(c.oid, 'MAINTAIN') ELSE false END)`;

/** Oids below this are given by initdb (FirstNormalObjectId in the server's access/transam.h). */
export const firstUserOid = 16384;

/** Whether `c` belongs to the system or to an extension. */
export const isForeign = `(c.oid < ${firstUserOid} OR EXISTS (SELECT FROM pg_depend AS d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))`;

const columns = `c.oid::text AS oid, format('%I.%I', n.nspname, c.relname) AS name,
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'm' THEN 'materialized view' ELSE 'partitioned table' END AS kind,
  ${isPermitted} AS "isPermitted",
  ${isForeign} AS "isForeign"`;

const listing = z.object({ ...relation.shape, root: z.string() });

/** Every table of the database that a session of ours can work on (temporary ones belong to their sessions). */
async function allTables(psql: Psql): Promise<ChosenTable[]> {
  const rows = await psql.rows(
    `SELECT ${columns}, coalesce(pg_partition_root(c.oid), c.oid)::oid::text AS root
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
     ORDER BY c.relpages DESC, n.nspname, c.relname`,
    listing,
  );
  return rows
    .filter(({ oid, root }) => oid === root)
    .map((row) => ({
      ...row,
      leaves: rows.filter(({ root, kind }) => root === row.oid && kind !== 'partitioned table'),
    }));
}

/** The search_path that a session of the role begins with; `Psql.rows` has another one. */
export async function usualSearchPath(
  psql: Psql,
  options: Pick<PsqlOptions, 'timeoutSeconds'> = {},
): Promise<string> {
  const [row] = await psql.rows(
    `SELECT reset_val AS path FROM pg_settings WHERE name = 'search_path'`,
    z.object({ path: z.string() }),
    options,
  );
  return row?.path ?? 'pg_catalog';
}

/**
 * Oid (as text) of a relation by name, `undefined` when there is none. A name without schema is looked up on the
 * role's search_path.
 * @throws FailureError `database-name-refused`
 */
export async function findRelation(
  psql: Psql,
  text: string,
  input: string,
): Promise<
  { readonly oid: string; readonly schema: string; readonly relkind: string } | undefined
> {
  const { schema, name } = parseQualifiedName(text, input);
  const quoted = schema === undefined ? quoteQualified(name) : quoteQualified(schema, name);
  const [row] = await psql.rows(
    `SELECT c.oid::text AS oid, n.nspname AS schema, c.relkind::text AS relkind
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = pg_catalog.to_regclass(${quoteLiteral(quoted)})`,
    z.object({ oid: z.string(), schema: z.string(), relkind: z.string() }),
    schema === undefined ? { settings: { search_path: await usualSearchPath(psql) } } : {},
  );
  return row;
}

async function namedTable(psql: Psql, text: string): Promise<ChosenTable> {
  const found = await findRelation(psql, text, 'The table');
  if (found === undefined || !['r', 'm', 'p'].includes(found.relkind)) {
    fail({
      code: 'database-table-unknown',
      message:
        found === undefined
          ? `There is no table ${JSON.stringify(text)} that the role can see in database ${JSON.stringify(psql.database)}.`
          : `${JSON.stringify(text)} is neither a table nor a materialized view.`,
      state: 'Nothing was changed.',
      next: 'Correct the name in the plan or the input; accepted are tables and materialized views, with their schema when it is not on the search path.',
    });
  }
  const rows = await psql.rows(
    `SELECT ${columns} FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = ${found.oid} OR c.oid IN (SELECT relid FROM pg_partition_tree(${found.oid}))`,
    relation,
  );
  const itself = rows.find(({ oid }) => oid === found.oid);
  if (itself === undefined) return vanished(text);
  return { ...itself, leaves: rows.filter(({ kind }) => kind !== 'partitioned table') };
}

function vanished(text: string): never {
  fail({
    code: 'database-table-unknown',
    message: `The table ${JSON.stringify(text)} was dropped while it was looked up.`,
    state: 'Nothing was changed by this step.',
    next: 'Find out who drops it, then run the step again.',
  });
}

/** The tables to work on, and those of the system or of extensions that were left out because the role may not. */
export interface Choice {
  readonly tables: readonly ChosenTable[];
  readonly leftOut: readonly string[];
}

/**
 * Tables by name, or all of the database, partitions under their root.
 * @param what for messages, for instance `vacuum`
 * @throws FailureError `database-table-unknown`, `database-name-refused`; `database-table-not-permitted` names
 *   every table that the role may not maintain, before anything is done
 */
export async function chooseTables(
  psql: Psql,
  tables: readonly string[] | 'all',
  what: string,
): Promise<Choice> {
  const found: ChosenTable[] = [];
  if (tables === 'all') found.push(...(await allTables(psql)));
  else {
    for (const text of tables) {
      const table = await namedTable(psql, text);
      if (!found.some(({ oid }) => oid === table.oid)) found.push(table);
    }
  }
  const may = (table: ChosenTable): boolean =>
    table.isPermitted && table.leaves.every((leaf) => leaf.isPermitted);
  const leftOut = tables === 'all' ? found.filter((table) => !may(table) && table.isForeign) : [];
  const refused = found.filter((table) => !may(table) && !leftOut.includes(table));
  if (refused.length > 0) refuseNotPermitted(refused, what);
  return {
    tables: found.filter((table) => may(table)),
    leftOut: leftOut.map(({ name }) => name),
  };
}

function refuseNotPermitted(tables: readonly ChosenTable[], what: string): never {
  const names = tables.flatMap((table) =>
    table.isPermitted
      ? table.leaves.filter(({ isPermitted }) => !isPermitted).map(({ name }) => name)
      : [table.name],
  );
  fail({
    code: 'database-table-not-permitted',
    message: `The role may not ${what} ${names.join(', ')}: only the owner of a table, the owner of the database or a superuser may.`,
    state: 'Nothing was changed.',
    next: `Use a role that owns them, or name only the tables that the role may ${what}.`,
  });
}
