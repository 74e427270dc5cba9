import { z } from 'zod';
import type { Database } from '../../ports/database.ts';
import { fail, FailureError } from '../../ports/failure.ts';
import { checkFiles, readManifest } from './dump-files.ts';
import { quoteLiteral } from './quoting.ts';
import type { Server } from './server.ts';
import { statementError } from './statement-failure.ts';

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

/**
 * Checks a finished dump against its manifest and restores it into an empty database, stopping at the first error.
 * Subscriptions are left out: a second one would take over the original's replication slot.
 * @returns seconds that pg_restore took
 * @throws FailureError, among others `database-dump-damaged`, `database-not-empty`, `database-roles-missing`
 */
export async function restore(
  server: Server,
  options: Parameters<Database['restore']>[0],
): Promise<{ readonly seconds: number }> {
  const { host } = server;
  const { database, directory } = options;
  const manifest = await readManifest(host, directory);
  await refuseMissingRoles(server, manifest.roles);
  await refuseFull(server, database);
  await checkFiles(host, directory, manifest);
  const client = await server.client(
    'pg_restore',
    [
      ...['--no-password', '--exit-on-error', '--no-subscriptions', '--format=directory'],
      ...[`--jobs=${options.jobs}`, `--dbname=${databaseArgument(database)}`, directory],
    ],
    database,
  );
  const result = await host.run({ argv: client.argv, env: client.env });
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
