import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startChild, type Child } from './child.ts';
import { findFreePort } from './free-port.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import {
  giveTo,
  identityOf,
  unprivilegedUser,
  type UnprivilegedUser,
} from './unprivileged-user.ts';

const run = promisify(execFile);

export type ClusterOptions = {
  /** Where the cluster's own folder is made; default: the system's temporary folder. */
  readonly parentFolder?: string;
  /** How clients prove who they are, on TCP and on the socket. Default: scram-sha-256. */
  readonly authentication?: 'trust' | 'scram-sha-256';
  /** Whether commits survive a power cut. Default: false, several times faster. */
  readonly durable?: boolean;
  /** Further settings for postgresql.conf, e.g. { max_prepared_transactions: '5' }. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Begins with a copy of this data instead of an empty cluster. */
  readonly from?: ClusterData;
};

/** The data folder of a cluster that does not run, and who may enter what it holds. */
export type ClusterData = { readonly dataFolder: string; readonly superuserPassword: string };

export type Login = {
  /** Default: the superuser. */
  readonly user?: string;
  /** Default: the superuser's password for the superuser, none for others. */
  readonly password?: string;
  /** Default: `postgres`. */
  readonly database?: string;
};

/** A private PostgreSQL cluster on 127.0.0.1. */
export type Cluster = {
  readonly folder: string;
  readonly dataFolder: string;
  /** Where the client programs of the server's version are. */
  readonly binFolder: string;
  readonly port: number;
  readonly socketFolder: string;
  readonly superuser: string;
  readonly superuserPassword: string;
  /** The process id of the postmaster that runs now, or ran last. */
  readonly pid: number;
  /** A postgresql:// URL over TCP. */
  url(login?: Login): string;
  /** PGHOST, PGPORT, PGUSER, PGDATABASE and PGPASSWORD for libpq's programs, and their PATH. */
  psqlEnvironment(login?: Login): Record<string, string>;
  /**
   * Runs SQL by psql as the superuser, stopping at the first error.
   * @returns what psql printed, unaligned and without headers, the last line break removed.
   */
  psql(sql: string, login?: Login): Promise<string>;
  /** Fast shutdown of the postmaster that we started; the folder stays until `stop`. */
  halt(): Promise<void>;
  /** Ends the server as a power cut would: SIGKILL for the postmaster and all its children. */
  crash(): Promise<void>;
  /** Starts it again on its port, after `halt` or `crash`; resolves when it accepts connections. */
  resume(): Promise<void>;
  /** Fast shutdown of the postmaster that we started; then its folder is removed. */
  stop(): Promise<void>;
};

/** The folder of the newest PostgreSQL's programs, as Debian and Ubuntu install them. */
export async function newestPostgresqlPrograms(): Promise<string> {
  const root = '/usr/lib/postgresql';
  const names = await readdir(root).catch(() => []);
  for (const name of names
    .filter((candidate) => /^\d+$/.test(candidate))
    .sort((a, b) => Number(b) - Number(a))) {
    const folder = join(root, name, 'bin');
    const programs: readonly string[] = await readdir(folder).catch(() => []);
    if (programs.includes('initdb') && programs.includes('postgres')) return folder;
  }
  throw new Error(
    `No PostgreSQL server found in ${root}/*/bin. Nothing was started. ` +
      'Run script/bootstrap, or install the package "postgresql".',
  );
}

function quoted(setting: string): string {
  return `'${setting.replaceAll("'", "''")}'`;
}

