import { z } from 'zod';
import type { DatabaseIdentity } from '../../ports/database.ts';
import { FailureError } from '../../ports/failure.ts';
import { rowsOf, type PsqlSession } from './psql.ts';
import { quoteDollar, quoteIdentifier, quoteLiteral } from './quoting.ts';
import type { Server } from './server.ts';

/** A database with fewer bytes is dropped at once: nobody notices. */
const worthBytes = 64 * 1024 * 1024;
/** A relation with fewer goes with the database. */
const leastBytes = 1024 * 1024;
/** Bytes that may go in one transaction, unless one relation alone has more. */
const pieceBytes = 32 * 1024 * 1024;
const mostRelations = 10_000;
/** Seconds after each transaction in which the file system catches up. */
const pauseSeconds = 0.05;
/** Seconds that all pauses together may take. */
const allPausesSeconds = 60;

const relation = z.object({ statement: z.string(), bytes: z.int() });
type Relation = z.infer<typeof relation>;

/**
 * Takes the large relations out of a database of ours that is about to be dropped, a few at a time. To drop it as it is
 * removes all of its files in one go, and the journal of a file system holds up everybody's commit while it frees
 * their blocks, the longer the more there are. Best effort: what is still there goes with DROP DATABASE, which has the
 * last word in any case.
 *
 * One that lets nobody in is opened for this first, to us alone, and never closed again: whoever finds it open knows
 * that it may have lost something.
 */
export async function emptyGently(server: Server, database: DatabaseIdentity): Promise<void> {
  if (database.bytes < worthBytes) return;
  try {
    if (await runsAtLogin(server, database)) return;
    if (!database.allowsConnections) await open(server, database);
    const session = await server.psql.start({
      database: database.name,
      settings: { search_path: 'pg_catalog', lock_timeout: '2s' },
      timeoutSeconds: 600,
    });
    try {
      await dropRelations(server, session, database);
    } finally {
      await session.close();
    }
  } catch (error) {
    // Also a run that is being cancelled hurries on to the end.
    if (!(error instanceof FailureError)) throw error;
  }
}

/** Whether a trigger of the application waits for whoever connects (since 17; manual, 38.1). */
async function runsAtLogin({ psql }: Server, { oid }: DatabaseIdentity): Promise<boolean> {
  const [row] = await psql.rows(
    `SELECT coalesce((to_jsonb(d) ->> 'dathasloginevt')::bool, false) AS runs FROM pg_database AS d WHERE oid = ${oid}`,
    z.object({ runs: z.boolean() }),
    { database: psql.maintenanceDatabase, timeoutSeconds: 30 },
  );
  return row?.runs === true;
}

async function open({ psql }: Server, { name }: DatabaseIdentity): Promise<void> {
  const quoted = quoteIdentifier(name);
  await psql.execute(
    [
      // A copy has not the rights of its original: everybody would get in.
      `REVOKE ALL ON DATABASE ${quoted} FROM PUBLIC`,
      `ALTER DATABASE ${quoted} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT 1`,
    ],
    { database: psql.maintenanceDatabase, timeoutSeconds: 30 },
  );
}

async function dropRelations(
  { clock }: Server,
  session: PsqlSession,
  database: DatabaseIdentity,
): Promise<void> {
  await session.query(preparation(database));
  const pieces = piecesOf(await rowsOf(session).rows(relationsQuery, relation), pieceBytes);
  const pause = Math.min(pauseSeconds, allPausesSeconds / pieces.length);
  for (const piece of pieces) {
    await session.query(dropping(piece));
    await clock.wait(pause);
  }
}

/**
 * Stops unless this is the database that was meant (nobody can rename it any more while we are connected), and unless
 * all its event triggers are off, which are the only code of the application that dropping relations could run. They do
 * not fire for commands on event triggers (manual, 40.1). Those of extensions can be disabled, but not dropped.
 */
function preparation({ oid }: DatabaseIdentity): string {
  return `DO ${quoteDollar(`
  DECLARE
    found text;
  BEGIN
    IF (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) <> ${oid} THEN
      RAISE EXCEPTION 'this is another database';
    END IF;
    FOR found IN SELECT evtname FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D' LOOP
      EXECUTE pg_catalog.format('ALTER EVENT TRIGGER %I DISABLE', found);
    END LOOP;
  END`)}`;
}

/**
 * What can be dropped by itself, in an order in which CASCADE takes along nothing large: views before what they read,
 * children before parents.
 */
const relationsQuery = `WITH RECURSIVE below (ancestor, relation) AS (
    SELECT inhparent, inhrelid FROM pg_inherits
    UNION SELECT b.ancestor, i.inhrelid FROM below AS b JOIN pg_inherits AS i ON i.inhparent = b.relation
  ), found AS MATERIALIZED (
    SELECT c.oid, c.relkind, pg_total_relation_size(c.oid) AS bytes,
      format('DROP %s IF EXISTS %I.%I CASCADE', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
        n.nspname, c.relname) AS statement
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND (pg_has_role(c.relowner, 'USAGE') OR pg_has_role(n.nspowner, 'USAGE'))
      AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  )
  SELECT statement, bytes FROM found WHERE bytes >= ${leastBytes}
  ORDER BY relkind, CASE relkind WHEN 'm' THEN oid::int8 END DESC,
    (SELECT count(*) FROM below WHERE ancestor = oid), bytes DESC
  LIMIT ${mostRelations}`;

/**
 * Neighbours that are small go together, in the order in which they come.
 * @param most bytes of a piece, unless one alone has more
 */
export function piecesOf<T extends { readonly bytes: number }>(
  relations: readonly T[],
  most: number,
): T[][] {
  const pieces: T[][] = [];
  let room = 0;
  for (const each of relations) {
    const last = pieces.at(-1);
    if (last === undefined || each.bytes > room) {
      pieces.push([each]);
      room = most - each.bytes;
    } else {
      last.push(each);
      room -= each.bytes;
    }
  }
  return pieces;
}

/** One transaction; what cannot be dropped alone stays. */
function dropping(piece: readonly Relation[]): string {
  return `DO ${quoteDollar(`
  DECLARE
    statement text;
  BEGIN
    FOREACH statement IN ARRAY ARRAY[${piece.map((each) => quoteLiteral(each.statement)).join(', ')}] LOOP
      BEGIN
        EXECUTE statement;
      EXCEPTION WHEN OTHERS THEN
        NULL;
      END;
    END LOOP;
  END`)}`;
}
