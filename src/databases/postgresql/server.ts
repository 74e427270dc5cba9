import { z } from 'zod';
import type { Clock } from '../../ports/clock.ts';
import type { Command, Host } from '../../ports/host.ts';
import { fail } from '../../ports/failure.ts';
import {
  clientFolders,
  findPrograms,
  findPsql,
  programPath,
  type ClientPrograms,
  type ProgramName,
} from './client-programs.ts';
import type { Connection } from './connection.ts';
import { createPsql, type Psql } from './psql.ts';

export interface ServerVersion {
  /** As the server prints it, for instance `15.18`. */
  readonly text: string;
  /** For instance 150018. */
  readonly number: number;
  readonly major: number;
}

/** One PostgreSQL server, seen from the host that runs the clients. */
export interface Server {
  readonly host: Host;
  readonly clock: Clock;
  readonly connection: Connection;
  readonly psql: Psql;
  version(): Promise<ServerVersion>;
  /** The clients that fit the server best, whether new enough or not. */
  programs(): Promise<ClientPrograms>;
  /** Folders that may hold client programs, newest version first; `undefined` stands for PATH. */
  folders(): Promise<readonly (string | undefined)[]>;
  /**
   * The command line of any program that connects by libpq; secrets are in its environment.
   * @param settings run-time parameters of its sessions
   */
  command(
    path: string,
    args: readonly string[],
    database: string,
    settings?: Readonly<Record<string, string>>,
  ): Pick<Command, 'argv'> & { readonly env: Readonly<Record<string, string>> };
  /** A client's command line against a database of the server; likewise. */
  client(
    program: ProgramName,
    args: readonly string[],
    database: string,
    settings?: Readonly<Record<string, string>>,
  ): Promise<Pick<Command, 'argv'> & { readonly env: Readonly<Record<string, string>> }>;
}

/** Variables by which the host's environment could send a client elsewhere or change what it does. */
const unwanted = [
  'PGSERVICE',
  'PGSERVICEFILE',
  'PGHOSTADDR',
  'PGOPTIONS',
  'PGTARGETSESSIONATTRS',
  'PGLOADBALANCEHOSTS',
];

/** Remembers an answer, but not a failure. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}

const versionRow = z.object({ text: z.string(), number: z.int() });

export function createServer(options: {
  readonly host: Host;
  readonly clock: Clock;
  readonly connection: Connection;
  readonly clientDirectory: string | undefined;
}): Server {
  const { host, clock, connection, clientDirectory } = options;
  const folders = once(() => clientFolders(host, clientDirectory));
  const psqlPath = once(async () => findPsql(host, await folders()));

  const command: Server['command'] = (path, args, database, settings) => {
    const env = connection.environment(database, settings);
    const unset = unwanted.filter((name) => !(name in env)).flatMap((name) => ['-u', name]);
    return { argv: ['env', ...unset, path, ...args] as const, env };
  };

  const psql = createPsql({
    host,
    database: connection.database,
    client: async (_program, args, database) => command(await psqlPath(), args, database),
  });

  const version = once(async () => {
    const [row] = await psql.rows(
      `SELECT current_setting('server_version') AS text, current_setting('server_version_num')::int AS number`,
      versionRow,
      { database: psql.maintenanceDatabase, timeoutSeconds: 30 },
    );
    const number = row?.number ?? 0;
    if (number < 130000) {
      fail({
        code: 'database-version-unsupported',
        message: `The server is PostgreSQL ${row?.text ?? 'of an unknown version'}; supported are 13 and newer.`,
        state: 'Nothing was changed.',
        next: 'Upgrade the server first.',
      });
    }
    // `15.18 (Debian 15.18-0+deb12u1)`: the packager's part is noise here.
    const text = row?.text.split(' ')[0] ?? '';
    return { text, number, major: Math.floor(number / 10000) };
  });

  const programs = once(async () => findPrograms(host, await folders(), (await version()).major));

  return {
    host,
    clock,
    connection,
    psql,
    version,
    programs,
    folders,
    command,
    client: async (program, args, database, settings) =>
      command(
        program === 'psql' ? await psqlPath() : programPath(await programs(), program),
        args,
        database,
        settings,
      ),
  };
}
