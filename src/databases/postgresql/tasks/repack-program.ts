import { posix } from 'node:path';
import { z } from 'zod';
import { fail } from '../../../ports/failure.ts';
import type { ClientTools } from './task-clients.ts';

const extension = z.object({
  /** Of the extension in this database; `null` when it is not there. */
  installed: z.string().nullable(),
  /** That the server could create. */
  available: z.string().nullable(),
  isSuperuser: z.boolean(),
  major: z.number(),
});

/** The version in what `pg_repack --version` prints. */
export function readRepackVersion(printed: string): string | undefined {
  return /^pg_repack (\d+(?:\.\d+)+)/.exec(printed.trim())?.[1];
}

/** Whether a version is at least another; both as numbers with dots. */
export function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split('.').map(Number));
  for (let at = 0; at < Math.max(a?.length ?? 0, b?.length ?? 0); at += 1) {
    const difference = (a?.[at] ?? 0) - (b?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/**
 * The pg_repack program of the same version as the extension in the database.
 * @returns its path, or its bare name where PATH finds it
 * @throws FailureError `database-repack-missing`
 */
export async function findRepack({ psql, clients }: ClientTools): Promise<string> {
  const refuse = (message: string, next: string): never =>
    fail({ code: 'database-repack-missing', message, state: 'Nothing was changed.', next });
  const [found] = await psql.rows(
    `SELECT (SELECT extversion FROM pg_extension WHERE extname = 'pg_repack') AS installed,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'pg_repack') AS available,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS "isSuperuser",
       current_setting('server_version_num')::int / 10000 AS major`,
    extension,
  );
  const { installed = null, available = null, isSuperuser = false, major = 0 } = found ?? {};
  const debian = `the package postgresql-${String(major)}-repack`;
  if (installed === null) {
    return refuse(
      `The extension pg_repack is not in database ${JSON.stringify(psql.database)}.`,
      available === null
        ? `Install pg_repack on the server (Debian and Ubuntu: ${debian}), then CREATE EXTENSION pg_repack in the database as a superuser; or use a vacuum task.`
        : 'CREATE EXTENSION pg_repack in the database as a superuser; or use a vacuum task.',
    );
  }
  // Since 1.5 the owner of a table may repack it.
  if (!isSuperuser && !isAtLeast(installed, '1.5')) {
    refuse(
      `pg_repack ${installed} works for superusers only, and the role is none.`,
      'Use a superuser in the database URL, pg_repack 1.5 or newer, or a vacuum task.',
    );
  }
  const seen: string[] = [];
  for (const folder of await clients.folders()) {
    const path = folder === undefined ? 'pg_repack' : posix.join(folder, 'pg_repack');
    const result = await clients.host.run({ argv: [path, '--version'], timeoutSeconds: 30 });
    const version = result.exitCode === 0 ? readRepackVersion(result.stdout) : undefined;
    if (version === installed) return path;
    if (version !== undefined) seen.push(`${version} (${path})`);
  }
  return refuse(
    seen.length === 0
      ? `The extension pg_repack ${installed} is in the database, but the program is not on the host ${clients.host.name}.`
      : `The extension pg_repack in the database is ${installed}, but the host ${clients.host.name} has ${seen.join(', ')}: they work together only in the same version.`,
    `Install pg_repack ${installed} on the host (Debian and Ubuntu: ${debian}), or name its folder in database.client-directory; an older extension is renewed by DROP EXTENSION and CREATE EXTENSION.`,
  );
}
