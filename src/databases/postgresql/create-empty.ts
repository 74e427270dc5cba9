import { z } from 'zod';
import type { DatabaseIdentity, DatabaseProperties } from '../../ports/database.ts';
import { fail } from '../../ports/failure.ts';
import { identify } from './identity.ts';
import { quoteIdentifier, quoteLiteral } from './quoting.ts';
import { makeRoomFor } from './restore-points.ts';
import type { Server } from './server.ts';

/** The locale part of CREATE DATABASE, whose options grew with the versions. */
export function localeOptions(like: DatabaseProperties, serverMajor: number): string[] {
  const options = [
    `LC_COLLATE ${quoteLiteral(like.collate)}`,
    `LC_CTYPE ${quoteLiteral(like.ctype)}`,
  ];
  if (serverMajor < 15) return options;
  options.push(`LOCALE_PROVIDER ${quoteIdentifier(like.localeProvider)}`);
  if (like.icuLocale !== null) {
    const name = like.localeProvider === 'builtin' ? 'BUILTIN_LOCALE' : 'ICU_LOCALE';
    options.push(`${name} ${quoteLiteral(like.icuLocale)}`);
  }
  return options;
}

/** Rules that tailor an ICU collation (since 16) are not in the recorded properties; the original still has them. */
async function icuRules(server: Server, like: DatabaseProperties): Promise<string[]> {
  if ((await server.version()).major < 16) return [];
  const [row] = await server.psql.rows(
    `SELECT daticurules AS rules FROM pg_database WHERE oid = ${like.oid}`,
    z.object({ rules: z.string().nullable() }),
    { database: server.psql.maintenanceDatabase },
  );
  const rules = row?.rules ?? null;
  return rules === null ? [] : [`ICU_RULES ${quoteLiteral(rules)}`];
}

export interface CreateEmptyOptions {
  /** On another server than the original's: without its tablespace and rules of collation. */
  readonly elsewhere?: boolean;
  readonly comment?: string;
  /** Run-time parameters of all sessions on it. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Creates an empty database like the original and closed to others. A limit of 0 keeps all but superusers out, an
 * ordinary owner too; such a one works behind the revoked CONNECT instead.
 */
export async function createEmpty(
  server: Server,
  database: string,
  like: DatabaseProperties,
  { elsewhere = false, comment, settings = {} }: CreateEmptyOptions = {},
): Promise<DatabaseIdentity> {
  const { psql } = server;
  const { major } = await server.version();
  const inMaintenance = { database: psql.maintenanceDatabase };
  await makeRoomFor(server, database);
  const [now] = await psql.rows(
    `SELECT r.rolsuper AS superuser, t.spcname AS tablespace, EXISTS (SELECT FROM pg_roles AS o
         WHERE o.rolname = ${quoteLiteral(like.owner)}
           AND pg_has_role(r.oid, o.oid, '${major >= 16 ? 'SET' : 'MEMBER'}')) AS "mayGive"
     FROM pg_roles AS r, pg_database AS d JOIN pg_tablespace AS t ON t.oid = d.dattablespace
     WHERE r.rolname = current_user AND d.datname = 'template0'`,
    z.object({ superuser: z.boolean(), tablespace: z.string(), mayGive: z.boolean() }),
    inMaintenance,
  );
  const name = quoteIdentifier(database);
  const options = [
    // Objects can be given only to who may create in their schema: in "public" that is the database's owner.
    ...(now?.mayGive === true ? [`OWNER ${quoteIdentifier(like.owner)}`] : []),
    'TEMPLATE template0',
    `ENCODING ${quoteLiteral(like.encoding)}`,
    ...localeOptions(like, major),
    ...(elsewhere ? [] : await icuRules(server, like)),
    // To name even the usual one takes a right on it that an ordinary role lacks.
    ...(elsewhere || now?.tablespace === like.tablespace
      ? []
      : [`TABLESPACE ${quoteIdentifier(like.tablespace)}`]),
  ];
  await psql.execute(
    [
      // Nobody gets in before it is closed.
      `CREATE DATABASE ${name} ${options.join(' ')} ALLOW_CONNECTIONS false`,
      // Until here an unfinished one is told by letting nobody in.
      ...(comment === undefined ? [] : [`COMMENT ON DATABASE ${name} IS ${quoteLiteral(comment)}`]),
      `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`,
      ...Object.entries(settings).map(
        ([key, value]) =>
          `ALTER DATABASE ${name} SET ${quoteIdentifier(key)} = ${quoteLiteral(value)}`,
      ),
      `ALTER DATABASE ${name} WITH CONNECTION LIMIT ${now?.superuser === true ? 0 : -1} ALLOW_CONNECTIONS true`,
    ],
    inMaintenance,
  );
  const identity = await identify(psql, { name: database });
  if (identity === undefined) {
    fail({
      code: 'database-missing',
      message: `The server reported success, but there is no database ${JSON.stringify(database)}.`,
      state: 'Nothing else was changed.',
      next: 'Look who else works on this server, then run the step again.',
    });
  }
  return identity;
}
