import { z } from 'zod';
import { fail } from '../../../ports/failure.ts';
import type { Psql } from '../psql.ts';
import { quoteLiteral, quoteQualified } from '../quoting.ts';
import { findRelation } from './chosen-tables.ts';
import type { RecordedMigration } from './migration-plan.ts';
import { parseQualifiedName } from './qualified-name.ts';

const columns = ['name', 'sha256', 'state', 'applied_at', 'window_id', 'seconds'] as const;

/** The table that remembers which migrations this database has. */
export interface ChecksumTable {
  /** `schema.table`, quoted for SQL. */
  readonly name: string;
  readonly exists: boolean;
}

/**
 * Finds the table, or says where it is to be made.
 * @throws FailureError `database-name-refused`; `database-checksum-table-unknown` when something else has the name
 */
export async function findChecksumTable(psql: Psql, text: string): Promise<ChecksumTable> {
  const found = await findRelation(psql, text, 'The checksum table');
  const given = parseQualifiedName(text, 'The checksum table');
  if (found === undefined) {
    const schema = given.schema ?? (await creationSchema(psql));
    return { name: quoteQualified(schema, given.name), exists: false };
  }
  const rows = await psql.rows(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = ${found.oid} AND attnum > 0 AND NOT attisdropped`,
    z.object({ name: z.string() }),
  );
  const missing = columns.filter((column) => !rows.some(({ name }) => name === column));
  const name = quoteQualified(found.schema, given.name);
  if (missing.length > 0 || found.relkind !== 'r') {
    fail({
      code: 'database-checksum-table-unknown',
      message:
        found.relkind === 'r'
          ? `The table ${name} exists, but has no column ${missing.join(', ')}: it is not our checksum table.`
          : `${name} exists, but is not a table.`,
      state: 'Nothing was changed.',
      next: 'Give another name for the checksum table.',
    });
  }
  return { name, exists: true };
}

/** Where the role creates what it names without a schema. */
async function creationSchema(psql: Psql): Promise<string> {
  const session = await psql.start();
  try {
    const [line] = await session.query(
      `SELECT pg_catalog.json_build_object('schema', pg_catalog.current_schema())`,
    );
    const { schema } = z.object({ schema: z.string().nullable() }).parse(JSON.parse(line ?? '{}'));
    if (schema !== null) return schema;
  } finally {
    await session.close();
  }
  return fail({
    code: 'database-name-refused',
    message:
      'No schema of the role’s search path exists, so a checksum table without schema has no place.',
    state: 'Nothing was changed.',
    next: 'Name the checksum table with its schema, for instance public.maintenance_window_migrations.',
  });
}

export function createTableSql(table: string): string {
  return `CREATE TABLE IF NOT EXISTS ${table} (
  name text PRIMARY KEY,
  sha256 text NOT NULL,
  state text NOT NULL CHECK (state IN ('applying', 'applied')),
  applied_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  window_id text,
  seconds double precision
)`;
}

/** A file's row; it comes before the file's SQL, so that a second migrator is stopped by the primary key. */
export function insertSql(
  table: string,
  row: Pick<RecordedMigration, 'name' | 'sha256' | 'state'> & {
    readonly windowId: string | undefined;
  },
): string {
  const values = [row.name, row.sha256, row.state].map(quoteLiteral).join(', ');
  const window = row.windowId === undefined ? 'NULL' : quoteLiteral(row.windowId);
  return `INSERT INTO ${table} (name, sha256, state, window_id) VALUES (${values}, ${window})`;
}

/** Completes a file's row; prints one line when the row was there. */
export function completeSql(table: string, name: string): string {
  return `UPDATE ${table} SET state = 'applied',
  seconds = extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) applied_at)
WHERE name OPERATOR(pg_catalog.=) ${quoteLiteral(name)} RETURNING 1`;
}

/** All rows, by time. */
export async function readRecords(psql: Psql, table: string): Promise<RecordedMigration[]> {
  return psql.rows(
    `SELECT name, sha256, state, applied_at::text AS "startedAt" FROM ${table} ORDER BY applied_at, name`,
    z.object({
      name: z.string(),
      sha256: z.string(),
      state: z.enum(['applied', 'applying']),
      startedAt: z.string(),
    }),
  );
}
