import { z } from 'zod';
import type { RestoreNeeds, ScratchFitness } from '../../../ports/backup-proof.ts';
import type { Server } from '../server.ts';
import { clusterIdentity } from './restore-needs.ts';

const there = z.object({
  superuser: z.boolean(),
  createsDatabases: z.boolean(),
  createsRoles: z.boolean(),
  inRecovery: z.boolean(),
  roles: z.array(z.string()),
  extensions: z.array(z.object({ name: z.string(), version: z.string().nullable() })),
});
const thereQuery = `SELECT r.rolsuper AS superuser, r.rolcreatedb AS "createsDatabases", r.rolcreaterole AS "createsRoles",
    pg_is_in_recovery() AS "inRecovery", (SELECT json_agg(rolname) FROM pg_roles) AS roles,
    (SELECT coalesce(json_agg(json_build_object('name', name, 'version', default_version)), '[]')
      FROM pg_available_extensions) AS extensions
  FROM pg_roles AS r WHERE r.rolname = current_user`;

/** Whether this server could restore a database of another; changes nothing. */
export async function scratchFitness(server: Server, needs: RestoreNeeds): Promise<ScratchFitness> {
  const { psql } = server;
  const version = await server.version();
  const cluster = await clusterIdentity(psql);
  const [found] = await psql.rows(thereQuery, there, { database: psql.maintenanceDatabase });
  const state = found ?? {
    ...{ superuser: false, createsDatabases: false, createsRoles: false, inRecovery: false },
    ...{ roles: [], extensions: [] },
  };
  const missingRoles = needs.roles.filter(({ name }) => !state.roles.includes(name));
  const obstacles: string[] = [];
  const told: string[] = [];

  const sameData = cluster.systemIdentifier === needs.cluster.systemIdentifier;
  if (sameData && cluster.startedAt === needs.cluster.startedAt) {
    obstacles.push('it is the very server that the application’s database is on');
  } else if (sameData) {
    told.push('it began as a copy of the application’s server (same system identifier)');
  }
  if (state.inRecovery) obstacles.push('it is a standby, on which nothing can be created');
  if (version.major < needs.serverMajor) {
    obstacles.push(
      `it is PostgreSQL ${version.text}, older than the application’s ${needs.serverVersion}`,
    );
  } else if (version.major > needs.serverMajor) {
    told.push(
      `it is PostgreSQL ${version.text}, newer than the application’s ${needs.serverVersion}: definitions are compared by name only`,
    );
  }
  if (!state.superuser && !state.createsDatabases) obstacles.push('our role there has no CREATEDB');
  if (!state.superuser && missingRoles.length > 0) {
    obstacles.push(
      `it lacks the roles ${namesOf(missingRoles)}, and our role there is no superuser that could make stand-ins for them`,
    );
  }
  const available = new Map(state.extensions.map(({ name, version: its }) => [name, its]));
  const lacking = needs.extensions.filter(({ name }) => !available.has(name));
  if (lacking.length > 0) obstacles.push(`it lacks the extensions ${namesOf(lacking)}`);
  for (const { name, version: wanted } of needs.extensions) {
    const its = available.get(name);
    if (its !== undefined && its !== wanted) {
      told.push(
        `it has the extension ${name} in version ${its ?? 'unknown'}, the application in ${wanted}`,
      );
    }
  }
  if (needs.tablespaces.length > 0) {
    told.push(`tablespaces (${needs.tablespaces.join(', ')}) are not used there`);
  }
  return { serverVersion: version.text, obstacles, told, missingRoles };
}

function namesOf(list: readonly { readonly name: string }[]): string {
  return list.map(({ name }) => JSON.stringify(name)).join(', ');
}
