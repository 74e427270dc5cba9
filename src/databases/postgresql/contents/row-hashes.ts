import { z } from 'zod';
import type { RowHash, TableContents } from '../../../ports/database-contents.ts';
import { fail } from '../../../ports/failure.ts';
import type { PsqlSession } from '../psql.ts';
import { notOfExtension, ofUsers } from './catalogue-sql.ts';

const hashedTable = z.object({
  /** `schema.table`, quoted as SQL identifiers where needed. */
  name: z.string(),
  kind: z.enum(['table', 'view']),
  pages: z.number(),
  /** Of a table of an extension: which rows belong to users (`pg_extension_config_dump`), as `WHERE …`. */
  condition: z.string(),
  columns: z.array(z.object({ expression: z.string(), generated: z.boolean() })),
});
export type HashedTable = z.infer<typeof hashedTable>;

/**
 * Types whose equal values are written alike, so that the server may hash them without writing them out. Others are
 * hashed as text: 1.0 and 1.00, 0 and -0, a month and 30 days are equal, and not the same.
 */
const hashedAsTheyAre = [
  ...['bool', 'int2', 'int4', 'int8', 'oid', 'bytea', 'uuid', 'date', 'time', 'timestamp'],
  ...['timestamptz', '"char"', 'name'],
];

/** The type that a column's domain is made of in the end. */
const baseType = `(WITH RECURSIVE base_ AS (
    SELECT t.oid, t.typtype, t.typbasetype FROM pg_type AS t WHERE t.oid = a.atttypid
    UNION ALL SELECT t.oid, t.typtype, t.typbasetype FROM base_ JOIN pg_type AS t ON t.oid = base_.typbasetype
      WHERE base_.typtype = 'd')
  SELECT oid FROM base_ WHERE typtype <> 'd')`;

/**
 * Tables whose rows a dump holds, and materialized views. Columns go by name: a restore may put them into another order.
 * A column that is computed when it is read holds nothing.
 */
const tablesQuery = `SELECT json_build_object('name', format('%I.%I', n.nspname, c.relname),
    'kind', CASE c.relkind WHEN 'm' THEN 'view' ELSE 'table' END, 'pages', c.relpages, 'condition', coalesce(e.condition, ''),
    'columns', (SELECT coalesce(json_agg(json_build_object('generated', a.attgenerated <> '',
        'expression', CASE WHEN ${baseType} = ANY (ARRAY[${hashedAsTheyAre.map((type) => `'${type}'`).join(', ')}]::regtype[]::oid[])
          THEN format('%I::%s', a.attname, ${baseType}::regtype)
          -- Padded to its length, which the cast to text would take off, slowly.
          WHEN ${baseType} = 'bpchar'::regtype THEN format('%I::bpchar COLLATE "C"', a.attname) ELSE format('%I::text COLLATE "C"', a.attname) END)
        ORDER BY a.attname COLLATE "C"), '[]')
      FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'))::text
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace AND ${ofUsers()}
    LEFT JOIN LATERAL (SELECT (x.extcondition)[array_position(x.extconfig, c.oid)] AS condition
      FROM pg_depend AS d JOIN pg_extension AS x ON x.oid = d.refobjid
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        AND c.oid = ANY (x.extconfig)) AS e ON true
  WHERE (c.relkind = 'r' OR c.relkind = 'm' AND c.relispopulated) AND c.relpersistence <> 't'
    AND (e.condition IS NOT NULL OR ${notOfExtension('pg_class', 'c.oid')})
  ORDER BY c.relpages DESC, c.oid`;

/** Tables of so few pages are looked at together. */
const smallPages = 500;
const togetherAtMost = 50;

function unreadable(lines: readonly string[]): never {
  fail({
    code: 'database-answer-unexpected',
    message: `The server answered a question about the contents of tables with something unexpected: ${JSON.stringify(lines.slice(0, 3))}.`,
    state: 'The tables were only read; nothing was changed.',
    next: 'Report this with the server’s version; it may be a version that is not supported yet.',
  });
}

/** What is to be hashed, in pieces of work: the largest first, the small ones together. */
export async function hashWork(session: PsqlSession): Promise<readonly HashedTable[][]> {
  const lines = await session.query(tablesQuery);
  let tables: HashedTable[];
  try {
    tables = lines.map((line) => hashedTable.parse(JSON.parse(line)));
  } catch {
    return unreadable(lines);
  }
  const work = tables.filter(({ pages }) => pages > smallPages).map((table) => [table]);
  const small = tables.filter(({ pages }) => pages <= smallPages);
  for (let start = 0; start < small.length; start += togetherAtMost) {
    work.push(small.slice(start, start + togetherAtMost));
  }
  return work;
}

/** `record` where the server can hash records (since 14); the slower `text` everywhere. */
export function rowHashOf(serverMajor: number): RowHash {
  return serverMajor >= 14 ? 'record' : 'text';
}

/**
 * The hash of a row, 64 bits. A record's hash adds up those of its columns, so that two rows which change their values
 * in one column would have the same sum: it is hashed once more.
 */
function rowExpression(columns: readonly string[], rowHash: RowHash): string {
  if (columns.length === 0) return '0::int8';
  const row = `ROW(${columns.join(', ')})`;
  return rowHash === 'record'
    ? `hashint8extended(hash_record_extended(${row}, 0), 0)`
    : `hashtextextended(${row}::text COLLATE "C", 0)`;
}

function hashQuery(table: HashedTable, index: number, rowHash: RowHash): string {
  const of = (generated: boolean): readonly string[] =>
    table.columns
      .filter((column) => column.generated === generated)
      .map(({ expression }) => expression);
  const generated = of(true);
  const sum = (columns: readonly string[]): string => `sum(${rowExpression(columns, rowHash)})`;
  // ONLY: a child is a table of its own. Names come quoted from format('%I').
  return `SELECT ${String(index)} AS i, count(*), coalesce(${sum(of(false))}, 0), ${generated.length === 0 ? 'NULL' : `coalesce(${sum(generated)}, 0)`}
    FROM ONLY ${table.name} ${table.condition}`;
}

/** Counts and hashes tables in the session's snapshot; the server's memory does not grow with them. */
export async function hashTables(
  session: PsqlSession,
  tables: readonly HashedTable[],
  rowHash: RowHash,
): Promise<readonly (readonly [HashedTable, TableContents])[]> {
  const queries = tables.map((table, index) => hashQuery(table, index, rowHash));
  const lines = await session.query(`${queries.join('\nUNION ALL ')}\nORDER BY i`);
  if (lines.length !== tables.length) unreadable(lines);
  return tables.map((table, index) => {
    const match = /^(\d+)\|(\d+)\|(-?\d+)\|(-?\d*)$/.exec(lines[index] ?? '');
    if (match === null || Number(match[1]) !== index) return unreadable(lines);
    const [, , rows, hash = '', generated = ''] = match;
    return [
      table,
      { rows: Number(rows), hash, ...(generated === '' ? {} : { generated }) },
    ] as const;
  });
}
