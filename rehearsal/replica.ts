import { execFile } from 'node:child_process';
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Cluster, Login } from './cluster.ts';
import { findFreePort } from './free-port.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { giveTo, identityOf, unprivilegedUser } from './unprivileged-user.ts';

const run = promisify(execFile);

export type ReplicaOptions = {
  /** A replication slot on the primary that it streams from; made, when there is none. Default: none. */
  readonly slot?: string;
  /** Further settings, e.g. { recovery_min_apply_delay: '1h' }. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The name by which the primary knows it. Default: `replica`. */
  readonly name?: string;
};

/** A streaming replica of a cluster, on 127.0.0.1. Anybody may stop and start it, with pg_ctl. */
export type Replica = {
  readonly dataFolder: string;
  readonly port: number;
  /** A postgresql:// URL over TCP, by default of the superuser. */
  url(login?: Login): string;
  /** Runs SQL on it as the superuser; what psql printed, unaligned and without headers. */
  psql(sql: string, login?: Login): Promise<string>;
  isRunning(): Promise<boolean>;
  /** As its owner would: `pg_ctl start`, `pg_ctl stop -m fast`. */
  start(): Promise<void>;
  halt(): Promise<void>;
  /** What its server logged. */
  log(): Promise<string>;
  /** Ends its server, whoever started it, and removes its folder. */
  stop(): Promise<void>;
};

/**
 * Copies the running cluster by pg_basebackup and starts the copy as a streaming replica. Resolves when it streams.
 * @throws when it does not; nothing is left then.
 */
export async function startReplica(
  cluster: Cluster,
  options: ReplicaOptions = {},
): Promise<Replica> {
  const user = unprivilegedUser();
  const folder = await makeTemporaryFolder('pg-replica');
  const dataFolder = join(folder.path, 'data');
  const logFile = join(folder.path, 'postgresql.log');
  const name = options.name ?? 'replica';
  const environment = {
    ...cluster.psqlEnvironment(),
    HOME: folder.path,
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
  };
  await giveTo(user, folder.path);
  const as = { cwd: folder.path, env: environment, ...identityOf(user) };
  const pgCtl = (...args: string[]) =>
    run(join(cluster.binFolder, 'pg_ctl'), [...args, '-D', dataFolder, '-w', '-s', '-t', '60'], as);
  const isRunning = () =>
    pgCtl('status').then(
      () => true,
      () => false,
    );
  const start = async () => {
    await pgCtl('start', '-l', logFile);
  };
  const stop = async () => {
    if (await isRunning()) await pgCtl('stop', '-m', 'immediate');
    await folder.remove();
  };
  try {
    const { slot } = options;
    const slots = await cluster.psql('SELECT slot_name FROM pg_replication_slots');
    const isNew = slot !== undefined && !slots.split('\n').includes(slot);
    await run(
      join(cluster.binFolder, 'pg_basebackup'),
      [
        ...['--pgdata', dataFolder, '--write-recovery-conf', '--wal-method', 'stream'],
        ...['--checkpoint', 'fast', '--no-sync', '--no-manifest'],
        ...(slot === undefined ? [] : ['--slot', slot]),
        ...(isNew ? ['--create-slot'] : []),
      ],
      as,
    );
    const port = await findFreePort();
    const settings = { port: String(port), cluster_name: name, ...options.settings };
    await appendFile(
      join(dataFolder, 'postgresql.conf'),
      Object.entries(settings)
        .map(([key, value]) => `${key} = '${value.replaceAll("'", "''")}'\n`)
        .join(''),
    );
    await start();
    const sender = `SELECT count(*) FROM pg_stat_replication WHERE application_name = '${name}' AND state = 'streaming'`;
    for (let look = 0; (await cluster.psql(sender)) !== '1'; look += 1) {
      if (look === 500)
        throw new Error(`The replica does not stream:\n${await readFile(logFile, 'utf8')}`);
      await pause(20);
    }
    const atOwnPort = (login?: Login) => cluster.url(login).replace(/:\d+\//, `:${String(port)}/`);
    return {
      dataFolder,
      port,
      url: atOwnPort,
      psql: async (sql, login) => {
        const done = run(
          join(cluster.binFolder, 'psql'),
          ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'],
          { cwd: '/', env: { ...cluster.psqlEnvironment(login), PGPORT: String(port) } },
        );
        done.child.stdin?.end(sql);
        return (await done).stdout.replace(/\n$/, '');
      },
      isRunning,
      start,
      halt: async () => {
        await pgCtl('stop', '-m', 'fast');
      },
      log: () => readFile(logFile, 'utf8'),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
