import { z } from 'zod';
import type { DatabaseIdentity } from '../../ports/database.ts';
import { fail, FailureError } from '../../ports/failure.ts';
import { identify, identityQuery, identityRow, invalidConnectionLimit } from './identity.ts';
import { quoteDollar, quoteIdentifier, quoteLiteral } from './quoting.ts';
import type { Server } from './server.ts';
import { StatementError } from './statement-failure.ts';

/** The part in every name of a database that we made or set aside; no other is ever dropped. */
export const ownNamePart = '_mw_';

/** Seconds between two looks at statements of ours that were left. */
const pollSeconds = 0.05;

const surroundings = z.object({
  leftovers: z.int(),
  there: identityRow.nullable(),
  collationVersion: z.string().nullable(),
});

/** Statements of ours that create or drop a database of this name still; ended, and counted for the next query. */
function endingLeftovers({ connection }: Server, database: string): string {
  const application = connection.environment(database).PGAPPNAME ?? '';
  return `DO ${quoteDollar(`BEGIN
    PERFORM set_config('mw.leftovers', (SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
      WHERE application_name = ${quoteLiteral(application)} AND usename = current_user AND pid <> pg_backend_pid()
        AND state = 'active' AND query ~ '^(CREATE|DROP|ALTER) DATABASE '
        AND strpos(query, ${quoteLiteral(quoteIdentifier(database))}) > 0)::text, false);
  END`)}`;
}

/**
 * A client killed by force leaves its statement running on the server. Ends what we ourselves still have at work on
 * a database of this name (same role, same application name), so that nothing appears or goes after we have looked.
 * @returns what has that name then, and the collation version that the catalogue has of `source`
 */
async function lookAround(
  server: Server,
  database: string,
  source: string,
): Promise<{ there: DatabaseIdentity | undefined; collationVersion: string | null }> {
  const { psql, clock } = server;
  const version = (await server.version()).major >= 15 ? 'datcollversion' : 'NULL::text';
  const query = `SELECT current_setting('mw.leftovers')::int AS leftovers,
    (SELECT row_to_json(found) FROM (${identityQuery(`datname = ${quoteLiteral(database)}`)}) AS found) AS there,
    (SELECT ${version} FROM pg_database WHERE datname = ${quoteLiteral(source)}) AS "collationVersion"`;
  const deadline = clock.monotonicSeconds() + 30;
  for (;;) {
    const [row] = await psql.rows(query, surroundings, {
      database: psql.maintenanceDatabase,
      // A statement of its own: the look comes after what was still at work has ended.
      first: [endingLeftovers(server, database)],
    });
    if (row?.leftovers === 0)
      return { there: row.there ?? undefined, collationVersion: row.collationVersion };
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

/**
 * Removes what an interrupted CREATE or DROP DATABASE left under the name; refuses a whole database there.
 * @returns what the catalogue has of the database that is to be copied
 */
export async function makeRoomFor(
  server: Server,
  database: string,
  source = database,
): Promise<{ readonly collationVersion: string | null }> {
  const { there, collationVersion } = await lookAround(server, database, source);
  if (there === undefined) return { collationVersion };
  if (there.connectionLimit !== invalidConnectionLimit) {
    fail({
      code: 'database-exists',
      message: `There is a database ${JSON.stringify(database)} already (oid ${there.oid}).`,
      state: 'It was not touched; nothing was created.',
      next: 'Find out what it holds; drop or rename it if nobody needs it, then run the step again.',
    });
  }
  await drop(server, database);
  return { collationVersion };
}

function missing(database: string): never {
  return fail({
    code: 'database-missing',
    message: `The server reported success, but there is no database ${JSON.stringify(database)}.`,
    state: 'Nobody else’s database was touched by us.',
    next: 'Look who else works on this server, then run the step again.',
  });
}

/**
 * Has the server write what it changed in memory. Superusers may ask, and pg_checkpoint (since 15). Who may create databases gets one as
 * well: a copy of files begins with it, whatever it copies (manual, CREATE DATABASE: FILE_COPY), and the empty
 * template is small.
 */
export async function checkpoint(
  server: Server,
  scratch?: string,
): Promise<'asked' | 'by-a-copy' | 'not-allowed'> {
  const { psql } = server;
  const on = { database: psql.maintenanceDatabase };
  if (await isPermitted(psql.execute('CHECKPOINT', on))) return 'asked';
  if (scratch === undefined) return 'not-allowed';
  const { major } = await server.version();
  // A killed run may have left one.
  await drop(server, scratch);
  try {
    const strategy = major >= 15 ? ' STRATEGY FILE_COPY' : '';
    const copy = `CREATE DATABASE ${quoteIdentifier(scratch)} TEMPLATE template0${strategy} ALLOW_CONNECTIONS false`;
    return (await isPermitted(psql.execute(copy, on))) ? 'by-a-copy' : 'not-allowed';
  } finally {
    await drop(server, scratch);
  }
}

async function isPermitted(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof StatementError && error.failure.code === 'database-permission-denied')
      return false;
    throw error;
  }
}

