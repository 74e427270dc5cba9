import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { guardProcess } from './guardian.ts';

const patienceMilliseconds = 20_000;

/** A server that we spawned ourselves and whose end we answer for. */
export type Child = {
  readonly pid: number;
  /** True as long as its end was not observed. */
  isRunning(): boolean;
  /** How it ended, e.g. "exit code 1" or "signal SIGKILL"; undefined while it runs. */
  end(): string | undefined;
  /** What it wrote to its log file, at most the last 4000 characters. */
  log(): string;
  /**
   * Asks it to end with `stopSignal` and waits; when it has not ended after 20 seconds, it is
   * killed. Resolves when the end was observed. A second call waits for the same end.
   */
  stop(): Promise<void>;
};

/**
 * Starts a server as our child, in a process group of its own (so that Ctrl-C at the terminal
 * reaches us alone and the servers end in our order), its output in `logFile`.
 * @throws when the program cannot be started.
 */
export async function startChild(
  command: string,
  args: readonly string[],
  options: {
    readonly logFile: string;
    /** What asks it to end in good order; sent to it too if our process should just be gone. */
    readonly stopSignal: NodeJS.Signals;
    readonly cwd: string;
    readonly environment: NodeJS.ProcessEnv;
    readonly uid?: number;
    readonly gid?: number;
  },
): Promise<Child> {
  const log = openSync(options.logFile, 'a', 0o644);
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.environment,
    stdio: ['ignore', log, log],
    detached: true,
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  closeSync(log);

  let end: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      end = signal === null ? `exit code ${String(code)}` : `signal ${signal}`;
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) =>
      reject(new Error(`Could not start ${command}: ${error.message}`, { cause: error })),
    );
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`Could not start ${command}: it has no process id.`);
  void ended.then(guardProcess(pid, options.stopSignal));

  return {
    pid,
    isRunning: () => end === undefined,
    end: () => end,
    log: () => readFileSync(options.logFile, 'utf8').slice(-4000),
    stop: async () => {
      if (end !== undefined) return;
      child.kill(options.stopSignal);
      const giveUp = new AbortController();
      const timeIsUp = pause(patienceMilliseconds, true, { signal: giveUp.signal }).catch(
        () => false,
      );
      const isLate = await Promise.race([ended.then(() => false), timeIsUp]);
      giveUp.abort();
      if (isLate) child.kill('SIGKILL');
      await ended;
    },
  };
}
