import type { DumpCheck } from '../../../ports/backup-proof.ts';
import { fail } from '../../../ports/failure.ts';
import { checkFiles, readManifest } from '../dump-files.ts';
import type { Server } from '../server.ts';
import { readServerMessage } from '../statement-failure.ts';

/**
 * Reads a finished dump again: the checksum of every file, the table of contents, and, by a restore into nothing, all
 * data. That its SQL runs and its rows are right only a restore shows.
 * @throws FailureError `database-dump-damaged`
 */
export async function checkDump(server: Server, directory: string): Promise<DumpCheck> {
  const { host, psql } = server;
  const manifest = await readManifest(host, directory);
  await checkFiles(host, directory, manifest);
  const read = async (...args: string[]): Promise<string> => {
    const client = await server.client('pg_restore', [...args, directory], psql.database);
    const result = await host.run({ argv: client.argv, env: client.env });
    if (result.exitCode === 0) return result.stdout;
    return damaged(
      directory,
      `pg_restore cannot read it (${readServerMessage(result.stderr).text})`,
    );
  };
  const entries = (await read('--list')).split('\n').filter((line) => /^\d+; /.test(line));
  if (entries.length !== manifest.tocEntries) {
    damaged(
      directory,
      `its table of contents has ${entries.length} entries instead of ${manifest.tocEntries}`,
    );
  }
  const tables = entries.filter((line) => /^\d+; \d+ \d+ TABLE DATA /.test(line)).length;
  const expected = Object.keys(manifest.rows).length;
  if (tables < expected) {
    damaged(directory, `it holds the data of ${tables} tables instead of ${expected}`);
  }
  await read('--file=/dev/null');
  return { files: manifest.files.length, bytes: manifest.bytes, entries: entries.length, tables };
}

function damaged(directory: string, problem: string): never {
  return fail({
    code: 'database-dump-damaged',
    message: `The dump in ${directory} cannot be used: ${problem}.`,
    state: 'The dump was only read; no database was changed.',
    next: 'Look at the disk that it is on, and back up again.',
  });
}
