import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { DatabaseProperties } from '../../ports/database.ts';
import { fail } from '../../ports/failure.ts';
import { resetStatements, settingStatement } from './database-settings.ts';
import { grantSteps, revokeStatements, type Grant } from './grants.ts';
import { readProperties, readPropertiesIn } from './properties.ts';
import { quoteIdentifier, quoteLiteral } from './quoting.ts';
import { allowConnectionsStatement } from './seal.ts';
import type { Server } from './server.ts';
import { StatementError } from './statement-failure.ts';

/** Roles among `names` that we may become, so that their grants keep their grantor. */
async function rolesWeMayTake(server: Server, names: readonly string[]): Promise<Set<string>> {
  if (names.length === 0) return new Set();
  const rows = await server.psql.rows(
    `SELECT rolname AS name FROM pg_roles
     WHERE rolname IN (${names.map((name) => quoteLiteral(name)).join(', ')})
       AND pg_has_role(current_user, oid, '${(await server.version()).major >= 16 ? 'SET' : 'MEMBER'}')`,
    z.object({ name: z.string() }),
    { database: server.psql.maintenanceDatabase },
  );
  return new Set(rows.map(({ name }) => name));
}

async function grantStatements(
  server: Server,
  database: string,
  wanted: DatabaseProperties,
  current: DatabaseProperties,
): Promise<string[]> {
  // With the default privileges on both sides there is nothing to do; null cannot be written back.
  if (wanted.grants === null && current.grants === null) return [];
  const owner = wanted.owner;
  const grants: readonly Grant[] = wanted.grants ?? [
    { grantor: owner, grantee: null, privilege: 'TEMPORARY', grantable: false },
    { grantor: owner, grantee: null, privilege: 'CONNECT', grantable: false },
    ...['CREATE', 'TEMPORARY', 'CONNECT'].map((privilege) => ({
      grantor: owner,
      grantee: owner,
      privilege,
      grantable: false,
    })),
  ];
  const steps = grantSteps(database, owner, grants);
  const ours = await rolesWeMayTake(
    server,
    [...new Set(steps.map(({ grantor }) => grantor))].filter((grantor) => grantor !== owner),
  );
  return [
    // Rights by default are not in the catalogue; the owner's are taken too, then given as recorded.
    ...revokeStatements(database, [
      ...(current.grants ?? []),
      { grantor: owner, grantee: owner, privilege: 'ALL', grantable: false },
    ]),
    ...steps.flatMap(({ grantor, statements }) =>
      grantor !== owner && ours.has(grantor)
        ? [`SET LOCAL ROLE ${quoteIdentifier(grantor)}`, ...statements, 'RESET ROLE']
        : statements,
    ),
  ];
}

/** What must be the same again; identity, place and locale are the database's own. */
function comparable(properties: DatabaseProperties, grantors: boolean): unknown {
  const { owner, connectionLimit, isTemplate, comment, grants, settings, securityLabels } =
    properties;
  const shown = grants?.map(({ grantor, ...grant }) => (grantors ? { grantor, ...grant } : grant));
  return {
    owner,
    connectionLimit,
    isTemplate,
    comment,
    grants: shown ?? null,
    settings,
    securityLabels,
  };
}

function differences(wanted: DatabaseProperties, found: DatabaseProperties): string[] {
  const ofWanted = comparable(wanted, false) as Record<string, unknown>;
  const ofFound = comparable(found, false) as Record<string, unknown>;
  return Object.keys(ofWanted).filter((key) => {
    // Default privileges, once written out, stay written out.
    if (key === 'grants' && wanted.grants === null) return false;
    return !isDeepStrictEqual(ofWanted[key], ofFound[key]);
  });
}

