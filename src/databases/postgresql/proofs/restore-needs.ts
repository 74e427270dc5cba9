import { z } from 'zod';
import type { ClusterIdentity, RestoreNeeds } from '../../../ports/backup-proof.ts';
import { rolesQuery } from '../dump-roles.ts';
import type { Psql } from '../psql.ts';
import type { Server } from '../server.ts';

const clusterRow = z.object({ systemIdentifier: z.string(), startedAt: z.string() });

/** Which running server this is; the start is told apart to the microsecond. */
export async function clusterIdentity(psql: Psql): Promise<ClusterIdentity> {
  const [row] = await psql.rows(
    `SELECT system_identifier::text AS "systemIdentifier",
       extract(epoch FROM pg_postmaster_start_time())::text AS "startedAt" FROM pg_control_system()`,
    clusterRow,
    { database: psql.maintenanceDatabase },
  );
  return row ?? { systemIdentifier: '', startedAt: '' };
}

const role = z.object({
  name: z.string(),
  superuser: z.boolean(),
  bypassRowSecurity: z.boolean(),
  memberOf: z.array(z.string()),
});
const needsRow = z.object({
  extensions: z.array(z.object({ name: z.string(), version: z.string() })),
  tablespaces: z.array(z.string()),
  roles: z.array(role),
});

/**
 * Roles with what they may do through each other. A view is refreshed as its owner, so a stand-in without its
 * memberships would fail where the role itself does not. Superusers have all rights without them.
 */
const needsQuery = `WITH needed AS (
    SELECT r.oid, r.rolname, r.rolsuper, r.rolbypassrls FROM pg_roles AS r
    WHERE to_jsonb(ARRAY[r.rolname]) <@ (${rolesQuery})::jsonb)
  SELECT (SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion) ORDER BY extname), '[]')
      FROM pg_extension) AS extensions,
    (SELECT coalesce(json_agg(spcname ORDER BY spcname), '[]') FROM pg_tablespace AS t
      WHERE EXISTS (SELECT FROM pg_class AS c WHERE c.reltablespace = t.oid AND NOT c.relisshared)) AS tablespaces,
    (SELECT coalesce(json_agg(json_build_object('name', n.rolname, 'superuser', n.rolsuper,
        'bypassRowSecurity', n.rolbypassrls, 'memberOf', (SELECT coalesce(json_agg(m.rolname ORDER BY m.rolname), '[]')
          FROM needed AS m WHERE m.oid <> n.oid AND NOT n.rolsuper AND pg_has_role(n.oid, m.oid, 'USAGE')))
      ORDER BY n.rolname), '[]') FROM needed AS n) AS roles`;

/** What the application's database needs to be restored on another server. */
export async function restoreNeeds(server: Server): Promise<RestoreNeeds> {
  const { psql } = server;
  const { text, major } = await server.version();
  const [row] = await psql.rows(needsQuery, needsRow);
  return {
    serverVersion: text,
    serverMajor: major,
    cluster: await clusterIdentity(psql),
    ...(row ?? { extensions: [], tablespaces: [], roles: [] }),
  };
}
