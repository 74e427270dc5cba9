import { z } from 'zod';
import type { RowCounts } from '../../ports/dump-manifest.ts';
import type { DatabaseContents } from '../../ports/database-contents.ts';
import { beginReading, type Reading } from './contents/contents.ts';
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
  /** Everything else that is in the snapshot, when it was asked for. */
  readonly contents: DatabaseContents | undefined;
}

export interface SnapshotOptions {
  readonly windowId: string;
  /** Whether everything in the snapshot is read, by so many sessions, and not only counted. */
  readonly contents: boolean;
  readonly jobs: number;
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

/** Of the tables that a dump holds, the rows as they were counted when they were hashed. */
function rowsOf(tables: readonly CountedTable[], hashed: DatabaseContents['tables']): RowCounts {
  return Object.fromEntries(tables.map(({ name }) => [name, hashed[name]?.rows ?? 0]));
}

/**
 * Dumps a snapshot and counts in the same one meanwhile; the first of the two that fails ends the other.
 * @param begin starts pg_dump on the exported snapshot of this name
 */
export async function dumpAndCount(
  server: Server,
  { windowId, contents, jobs }: SnapshotOptions,
  begin: (snapshot: string) => Promise<RunningDump>,
): Promise<Dumped> {
  const { psql } = server;
  const application = dumpApplication(windowId);
  const session = await psql.start({
    settings: { ...readerSettings, application_name: application },
  });
  let reading: Reading | undefined;
  const giveUp = async (): Promise<void> => {
    await Promise.all([session.abort(), reading?.abort()]);
  };
  try {
    await session.query(beginSnapshot);
    const [snapshot = ''] = await session.query('SELECT pg_export_snapshot()');
    const tables = await listTables(session);
    if (contents) {
      const { database } = psql;
      reading = await beginReading(server, session, { database, jobs, snapshot, application });
    }
    const dump = await begin(snapshot);
    let firstError: unknown;
    const finished = dump.finished.catch(async (error: unknown) => {
      firstError ??= error;
      await giveUp();
    });
    const counting = async (): Promise<Omit<Dumped, 'contents'>> => ({
      tables,
      rows:
        reading === undefined
          ? await countTables(session, tables)
          : rowsOf(tables, await reading.hashed()),
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
    return { ...counted, contents: await reading?.finish() };
  } finally {
    await giveUp();
  }
}
