import { posix } from 'node:path';
import type { Database } from '../../ports/database.ts';
import type { DumpManifest } from '../../ports/dump-manifest.ts';
import { fail, failureOf, FailureError } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import { chooseCompression } from './compression.ts';
import { writeContents } from './contents/contents-file.ts';
import { directoryWriter } from './dump-directory.ts';
import { overallSha256, writeManifest } from './dump-files.ts';
import { dumpAndCount, endDumpSessions, type Dumped } from './dump-snapshot.ts';
import { streamWriter } from './dump-stream.ts';
import type { DumpWriter } from './dump-writer.ts';
import { describePeculiarities } from './peculiarities.ts';
import { readProperties } from './properties.ts';
import type { Server } from './server.ts';
import { orderWithoutEvents, readToc, tablesWithData, type TocEntry } from './table-of-contents.ts';

export type DumpOptions = Parameters<Database['dump']>[0];

/** Removes what killed runs left of a dump with the same target. */
async function removePartials(host: Host, directory: string): Promise<void> {
  const folder = posix.dirname(directory);
  const prefix = `${posix.basename(directory)}.`;
  for (const name of await host.list(folder)) {
    if (name.startsWith(prefix) && name.endsWith('.partial')) {
      await host.remove(posix.join(folder, name));
    }
  }
}

/** The table of contents; refuses a dump that lacks tables or their data. */
async function checkContents(
  { psql }: Server,
  writer: DumpWriter,
  dumped: Dumped,
): Promise<readonly TocEntry[]> {
  const entries = readToc(await writer.toc());
  const withData = tablesWithData(entries);
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
  return entries;
}

/** What becomes of an error once the partial dump is away. */
async function withoutPartial(host: Host, partial: string, error: unknown): Promise<FailureError> {
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
 * Dumps the application's database into a folder beside the target, in directory format or as a stream to another host,
 * proves it, writes the manifest and renames the folder; the target appears whole or not at all.
 * @throws FailureError, among others `database-client-too-old`, `database-dump-exists`, `database-dump-incomplete`,
 *   `database-empty`, `database-disk-full`, `database-row-security`, `database-compression-unsupported`
 */
export async function dump(server: Server, options: DumpOptions): Promise<DumpManifest> {
  const { psql, clock } = server;
  const { directory, windowId } = options;
  const keeper = options.keeper ?? server.host;
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
  if ((await keeper.status(directory)) !== undefined) {
    fail({
      code: 'database-dump-exists',
      message: `There is something at ${directory} already.`,
      state: 'It was not touched; nothing was written.',
      next: 'Give another folder, or move that one away.',
    });
  }
  await endDumpSessions(server, windowId);
  await keeper.makeDirectory(posix.dirname(directory), 0o700);
  await removePartials(keeper, directory);
  // Never the same name twice: an earlier pg_dump that is still dying must not write into this one's folder.
  const partial = `${directory}.${globalThis.crypto.randomUUID().slice(0, 8)}.partial`;
  try {
    const { method, choice } = await chooseCompression(server, keeper, options);
    const started = clock.monotonicSeconds();
    const startedAt = clock.now().toISOString();
    const database = await readProperties(server, psql.database);
    const { encryption } = options;
    const how = {
      ...{ partial, windowId, jobs: options.jobs, compression: method },
      ...{ encryption, onProgress: options.onProgress },
    };
    const writer =
      options.keeper === undefined
        ? directoryWriter(server, how)
        : streamWriter(server, options.keeper, how);
    const contents = options.contents === true;
    const snapshotOptions = { windowId, contents, jobs: options.jobs };
    const dumped = await dumpAndCount(server, snapshotOptions, (name) => writer.begin(name));
    const seconds = clock.monotonicSeconds() - started;
    const toc = await checkContents(server, writer, dumped);
    if (dumped.contents !== undefined) {
      const place = {
        directory: partial,
        ...(writer.format === 'stream' ? { keeper, encryption } : {}),
      };
      await writeContents(server.host, place, dumped.contents);
    }
    const files = await writer.files();
    const manifest: DumpManifest = {
      schemaVersion: 1,
      windowId,
      database,
      startedAt,
      seconds,
      format: writer.format,
      compression: choice,
      encrypted: options.keeper !== undefined && encryption !== undefined,
      serverVersion: version.text,
      dumpVersion: programs.versions.pg_dump,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      sha256: overallSha256(files),
      files,
      tocEntries: toc.length,
      order: orderWithoutEvents(toc),
      rows: dumped.rows,
      roles: dumped.roles,
      notes: describePeculiarities(dumped),
    };
    await writeManifest(keeper, partial, manifest);
    await keeper.rename(partial, directory);
    return manifest;
  } catch (error) {
    throw await withoutPartial(keeper, partial, error);
  }
}
