import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, CommandResult, PipeEnds, Session } from '../ports/host.ts';
import { ByteFlow } from './byte-flow.ts';
import { childEnvironment } from './child-environment.ts';
import { CapturedOutput, LineSplitter } from './captured-output.ts';
import { cancelled, outputHeld, stillRunning, tooMuchOutput, tooSlow } from './command-failure.ts';
import { errnoOf, hostFailure } from './host-failure.ts';
import { endProcessGroup } from './process-group.ts';
import type { ChildEnd, Relay } from './relay.ts';

/** Seconds after a command's exit for which others that hold its pipes (a daemon it started) are waited for. */
const stragglerSeconds = 2;
/** Characters that wait for `nextLine` before the command is held back. */
const queueLimit = 1024 * 1024;
/** The longest delay that a timer takes; a longer one would fire at once. */
const longestTimerMilliseconds = 2 ** 31 - 1;

export interface ProcessOptions {
  readonly signal?: AbortSignal;
  readonly environment: Readonly<Record<string, string>>;
  /** For a child that only carries a command to where it runs. */
  readonly relay?: Relay;
  /** For a child whose output and input are bytes that somebody else has or wants. */
  readonly ends?: PipeEnds;
  /** What messages call the command, in place of its program. */
  readonly label?: string;
}

/** Seconds for which the end of a relayed command is waited for, once it takes no more input: it tells why. */
const farewellSeconds = 6;

