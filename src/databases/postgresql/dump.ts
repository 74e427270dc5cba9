import { posix } from 'node:path';
import { z } from 'zod';
import type { Database, DumpManifest, RowCounts } from '../../ports/database.ts';
import { fail, failureOf, FailureError } from '../../ports/failure.ts';
import type { DatabaseContents } from '../../ports/database-contents.ts';
import type { CommandResult } from '../../ports/host.ts';
import { writeContents } from './contents/contents-file.ts';
import { beginReading, type Reading } from './contents/contents.ts';
import { dumpApplication } from './dump-application.ts';
import { describeFiles, overallSha256, writeManifest, type DumpFile } from './dump-files.ts';
import { rolesQuery } from './dump-roles.ts';
import { readProperties } from './properties.ts';
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
import { statementError } from './statement-failure.ts';

export type DumpOptions = Parameters<Database['dump']>[0];

/** Files of a dump are for nobody but us; the script is constant, the command comes as its arguments. */
const privately = ['sh', '-c', 'umask 077; exec "$@"', 'sh'] as const;

/** What is known when pg_dump and the counts in its snapshot are through. */
interface Dumped {
  readonly tables: readonly CountedTable[];
  readonly rows: RowCounts;
  readonly roles: readonly string[];
  /** Everything else that is in the snapshot, when it was asked for. */
  readonly contents: DatabaseContents | undefined;
}

/** A pg_dump whose parent was killed goes on by itself; that of the same window is ended. */
async function endEarlierDump(server: Server, windowId: string): Promise<void> {
  const { psql } = server;
  await psql.rows(
    `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
     WHERE application_name = ${quoteLiteral(dumpApplication(windowId))}
       AND datname = ${quoteLiteral(psql.database)} AND usename = current_user`,
    z.object({ ended: z.boolean() }),
    { database: psql.maintenanceDatabase },
  );
}

/** Removes what killed runs left of a dump with the same target. */
async function removePartials({ host }: Server, directory: string): Promise<void> {
  const folder = posix.dirname(directory);
  const prefix = `${posix.basename(directory)}.`;
  for (const name of await host.list(folder)) {
    if (name.startsWith(prefix) && name.endsWith('.partial')) {
      await host.remove(posix.join(folder, name));
    }
  }
}

function progressOf(options: DumpOptions): { onStderrLine?: (line: string) => void } {
  const { onProgress } = options;
  if (onProgress === undefined) return {};
  return {
    onStderrLine: (line) => {
      const match = /dumping contents of table (.+)$/.exec(line);
      if (match !== null) onProgress(`dumping ${match[1] ?? ''}`);
    },
  };
}

async function readRoles(session: PsqlSession): Promise<readonly string[]> {
  const text = (await session.query(rolesQuery)).join('\n');
  return z.array(z.string()).parse(JSON.parse(text));
}

/** Of the tables that a dump holds, the rows as they were counted when they were hashed. */
function rowsOf(tables: readonly CountedTable[], hashed: DatabaseContents['tables']): RowCounts {
  return Object.fromEntries(tables.map(({ name }) => [name, hashed[name]?.rows ?? 0]));
}

/** Dumps into `partial` and counts in the same snapshot; the first of the two that fails ends the other. */
async function dumpAndCount(
  server: Server,
  partial: string,
  options: DumpOptions,
): Promise<Dumped> {
  const { host, psql } = server;
  const session = await psql.start({
    settings: { ...readerSettings, application_name: dumpApplication(options.windowId) },
  });
  let reading: Reading | undefined;
  const giveUp = async (): Promise<void> => {
    await Promise.all([session.abort(), reading?.abort()]);
  };
  try {
    await session.query(beginSnapshot);
    const [snapshot = ''] = await session.query('SELECT pg_export_snapshot()');
    const tables = await listTables(session);
    if (options.contents === true) {
      reading = await beginReading(server, session, {
        ...{ database: psql.database, jobs: options.jobs, snapshot },
        application: dumpApplication(options.windowId),
      });
    }
    const client = await server.client(
      'pg_dump',
      [
        ...['--no-password', '--verbose', '--format=directory', '--compress=1'],
        ...[`--jobs=${options.jobs}`, `--snapshot=${snapshot}`, `--file=${partial}`],
        // A waiting dump would queue the application's own statements behind it.
        '--lock-wait-timeout=60s',
      ],
      psql.database,
    );
    const dump = await host.start({
      argv: [...privately, ...client.argv],
      env: { ...client.env, PGAPPNAME: dumpApplication(options.windowId) },
      ...progressOf(options),
    });
    let firstError: unknown;
    const finished = dump.end().then(
      async (result: CommandResult) => {
        if (result.exitCode === 0) return;
        firstError ??= statementError(`Dumping database ${JSON.stringify(psql.database)}`, result);
        await giveUp();
      },
      async (error: unknown) => {
        firstError ??= error;
        await giveUp();
      },
    );
    const counting = async (): Promise<Omit<Dumped, 'contents'>> => ({
      tables,
      rows:
        reading === undefined
          ? await countTables(session, tables)
          : rowsOf(tables, await reading.hashed()),
      roles: await readRoles(session),
    });
    const counted = await counting().catch(async (error: unknown) => {
      firstError ??= error;
      await dump.kill();
      return undefined;
    });
    await finished;
    if (firstError !== undefined || counted === undefined) throw firstError;
    return { ...counted, contents: await reading?.finish() };
  } finally {
    await giveUp();
  }
}