/**
 * Makes a PostgreSQL cluster in a temporary folder and starts it on a free port of 127.0.0.1,
 * as an unprivileged user when we are root. Resolves when it accepts connections.
 * @throws when PostgreSQL is not installed or does not start; nothing is left then.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const programs = await newestPostgresqlPrograms();
  const user = unprivilegedUser();
  const folder = await makeTemporaryFolder('pg', options.parentFolder);
  try {
    return await startIn(folder.path, programs, user, options, () => folder.remove());
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

async function startIn(
  folder: string,
  binFolder: string,
  user: UnprivilegedUser | undefined,
  options: ClusterOptions,
  removeFolder: () => Promise<void>,
): Promise<Cluster> {
  const superuser = 'postgres';
  const superuserPassword = options.from?.superuserPassword ?? randomBytes(12).toString('hex');
  const dataFolder = join(folder, 'data');
  const socketFolder = join(folder, 'socket');
  const logFile = join(folder, 'postgresql.log');
  const copyOrNew = options.from === undefined ? [dataFolder, socketFolder] : [socketFolder];
  for (const path of copyOrNew) {
    await mkdir(path, { mode: 0o700 });
    await giveTo(user, path);
  }
  // A socket's path has at most 107 bytes (unix(7)).
  const socketIsUsable = Buffer.byteLength(join(socketFolder, '.s.PGSQL.65535')) <= 107;

  const environment = serverEnvironment(binFolder, folder);
  if (options.from === undefined) await initialize();
  else await run('cp', ['--archive', options.from.dataFolder, dataFolder]);
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: socketIsUsable ? socketFolder : '',
    ...Object.fromEntries(
      ['fsync', 'synchronous_commit', 'full_page_writes'].map((name) => [
        name,
        options.durable === true ? 'on' : 'off',
      ]),
    ),
    ...options.settings,
  };
  await appendFile(
    join(dataFolder, 'postgresql.conf'),
    Object.entries(settings)
      .map(([name, value]) => `${name} = ${quoted(value)}\n`)
      .join(''),
  );

  const begun = await startServer();
  const { port } = begun;
  let { child } = begun;
  const login = (given: Login = {}) => {
    const name = given.user ?? superuser;
    const password = given.password ?? (name === superuser ? superuserPassword : undefined);
    return { user: name, password, database: given.database ?? 'postgres' };
  };
  const psqlEnvironment = (given?: Login): Record<string, string> => {
    const { user: name, password, database } = login(given);
    return {
      PATH: `${binFolder}:${process.env.PATH ?? '/usr/bin:/bin'}`,
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PGUSER: name,
      PGDATABASE: database,
      ...(password === undefined ? {} : { PGPASSWORD: password }),
    };
  };

  return {
    folder,
    dataFolder,
    binFolder,
    port,
    socketFolder,
    superuser,
    superuserPassword,
    get pid() {
      return child.pid;
    },
    url: (given) => {
      const { user: name, password, database } = login(given);
      const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`;
      return `postgresql://${encodeURIComponent(name)}${secret}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
    },
    psqlEnvironment,
    psql: async (sql, given) => {
      const done = run(
        join(binFolder, 'psql'),
        ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'],
        { cwd: '/', env: { ...environment, ...psqlEnvironment(given) }, maxBuffer: 2 ** 26 },
      );
      done.child.stdin?.end(sql);
      return (await done).stdout.replace(/\n$/, '');
    },
    halt: () => child.stop(),
    crash: async () => {
      const children = await childrenOf(child.pid);
      for (const pid of [child.pid, ...children]) kill(pid);
      await child.stop();
      const deadline = Date.now() + 30_000;
      while (children.some(isAlive)) {
        if (Date.now() > deadline) throw new Error('Processes of the server outlived SIGKILL.');
        await pause(5);
      }
    },
    resume: async () => {
      const again = await launch();
      const problem = await waitUntilReady(again, port);
      if (problem !== undefined) {
        await again.stop();
        throw new Error(`PostgreSQL did not start again: ${problem}. Its log:\n${again.log()}`);
      }
      child = again;
    },
    stop: async () => {
      await child.stop();
      await removeFolder();
    },
  };

  async function initialize(): Promise<void> {
    const passwordFile = join(folder, 'superuser-password');
    await writeFile(passwordFile, `${superuserPassword}\n`, { mode: 0o600 });
    await giveTo(user, passwordFile);
    await run(
      join(binFolder, 'initdb'),
      [
        ...['--pgdata', dataFolder, '--username', superuser, '--pwfile', passwordFile],
        ...['--auth', options.authentication ?? 'scram-sha-256'],
        ...['--encoding', 'UTF8', '--locale', 'C.UTF-8', '--no-sync', '--no-instructions'],
      ],
      { cwd: folder, env: environment, ...identityOf(user) },
    );
    await rm(passwordFile);
  }

  function launch(): Promise<Child> {
    return startChild(join(binFolder, 'postgres'), ['-D', dataFolder], {
      logFile,
      // PostgreSQL's fast shutdown: sessions are ended, nothing is lost.
      stopSignal: 'SIGINT',
      cwd: folder,
      environment,
      ...identityOf(user),
    });
  }

  async function startServer(): Promise<{ child: Child; port: number }> {
    const attempts = 10;
    for (let attempt = 1; ; attempt += 1) {
      const candidate = await findFreePort();
      await appendFile(join(dataFolder, 'postgresql.conf'), `port = ${candidate}\n`);
      const started = await launch();
      const problem = await waitUntilReady(started, candidate);
      if (problem === undefined) return { child: started, port: candidate };
      await started.stop();
      const portWasTaken = started.log().includes('Address already in use');
      if (!portWasTaken || attempt === attempts) {
        throw new Error(`PostgreSQL did not start: ${problem}. Its log:\n${started.log()}`);
      }
      await rm(logFile);
    }
  }

  async function waitUntilReady(started: Child, candidate: number): Promise<string | undefined> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      const how = started.end();
      if (how !== undefined) return `it ended with ${how}`;
      const host = socketIsUsable ? socketFolder : '127.0.0.1';
      const answer = await run(
        join(binFolder, 'pg_isready'),
        ['-q', '-h', host, '-p', String(candidate)],
        { cwd: '/', env: environment },
      ).then(
        () => true,
        () => false,
      );
      if (answer && started.isRunning()) return undefined;
      await pause(20);
    }
    return 'it accepted no connection within 60 seconds';
  }
}

/** Only what the programs need: no PG* variable of the caller may redirect them. */
function serverEnvironment(binFolder: string, folder: string): NodeJS.ProcessEnv {
  return {
    PATH: `${binFolder}:${process.env.PATH ?? '/usr/bin:/bin'}`,
    HOME: folder,
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
  };
}

/** Direct children of a process, by /proc. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return list
    .split(' ')
    .filter((text) => text !== '')
    .map(Number);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
