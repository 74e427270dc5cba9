import type { Command, Host } from '../../../ports/host.ts';
import type { TaskTools } from './task-session.ts';

/** What some tasks need besides psql's standard input: files on the host, and client programs of their own. */
export interface TaskClients {
  readonly host: Host;
  /** Folders that may hold client programs, newest version first; `undefined` stands for PATH. */
  folders(): Promise<readonly (string | undefined)[]>;
  /** psql against the application's database; secrets are in its environment. */
  psql(args: readonly string[]): Promise<Pick<Command, 'argv' | 'env'>>;
  /** Any program that connects by libpq, likewise; its sessions have these run-time parameters. */
  command(
    path: string,
    args: readonly string[],
    settings?: Readonly<Record<string, string>>,
  ): Pick<Command, 'argv' | 'env'>;
}

export interface ClientTools extends TaskTools {
  readonly clients: TaskClients;
  readonly windowId: string | undefined;
}