/** What gives a database its properties, from those that it has now. */
async function propertyStatements(
  server: Server,
  database: string,
  wanted: DatabaseProperties,
  current: DatabaseProperties,
): Promise<string[]> {
  const name = quoteIdentifier(database);
  const comment = wanted.comment === null ? 'NULL' : quoteLiteral(wanted.comment);
  const ours =
    current.owner === wanted.owner
      ? []
      : [`ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(wanted.owner)}`];
  return [
    ...ours,
    ...(await grantStatements(server, database, wanted, current)),
    ...resetStatements(database, current.settings),
    ...wanted.settings.map((setting) => settingStatement(database, setting)),
    `COMMENT ON DATABASE ${name} IS ${comment}`,
    ...labelStatements(name, wanted, current),
    `ALTER DATABASE ${name} WITH CONNECTION LIMIT ${wanted.connectionLimit} IS_TEMPLATE ${wanted.isTemplate}`,
  ];
}

function labelStatements(
  name: string,
  { securityLabels: wanted }: DatabaseProperties,
  { securityLabels: current }: DatabaseProperties,
): string[] {
  const label = (provider: string, text: string): string =>
    `SECURITY LABEL FOR ${quoteIdentifier(provider)} ON DATABASE ${name} IS ${text}`;
  return [
    ...current
      .filter(({ provider }) => wanted.every((entry) => entry.provider !== provider))
      .map(({ provider }) => label(provider, 'NULL')),
    ...wanted.map((entry) => label(entry.provider, quoteLiteral(entry.label))),
  ];
}

/** How the server says that it will not: a right that lacks, a role or a label's provider that is not there. */
const refusals = new Set(['database-permission-denied', 'database-statement-failed']);

/**
 * Tries whether our role may give a database its own properties again, as after a swap, in a transaction that is
 * rolled back: what a superuser has set for other roles, an owner may not set.
 * @returns the first statement that the server refuses, without its value, and why; `undefined` when it takes all
 */
export async function reapplyObstacle(
  server: Server,
  database: string,
): Promise<string | undefined> {
  const { psql } = server;
  const wanted = await readProperties(server, database);
  // A clone and a restored database begin without settings.
  const statements = await propertyStatements(server, database, wanted, {
    ...wanted,
    settings: [],
    securityLabels: [],
  });
  const session = await psql.start({
    database: psql.maintenanceDatabase,
    settings: { lock_timeout: '5s' },
    timeoutSeconds: 30,
  });
  let statement = 'BEGIN';
  try {
    await session.query(statement);
    for (statement of statements) await session.query(statement);
    return undefined;
  } catch (error) {
    if (!(error instanceof StatementError) || !refusals.has(error.failure.code)) throw error;
    return `${statement.replace(/ TO .*$/s, '')}: ${error.said}`;
  } finally {
    await session.close();
  }
}

/**
 * Gives a database the recorded owner, grants, settings, connection limit, comment and template mark in one
 * transaction, reads them back, and only then sets whether it allows connections.
 * @throws StatementError; FailureError `database-properties-not-restored`
 */
export async function applyProperties(
  server: Server,
  database: string,
  wanted: DatabaseProperties,
): Promise<void> {
  const { psql } = server;
  const { major } = await server.version();
  // One session for all of it: clients that come back all the time make each start of a client dear.
  const session = await psql.start({
    database: psql.maintenanceDatabase,
    settings: { search_path: 'pg_catalog' },
  });
  try {
    const current = await readPropertiesIn(session, major, database);
    const statements = await propertyStatements(server, database, wanted, current);
    await session.query(['BEGIN', ...statements, 'COMMIT'].join(';\n'));
    const different = differences(wanted, await readPropertiesIn(session, major, database));
    if (different.length > 0) {
      fail({
        code: 'database-properties-not-restored',
        message: `Database ${JSON.stringify(database)} did not get back its recorded ${different.join(', ')}.`,
        state: `It is complete otherwise, and ${current.allowsConnections ? 'allows' : 'does not allow'} connections.`,
        next: 'Compare it with the record (`maintenance-window status`) and set these by hand; a role may be missing or ours may lack rights.',
      });
    }
    await session.query(allowConnectionsStatement(database, wanted.allowsConnections));
  } finally {
    await session.close();
  }
}
