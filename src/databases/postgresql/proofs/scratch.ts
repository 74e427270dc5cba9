import { z } from 'zod';
import type { BackupProofs, RoleDescription } from '../../../ports/backup-proof.ts';
import type { DatabaseIdentity } from '../../../ports/database.ts';
import { steadyWriting } from '../beside-the-public.ts';
import { createEmpty } from '../create-empty.ts';
import { quoteIdentifier, quoteLiteral } from '../quoting.ts';
import { drop } from '../restore-points.ts';
import type { Server } from '../server.ts';

type CreateOptions = Parameters<BackupProofs['createScratch']>[1];

/** What the comments on our databases and roles begin with: they tell what may be dropped again. */
const databaseMark = 'maintenance-window scratch database of ';
const roleMark = 'maintenance-window stand-in for ';
/** A stand-in is made before its database; so much younger ones of others are let alone. Minutes. */
const youngRole = 10;

/** Makes an empty scratch database and, on another server, what a restore needs there. */
export async function createScratch(
  server: Server,
  database: string,
  options: CreateOptions,
): Promise<DatabaseIdentity> {
  const { psql } = server;
  const { like, mark, elsewhere } = options;
  const inMaintenance = { database: psql.maintenanceDatabase };
  if (elsewhere !== undefined && elsewhere.missingRoles.length > 0) {
    await psql.execute(standIns(elsewhere.missingRoles, database), {
      ...inMaintenance,
      singleTransaction: true,
    });
  }
  return createEmpty(server, database, like, {
    elsewhere: elsewhere !== undefined,
    comment: `${databaseMark}${mark}`,
    settings: steadyWriting,
  });
}

/** Roles that cannot log in, with what the real ones may do in a restore; the comment says for which database and since when. */
function standIns(roles: readonly RoleDescription[], database: string): readonly string[] {
  const made = new Set(roles.map(({ name }) => name));
  return [
    ...roles.flatMap(({ name, superuser, bypassRowSecurity }) => {
      const role = quoteIdentifier(name);
      return [
        `CREATE ROLE ${role} NOLOGIN${superuser ? ' SUPERUSER' : ''}${bypassRowSecurity ? ' BYPASSRLS' : ''}`,
        `DO ${quoteLiteral(`BEGIN EXECUTE format('COMMENT ON ROLE %I IS %L', ${quoteLiteral(name)}, ${quoteLiteral(roleMark)} || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' ' || ${quoteLiteral(database)}); END`)}`,
      ];
    }),
    ...roles.flatMap(({ name, memberOf }) =>
      memberOf
        // What is there already belongs to somebody: its members are not changed.
        .filter((other) => made.has(other))
        .map((other) => `GRANT ${quoteIdentifier(other)} TO ${quoteIdentifier(name)}`),
    ),
  ];
}

const leftover = z.object({ name: z.string() });

/**
 * Drops a scratch database, what others with the same mark left, and all stand-ins of ours that no database needs any
 * more.
 */
export async function dropScratch(
  server: Server,
  database: string,
  mark: string,
): Promise<readonly string[]> {
  const { psql } = server;
  await drop(server, database);
  const inMaintenance = { database: psql.maintenanceDatabase };
  // One that was killed before it had its mark lets nobody in yet; its name begins like ours.
  const ownPrefix = database.slice(0, database.lastIndexOf('_mw_') + '_mw_'.length);
  const marked = await psql.rows(
    `SELECT datname AS name FROM pg_database
     WHERE shobj_description(oid, 'pg_database') = ${quoteLiteral(`${databaseMark}${mark}`)}
       OR NOT datallowconn AND starts_with(datname, ${quoteLiteral(ownPrefix)}) AND datname LIKE '%\\_scratch'`,
    leftover,
    inMaintenance,
  );
  const left = marked.filter(({ name }) => name.includes('_mw_')).map(({ name }) => name);
  for (const name of left) await drop(server, name);
  return [...left, ...(await dropStandIns(server, [database, ...left]))];
}

/**
 * Drops stand-ins whose database is gone. One that something still depends on (another window uses it too) stays, and is
 * dropped by the last one.
 */
async function dropStandIns(
  server: Server,
  databases: readonly string[],
): Promise<readonly string[]> {
  const { psql } = server;
  const inMaintenance = { database: psql.maintenanceDatabase };
  const rest = `substr(d.description, ${String(roleMark.length + 1)})`;
  const found = await psql.rows(
    `SELECT r.rolname AS name, substr(${rest}, 21) AS "for" FROM pg_roles AS r
       JOIN pg_shdescription AS d ON d.classoid = 'pg_authid'::regclass AND d.objoid = r.oid
     WHERE starts_with(d.description, ${quoteLiteral(roleMark)}) AND NOT r.rolcanlogin
       AND NOT EXISTS (SELECT FROM pg_database AS b WHERE b.datname = substr(${rest}, 21))
       AND NOT EXISTS (SELECT FROM pg_shdepend AS s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid)
       AND (substr(${rest}, 21) IN (${databases.map((name) => quoteLiteral(name)).join(', ')})
         OR substr(${rest}, 1, 19)::timestamp < now() AT TIME ZONE 'UTC' - interval '${String(youngRole)} minutes')`,
    z.object({ name: z.string(), for: z.string() }),
    inMaintenance,
  );
  if (found.length === 0) return [];
  await psql.execute(
    found.map(({ name }) => `DROP ROLE IF EXISTS ${quoteIdentifier(name)}`),
    inMaintenance,
  );
  return found.filter((role) => role.for !== databases[0]).map(({ name }) => `role ${name}`);
}
