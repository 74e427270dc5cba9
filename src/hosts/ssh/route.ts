import { cancelled } from '../command-failure.ts';
import type { Carrier, Channel, ChannelKind } from '../far/carrier.ts';
import { loaderCommand } from '../far/supervisor.ts';
import { sudoArguments, sudoRefused } from '../sudo-command.ts';
import { cutOff, noClient, noShell, sessionRefused } from './connection-failure.ts';
import type { Master } from './master.ts';
import { Slots } from './slots.ts';
import { channelArguments, noMasterWord } from './ssh-arguments.ts';

/**
 * Channels on one connection: sshd takes ten sessions (MaxSessions, sshd_config(5)). The master has one, and one
 * is kept for ending what the others run.
 */
const channelsEach = 8;

/** One connection that is made when it is needed, and made again when it was lost. */
class Line {
  readonly slots = new Slots(channelsEach);
  readonly control = new Slots(1);
  readonly #connect: () => Promise<Master>;
  #master: Promise<Master> | undefined;

  constructor(connect: () => Promise<Master>) {
    this.#connect = connect;
  }

  async master(): Promise<Master> {
    const known = await this.#master?.catch(() => undefined);
    if (known !== undefined && known.ended === undefined) return known;
    return this.#renew(known);
  }

  /** Others may have found it ended at the same time: one of them connects. */
  async #renew(old: Master | undefined): Promise<Master> {
    if (this.#renewal?.old === old && this.#renewal !== undefined) return this.#renewal.master;
    const master = this.#connect();
    this.#renewal = { old, master };
    this.#master = master;
    master.catch(() => {
      // The next command may try again.
      if (this.#master === master) this.#forgetAll();
    });
    return master;
  }

  #renewal: { readonly old: Master | undefined; readonly master: Promise<Master> } | undefined;

  #forgetAll(): void {
    this.#master = undefined;
    this.#renewal = undefined;
  }

  /** Nobody is to use this connection any more; who does, may go on. */
  async forget(master: Master): Promise<void> {
    if ((await this.#master?.catch(() => undefined)) === master) this.#forgetAll();
  }
}

/** All connections to one login: one for commands, and as many as needed for sessions that stay open. */
export class Route {
  readonly #name: string;
  readonly #connect: () => Promise<Master>;
  readonly #commands: Line;
  readonly #sessions: Line[] = [];

  constructor(name: string, connect: () => Promise<Master>) {
    this.#name = name;
    this.#connect = connect;
    this.#commands = new Line(connect);
  }

  carrier(sudo: boolean): Carrier {
    const prefix = sudo ? `exec ${sudoArguments.join(' ')} ` : 'exec ';
    const command = loaderCommand.replace(/^exec /, prefix);
    return {
      name: this.#name,
      open: async (kind, program, signal) => {
        const { line, release } = await this.#place(kind, program, signal);
        try {
          const master = await unlessCancelled(line.master(), program, signal);
          return this.#channel(line, master, command, sudo, program, release);
        } catch (error) {
          release();
          throw error;
        }
      },
    };
  }

  async #place(
    kind: ChannelKind,
    program: string,
    signal: AbortSignal | undefined,
  ): Promise<{ line: Line; release: () => void }> {
    if (kind === 'session') {
      // Sessions wait for nobody: who holds one may need another before letting go.
      let line = this.#sessions.find(({ slots }) => slots.tryTake());
      if (line === undefined) {
        line = new Line(this.#connect);
        line.slots.tryTake();
        this.#sessions.push(line);
      }
      const { slots } = line;
      return { line, release: once(() => slots.release()) };
    }
    const line = this.#commands;
    const slots = kind === 'control' ? line.control : line.slots;
    await slots.take(signal).catch(() => {
      throw cancelled(program);
    });
    return { line, release: once(() => slots.release()) };
  }

  #channel(
    line: Line,
    master: Master,
    command: string,
    sudo: boolean,
    program: string,
    release: () => void,
  ): Channel {
    return {
      argv: channelArguments(master.controlPath, command),
      env: {},
      silence: async (end, said) => {
        if (end.error !== undefined) return noClient(end.error);
        if (said.includes('open refused by peer')) return sessionRefused(this.#name);
        if (said.includes(noMasterWord)) {
          await line.forget(master);
          return 'again';
        }
        // The header may have arrived all the same.
        if (end.exitCode === 255 || end.exitCode === null) {
          return cutOff(this.#name, program, `${said}\n${master.ended?.said ?? ''}`);
        }
        return sudo ? sudoRefused(this.#name, said) : noShell(this.#name, said);
      },
      broken: async (name) => {
        if (await master.answers()) return undefined;
        await line.forget(master);
        return cutOff(this.#name, name, master.ended?.said ?? '');
      },
      close: release,
    };
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}

/** A connection in the making goes on: others may wait for it too. */
async function unlessCancelled<T>(
  work: Promise<T>,
  program: string,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return work;
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(cancelled(program));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
