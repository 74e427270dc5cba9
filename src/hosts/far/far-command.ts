import { randomBytes } from 'node:crypto';
import { FailureError } from '../../ports/failure.ts';
import type { Command, CommandResult, PipeEnds } from '../../ports/host.ts';
import { hostFailure } from '../host-failure.ts';
import { cancelled } from '../command-failure.ts';
import { LocalProcess } from '../local-process.ts';
import type { ChildEnd, Relay } from '../relay.ts';
import type { Carrier, Channel, ChannelKind } from './carrier.ts';
import { endGroupScript } from './far-group.ts';
import { MarkedStream, type Mark } from './marked-stream.ts';
import { headerOf } from './supervisor.ts';

/** Seconds that a command to be ended is given to begin: until then there is nothing to end. */
const beginSeconds = 2;
/** Seconds for the order to end a group, its connection included. With the above well under a cancelled run's 7.5 s. */
const endSeconds = 5;
/** Times that a command is tried on another connection when it cannot have begun on the first. */
const attempts = 3;

export interface FarOptions {
  readonly kind: ChannelKind;
  /** The environment of the run, of which the carrier's child sees a short allow-list. */
  readonly environment: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** See {@link LocalProcess}. */
  readonly ends?: PipeEnds | undefined;
  /** What messages call the command, in place of its program. */
  readonly label?: string | undefined;
  /** Takes standard output as it is, in place of the result. */
  readonly onBytes?: ((chunk: Buffer) => void) | undefined;
}

/** The command cannot have begun; the same may succeed on another channel. */
class NotBegun extends Error {}

class FarRelay implements Relay {
  readonly program: string;
  readonly over: Promise<void>;
  /** Resolves when the command begins. */
  readonly begun: Promise<void>;
  readonly #carrier: Carrier;
  readonly #channel: Channel;
  readonly #options: FarOptions;
  readonly #out: MarkedStream;
  readonly #err: MarkedStream;
  readonly #folder: string;
  #begin: (Mark & { kind: 'begin' }) | undefined;
  #end: number | undefined;
  #noFolder: (Mark & { kind: 'folder' }) | undefined;
  #onBegun: () => void = () => undefined;
  #onOver: () => void = () => undefined;

