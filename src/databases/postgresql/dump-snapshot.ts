import { z } from 'zod';
import type { RowCounts } from '../../ports/database.ts';
import { dumpApplication } from './dump-application.ts';
import { rolesQuery } from './dump-roles.ts';
import { peculiaritiesQuery, peculiaritiesSchema, type Peculiarities } from './peculiarities.ts';
import type { PsqlSession } from './psql.ts';
import { quoteLiteral } from './quoting.ts';
import {
  beginSnapshot,
  countTables,
  listTables,
  readerSettings,
  type CountedTable,
} from './row-counts.ts';
import type { Server } from './server.ts';

/** What is known when pg_dump and the counts in its snapshot are through. */
export interface Dumped extends Peculiarities {
  readonly tables: readonly CountedTable[];
  readonly rows: RowCounts;
  readonly roles: readonly string[];
}

/** A pg_dump at work. */
export interface RunningDump {
  /** Rejects when the dump is not whole. */
  readonly finished: Promise<void>;
  /** Ends it; `finished` then rejects soon. */
  end(): Promise<void>;
}

/** Ends what a window's earlier dump, or this one, has connected: a pg_dump whose parent was killed goes on by itself. */
export async function endDumpSessions({ psql }: Server, windowId: string): Promise<void> {
  await psql.rows(
    `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
     WHERE application_name = ${quoteLiteral(dumpApplication(windowId))}
       AND datname = ${quoteLiteral(psql.database)} AND usename = current_user`,
    z.object({ ended: z.boolean() }),
    { database: psql.maintenanceDatabase },
  );
}

async function readJson<T>(session: PsqlSession, query: string, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(JSON.parse((await session.query(query)).join('\n')));
}

/**
 * Dumps a snapshot and counts in the same one meanwhile; the first of the two that fails ends the other.
 * @param begin starts pg_dump on the exported snapshot of this name
 */
export async function dumpAndCount(
  server: Server,
  windowId: string,
  begin: (snapshot: string) => Promise<RunningDump>,
): Promise<Dumped> {
  const session = await server.psql.start({
    settings: { ...readerSettings, application_name: dumpApplication(windowId) },
  });
  try {
    await session.query(beginSnapshot);
    const [snapshot = ''] = await session.query('SELECT pg_export_snapshot()');
    const tables = await listTables(session);
    const dump = await begin(snapshot);
    let firstError: unknown;
    const finished = dump.finished.catch(async (error: unknown) => {
      firstError ??= error;
      await session.abort();
    });
    const counting = async (): Promise<Dumped> => ({
      tables,
      rows: await countTables(session, tables),
      roles: await readJson(session, rolesQuery, z.array(z.string())),
      ...(await readJson(session, peculiaritiesQuery, peculiaritiesSchema)),
    });
    const counted = await counting().catch(async (error: unknown) => {
      firstError ??= error;
      await dump.end();
      return undefined;
    });
    await finished;
    if (firstError !== undefined || counted === undefined) throw firstError;
    return counted;
  } finally {
    await session.abort();
  }
}