function patience(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, farewellSeconds * 1000).unref());
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** A line, or the end of lines, that somebody waits for. */
interface LineWaiter {
  readonly resolve: (line: string | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A child at the head of its own process group, with its output cut into lines and kept within bounds. */
export class LocalProcess implements Session {
  /** How it ended; rejects with the failure that made us end it (cancelled, too much output, a callback's error). */
  readonly result: Promise<CommandResult>;
  readonly #program: string;
  readonly #command: Command;
  readonly #child: ChildProcess;
  readonly #interactive: boolean;
  readonly #path: string;
  readonly #relay: Relay | undefined;
  readonly #flow: ByteFlow | undefined;
  readonly #stdout = new CapturedOutput();
  readonly #stderr = new CapturedOutput();
  readonly #lines: string[] = [];
  readonly #waiters: LineWaiter[] = [];
  #failure: Error | undefined;
  #timedOut = false;
  #queued = 0;
  #ended = false;
  #settled = false;
  #discarding = false;
  #ending: Promise<void> | undefined;
  #giveUp: () => void = () => undefined;

  constructor(command: Command, options: ProcessOptions, interactive: boolean) {
    const [program, ...args] = command.argv;
    this.#relay = options.relay;
    this.#flow = options.ends && new ByteFlow(options.ends, (error) => this.#stop(asError(error)));
    this.#program = options.label ?? options.relay?.program ?? program;
    this.#command = command;
    this.#interactive = interactive;
    const started = performance.now();
    const wantsInput =
      interactive || command.stdin !== undefined || options.ends?.source !== undefined;
    const env = childEnvironment(options.environment, command.env);
    this.#path = env.PATH ?? '';
    this.#child = spawn(program, args, {
      env,
      ...(command.workingDirectory === undefined ? {} : { cwd: command.workingDirectory }),
      detached: true,
      shell: false,
      stdio: [wantsInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    const onAbort = (): void => this.#stop(cancelled(this.#program));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const timer =
      command.timeoutSeconds === undefined
        ? undefined
        : setTimeout(
            () => {
              this.#timedOut = true;
              const limit = command.timeoutSeconds ?? 0;
              this.#stop(this.#flow && tooSlow(this.#program, limit));
            },
            Math.min(command.timeoutSeconds * 1000, longestTimerMilliseconds),
          );
    this.result = this.#follow(started).finally(() => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      this.#settled = true;
      this.#settleWaiters();
    });
    // Whoever cares awaits `result`; a session that nobody ends must not bring the process down.
    this.result.catch(() => undefined);
    this.#feed();
  }

  #feed(): void {
    const stdin = this.#child.stdin;
    if (stdin === null) return;
    // A command may end without reading all its input; its exit code tells how that went.
    stdin.on('error', () => undefined);
    if (this.#command.stdin !== undefined) stdin.write(this.#command.stdin);
    const isFed = this.#flow?.feed(stdin, this.#relay?.begun ?? Promise.resolve()) === true;
    if (!isFed && !this.#interactive) stdin.end();
  }

  async #follow(started: number): Promise<CommandResult> {
    const child = this.#child;
    const stdoutLines = new LineSplitter((line) => this.#takeLine(line));
    const stderrLines = new LineSplitter((line) => this.#command.onStderrLine?.(line));
    child.stdout?.on('data', (raw: Buffer) =>
      this.#guard(() => {
        const chunk = this.#relay?.stdout(raw) ?? raw;
        if (this.#flow !== undefined) {
          this.#flow.take(chunk, child.stdout);
          return;
        }
        if (!this.#interactive) this.#stdout.add(chunk);
        stdoutLines.add(chunk);
        if (this.#stdout.truncated && !this.#interactive && !this.#command.onStdoutLine) {
          throw tooMuchOutput(this.#program);
        }
      }),
    );
    child.stderr?.on('data', (raw: Buffer) =>
      this.#guard(() => {
        const chunk = this.#relay?.stderr(raw) ?? raw;
        this.#stderr.add(chunk);
        stderrLines.add(chunk);
      }),
    );
    const end = await this.#closed();
    await this.#flow?.settle();
    this.#guard(() => {
      stdoutLines.end();
      stderrLines.end();
    });
    this.#ended = true;
    if (this.#ending !== undefined) await this.#ending;
    if (this.#failure !== undefined) throw this.#failure;
    if (end.error !== undefined && this.#relay === undefined) {
      return this.#notStarted(end.error, started);
    }
    return {
      exitCode: await this.#exitCode(end),
      stdout: this.#stdout.text(),
      stderr: this.#stderr.text(),
      timedOut: this.#timedOut,
      seconds: (performance.now() - started) / 1000,
    };
  }

  async #exitCode(end: ChildEnd): Promise<number | null> {
    if (this.#relay === undefined) return end.exitCode;
    if (this.#ending !== undefined) return null;
    try {
      return await this.#relay.exitCode(end);
    } catch (error) {
      // Who reads lines must not take a lost connection for the end of the output.
      this.#failure = asError(error);
      throw error;
    }
  }

  #closed(): Promise<ChildEnd> {
    const child = this.#child;
    let straggler: NodeJS.Timeout | undefined;
    return new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid === undefined) resolve({ exitCode: null, error });
      });
      child.once('close', (exitCode) => {
        clearTimeout(straggler);
        resolve({ exitCode });
      });
      this.#giveUp = () => {
        child.stdin?.destroy();
        child.stdout?.destroy();
        child.stderr?.destroy();
        child.unref();
        resolve({ exitCode: null });
      };
      // `close` waits for the pipes, which a daemon that the command started may hold open for ever.
      const letGo = (): void => {
        straggler ??= setInterval(() => {
          // Somebody has yet to read what the command itself printed.
          if (child.stdout?.isPaused() === true) return;
          if (this.#isFlowing()) return;
          child.stdout?.destroy();
          child.stderr?.destroy();
          child.kill();
        }, stragglerSeconds * 1000);
      };
      child.once('exit', letGo);
      void this.#relay?.over.then(letGo);
    });
  }

  /** Whether bytes for a sink still come after the end; where none do any more, their end was not seen. */
  #isFlowing(): boolean {
    const flowed = this.#flow?.hasFlowed() === true;
    if (this.#flow === undefined || this.#relay !== undefined || flowed) return flowed;
    this.#stop(outputHeld(this.#program));
    return false;
  }

  /** A program that is not there, or not executable, ends as it does under a shell: 127, 126. */
  #notStarted(error: Error, started: number): CommandResult {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'EACCES') {
      throw hostFailure(error, `start \`${this.#program}\``, 'Nothing was started.');
    }
    const folder = this.#command.workingDirectory;
    if (folder !== undefined && !existsSync(folder)) {
      throw hostFailure(error, `start \`${this.#program}\` in ${folder}`, 'Nothing was started.');
    }
    const missing = errno === 'ENOENT' || !this.#isSomewhere();
    return {
      exitCode: missing ? 127 : 126,
      stdout: '',
      stderr: `${this.#program}: ${missing ? 'program not found' : 'permission denied'}\n`,
      timedOut: false,
      seconds: (performance.now() - started) / 1000,
    };
  }

  /** A folder of PATH that we may not enter makes the system say EACCES for a program that is nowhere. */
  #isSomewhere(): boolean {
    if (this.#program.includes('/')) return true;
    return this.#path.split(':').some((folder) => existsSync(join(folder, this.#program)));
  }

  /** Runs code that may throw inside an event; the command is then ended and `result` rejects. */
  #guard(action: () => void): void {
    if (this.#failure !== undefined) return;
    try {
      action();
    } catch (error) {
      this.#stop(asError(error));
    }
  }

  #takeLine(line: string): void {
    this.#command.onStdoutLine?.(line);
    if (!this.#interactive) return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve(line);
      return;
    }
    if (this.#discarding) {
      this.#stdout.add(Buffer.from(`${line}\n`));
      return;
    }
    this.#lines.push(line);
    this.#queued += line.length;
    if (this.#queued >= queueLimit) this.#child.stdout?.pause();
  }

  #settleWaiters(): void {
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#failure === undefined) waiter.resolve(undefined);
      else waiter.reject(this.#failure);
    }
  }

  /** Ends the whole group once; `failure` becomes what `result` rejects with. */
  #stop(failure: Error | undefined): void {
    this.#failure ??= failure;
    this.#flow?.stop();
    const groupId = this.#child.pid;
    if (groupId === undefined || this.#ended) return;
    this.#ending ??= this.#endEverywhere(groupId).then((gone) => {
      this.#discard();
      if (gone) return;
      this.#failure = stillRunning(this.#program, groupId);
      this.#giveUp();
    });
  }

  /** The command where it runs first: without its carrier it could no longer be reached. */
  async #endEverywhere(groupId: number): Promise<boolean> {
    const unsure = await this.#relay?.end();
    if (unsure !== undefined) this.#failure = unsure;
    return endProcessGroup(groupId);
  }

  /** Lets the rest of the output flow so that the end can be seen; unread lines stay in the result. */
  #discard(): void {
    this.#discarding = true;
    for (const line of this.#lines.splice(0)) this.#stdout.add(Buffer.from(`${line}\n`));
    this.#child.stdout?.resume();
  }

  async write(text: string): Promise<void> {
    const stdin = this.#child.stdin;
    const error = await new Promise<Error | null | undefined>((resolve) => {
      if (stdin === null) resolve(new Error('its standard input is not open'));
      else stdin.write(text, resolve);
    });
    if (!error) return;
    if (this.#relay !== undefined)
      await Promise.race([this.result, patience()]).catch(() => undefined);
    if (this.#failure !== undefined) throw this.#failure;
    const said = this.#stderr.text().trim();
    throw hostFailure(
      new Error(said === '' ? error.message : said),
      `write to \`${this.#program}\``,
      'The command no longer reads its input.',
    );
  }

  async nextLine(): Promise<string | undefined> {
    const line = this.#lines.shift();
    if (line !== undefined) {
      this.#queued -= line.length;
      if (this.#queued < queueLimit / 2) this.#child.stdout?.resume();
      return line;
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#settled) return undefined;
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  async end(): Promise<CommandResult> {
    this.#discard();
    this.#child.stdin?.end();
    return this.result;
  }

  async kill(): Promise<void> {
    this.#stop(undefined);
    await this.result.catch(() => undefined);
  }
}