/** The number of entries in the table of contents; refuses a dump that lacks tables or their data. */
async function checkContents(server: Server, partial: string, dumped: Dumped): Promise<number> {
  const { host, psql } = server;
  const client = await server.client('pg_restore', ['--list', partial], psql.database);
  const result = await host.run({ argv: client.argv, env: client.env });
  if (result.exitCode !== 0) throw statementError('Reading the dump’s table of contents', result);
  const entries = result.stdout.split('\n').filter((line) => /^\d+; /.test(line));
  const withData = entries.filter((line) => /^\d+; \d+ \d+ TABLE DATA /.test(line)).length;
  const tables = dumped.tables.length;
  if (entries.length === 0 && tables === 0) {
    // An empty dump is what users of other tools kept for weeks; more likely than an empty application is a wrong URL.
    fail({
      code: 'database-empty',
      message: `Database ${JSON.stringify(psql.database)} holds nothing at all, so there is nothing to back up.`,
      state: 'The database was only read.',
      next: 'Check that the database URL names the application’s database.',
    });
  }
  if (withData < tables || entries.length === 0) {
    fail({
      code: 'database-dump-incomplete',
      message: `The dump holds the data of ${withData} tables, the database has ${tables}; the table of contents has ${entries.length} entries.`,
      state: 'The database was only read.',
      next: 'Look at the rights of the role and at extensions that keep tables out of dumps, then run the step again.',
    });
  }
  return entries.length;
}

function refuseEmpty(files: readonly DumpFile[]): void {
  const toc = files.find(({ name }) => name === 'toc.dat');
  if (toc !== undefined && toc.bytes > 0) return;
  fail({
    code: 'database-dump-incomplete',
    message: 'pg_dump reported success but wrote no table of contents.',
    state: 'The database was only read.',
    next: 'Look at the disk and at the client programs, then run the step again.',
  });
}

/** What becomes of an error once the partial dump is away. */
async function withoutPartial(
  { host }: Server,
  partial: string,
  error: unknown,
): Promise<FailureError> {
  const failure = failureOf(error);
  const free = await host.freeBytes(posix.dirname(partial)).catch(() => undefined);
  const left = await host.remove(partial).then(
    () => 'Nothing of the dump is left on disk; the database was only read.',
    () =>
      `A part of the dump is left in ${partial} and could not be removed; the database was only read.`,
  );
  const isFull = failure.code === 'database-disk-full' && free !== undefined;
  return new FailureError(
    {
      ...failure,
      message: isFull
        ? `${failure.message} ${free} bytes were free on the file system of ${posix.dirname(partial)}.`
        : failure.message,
      state: left,
    },
    { cause: error },
  );
}

/**
 * Dumps the application's database in directory format into a folder beside the target, proves it, writes the
 * manifest and renames the folder; the target appears whole or not at all.
 * @throws FailureError, among others `database-client-too-old`, `database-dump-exists`, `database-dump-incomplete`,
 *   `database-empty`, `database-disk-full`, `database-row-security`
 */
export async function dump(server: Server, options: DumpOptions): Promise<DumpManifest> {
  const { host, psql, clock } = server;
  const version = await server.version();
  const programs = await server.programs();
  if (programs.major < version.major) {
    fail({
      code: 'database-client-too-old',
      message: `pg_dump ${programs.versions.pg_dump} cannot dump a server of version ${version.text}.`,
      state: 'Nothing was written.',
      next: `Install the client programs of PostgreSQL ${version.major} or newer.`,
    });
  }
  if ((await host.status(options.directory)) !== undefined) {
    fail({
      code: 'database-dump-exists',
      message: `There is something at ${options.directory} already.`,
      state: 'It was not touched; nothing was written.',
      next: 'Give another folder, or move that one away.',
    });
  }
  await endEarlierDump(server, options.windowId);
  await host.makeDirectory(posix.dirname(options.directory), 0o700);
  await removePartials(server, options.directory);
  const started = clock.monotonicSeconds();
  const startedAt = clock.now().toISOString();
  // Never the same name twice: an earlier pg_dump that is still dying must not write into this one's folder.
  const partial = `${options.directory}.${globalThis.crypto.randomUUID().slice(0, 8)}.partial`;
  try {
    const database = await readProperties(server, psql.database);
    const dumped = await dumpAndCount(server, partial, options);
    const seconds = clock.monotonicSeconds() - started;
    const tocEntries = await checkContents(server, partial, dumped);
    if (dumped.contents !== undefined) await writeContents(host, partial, dumped.contents);
    const files = await describeFiles(host, partial);
    refuseEmpty(files);
    const manifest: DumpManifest = {
      schemaVersion: 1,
      windowId: options.windowId,
      database,
      startedAt,
      seconds,
      format: 'directory',
      serverVersion: version.text,
      dumpVersion: programs.versions.pg_dump,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      sha256: overallSha256(files),
      files,
      tocEntries,
      rows: dumped.rows,
      roles: dumped.roles,
    };
    await writeManifest(host, partial, manifest);
    await host.rename(partial, options.directory);
    return manifest;
  } catch (error) {
    throw await withoutPartial(server, partial, error);
  }
}
