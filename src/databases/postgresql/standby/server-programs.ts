import { posix } from 'node:path';
import { fail } from '../../../ports/failure.ts';
import type { CommandResult, Host } from '../../../ports/host.ts';
import type { ServerPlace } from '../../../ports/server-place.ts';
import type { ServerState } from '../../../ports/standby.ts';
import { readControlData } from './control-data.ts';
import { asOwnerScript, lookScript, startScript, stopScript } from './server-scripts.ts';

/** Seconds that we wait longer than a program that has a limit of its own, so that it speaks first. */
const graceSeconds = 10;

/** What pg_ctl said last, and the server as its files and processes show it afterwards. */
export interface Acted {
  readonly said: string;
  /** Whether it was found running, so that nothing was done. */
  readonly wasRunning: boolean;
  readonly state: ServerState;
}

/** A server's own programs (pg_ctl, pg_controldata), run as the owner of the data: they refuse root. */
export interface ServerPrograms {
  state(): Promise<ServerState>;
  stop(mode: 'fast' | 'immediate', seconds: number): Promise<Acted>;
  /** Does nothing when it runs already. @param options of the server's command line */
  start(options: string, log: string, seconds: number): Promise<Acted>;
  /** Tells a replica to become a primary, and does not wait for it. */
  promote(): Promise<CommandResult>;
}

export function serverPrograms(host: Host, place: ServerPlace): ServerPrograms {
  const { owner, programs, dataDirectory } = place;
  const run = (argv: readonly string[], seconds: number): Promise<CommandResult> =>
    host.run({
      argv: ['sh', '-c', asOwnerScript, 'sh', owner, ...argv],
      // pg_ctl looks for itself from the folder that it is started in, which the owner may not enter.
      workingDirectory: '/',
      timeoutSeconds: seconds + graceSeconds,
    });
  const script = (text: string, args: readonly string[], seconds: number): Promise<CommandResult> =>
    run(['sh', '-c', text, 'sh', programs, dataDirectory, ...args], seconds);
  const state = async (): Promise<ServerState> => {
    const result = await script(lookScript, [], 20);
    return (
      stateIn(result) ??
      fail({
        code: 'standby-unreadable',
        message: `The server in ${dataDirectory} on ${host.name} cannot be looked at: ${lastLine(result)}.`,
        state: 'Nothing was changed by looking.',
        next: `Look at ${dataDirectory} on ${host.name}: it must be there, and its owner ${owner} must be able to read it.`,
      })
    );
  };
  const acted = async (result: CommandResult): Promise<Acted> => ({
    said: lastLine({ ...result, stdout: '' }),
    wasRunning: /^found: running$/m.test(result.stdout),
    state: stateIn(result) ?? (await state()),
  });
  return {
    state,
    stop: async (mode, seconds) => acted(await script(stopScript, [mode, whole(seconds)], seconds)),
    start: async (options, log, seconds) =>
      acted(await script(startScript, [options, log, whole(seconds)], seconds)),
    promote: () =>
      run([posix.join(programs, 'pg_ctl'), 'promote', '-D', dataDirectory, '-W', '-s'], 20),
  };
}

const whole = (seconds: number): string => String(Math.max(1, Math.ceil(seconds)));

/** The look that a script ended with; `undefined` when it did not come to it. */
function stateIn({ stdout, exitCode }: CommandResult): ServerState | undefined {
  const status = /^status: (\d+)$/m.exec(stdout)?.[1];
  // 0: runs; 3: does not (pg_ctl in the manual). Anything else is no answer.
  if (exitCode !== 0 || (status !== '0' && status !== '3')) return undefined;
  return { isRunning: status === '0', ...readControlData(stdout) };
}

/** What a program said last, without the secrets that it cannot have: it was given none. */
export function lastLine({
  stderr,
  stdout,
  exitCode,
}: Pick<CommandResult, 'stderr' | 'stdout' | 'exitCode'>): string {
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
  return lines.at(-1)?.trim() ?? `exit code ${String(exitCode)}`;
}
