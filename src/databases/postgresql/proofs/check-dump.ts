import { posix } from 'node:path';
import type { DumpCheck, DumpPlace } from '../../../ports/backup-proof.ts';
import type { DumpManifest } from '../../../ports/dump-manifest.ts';
import { fail } from '../../../ports/failure.ts';
import type { PipeStage } from '../../../ports/host.ts';
import { pipedBytes } from '../../../ports/piped-bytes.ts';
import { checkFiles, readManifest } from '../dump-files.ts';
import { streamName } from '../dump-stream.ts';
import { readingAll } from '../restore-stage.ts';
import type { Server } from '../server.ts';
import { readServerMessage } from '../statement-failure.ts';
import { readToc, tablesWithData } from '../table-of-contents.ts';

/**
 * Reads a finished dump again: the checksum of every file, the table of contents, and, by a restore into nothing, all
 * data. That its SQL runs and its rows are right only a restore shows.
 * @throws FailureError `database-dump-damaged`, `database-dump-encrypted`
 */
export async function checkDump(server: Server, place: DumpPlace): Promise<DumpCheck> {
  const { directory } = place;
  const keeper = place.keeper ?? server.host;
  const manifest = await readManifest(keeper, directory);
  if (manifest.encrypted && place.encryption?.decrypt === undefined) {
    fail({
      code: 'database-dump-encrypted',
      message: `The dump in ${directory} is encrypted, and there is no private key to read it with.`,
      state: 'Nothing was read from it.',
      next: 'Give the private key of one of its recipients (backup-db.identity), then run the step again.',
    });
  }
  await checkFiles(keeper, directory, manifest);
  const read = manifest.format === 'directory' ? readFolder : readStream;
  const toc = readToc(await read(server, place, manifest, '--list'));
  if (toc.length !== manifest.tocEntries) {
    damaged(
      directory,
      `its table of contents has ${toc.length} entries instead of ${manifest.tocEntries}`,
    );
  }
  const tables = tablesWithData(toc);
  const expected = Object.keys(manifest.rows).length;
  if (tables < expected) {
    damaged(directory, `it holds the data of ${tables} tables instead of ${expected}`);
  }
  await read(server, place, manifest, '--file=/dev/null');
  return { files: manifest.files.length, bytes: manifest.bytes, entries: toc.length, tables };
}

/** What pg_restore prints of a dump that it reads. */
type Reader = (
  server: Server,
  place: DumpPlace,
  manifest: DumpManifest,
  argument: '--list' | '--file=/dev/null',
) => Promise<string>;

const readFolder: Reader = async (server, { directory }, _manifest, argument) => {
  const { host, psql } = server;
  const client = await server.client('pg_restore', [argument, directory], psql.database);
  const result = await host.run({ argv: client.argv, env: client.env });
  if (result.exitCode !== 0) unreadable(directory, result.stderr);
  return result.stdout;
};

const readStream: Reader = async (server, place, manifest, argument) => {
  const { host, psql } = server;
  const { directory, keeper = host, encryption } = place;
  const client = await server.client('pg_restore', [argument, '--format=custom'], psql.database);
  const restore = readingAll(client);
  const decrypt = manifest.encrypted ? encryption?.decrypt : undefined;
  const stages: [PipeStage, ...PipeStage[]] =
    decrypt === undefined ? [restore] : [decrypt, restore];
  const file = posix.join(directory, streamName(manifest.encrypted));
  const printed: Uint8Array[] = [];
  const results = await host.pipe(stages, {
    source: pipedBytes(keeper, [{ argv: ['cat', file] }], ([cat]) => {
      if (cat?.exitCode !== 0) unreadable(directory, cat?.stderr ?? '');
    }),
    sink: (chunk) => {
      printed.push(chunk.slice());
    },
  });
  const failed = results.toReversed().find(({ exitCode }) => exitCode !== 0);
  if (failed !== undefined) unreadable(directory, failed.stderr);
  return Buffer.concat(printed).toString('utf8');
};

function unreadable(directory: string, stderr: string): never {
  return damaged(directory, `it cannot be read (${readServerMessage(stderr).text})`);
}

function damaged(directory: string, problem: string): never {
  return fail({
    code: 'database-dump-damaged',
    message: `The dump in ${directory} cannot be used: ${problem}.`,
    state: 'The dump was only read; no database was changed.',
    next: 'Look at the disk that it is on, and back up again.',
  });
}
