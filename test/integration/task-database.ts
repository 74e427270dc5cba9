import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startCluster, type Cluster } from '../../rehearsal/cluster.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { createPsql, type Psql, type PsqlSession } from '../../src/databases/postgresql/psql.ts';
import { postgresqlTasks } from '../../src/databases/postgresql/tasks.ts';
import { localHost } from '../../src/hosts/local.ts';
import { failureOf, type Failure } from '../../src/ports/failure.ts';

/** What the caller of a task gives when a test does not care. */
export const limits = { lockTimeoutSeconds: 5, statementTimeoutSeconds: 60 } as const;

/** Resolves when the condition holds; fails after a bounded number of looks. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  what: string,
): Promise<void> {
  for (let look = 0; look < 1500; look += 1) {
    if (await condition()) return;
    await pause(20);
  }
  throw new Error(`It did not come to this: ${what}`);
}

/** The failure that an action ends with. */
export async function failureFrom(action: Promise<unknown>): Promise<Failure> {
  return action.then(
    (value) => {
      throw new Error(`It did not fail, but returned ${JSON.stringify(value)}`);
    },
    (error: unknown) => failureOf(error),
  );
}

/** A database of its own on the cluster, and the tasks on it. */
export interface TaskDatabase {
  readonly name: string;
  /** Runs SQL as the superuser, returns what psql printed. */
  sql(text: string): Promise<string>;
  /** psql as a role (default: the superuser), with its own name in pg_stat_activity. */
  psql(options?: {
    user?: string;
    application?: string;
    signal?: AbortSignal;
    /** Called before each start of psql, which is one session each. */
    onStart?: () => void;
  }): Psql;
  tasks(options?: {
    user?: string;
    signal?: AbortSignal;
    windowId?: string;
    onStart?: () => void;
    /** Where client programs are looked for; default: those of the cluster. */
    folders?: readonly string[];
  }): ReturnType<typeof postgresqlTasks>;
  /** A session that has run the statements and stays as it is until it is closed. */
  hold(statements: string, application?: string): Promise<PsqlSession>;
  /** Number of sessions whose statement matches the pattern (as SQL's LIKE) and is running. */
  running(pattern: string): Promise<number>;
}

export class TaskCluster {
  readonly cluster: Cluster;
  readonly #held: PsqlSession[] = [];
  #count = 0;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async start(settings: Readonly<Record<string, string>> = {}): Promise<TaskCluster> {
    // Autovacuum would do the work that the tests want to see done.
    return new TaskCluster(await startCluster({ settings: { autovacuum: 'off', ...settings } }));
  }

  /** Ends what a failed test left open, too. */
  async stop(): Promise<void> {
    for (const session of this.#held) await session.close();
    await this.cluster.stop();
  }

  async database(setUp = ''): Promise<TaskDatabase> {
    this.#count += 1;
    const name = `task "db" ${this.#count}`;
    const { cluster } = this;
    await cluster.psql(`CREATE DATABASE "${name.replaceAll('"', '""')}"`);
    const sql = (text: string): Promise<string> => cluster.psql(text, { database: name });
    if (setUp !== '') await sql(setUp);

    const psql: TaskDatabase['psql'] = ({ user, application, signal, onStart } = {}) =>
      createPsql({
        host: localHost({ environment: {}, ...(signal === undefined ? {} : { signal }) }),
        database: name,
        client: async (program, args, database) => {
          onStart?.();
          return {
            argv: [join(cluster.binFolder, program), ...args],
            env: {
              ...cluster.psqlEnvironment({
                database,
                ...(user === undefined ? {} : { user, password: user }),
              }),
              PGAPPNAME: application ?? 'maintenance-window',
            },
          };
        },
      });
    return {
      name,
      sql,
      psql,
      tasks: ({ windowId, signal, folders, ...who } = {}) => {
        const command = (
          path: string,
          args: readonly string[],
          variables: Readonly<Record<string, string>> = {},
        ) => ({
          argv: [path, ...args] as const,
          env: {
            ...cluster.psqlEnvironment({
              database: name,
              ...(who.user === undefined ? {} : { user: who.user, password: who.user }),
            }),
            ...variables,
          },
        });
        return postgresqlTasks(psql({ ...who, ...(signal === undefined ? {} : { signal }) }), {
          clock: systemClock(signal),
          windowId,
          clients: {
            host: localHost({ environment: {}, ...(signal === undefined ? {} : { signal }) }),
            folders: async () => folders ?? [cluster.binFolder],
            psql: async (args) => command(join(cluster.binFolder, 'psql'), args),
            command,
          },
        });
      },
      hold: async (statements, application = 'shop') => {
        const session = await psql({ application }).start();
        this.#held.push(session);
        await session.query(statements);
        return session;
      },
      running: async (pattern) =>
        Number(
          await sql(
            `SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
             AND datname = current_database() AND query LIKE '${pattern}'`,
          ),
        ),
    };
  }
}
