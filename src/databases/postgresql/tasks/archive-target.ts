import { fail } from '../../../ports/failure.ts';
import type { Psql } from '../psql.ts';
import { quoteIdentifier, quoteLiteral } from '../quoting.ts';
import { readShape, type Column, type TableShape } from './archive-source.ts';
import { findRelation, usualSearchPath } from './chosen-tables.ts';
import { parseQualifiedName } from './qualified-name.ts';
import type { TaskSession } from './task-session.ts';
import { z } from 'zod';

/** Where rows go: a table that is there, or one that is made. */
export interface ArchiveTable {
  /** Quoted for SQL. */
  readonly name: string;
  readonly shape: TableShape | undefined;
}

/** Why rows of the source do not fit the columns of the archive; empty when they do. */
export function misfits(source: readonly Column[], archive: readonly Column[]): readonly string[] {
  return source.flatMap(({ name, type }) => {
    const there = archive.find((column) => column.name === name);
    const shown = quoteIdentifier(name);
    if (there === undefined) return [`column ${shown} (${type}) is missing`];
    if (there.isGenerated) return [`column ${shown} is computed there`];
    return there.type === type ? [] : [`column ${shown} is ${there.type} there and ${type} here`];
  });
}

/**
 * The archive table of a source.
 * @throws FailureError `database-archive-misfit`, `database-schema-unknown`, `database-name-refused`
 */
export async function findTarget(
  psql: Psql,
  session: TaskSession,
  source: TableShape,
  text: string,
): Promise<ArchiveTable> {
  const { schema, name } = parseQualifiedName(text, 'The archive table');
  const found = await findRelation(psql, text, 'The archive table');
  if (found === undefined) {
    return { name: await newName(psql, schema, name), shape: undefined };
  }
  const misfit = (problem: string): never =>
    fail({
      code: 'database-archive-misfit',
      message: `The archive table ${JSON.stringify(text)} does not fit ${source.name}: ${problem}.`,
      state: 'Nothing was moved.',
      next: 'Alter the archive table, or name one that is not there yet: it is made like the source.',
    });
  if (!['r', 'p'].includes(found.relkind)) return misfit('it is no table');
  const shape = await readShape(session, found.oid);
  if (shape.oid === source.oid || shape.root === source.root) {
    return misfit('it is the source itself, or one of its partitions');
  }
  const problems = misfits(source.columns, shape.columns);
  if (problems.length > 0) return misfit(problems.join('; '));
  return { name: shape.name, shape };
}

/** A new archive table, quoted for SQL, in the named schema or the first one of the search path. */
async function newName(psql: Psql, wanted: string | undefined, name: string): Promise<string> {
  const [row] = await psql.rows(
    `SELECT nspname::text AS schema, has_schema_privilege(oid, 'CREATE') AS may,
       pg_catalog.format('%I.%I', nspname, ${quoteLiteral(name)}) AS name
     FROM pg_catalog.pg_namespace WHERE nspname = ${wanted === undefined ? 'current_schema()' : quoteLiteral(wanted)}`,
    z.object({ schema: z.string(), may: z.boolean(), name: z.string() }),
    wanted === undefined ? { settings: { search_path: await usualSearchPath(psql) } } : {},
  );
  const schema = row?.schema;
  if (row?.may !== true) {
    return fail({
      code: 'database-schema-unknown',
      message:
        schema === undefined
          ? `There is no schema ${wanted === undefined ? 'on the search path' : JSON.stringify(wanted)} for the archive table.`
          : `The role may not create the archive table in schema ${JSON.stringify(schema)}.`,
      state: 'Nothing was changed.',
      next:
        wanted === undefined
          ? 'Name the archive table with its schema.'
          : `CREATE SCHEMA ${quoteIdentifier(wanted)}, or GRANT CREATE on it to the role.`,
    });
  }
  return row.name;
}

/** Columns, types and NOT NULL as in the source; no defaults, keys or indexes, for what was archived is not changed. */
export function createTargetSql(target: string, source: TableShape): string {
  return `CREATE TABLE ${target} (LIKE ${source.name} INCLUDING COMMENTS INCLUDING STORAGE)`;
}
