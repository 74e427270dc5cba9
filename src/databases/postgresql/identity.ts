import { z } from 'zod';
import type { DatabaseIdentity } from '../../ports/database.ts';
import { quoteLiteral } from './quoting.ts';
import type { Psql } from './psql.ts';

export const identityRow = z.object({
  oid: z.int(),
  name: z.string(),
  allowsConnections: z.boolean(),
  connectionLimit: z.int(),
  bytes: z.int(),
});

/** `datconnlimit` of a database whose creation or removal was cut short (pg_database in the manual). */
export const invalidConnectionLimit = -2;

/** Databases that fulfil a condition on pg_database, as {@link identityRow}. */
export function identityQuery(condition: string): string {
  return `SELECT oid::bigint AS oid, datname AS name, datallowconn AS "allowsConnections",
       datconnlimit AS "connectionLimit",
       CASE WHEN datconnlimit = ${String(invalidConnectionLimit)} THEN 0 ELSE pg_database_size(oid) END AS bytes
     FROM pg_database WHERE ${condition}`;
}

export async function identify(
  psql: Psql,
  by: { readonly name: string } | { readonly oid: number },
): Promise<DatabaseIdentity | undefined> {
  const condition =
    'name' in by ? `datname = ${quoteLiteral(by.name)}` : `oid = ${String(Math.trunc(by.oid))}`;
  const [row] = await psql.rows(identityQuery(condition), identityRow, {
    database: psql.maintenanceDatabase,
  });
  return row;
}

export async function databasesWithPrefix(psql: Psql, prefix: string): Promise<readonly string[]> {
  const rows = await psql.rows(
    `SELECT datname AS name FROM pg_database WHERE starts_with(datname, ${quoteLiteral(prefix)}) ORDER BY datname`,
    z.object({ name: z.string() }),
    { database: psql.maintenanceDatabase },
  );
  return rows.map(({ name }) => name);
}
