import { z } from 'zod';
import type { DatabaseIdentity } from '../../ports/database.ts';
import { fail, FailureError } from '../../ports/failure.ts';
import { identify, invalidConnectionLimit } from './identity.ts';
import { quoteIdentifier, quoteLiteral } from './quoting.ts';
import type { Server } from './server.ts';

/** The part in every name of a database that we made or set aside; no other is ever dropped. */
export const ownNamePart = '_mw_';

/** Seconds between two looks at the sessions that we ended. */
const pollSeconds = 0.05;

const session = z.object({
  pid: z.int(),
  user: z.string(),
  application: z.string(),
  ended: z.boolean(),
});

/** Asks all sessions on a database to end; autovacuum's leave by themselves. */
function terminateQuery(database: string): string {
  return `SELECT pid, coalesce(usename, '') AS "user", coalesce(application_name, '') AS application,
      pg_terminate_backend(pid) AS ended
    FROM pg_stat_activity
    WHERE datname = ${quoteLiteral(database)} AND pid <> pg_backend_pid() AND usesysid IS NOT NULL`;
}

/**
 * Ends all other sessions on a database and waits until they are gone.
 * @returns how many were ended
 * @throws FailureError `database-sessions-stay`; StatementError, for instance without the right to end them
 */
export async function endSessions(
  server: Server,
  database: string,
  withinSeconds: number,
): Promise<number> {
  const { psql, clock } = server;
  const deadline = clock.monotonicSeconds() + withinSeconds;
  const ended = new Set<number>();
  for (;;) {
    const left = await psql.rows(terminateQuery(database), session, {
      database: psql.maintenanceDatabase,
    });
    if (left.length === 0) return ended.size;
    for (const { pid } of left) ended.add(pid);
    if (clock.monotonicSeconds() >= deadline) {
      const names = left
        .slice(0, 5)
        .map(
          ({ pid, user, application }) => `${pid} (${user}${application && `, ${application}`})`,
        );
      fail({
        code: 'database-sessions-stay',
        message: `${left.length} sessions are still on database ${JSON.stringify(database)} ${withinSeconds} seconds after we began to end them: ${names.join('; ')}.`,
        state: 'The database is unchanged; other sessions on it were ended.',
        next: 'Stop what connects again and again (or disallow connections first), then run the step again.',
      });
    }
    await clock.wait(pollSeconds);
  }
}

/**
 * A client killed by force leaves its statement running on the server. Ends what we ourselves still have at work on
 * a database of this name (same role, same application name), so that nothing appears or goes after we have looked.
 */
async function endOwnLeftovers(server: Server, database: string): Promise<void> {
  const { psql, connection, clock } = server;
  const name = quoteIdentifier(database);
  const application = connection.environment(database).PGAPPNAME ?? '';
  const query = `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
    WHERE application_name = ${quoteLiteral(application)} AND usename = current_user AND pid <> pg_backend_pid()
      AND state = 'active' AND query ~ '^(CREATE|DROP|ALTER) DATABASE ' AND strpos(query, ${quoteLiteral(name)}) > 0`;
  const deadline = clock.monotonicSeconds() + 30;
  for (;;) {
    const left = await psql.rows(query, z.object({ ended: z.boolean() }), {
      database: psql.maintenanceDatabase,
    });
    if (left.length === 0) return;
    if (clock.monotonicSeconds() >= deadline) {
      fail({
        code: 'database-sessions-stay',
        message: `An earlier run of ours is still creating or dropping database ${JSON.stringify(database)}, and does not end.`,
        state: 'Nothing else was changed.',
        next: 'Look in pg_stat_activity for it, wait until it is gone, then run the step again.',
      });
    }
    await clock.wait(pollSeconds);
  }
}

/** Removes what an interrupted CREATE or DROP DATABASE left under the name; refuses a whole database there. */
export async function makeRoomFor(server: Server, database: string): Promise<void> {
  await endOwnLeftovers(server, database);
  const there = await identify(server.psql, { name: database });
  if (there === undefined) return;
  if (there.connectionLimit !== invalidConnectionLimit) {
    fail({
      code: 'database-exists',
      message: `There is a database ${JSON.stringify(database)} already (oid ${there.oid}).`,
      state: 'It was not touched; nothing was created.',
      next: 'Find out what it holds; drop or rename it if nobody needs it, then run the step again.',
    });
  }
  await drop(server, database);
}

