import { posix } from 'node:path';
import { z } from 'zod';
import type { AmcheckResult } from '../../../ports/backup-proof.ts';
import { fail } from '../../../ports/failure.ts';
import { databaseArgument } from '../restore.ts';
import type { Server } from '../server.ts';
import { statementError } from '../statement-failure.ts';

/** pg_amcheck, and what it asks of the extension, came with 14 (release notes, E.23.3.10 in 14). */
const firstMajor = 14;
/** Where the extension is put in a database of ours, out of the way of everything restored. */
const ownSchema = 'mw_amcheck';
/** So many damaged objects are named. */
const namedAtMost = 5;

async function programOf(server: Server): Promise<string> {
  const { folder } = await server.programs();
  return folder === undefined ? 'pg_amcheck' : posix.join(folder, 'pg_amcheck');
}

const installed = z.object({
  present: z.boolean(),
  available: z.boolean(),
  superuser: z.boolean(),
});

/** Why pg_amcheck cannot be run on a database, as the end of a sentence. */
export async function amcheckObstacle(
  server: Server,
  where: 'own' | 'application',
): Promise<string | undefined> {
  const { host, psql } = server;
  const { major, text } = await server.version();
  if (major < firstMajor) return `the server is PostgreSQL ${text}, and it needs ${firstMajor}`;
  const program = await programOf(server);
  const printed = await host.run({ argv: [program, '--version'], timeoutSeconds: 30 });
  if (printed.exitCode !== 0) {
    return `the program ${program} is not on the host ${host.name} (Debian and Ubuntu: it comes with postgresql-client-${major})`;
  }
  const [state] = await psql.rows(
    `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'amcheck') AS present,
       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck') AS available,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser`,
    installed,
    where === 'application' ? {} : { database: psql.maintenanceDatabase },
  );
  if (state?.superuser !== true) return 'the role is no superuser, and its functions are for those';
  if (where === 'application') {
    return state.present
      ? undefined
      : `the extension amcheck is not installed in ${psql.database}, and nothing is installed there by us (CREATE EXTENSION amcheck)`;
  }
  return state.available
    ? undefined
    : `the server lacks the extension amcheck (Debian and Ubuntu: it comes with postgresql-${major}; elsewhere with postgresql-contrib)`;
}

/**
 * Runs pg_amcheck over a whole database: tables and their TOAST, B-tree indexes, and that every row is in them.
 * @throws FailureError `database-amcheck-failed` when it could not look
 */
export async function amcheck(
  server: Server,
  database: string,
  { jobs, own }: { readonly jobs: number; readonly own: boolean },
): Promise<AmcheckResult> {
  const { host, psql } = server;
  if (own) {
    await psql.execute(
      [
        `CREATE SCHEMA IF NOT EXISTS ${ownSchema}`,
        `CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA ${ownSchema}`,
      ],
      { database },
    );
  }
  const { argv, env } = server.command(
    await programOf(server),
    [
      ...['--no-password', `--jobs=${jobs}`, '--heapallindexed'],
      // Between parents and children as well; takes ShareLock, which keeps writers out.
      ...(own ? ['--parent-check'] : []),
      databaseArgument(database),
    ],
    database,
    // Never waits in a queue that the application's statements would then wait in.
    { lock_timeout: '60s' },
  );
  const result = await host.run({ argv, env });
  const damaged = damagedObjects(result.stdout);
  // Exit code 2 means that it found damage, 1 that it could not look (manual, pg_amcheck).
  if (result.exitCode === 0 || (result.exitCode === 2 && damaged.length > 0)) {
    return {
      seconds: result.seconds,
      damaged: damaged.slice(0, namedAtMost),
      damagedObjects: damaged.length,
    };
  }
  const error = statementError(`pg_amcheck on database ${JSON.stringify(database)}`, result);
  return fail({ ...error.failure, code: 'database-amcheck-failed' });
}

/** The objects that pg_amcheck tells of, each once with the first thing said of it. */
function damagedObjects(printed: string): readonly string[] {
  const found = new Map<string, string>();
  let object: string | undefined;
  for (const line of printed.split('\n')) {
    const head = /^(heap table|btree index) "(.*?)"(?:, .*)?:$/.exec(line);
    if (head !== null) object = `${head[1] ?? ''} ${head[2] ?? ''}`;
    else if (object !== undefined && /^\s+\S/.test(line) && !found.has(object)) {
      found.set(
        object,
        line
          .trim()
          .replace(/^ERROR: +/, '')
          .slice(0, 160),
      );
    }
  }
  return [...found].map(([name, said]) => `${name}: ${said}`);
}
