import { fail } from '../../ports/failure.ts';
import { behindOthers, writtenBack } from './beside-the-public.ts';
import { dumpSettings } from './dump-application.ts';
import { describeFiles, type DumpFile } from './dump-files.ts';
import { compressionArgument } from './compression-methods.ts';
import { progressOf, type DumpWriter, type WriterOptions } from './dump-writer.ts';
import type { Server } from './server.ts';
import { statementError } from './statement-failure.ts';

/** Files of a dump are for nobody but us; the script is constant, the command comes as its arguments. */
const privately = ['sh', '-c', 'umask 077; exec "$@"', 'sh'] as const;

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

/** Writes a dump in directory format, by several workers, on the host that runs the client programs. */
export function directoryWriter(server: Server, options: WriterOptions): DumpWriter {
  const { host, psql } = server;
  const { partial, windowId } = options;
  return {
    format: 'directory',
    async begin(snapshot) {
      const { major } = await server.programs();
      const client = await server.client(
        'pg_dump',
        [
          ...['--no-password', '--verbose', '--format=directory'],
          compressionArgument(options.compression, major),
          ...[`--jobs=${options.jobs}`, `--snapshot=${snapshot}`, `--file=${partial}`],
          // A waiting dump would queue the application's own statements behind it.
          '--lock-wait-timeout=60s',
        ],
        psql.database,
        dumpSettings(windowId),
      );
      const dump = await host.start({
        argv: [...privately, ...behindOthers, ...client.argv],
        env: client.env,
        ...progressOf(options.onProgress),
      });
      const finished = writtenBack(host, partial, () => dump.end()).then((result) => {
        if (result.exitCode === 0) return;
        throw statementError(`Dumping database ${JSON.stringify(psql.database)}`, result);
      });
      return { finished, end: () => dump.kill() };
    },
    async toc() {
      const client = await server.client('pg_restore', ['--list', partial], psql.database);
      const result = await host.run({ argv: client.argv, env: client.env });
      if (result.exitCode === 0) return result.stdout;
      throw statementError('Reading the dump’s table of contents', result);
    },
    async files() {
      const files = await describeFiles(host, partial);
      refuseEmpty(files);
      return files;
    },
  };
}
