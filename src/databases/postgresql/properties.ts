import {
  databasePropertiesSchema,
  type DatabaseProperties,
} from '../../ports/database-properties.ts';
import { fail } from '../../ports/failure.ts';
import { quoteLiteral } from './quoting.ts';
import type { PsqlSession } from './psql.ts';
import type { Server } from './server.ts';

/** How pg_database tells the locale, which differs between versions (manual, 53.15 in 15). */
export function localeColumns(serverMajor: number): { provider: string; locale: string } {
  const provider = `CASE datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' END`;
  if (serverMajor >= 17) return { provider, locale: 'datlocale' };
  if (serverMajor >= 15) return { provider, locale: 'daticulocale' };
  return { provider: `'libc'`, locale: 'NULL::text' };
}

/** In a fixed order, so that two readings of the same state are equal. */
function propertiesQuery(database: string, serverMajor: number): string {
  const { provider, locale } = localeColumns(serverMajor);
  return `SELECT d.datname AS name, d.oid::bigint AS oid, pg_get_userbyid(d.datdba) AS owner,
    pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS "collate", d.datctype AS ctype,
    ${provider} AS "localeProvider", ${locale} AS "icuLocale", t.spcname AS tablespace,
    d.datconnlimit AS "connectionLimit", d.datallowconn AS "allowsConnections",
    d.datistemplate AS "isTemplate", shobj_description(d.oid, 'pg_database') AS comment,
    CASE WHEN d.datacl IS NOT NULL THEN coalesce((
      SELECT json_agg(json_build_object('grantor', pg_get_userbyid(a.grantor),
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type, 'grantable', a.is_grantable)
        ORDER BY pg_get_userbyid(a.grantor), a.grantee <> 0, pg_get_userbyid(a.grantee), a.privilege_type)
      FROM aclexplode(d.datacl) AS a), '[]') END AS grants,
    coalesce((
      SELECT json_agg(json_build_object('role', CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END,
          'name', split_part(c.entry, '=', 1), 'value', substr(c.entry, strpos(c.entry, '=') + 1))
        ORDER BY s.setrole <> 0, pg_get_userbyid(s.setrole), split_part(c.entry, '=', 1))
      FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c(entry) WHERE s.setdatabase = d.oid), '[]') AS settings,
    coalesce((
      SELECT json_agg(json_build_object('provider', l.provider, 'label', l.label) ORDER BY l.provider)
      FROM pg_shseclabel AS l WHERE l.classoid = 'pg_database'::regclass AND l.objoid = d.oid), '[]') AS "securityLabels"
  FROM pg_database AS d JOIN pg_tablespace AS t ON t.oid = d.dattablespace
  WHERE d.datname = ${quoteLiteral(database)}`;
}

function missing(database: string): never {
  return fail({
    code: 'database-missing',
    message: `There is no database ${JSON.stringify(database)} on the server.`,
    state: 'The catalogue was only read; nothing was changed.',
    next: 'Check the name in the database URL; in mid-rollback, see `maintenance-window status`.',
  });
}

/**
 * All that a clone or a restore of a database would lose.
 * @throws FailureError `database-missing`
 */
export async function readProperties(
  server: Server,
  database: string,
): Promise<DatabaseProperties> {
  const { major } = await server.version();
  const [row] = await server.psql.rows(propertiesQuery(database, major), databasePropertiesSchema, {
    database: server.psql.maintenanceDatabase,
  });
  return row ?? missing(database);
}

/** The same in a session that is held, whose search path is `pg_catalog`. */
export async function readPropertiesIn(
  session: PsqlSession,
  serverMajor: number,
  database: string,
): Promise<DatabaseProperties> {
  const lines = await session.query(
    `SELECT row_to_json(found) FROM (${propertiesQuery(database, serverMajor)}) AS found`,
  );
  if (lines.length === 0) return missing(database);
  return databasePropertiesSchema.parse(JSON.parse(lines.join('\n')));
}
