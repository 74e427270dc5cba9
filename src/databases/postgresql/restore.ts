import { posix } from 'node:path';
import { z } from 'zod';
import type { Database } from '../../ports/database.ts';
import type { DumpManifest } from '../../ports/dump-manifest.ts';
import { fail, FailureError } from '../../ports/failure.ts';
import type { CommandResult, Host, PipeStage, StageResult } from '../../ports/host.ts';
import { lostReader } from '../../ports/lost-reader.ts';
import { pipedBytes } from '../../ports/piped-bytes.ts';
import { checkFiles, readManifest } from './dump-files.ts';
import { streamName } from './dump-stream.ts';
import { quoteLiteral } from './quoting.ts';
import { listArgument, readingAll, restoreEntries } from './restore-stage.ts';
import type { Server } from './server.ts';
import { statementError } from './statement-failure.ts';

type RestoreOptions = Parameters<Database['restore']>[0] & {
  /** On another server than the dump's, which has not its tablespaces. */
  readonly elsewhere?: boolean | undefined;
};
type Restored = Pick<CommandResult, 'exitCode' | 'stderr' | 'seconds' | 'timedOut'>;

/** A connection string that means this database and nothing else, whatever its name looks like (manual, 34.1.1). */
export function databaseArgument(database: string): string {
  return `dbname='${database.replace(/[\\']/g, '\\$&')}'`;
}