  constructor(
    carrier: Carrier,
    channel: Channel,
    command: Command,
    options: FarOptions,
    mark: string,
  ) {
    this.program = options.label ?? command.argv[0];
    this.#carrier = carrier;
    this.#channel = channel;
    this.#options = options;
    this.#folder = command.workingDirectory ?? '';
    this.begun = new Promise((resolve) => (this.#onBegun = resolve));
    this.over = new Promise((resolve) => (this.#onOver = resolve));
    this.#out = new MarkedStream(mark, (found) => this.#take(found));
    this.#err = new MarkedStream(mark, (found) => this.#take(found));
  }

  #take(mark: Mark): void {
    if (mark.kind === 'begin') {
      this.#begin = mark;
      this.#onBegun();
    } else if (mark.kind === 'folder') {
      this.#noFolder = mark;
    } else {
      this.#end = mark.code;
      // Of the two outputs either may come first.
      if (this.#out.ended && this.#err.ended) this.#onOver();
    }
  }

  stdout(chunk: Buffer): Buffer {
    const printed = this.#out.add(chunk);
    if (this.#options.onBytes === undefined) return printed;
    this.#options.onBytes(printed);
    return Buffer.alloc(0);
  }

  stderr(chunk: Buffer): Buffer {
    return this.#err.add(chunk);
  }

  async end(): Promise<Error | undefined> {
    if (this.#options.kind === 'control' || this.#end !== undefined) return undefined;
    await Promise.race([this.begun, seconds(beginSeconds)]);
    const { group, boot } = this.#begin ?? {};
    if (group === undefined || boot === undefined) return this.#unsure('it had not answered yet');
    try {
      const order = { argv: ['sh', '-c', endGroupScript, 'sh', String(group), boot] } as const;
      const { exitCode } = await runFar(
        this.#carrier,
        { ...order, timeoutSeconds: endSeconds },
        { environment: this.#options.environment, kind: 'control' },
      );
      if (exitCode === 0) return undefined;
      return exitCode === 1 ? this.#left(group) : this.#unsure('the order to end it failed');
    } catch (error) {
      return this.#unsure(error instanceof Error ? error.message : String(error));
    }
  }

  async exitCode(child: ChildEnd): Promise<number | null> {
    if (this.#noFolder !== undefined) throw this.#badFolder(this.#noFolder.missing);
    if (this.#end !== undefined && this.#out.ended && this.#err.ended) {
      // A shell tells of signals by these numbers. 129 is left out: it is an ordinary code of git's.
      return this.#end >= 130 && this.#end <= 159 ? null : this.#end;
    }
    if (this.#begin === undefined) {
      const why = await this.#channel.silence(child, `${this.#err.noise}${this.#out.noise}`);
      throw why === 'again' ? new NotBegun() : why;
    }
    const why = await this.#channel.broken(this.program);
    if (why !== undefined) throw why;
    return null;
  }

  #badFolder(missing: boolean): FailureError {
    const reason = missing ? 'ENOENT: no such folder' : 'EACCES: permission denied';
    const error = Object.assign(new Error(`${reason}, cd '${this.#folder}'`), {
      code: missing ? 'ENOENT' : 'EACCES',
    });
    return hostFailure(error, `start \`${this.program}\``, 'Nothing was started.');
  }

  #left(group: number): FailureError {
    return new FailureError({
      code: 'host-error',
      message: `\`${this.program}\` was to be ended (timeout or cancelled run) on ${this.#carrier.name}, but its process group ${group} did not go.`,
      state: 'Some of its processes are still running there and may still have effects.',
      next: `Look at them with \`ps -o pid,user,args -g ${group}\` on that host, end them, then run the phase again or \`rollback\`.`,
    });
  }

  #unsure(reason: string): FailureError {
    return new FailureError({
      code: 'host-unreachable',
      message: `\`${this.program}\` was to be ended (timeout or cancelled run) on ${this.#carrier.name}, but that could not be observed: ${reason.replace(/\.$/, '')}.`,
      state: 'It may still be running there; its effects up to now are unknown.',
      next: 'Look on that host whether it runs, end it, then run the phase again or `rollback`.',
    });
  }
}

function seconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count * 1000).unref());
}

/**
 * Begins a command behind a carrier. Resolves when it has begun there.
 * @throws FailureError when the machine cannot be reached, or the command cannot be put into words for a shell,
 * or did not begin
 */
export async function beginFar(
  carrier: Carrier,
  command: Command,
  options: FarOptions,
  interactive: boolean,
): Promise<LocalProcess> {
  const program = options.label ?? command.argv[0];
  for (let attempt = 1; ; attempt += 1) {
    // Begins with a byte that texts do not have, so that hardly anything is held back for looking like it.
    const mark = `\u001e${randomBytes(16).toString('hex')}`;
    const header = Buffer.from(headerOf(command, mark), 'latin1');
    const channel = await carrier.open(options.kind, program, options.signal);
    if (options.signal?.aborted === true) {
      channel.close();
      throw cancelled(program);
    }
    const { env: _env, workingDirectory: _folder, stdin, ...rest } = command;
    const relay = new FarRelay(carrier, channel, command, options, mark);
    const process = new LocalProcess(
      {
        ...rest,
        argv: channel.argv,
        env: channel.env,
        stdin: stdin === undefined ? header : Buffer.concat([header, Buffer.from(stdin)]),
      },
      {
        environment: options.environment,
        relay,
        ...(options.ends === undefined ? {} : { ends: options.ends }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      interactive,
    );
    const outcome = process.result.then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    );
    void outcome.then(() => channel.close());
    const early = await Promise.race([relay.begun, outcome]);
    if (early === undefined) return process;
    if (!(early instanceof NotBegun)) throw early;
    if (attempt === attempts) throw unsteady(carrier.name, program);
  }
}

function unsteady(host: string, program: string): FailureError {
  return new FailureError({
    code: 'host-unreachable',
    message: `The connection to ${host} was lost ${attempts} times before \`${program}\` could begin.`,
    state: 'The command was not started.',
    next: 'Check the network and the SSH server of that host, then run the step again.',
  });
}

/** Runs a command behind a carrier to its end. */
export async function runFar(
  carrier: Carrier,
  command: Command,
  options: FarOptions,
): Promise<CommandResult> {
  return (await beginFar(carrier, command, options, false)).result;
}
