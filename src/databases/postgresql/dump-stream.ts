import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { fail, FailureError } from '../../ports/failure.ts';
import type { Host, PipeStage, StageResult } from '../../ports/host.ts';
import { pipedBytes } from '../../ports/piped-bytes.ts';
import { storing } from '../../ports/stored-bytes.ts';
import { behindOthers } from './beside-the-public.ts';
import { compressionArgument } from './compression-methods.ts';
import { dumpSettings } from './dump-application.ts';
import { describeFiles } from './dump-files.ts';
import { endDumpSessions } from './dump-snapshot.ts';
import { progressOf, type DumpWriter, type WriterOptions } from './dump-writer.ts';
import { failureKind } from './failure-kind.ts';
import type { Server } from './server.ts';
import { statementError } from './statement-failure.ts';

/** Name of the one file of a streamed dump. */
export function streamName(isEncrypted: boolean): string {
  return `database.dump${isEncrypted ? '.age' : ''}`;
}

/**
 * Passes a dump on and lets `pg_restore --list` read its beginning, so that an encrypted dump too has a table of
 * contents that was read. The program comes as arguments; what it lists goes to standard error. Its exit code is the
 * stage's; when `tee` cannot write, whoever should have read has ended, and its own exit code tells.
 */
const listing = `
exec 4>&1
tee /dev/fd/3 3>&1 >&4 4>&- | {
  exec >&2 4>&-
  "$@"
  mw=$?
  cat >/dev/null
  exit "$mw"
}
`;

/**
 * Streams a dump in custom format from the host that runs the client programs to the one that keeps it. Nothing is
 * written on the former's disk; with recipients the bytes are encrypted before they leave it.
 */
export function streamWriter(server: Server, keeper: Host, options: WriterOptions): DumpWriter {
  const { host, psql } = server;
  const { partial, windowId, encryption } = options;
  const file = posix.join(partial, streamName(encryption !== undefined));
  const hash = createHash('sha256');
  const toc: string[] = [];
  let bytes = 0;

  const stagesOf = async (snapshot: string): Promise<[PipeStage, ...PipeStage[]]> => {
    const { major } = await server.programs();
    const dump = await server.client(
      'pg_dump',
      [
        ...['--no-password', '--verbose', '--format=custom'],
        ...[compressionArgument(options.compression, major), `--snapshot=${snapshot}`],
        '--lock-wait-timeout=60s',
      ],
      psql.database,
      dumpSettings(windowId),
    );
    const list = await server.client('pg_restore', ['--list'], psql.database);
    return [
      {
        argv: [...behindOthers, ...dump.argv],
        env: dump.env,
        ...progressOf(options.onProgress),
      },
      {
        argv: ['sh', '-c', listing, 'sh', ...list.argv],
        env: list.env,
        onStderrLine: (line) => toc.push(line),
      },
      ...(encryption === undefined ? [] : [encryption.encrypt]),
    ];
  };

  const judge = ([dump, list, encrypted]: readonly StageResult[]): void => {
    // Of those before it that lost their reader, the reader tells why.
    if (encrypted !== undefined && encrypted.exitCode !== 0) encryptionFailed(host, encrypted);
    if (dump?.exitCode !== 0) {
      throw stageError(`Dumping database ${JSON.stringify(psql.database)}`, dump);
    }
    if (list?.exitCode !== 0) throw stageError('Reading the dump’s table of contents', list);
  };

  return {
    format: 'stream',
    async begin(snapshot) {
      const stages = await stagesOf(snapshot);
      await keeper.makeDirectory(partial, 0o700);
      let isEnded = false;
      const through = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of pipedBytes(host, stages, judge)) {
          if (isEnded) throw new Error('the dump was to be ended');
          hash.update(chunk);
          bytes += chunk.length;
          yield chunk;
        }
      };
      const finished = keeper.pipe([storing(file)], { source: through() }).then(([stored]) => {
        if (stored?.exitCode !== 0) throw storeFailure(keeper, file, stored);
      });
      return {
        finished,
        end: async () => {
          isEnded = true;
          // It may wait for a lock, with nothing to send that would tell it.
          await endDumpSessions(server, windowId);
        },
      };
    },
    toc: () => Promise.resolve(toc.join('\n')),
    async files() {
      const files = await describeFiles(keeper, partial);
      const only = files.find(({ name }) => name === posix.basename(file));
      const sent = hash.copy().digest('hex');
      if (only?.bytes === bytes && only.sha256 === sent) return files;
      return fail({
        code: 'database-dump-differs',
        message: `What ${keeper.name} has stored in ${file} is not what was sent: ${only?.bytes ?? 0} bytes with sha256 ${only?.sha256 ?? 'of nothing'} instead of ${bytes} with ${sent}.`,
        state: 'The database was only read.',
        next: 'Look at the disk and the memory of that host, then run the step again.',
      });
    },
  };
}

function stageError(what: string, result: StageResult | undefined): FailureError {
  const { exitCode = null, stderr = '' } = result ?? {};
  return statementError(what, { exitCode, stderr, timedOut: false, seconds: 0 });
}

function encryptionFailed(host: Host, { stderr, exitCode }: StageResult): never {
  return fail({
    code: 'database-dump-encryption-failed',
    message: `The dump could not be encrypted on ${host.name}: ${stderr.trim().slice(0, 300) || `exit code ${String(exitCode)}`}.`,
    state: 'The database was only read.',
    next: 'Check the recipients and that `age` is installed there, then run the step again.',
  });
}

function storeFailure(keeper: Host, file: string, result: StageResult | undefined): FailureError {
  const said = result?.stderr.trim() ?? '';
  const kind = failureKind({ sqlState: undefined, text: said });
  const isFull = kind.code === 'database-disk-full';
  return new FailureError({
    code: isFull ? kind.code : 'host-error',
    message: `The dump could not be stored in ${file} on ${keeper.name}: ${said === '' ? `exit code ${String(result?.exitCode ?? null)}` : said}.`,
    state: 'The database was only read.',
    next: isFull ? kind.next : 'Look at that folder on that host, then run the step again.',
  });
}
