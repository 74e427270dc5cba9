import { z } from 'zod';
import { quoteIdentifier, quoteLiteral } from '../quoting.ts';
import { columnOf, unreferenced, type TableShape } from './archive-source.ts';

/** Values of a key as text, in the order of its columns. */
export const keyValues = z.array(z.string());
export type KeyValues = z.infer<typeof keyValues>;

/**
 * How rows are told apart: by primary key, or where there is none by their place in the file (a place is good only
 * within one transaction).
 */
export function keyOf(
  source: TableShape,
): readonly { readonly expression: string; readonly type: string }[] {
  if (source.key.length > 0) {
    return source.key.map(({ name, type }) => ({ expression: columnOf(source, name), type }));
  }
  return [
    { expression: `${source.name}.tableoid`, type: 'pg_catalog.oid' },
    { expression: `${source.name}.ctid`, type: 'pg_catalog.tid' },
  ];
}

/** Names of a key's columns within our statements. */
export function aliases(source: TableShape): readonly string[] {
  return keyOf(source).map((_, at) => `mw_key_${String(at)}`);
}

/** Rows of one batch. */
export interface BatchWish {
  readonly source: TableShape;
  readonly where: string;
  readonly size: number;
  /** The last key of the batch before; `undefined` for the first, and always without a primary key. */
  readonly after: KeyValues | undefined;
}

/** A query for the keys of the next rows, which locks them. */
export function chosenSql({ source, where, size, after }: BatchWish): string {
  const key = keyOf(source);
  const names = aliases(source);
  const isOrdered = source.key.length > 0;
  const place = key.map(({ expression }) => expression).join(', ');
  const beyond =
    after === undefined || !isOrdered
      ? ''
      : ` AND ROW(${place}) > ROW(${key.map(({ type }, at) => `${quoteLiteral(after[at] ?? '')}::${type}`).join(', ')})`;
  return `SELECT ${key.map(({ expression }, at) => `${expression} AS ${names[at] ?? ''}`).join(', ')}
    FROM ${source.name} WHERE (\n${where}\n)${unreferenced(source)}${beyond}${isOrdered ? ` ORDER BY ${place}` : ''}
    LIMIT ${String(size)} FOR UPDATE`;
}

/** Columns that can be written: all but those that the server computes. */
export function writable(source: TableShape): readonly string[] {
  return source.columns.filter(({ isGenerated }) => !isGenerated).map(({ name }) => name);
}

/** What one batch did. */
export const moved = z.object({
  chosen: z.number(),
  removed: z.number(),
  archived: z.number(),
  last: keyValues.nullable(),
});

/** Moves a batch into a table in one statement; its answer is {@link moved} as JSON. */
export function moveSql(wish: BatchWish, target: string): string {
  const { source } = wish;
  const names = aliases(source);
  const columns = source.columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  const last = names.map((name) => `${name}::text`).join(', ');
  return `WITH mw_chosen AS MATERIALIZED (${chosenSql(wish)}
  ), mw_moved AS (
    DELETE FROM ${source.name} USING mw_chosen WHERE ${sameKey(source, 'mw_chosen')} RETURNING ${source.columns.map(({ name }) => columnOf(source, name)).join(', ')}
  ), mw_put AS (
    INSERT INTO ${target} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM mw_moved RETURNING 1
  )
  SELECT pg_catalog.jsonb_build_object(
    'chosen', (SELECT pg_catalog.count(*) FROM mw_chosen), 'removed', (SELECT pg_catalog.count(*) FROM mw_moved),
    'archived', (SELECT pg_catalog.count(*) FROM mw_put),
    'last', (SELECT pg_catalog.jsonb_build_array(${last}) FROM mw_chosen ORDER BY ${names.map((name) => `${name} DESC`).join(', ')} LIMIT 1))::text`;
}

function sameKey(source: TableShape, keys: string): string {
  return keyOf(source)
    .map(({ expression }, at) => `${expression} = ${keys}.${aliases(source)[at] ?? ''}`)
    .join(' AND ');
}

/** Keys as a table of our statements, `mw_keys`. */
function keyTable(source: TableShape, keys: readonly KeyValues[]): string {
  const key = keyOf(source);
  const names = aliases(source);
  const arrays = key.map(
    (_, at) =>
      `ARRAY[${keys.map((values) => quoteLiteral(values[at] ?? '')).join(', ')}]::pg_catalog.text[]`,
  );
  const typed = key.map(({ type }, at) => `mw_text_${String(at)}::${type} AS ${names[at] ?? ''}`);
  return `(SELECT ${typed.join(', ')} FROM ROWS FROM (${arrays.map((array) => `pg_catalog.unnest(${array})`).join(', ')})
    AS mw_text(${key.map((_, at) => `mw_text_${String(at)}`).join(', ')})) AS mw_keys`;
}

/** COPY of exactly these rows as CSV; NULL is an empty field, all else is in quotes. */
export function copySql(source: TableShape, keys: readonly KeyValues[]): string {
  const columns = writable(source).map((name) => columnOf(source, name));
  const order = source.key.length > 0 ? ` ORDER BY ${aliases(source).join(', ')}` : '';
  return `COPY (SELECT ${columns.join(', ')} FROM ${source.name} JOIN ${keyTable(source, keys)} ON ${sameKey(source, 'mw_keys')}${order})
    TO STDOUT WITH (FORMAT csv, HEADER true, FORCE_QUOTE *, ENCODING 'UTF8')`;
}

/** Removes exactly these rows, and answers how many there were. */
export function removeSql(source: TableShape, keys: readonly KeyValues[]): string {
  return `WITH mw_gone AS (DELETE FROM ${source.name} USING ${keyTable(source, keys)} WHERE ${sameKey(source, 'mw_keys')} RETURNING 1)
    SELECT pg_catalog.count(*) FROM mw_gone`;
}

/** How many of these rows are there. */
export function presentSql(source: TableShape, keys: readonly KeyValues[]): string {
  return `SELECT pg_catalog.count(*) AS present FROM ${source.name} JOIN ${keyTable(source, keys)} ON ${sameKey(source, 'mw_keys')}`;
}

/** Keeps others from referring to rows while they are removed, where that would change or remove rows there. */
export function lockReferrersSql(source: TableShape): string | undefined {
  const tables = source.references.filter(({ hasAction }) => hasAction).map(({ table }) => table);
  return tables.length === 0
    ? undefined
    : `LOCK TABLE ${[...new Set(tables)].join(', ')} IN SHARE MODE`;
}