/** To restore over data doubles it or fails half-way, so only an empty database will do. */
async function refuseFull({ psql }: Server, database: string): Promise<void> {
  const [row] = await psql.rows(
    `SELECT count(*) AS relations FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
    z.object({ relations: z.int() }),
    { database },
  );
  if (row?.relations === 0) return;
  fail({
    code: 'database-not-empty',
    message: `Database ${JSON.stringify(database)} has ${row?.relations ?? 0} relations already.`,
    state: 'Nothing was restored into it.',
    next: 'Restore into a new, empty database.',
  });
}

async function refuseMissingRoles({ psql }: Server, roles: readonly string[]): Promise<void> {
  if (roles.length === 0) return;
  const rows = await psql.rows(
    `SELECT rolname AS name FROM pg_roles WHERE rolname IN (${roles.map((name) => quoteLiteral(name)).join(', ')})`,
    z.object({ name: z.string() }),
    { database: psql.maintenanceDatabase },
  );
  const there = new Set(rows.map(({ name }) => name));
  const missing = roles.filter((name) => !there.has(name));
  if (missing.length === 0) return;
  fail({
    code: 'database-roles-missing',
    message: `The server lacks roles that own objects of the dump or hold rights on them: ${missing.map((name) => JSON.stringify(name)).join(', ')}.`,
    state: 'Nothing was restored.',
    next: 'Create these roles (their passwords are not in the dump), then run the step again.',
  });
}

/** What pg_restore is asked to do, whatever the format. */
function usualArguments(
  { database, elsewhere }: RestoreOptions,
  entries: readonly number[] | null,
): string[] {
  return [
    ...['--no-password', '--exit-on-error', '--no-subscriptions', ...listArgument(entries)],
    ...(elsewhere === true ? ['--no-tablespaces'] : []),
    `--dbname=${databaseArgument(database)}`,
  ];
}

/** Workers take no notice of the order of a list, so what has to be last comes in a second run. */
async function restoreDirectory(
  server: Server,
  options: RestoreOptions,
  { order }: DumpManifest,
): Promise<Restored> {
  const { database, directory, jobs } = options;
  const run = async (entries: readonly number[] | null): Promise<Restored> => {
    const client = await server.client(
      'pg_restore',
      [...usualArguments(options, entries), '--format=directory', `--jobs=${jobs}`, directory],
      database,
    );
    return server.host.run(restoreEntries(client, entries));
  };
  const first = await run(order === null ? null : order.first);
  if (order === null || first.exitCode !== 0) return first;
  const last = await run(order.last);
  return { ...last, seconds: first.seconds + last.seconds };
}

/** From standard input pg_restore works with one connection alone. */
async function restoreStream(
  server: Server,
  keeper: Host,
  options: RestoreOptions,
  { order, encrypted }: DumpManifest,
): Promise<Restored> {
  const { host, clock } = server;
  const { database, directory, encryption } = options;
  const entries = order === null ? null : [...order.first, ...order.last];
  const client = await server.client(
    'pg_restore',
    [...usualArguments(options, entries), '--format=custom'],
    database,
  );
  const restoring = readingAll(restoreEntries(client, entries));
  const file = posix.join(directory, streamName(encrypted));
  const stages: [PipeStage, ...PipeStage[]] = encrypted
    ? [decryptionOf(encryption, directory), restoring]
    : [restoring];
  const started = clock.monotonicSeconds();
  const results = await host.pipe(stages, {
    source: pipedBytes(keeper, [{ argv: ['cat', file] }], ([read]) => {
      if (read?.exitCode !== 0) unreadable(keeper, file, read);
    }),
  });
  const seconds = clock.monotonicSeconds() - started;
  const [restored, decrypted] = results.toReversed();
  const { exitCode = null, stderr = '' } = restored ?? {};
  if (decrypted !== undefined && decrypted.exitCode !== 0 && !lostReader(decrypted, restored)) {
    undecryptable(directory, decrypted);
  }
  return { exitCode, stderr, seconds, timedOut: false };
}

function decryptionOf(encryption: RestoreOptions['encryption'], directory: string): PipeStage {
  return (
    encryption?.decrypt ??
    fail({
      code: 'database-dump-encrypted',
      message: `The dump in ${directory} is encrypted, and there is no private key to read it with.`,
      state: 'Nothing was restored from it; no database was changed.',
      next: 'Give the private key of one of its recipients (backup-db.identity), then run the step again.',
    })
  );
}

function undecryptable(directory: string, { stderr, exitCode }: StageResult): never {
  return fail({
    code: 'database-dump-encrypted',
    message: `The dump in ${directory} could not be decrypted: ${stderr.trim().slice(0, 300) || `exit code ${String(exitCode)}`}.`,
    state: 'The database that it was restored into is not whole; the dump is unchanged.',
    next: 'Give the private key of one of its recipients (backup-db.identity), then run the step again.',
  });
}

function unreadable(keeper: Host, file: string, result: StageResult | undefined): never {
  return fail({
    code: 'database-dump-damaged',
    message: `${file} on ${keeper.name} could not be read to its end: ${result?.stderr.trim() ?? ''}.`,
    state: 'The database that it was restored into is not whole; the dump is unchanged.',
    next: 'Look at the disk of that host, or use another dump.',
  });
}

/**
 * Checks a finished dump against its manifest and restores it into an empty database, stopping at the first error.
 * Subscriptions are left out: a second one would take over the original's replication slot.
 * @returns seconds that pg_restore took
 * @throws FailureError, among others `database-dump-damaged`, `database-not-empty`, `database-roles-missing`,
 *   `database-dump-encrypted`
 */
export async function restore(
  server: Server,
  options: RestoreOptions,
): Promise<{ readonly seconds: number }> {
  const { database, directory } = options;
  const keeper = options.keeper ?? server.host;
  const manifest = await readManifest(keeper, directory);
  if (manifest.encrypted) decryptionOf(options.encryption, directory);
  await refuseMissingRoles(server, manifest.roles);
  await refuseFull(server, database);
  await checkFiles(keeper, directory, manifest);
  const result =
    manifest.format === 'directory'
      ? await restoreDirectory(server, options, manifest)
      : await restoreStream(server, keeper, options, manifest);
  if (result.exitCode === 0) return { seconds: result.seconds };
  const error = statementError(`Restoring into database ${JSON.stringify(database)}`, result);
  throw new FailureError(
    {
      ...error.failure,
      state: `Database ${JSON.stringify(database)} holds a part of the dump and must not be used; the dump is unchanged.`,
    },
    { cause: error },
  );
}
