import { FailureError } from '../../ports/failure.ts';
import { LocalProcess } from '../local-process.ts';
import { connectionFailure, noShell } from './connection-failure.ts';
import {
  masterArguments,
  channelArguments,
  readyWord,
  type MasterSettings,
} from './ssh-arguments.ts';

/** Seconds beyond the connect timeout for what it does not cover: the login itself. */
const loginSeconds = 20;
const probeSeconds = 5;

/** One authenticated connection, held by an ssh of ours, over which others open their channels. */
export class Master {
  readonly controlPath: string;
  readonly #process: LocalProcess;
  readonly #environment: Readonly<Record<string, string>>;
  #ended: { readonly said: string } | undefined;

  private constructor(
    controlPath: string,
    process: LocalProcess,
    environment: Readonly<Record<string, string>>,
  ) {
    this.controlPath = controlPath;
    this.#process = process;
    this.#environment = environment;
    void process.result.then(
      ({ stderr }) => (this.#ended = { said: stderr }),
      (error: unknown) => (this.#ended = { said: String(error) }),
    );
  }

  /**
   * Logs in. Resolves when a shell has answered there, which is after the control socket was made.
   * @param name the host's, for messages
   * @param signal ends the login and the connection
   * @throws FailureError `host-unreachable`, `host-key-unknown`, `host-key-changed`, `host-auth-failed`, `host-error`
   */
  static async connect(
    name: string,
    settings: MasterSettings,
    env: Readonly<Record<string, string>>,
    environment: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Master> {
    const process = new LocalProcess(
      { argv: masterArguments(settings), env },
      { environment, signal },
      true,
    );
    const limit = settings.connectTimeoutSeconds + loginSeconds;
    const clock = { late: false };
    const timer = setTimeout(() => {
      clock.late = true;
      void process.kill();
    }, limit * 1000);
    let printed = '';
    try {
      for (
        let line = await process.nextLine();
        line !== undefined;
        line = await process.nextLine()
      ) {
        if (line === readyWord) return new Master(settings.controlPath, process, environment);
        printed = `${printed}${line}\n`.slice(-4096);
      }
    } finally {
      clearTimeout(timer);
    }
    const { exitCode, stderr } = await process.end();
    if (clock.late) throw connectionFailure(name, `the login was not over within ${limit} seconds`);
    // 255 is ssh's own (ssh(1), EXIT STATUS), 127 that of a program that is not there; the rest is the shell's.
    if (exitCode === 255) throw connectionFailure(name, stderr);
    if (exitCode === 127 && stderr.startsWith('ssh: program not found')) {
      throw new FailureError({
        code: 'host-error',
        message: 'The program ssh is not installed where the window runs.',
        state: 'Nothing was done on that host.',
        next: 'Install the OpenSSH client, then run the step again.',
      });
    }
    throw noShell(name, `${printed}${stderr}`);
  }

  /** What ssh said at its end; `undefined` while the connection stands, as far as it knows. */
  get ended(): { readonly said: string } | undefined {
    return this.#ended;
  }

  /** Whether the host still answers over this connection. */
  async answers(): Promise<boolean> {
    if (this.#ended !== undefined) return false;
    const { exitCode } = await new LocalProcess(
      { argv: channelArguments(this.controlPath, 'exec true'), timeoutSeconds: probeSeconds },
      { environment: this.#environment },
      false,
    ).result;
    return exitCode === 0;
  }

  async close(): Promise<void> {
    await this.#process.kill();
  }
}
