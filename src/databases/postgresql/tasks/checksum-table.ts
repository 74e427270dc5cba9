import { z } from 'zod';
import { fail } from '../../../ports/failure.ts';
import { rowsOf, type PsqlSession, type RowReader } from '../psql.ts';
import { quoteLiteral, quoteQualified } from '../quoting.ts';
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
 * Finds the table, or says where it is to be made; a name without schema is looked up on the role's search_path.
 * @param session one as it begins; names without schema are the server's own in it from then on
 * @throws FailureError `database-name-refused`; `database-checksum-table-unknown` when something else has the name
 */
export async function findChecksumTable(
  session: PsqlSession,
  text: string,
): Promise<ChecksumTable> {
  const given = parseQualifiedName(text, 'The checksum table');
  const quoted =
    given.schema === undefined
      ? quoteQualified(given.name)
      : quoteQualified(given.schema, given.name);
  const [place] = await rowsOf(session).rows(
    `SELECT pg_catalog.to_regclass(${quoteLiteral(quoted)})::pg_catalog.oid::pg_catalog.text AS oid,
       pg_catalog.current_schema() AS "creationSchema"`,
    z.object({ oid: z.string().nullable(), creationSchema: z.string().nullable() }),
  );
  await session.query(`SELECT FROM pg_catalog.set_config('search_path', 'pg_catalog', false)`);
  const oid = place?.oid ?? undefined;
  const found = oid === undefined ? undefined : await describeTable(session, oid);
  if (found === undefined) {
    const schema = given.schema ?? place?.creationSchema ?? refusePlaceless();
    return { name: quoteQualified(schema, given.name), exists: false };
  }
  const missing = columns.filter((column) => !found.columns.includes(column));
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

/** `undefined` when it was dropped meanwhile. */
async function describeTable(session: PsqlSession, oid: string) {
  const [row] = await rowsOf(session).rows(
    `SELECT n.nspname AS schema, c.relkind::text AS relkind, ARRAY(
       SELECT attname::text FROM pg_attribute
       WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ${oid}`,
    z.object({ schema: z.string(), relkind: z.string(), columns: z.array(z.string()) }),
  );
  return row;
}

function refusePlaceless(): never {
  fail({
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
export async function readRecords(reader: RowReader, table: string): Promise<RecordedMigration[]> {
  return reader.rows(
    `SELECT name, sha256, state, applied_at::text AS "startedAt" FROM ${table} ORDER BY applied_at, name`,
    z.object({
      name: z.string(),
      sha256: z.string(),
      state: z.enum(['applied', 'applying']),
      startedAt: z.string(),
    }),
  );
}
