import type {
  CatalogueObject,
  DatabaseContents,
  RowHash,
  SequencePosition,
  TableContents,
} from '../../../ports/database-contents.ts';
import type { PsqlSession } from '../psql.ts';
import type { Server } from '../server.ts';
import { readCatalogue } from './catalogue.ts';
import { hashLargeObjects } from './large-objects.ts';
import { hashTables, hashWork, rowHashOf, type HashedTable } from './row-hashes.ts';
import { readSequences } from './sequences.ts';
import { startReader, type ReaderOptions } from './snapshot.ts';

export interface ContentsOptions extends ReaderOptions {
  /** Sessions that hash at once. */
  readonly jobs: number;
  /** Default: the best that the server can. */
  readonly rowHash?: RowHash | undefined;
}

/** A reading that has begun: definitions and sequences are known, the hashing of rows goes on. */
export interface Reading {
  /** Ends it at once; `hashed` and `finish` then fail. */
  abort(): Promise<void>;
  /**
   * Waits for the hashes of all rows; the snapshot is still held.
   * @throws FailureError `database-…`
   */
  hashed(): Promise<DatabaseContents['tables']>;
  /**
   * Looks once more at what no snapshot holds, which ends the snapshot; after whatever else is done in it.
   * @throws FailureError `database-…`
   */
  finish(): Promise<DatabaseContents>;
}

/** Everything that a database holds now. */
export async function readContents(
  server: Server,
  options: ContentsOptions,
): Promise<DatabaseContents> {
  const leader = await startReader(server.psql, options);
  try {
    const [snapshot = ''] = await leader.query('SELECT pg_export_snapshot()');
    return await (await beginReading(server, leader, { ...options, snapshot })).finish();
  } finally {
    await leader.abort();
  }
}

/**
 * Begins to read in a snapshot that `leader` has exported and keeps; rows are hashed by sessions of their own, so that a
 * dump of the same snapshot can run meanwhile. The leader belongs to the reading until it is finished.
 */
export async function beginReading(
  server: Server,
  leader: PsqlSession,
  options: ContentsOptions & { readonly snapshot: string },
): Promise<Reading> {
  const { major } = await server.version();
  const rowHash = options.rowHash ?? rowHashOf(major);
  const catalogue = await readCatalogue(leader, major);
  const sequences = await readSequences(leader);
  const queue: (readonly HashedTable[] | 'large objects')[] = [
    ...(await hashWork(leader)),
    'large objects',
  ];
  const tables: [string, TableContents][] = [];
  const views: [string, TableContents][] = [];
  let largeObjects: DatabaseContents['largeObjects'] = {};

  const sessions: PsqlSession[] = [];
  let isAborted = false;
  const abort = async (): Promise<void> => {
    isAborted = true;
    queue.length = 0;
    await Promise.all(sessions.map((session) => session.abort()));
  };
  const work = async (): Promise<void> => {
    const session = await startReader(server.psql, options, options.snapshot);
    sessions.push(session);
    if (isAborted) await session.abort();
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        if (next === 'large objects') {
          largeObjects = await hashLargeObjects(session);
          continue;
        }
        for (const [{ name, kind }, contents] of await hashTables(session, next, rowHash)) {
          (kind === 'table' ? tables : views).push([name, contents]);
        }
      }
    } finally {
      await session.abort();
    }
  };
  const workers = Array.from({ length: Math.min(options.jobs, queue.length) }, work);
  const worked = Promise.all(workers).then(
    () => undefined,
    async (error: unknown) => {
      await abort();
      await Promise.allSettled(workers);
      return error instanceof Error ? error : new Error(String(error));
    },
  );

  const hashed = async (): Promise<DatabaseContents['tables']> => {
    const error = await worked;
    if (error !== undefined) throw error;
    return byName(tables);
  };

  return {
    abort,
    hashed,
    async finish() {
      const hashedTables = await hashed();
      await leader.query('ROLLBACK');
      await leader.query('BEGIN READ ONLY');
      return {
        schemaVersion: 1,
        serverMajor: major,
        rowHash,
        catalogue,
        sequences,
        tables: hashedTables,
        views: byName(views),
        largeObjects,
        later: {
          catalogue: changed(catalogue, await readCatalogue(leader, major)),
          sequences: changed<SequencePosition>(sequences, await readSequences(leader)),
        },
      };
    },
  };
}

function byName<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What is otherwise than it was; `null` for what is gone. */
function changed<T extends CatalogueObject | SequencePosition>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
): Record<string, T | null> {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const now = after[name] ?? null;
      return JSON.stringify(before[name] ?? null) === JSON.stringify(now) ? [] : [[name, now]];
    }),
  );
}