/** Whether a copy has the size that a file copy must have; the server may add or drop small cache files meanwhile. */
export function sizesAgree(sourceBytes: number, copyBytes: number): boolean {
  return Math.abs(sourceBytes - copyBytes) <= 1024 * 1024 + sourceBytes * 0.01;
}

/**
 * Lets the file system share the blocks of both copies where it can (`file_copy_method`, since 18; manual, 19.4.2). A
 * server whose system has no call for it does not have the value `clone`.
 */
const fileCopyByClone = `DO ${quoteDollar(
  `BEGIN
    IF (SELECT 'clone' = ANY (enumvals) FROM pg_catalog.pg_settings WHERE name = 'file_copy_method') THEN
      PERFORM pg_catalog.set_config('file_copy_method', 'clone', false);
    END IF;
  END`,
)}`;

/** What makes a copy of a database, by what its server can do. Before 18 every byte is read and written. */
export function cloneStatements(
  source: string,
  target: string,
  facts: { readonly serverMajor: number; readonly collationVersion: string | null },
): readonly string[] {
  const { serverMajor, collationVersion } = facts;
  return [
    ...(serverMajor >= 18 ? [fileCopyByClone] : []),
    [
      `CREATE DATABASE ${quoteIdentifier(target)} TEMPLATE ${quoteIdentifier(source)}`,
      ...(serverMajor >= 15 ? ['STRATEGY FILE_COPY'] : []),
      // Otherwise the server refuses a template whose collations have changed under it since (manual, CREATE DATABASE).
      ...(collationVersion === null ? [] : [`COLLATION_VERSION ${quoteLiteral(collationVersion)}`]),
      'ALLOW_CONNECTIONS false',
    ].join(' '),
  ];
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
  const { collationVersion } = await makeRoomFor(server, target, source);
  const rows = await psql.rows(
    identityQuery(`datname IN (${quoteLiteral(source)}, ${quoteLiteral(target)})`),
    identityRow,
    {
      database: psql.maintenanceDatabase,
      first: cloneStatements(source, target, { serverMajor: major, collationVersion }),
    },
  );
  const original = rows.find(({ name }) => name === source) ?? missing(source);
  const copy = rows.find(({ name }) => name === target) ?? missing(target);
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
  const [after] = await psql.rows(
    `SELECT oid::bigint AS oid, coalesce(current_setting('mw.renamed'), '') AS before
     FROM pg_database WHERE datname = ${quoteLiteral(to)}`,
    z.object({ oid: z.int(), before: z.string() }),
    {
      database: psql.maintenanceDatabase,
      first: [
        `DO ${quoteDollar(
          `BEGIN PERFORM set_config('mw.renamed', coalesce((SELECT oid::text FROM pg_database WHERE datname = ${quoteLiteral(from)}), ''), false); END`,
        )}`,
        `ALTER DATABASE ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`,
      ],
    },
  );
  if (after === undefined) return missing(to);
  if (String(after.oid) !== after.before) {
    fail({
      code: 'database-rename-unproved',
      message: `After the rename of ${JSON.stringify(from)} the name ${JSON.stringify(to)} means another database (oid ${after.oid}, not ${after.before}).`,
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
  const { there } = await lookAround(server, database, database);
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
