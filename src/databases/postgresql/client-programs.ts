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
  const runs = programNames.map(async (name) => {
    const path = folder === undefined ? name : posix.join(folder, name);
    const result = await host.run({ argv: [path, '--version'], timeoutSeconds: 30 });
    return result.exitCode === 0 ? readVersion(result.stdout) : undefined;
  });
  const [psql, dump, restore] = await Promise.all(runs);
  if (psql === undefined || dump === undefined || restore === undefined) return undefined;
  // A folder is as old as the oldest program in it.
  const [oldest = psql] = [psql, dump, restore].sort(
    (a, b) => a.major - b.major || a.minor - b.minor,
  );
  const versions = { psql: psql.text, pg_dump: dump.text, pg_restore: restore.text };
  return { folder, major: oldest.major, minor: oldest.minor, versions };
}

/**
 * Folders that may hold clients, newest version first. Debian and Red Hat keep several versions side by side;
 * `undefined` stands for PATH. With a `clientDirectory`, that alone.
 */
export async function clientFolders(
  host: Host,
  clientDirectory: string | undefined,
): Promise<readonly (string | undefined)[]> {
  if (clientDirectory !== undefined) return [clientDirectory];
  const versioned = [
    ...(await host.list('/usr/lib/postgresql')).map((name) => ({
      major: Number(name),
      folder: `/usr/lib/postgresql/${name}/bin`,
    })),
    ...(await host.list('/usr'))
      .filter((name) => name.startsWith('pgsql-'))
      .map((name) => ({ major: Number(name.slice('pgsql-'.length)), folder: `/usr/${name}/bin` })),
  ];
  const newestFirst = versioned
    .filter(({ major }) => Number.isInteger(major))
    .sort((a, b) => b.major - a.major);
  return [...newestFirst.map(({ folder }) => folder), undefined];
}

function missing(host: Host, folders: readonly (string | undefined)[]): never {
  const places = folders.map((folder) => folder ?? 'PATH').join(', ');
  fail({
    code: 'database-client-missing',
    message: `There is no complete set of ${programNames.join(', ')} on the host ${host.name}; looked at: ${places}.`,
    state: 'The database was not connected to.',
    next: 'Install the PostgreSQL client programs, at least as new as the server (Debian and Ubuntu: postgresql-client), or name their folder.',
  });
}

/**
 * The newest psql: any can talk to any server of the supported versions, and the newest knows most.
 * @throws FailureError `database-client-missing`
 */
export async function findPsql(
  host: Host,
  folders: readonly (string | undefined)[],
): Promise<string> {
  for (const folder of folders) {
    if (folder === undefined) return 'psql';
    const path = posix.join(folder, 'psql');
    if ((await host.status(path))?.kind === 'file') return path;
  }
  return missing(host, folders);
}

/**
 * The programs to use with a server of this major version. Wrappers on PATH are slow, so PATH is looked at last, and
 * only when no folder has clients that are new enough.
 * @throws FailureError `database-client-missing`
 */
export async function findPrograms(
  host: Host,
  folders: readonly (string | undefined)[],
  serverMajor: number,
): Promise<ClientPrograms> {
  const found: ClientPrograms[] = [];
  for (const folder of folders) {
    if (folder === undefined && found.some(({ major }) => major >= serverMajor)) continue;
    const programs = await look(host, folder);
    if (programs !== undefined) found.push(programs);
  }
  return choosePrograms(found, serverMajor) ?? missing(host, folders);
}