/** The database that must be there now. */
async function found(server: Server, database: string): Promise<DatabaseIdentity> {
  const identity = await identify(server.psql, { name: database });
  if (identity !== undefined) return identity;
  fail({
    code: 'database-missing',
    message: `The server reported success, but there is no database ${JSON.stringify(database)}.`,
    state: 'Nobody else’s database was touched by us.',
    next: 'Look who else works on this server, then run the step again.',
  });
}

/** Whether a copy has the size that a file copy must have; the server may add or drop small cache files meanwhile. */
export function sizesAgree(sourceBytes: number, copyBytes: number): boolean {
  return Math.abs(sourceBytes - copyBytes) <= 1024 * 1024 + sourceBytes * 0.01;
}

/**
 * Copies a database, file by file where the server can (manual, CREATE DATABASE: STRATEGY, since 15); the copy
 * allows no connections. The source must have no sessions.
 */
export async function clone(
  server: Server,
  source: string,
  target: string,
): Promise<DatabaseIdentity> {
  const { psql } = server;
  const { major } = await server.version();
  await makeRoomFor(server, target);
  const strategy = major >= 15 ? ' STRATEGY FILE_COPY' : '';
  await psql.execute(
    `CREATE DATABASE ${quoteIdentifier(target)} TEMPLATE ${quoteIdentifier(source)}${strategy} ALLOW_CONNECTIONS false`,
    { database: psql.maintenanceDatabase },
  );
  const original = await found(server, source);
  const copy = await found(server, target);
  if (!sizesAgree(original.bytes, copy.bytes) || copy.allowsConnections) {
    fail({
      code: 'database-clone-incomplete',
      message: `The copy ${JSON.stringify(target)} has ${copy.bytes} bytes, its source ${JSON.stringify(source)} has ${original.bytes}.`,
      state: 'The source is unchanged; the copy is there but not to be trusted.',
      next: `Drop ${JSON.stringify(target)}, check the server’s disk and log, then run the step again.`,
    });
  }
  return copy;
}

/** Gives a database another name; nobody may be connected to it. */
export async function rename(server: Server, from: string, to: string): Promise<void> {
  const { psql } = server;
  const before = await found(server, from);
  await psql.execute(`ALTER DATABASE ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`, {
    database: psql.maintenanceDatabase,
  });
  const after = await found(server, to);
  if (after.oid !== before.oid) {
    fail({
      code: 'database-rename-unproved',
      message: `After the rename of ${JSON.stringify(from)} the name ${JSON.stringify(to)} means another database (oid ${after.oid}, not ${before.oid}).`,
      state: 'Somebody else renames databases on this server at the same time.',
      next: 'Look at pg_database, and keep the application closed until the names are right.',
    });
  }
}

/**
 * Drops a database of ours, with whoever is connected to it; quiet when there is none.
 * @throws FailureError `database-drop-refused` for a name that is not one of ours
 */
export async function drop(server: Server, database: string): Promise<void> {
  const { psql } = server;
  if (!database.includes(ownNamePart) || database === psql.database) {
    fail({
      code: 'database-drop-refused',
      message: `Database ${JSON.stringify(database)} is not one that a window made or set aside (${ownNamePart} in its name), so it is not dropped.`,
      state: 'Nothing was dropped.',
      next: 'Drop it by hand if that is really meant.',
    });
  }
  await endOwnLeftovers(server, database);
  const there = await identify(psql, { name: database });
  if (there === undefined) return;
  const options = { database: psql.maintenanceDatabase };
  const name = quoteIdentifier(database);
  if (there.connectionLimit !== invalidConnectionLimit) {
    const [row] = await psql.rows(
      `SELECT datistemplate AS template FROM pg_database WHERE oid = ${there.oid}`,
      z.object({ template: z.boolean() }),
      options,
    );
    if (row?.template === true)
      await psql.execute(`ALTER DATABASE ${name} IS_TEMPLATE false`, options);
  }
  await psql.execute(`DROP DATABASE ${name} WITH (FORCE)`, options);
  const left = await identify(psql, { oid: there.oid });
  if (left !== undefined) {
    throw new FailureError({
      code: 'database-drop-unproved',
      message: `The server reported success, but database ${JSON.stringify(left.name)} (oid ${left.oid}) is still there.`,
      state: 'The database is still there.',
      next: 'Look at the server’s log, then drop it by hand.',
    });
  }
}
