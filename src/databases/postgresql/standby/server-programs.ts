import { posix } from 'node:path';
import { fail } from '../../../ports/failure.ts';
import type { CommandResult, Host } from '../../../ports/host.ts';
import type { ServerPlace } from '../../../ports/server-place.ts';
import type { ServerState } from '../../../ports/standby.ts';
import { readControlData } from './control-data.ts';

/** Seconds that we wait longer than a program that has a limit of its own, so that it speaks first. */
const graceSeconds = 10;

/** A server's own programs (pg_ctl, pg_controldata), run as the owner of the data: they refuse root. */
export interface ServerPrograms {
  run(argv: readonly [string, ...string[]], seconds: number): Promise<CommandResult>;
  pgCtl(args: readonly string[], seconds: number): Promise<CommandResult>;
  state(): Promise<ServerState>;
}

const stateScript = `
"$1/pg_ctl" status -D "$2" > /dev/null 2>&1
echo "status: $?"
exec "$1/pg_controldata" -D "$2"
`;

export function serverPrograms(host: Host, place: ServerPlace): ServerPrograms {
  const { owner, programs, dataDirectory } = place;
  let prefix: Promise<readonly string[]> | undefined;
  const asOwner = async (): Promise<readonly string[]> => {
    const me = await host.run({ argv: ['id', '-un'], timeoutSeconds: 10 });
    // Without a login: no shell and no password are needed, which server accounts often lack.
    return me.stdout.trim() === owner ? [] : ['runuser', '-u', owner, '--'];
  };
  const run = async (
    argv: readonly [string, ...string[]],
    seconds: number,
  ): Promise<CommandResult> => {
    prefix ??= asOwner().catch((error: unknown) => {
      prefix = undefined;
      throw error;
    });
    const [program, ...rest] = [...(await prefix), ...argv];
    return host.run({
      argv: [program ?? argv[0], ...rest],
      // pg_ctl looks for itself from the folder that it is started in, which the owner may not enter.
      workingDirectory: '/',
      timeoutSeconds: seconds + graceSeconds,
    });
  };
  return {
    run,
    pgCtl: (args, seconds) =>
      run(
        [
          posix.join(programs, 'pg_ctl'),
          ...args,
          ...['-D', dataDirectory, '-w', '-s', '-t', String(Math.max(1, Math.ceil(seconds)))],
        ],
        seconds,
      ),
    state: async () => {
      const result = await run(['sh', '-c', stateScript, 'sh', programs, dataDirectory], 20);
      const status = /^status: (\d+)$/m.exec(result.stdout)?.[1];
      // 0: runs; 3: does not (pg_ctl in the manual). Anything else is no answer.
      if (result.exitCode !== 0 || (status !== '0' && status !== '3')) {
        return fail({
          code: 'standby-unreadable',
          message: `The server in ${dataDirectory} on ${host.name} cannot be looked at: ${lastLine(result)}.`,
          state: 'Nothing was changed by looking.',
          next: `Look at ${dataDirectory} on ${host.name}: it must be there, and its owner ${owner} must be able to read it.`,
        });
      }
      return { isRunning: status === '0', ...readControlData(result.stdout) };
    },
  };
}

/** What a program said last, without the secrets that it cannot have: it was given none. */
export function lastLine({ stderr, stdout, exitCode }: CommandResult): string {
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
  return lines.at(-1)?.trim() ?? `exit code ${String(exitCode)}`;
}
