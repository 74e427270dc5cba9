import { posix } from 'node:path';
import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';

export const programNames = ['psql', 'pg_dump', 'pg_restore'] as const;
export type ProgramName = (typeof programNames)[number];

/** The official clients in one folder of the host. */
export interface ClientPrograms {
  /** `undefined`: found by PATH. */
  readonly folder: string | undefined;
  /** Major version, for instance 15. */
  readonly major: number;
  readonly minor: number;
  /** As each prints it, for instance `15.18`. */
  readonly versions: Readonly<Record<ProgramName, string>>;
}

/** The version in what `psql --version` prints. */
export function readVersion(
  printed: string,
): { readonly text: string; readonly major: number; readonly minor: number } | undefined {
  const match = /\(PostgreSQL\) ((\d+)(?:\.(\d+))?\S*)/.exec(printed);
  if (match === null) return undefined;
  return { text: match[1] ?? '', major: Number(match[2]), minor: Number(match[3] ?? '0') };
}

/**
 * The programs to use with a server: of its own major version if there are some, because a newer pg_restore may
 * set parameters that an older server does not know; otherwise the next newer; otherwise the newest there are,
 * which are then too old to dump.
 */
export function choosePrograms(
  found: readonly ClientPrograms[],
  serverMajor: number,
): ClientPrograms | undefined {
  const newEnough = found.filter(({ major }) => major >= serverMajor);
  const major =
    newEnough.length > 0
      ? Math.min(...newEnough.map((programs) => programs.major))
      : Math.max(...found.map((programs) => programs.major));
  return found
    .filter((programs) => programs.major === major)
    .reduce<ClientPrograms | undefined>(
      (best, next) => (best === undefined || next.minor > best.minor ? next : best),
      undefined,
    );
}

/** The program's path, or its bare name where PATH finds it. */
export function programPath(programs: ClientPrograms, name: ProgramName): string {
  return programs.folder === undefined ? name : posix.join(programs.folder, name);
}

async function look(host: Host, folder: string | undefined): Promise<ClientPrograms | undefined> {
  const versions: Partial<Record<ProgramName, string>> = {};
  let oldest: { readonly major: number; readonly minor: number } | undefined;
  for (const name of programNames) {
    const path = folder === undefined ? name : posix.join(folder, name);
    const result = await host.run({ argv: [path, '--version'], timeoutSeconds: 30 });
    const version = result.exitCode === 0 ? readVersion(result.stdout) : undefined;
    if (version === undefined) return undefined;
    versions[name] = version.text;
    if (
      oldest === undefined ||
      version.major < oldest.major ||
      (version.major === oldest.major && version.minor < oldest.minor)
    ) {
      oldest = version;
    }
  }
  return oldest && { folder, ...oldest, versions: versions as Record<ProgramName, string> };
}

/** Folders where distributions put the clients of several versions side by side (Debian, Red Hat). */
async function versionedFolders(host: Host): Promise<string[]> {
  const debian = (await host.list('/usr/lib/postgresql'))
    .filter((name) => /^\d+$/.test(name))
    .map((name) => `/usr/lib/postgresql/${name}/bin`);
  const redHat = (await host.list('/usr'))
    .filter((name) => /^pgsql-\d+$/.test(name))
    .map((name) => `/usr/${name}/bin`);
  return [...debian, ...redHat];
}

/**
 * All complete sets of psql, pg_dump and pg_restore on the host; only those of `clientDirectory` when it is given.
 * @throws FailureError `database-client-missing` when there is none
 */
export async function findPrograms(
  host: Host,
  clientDirectory: string | undefined,
): Promise<readonly ClientPrograms[]> {
  const folders =
    clientDirectory === undefined
      ? [...(await versionedFolders(host)), undefined]
      : [clientDirectory];
  const found: ClientPrograms[] = [];
  for (const folder of folders) {
    const programs = await look(host, folder);
    if (programs !== undefined) found.push(programs);
  }
  if (found.length === 0) {
    fail({
      code: 'database-client-missing',
      message: `There is no complete set of ${programNames.join(', ')} ${clientDirectory === undefined ? 'under /usr/lib/postgresql, /usr/pgsql-* or on PATH' : `in ${clientDirectory}`} on the host ${host.name}.`,
      state: 'The database was not connected to.',
      next: 'Install the PostgreSQL client programs, at least as new as the server (Debian and Ubuntu: postgresql-client), or name their folder.',
    });
  }
  return found;
}
