import { formatDuration } from '../../../plan/duration.ts';
import type { Clock } from '../../../ports/clock.ts';
import { fail } from '../../../ports/failure.ts';
import type { Host } from '../../../ports/host.ts';
import { controlInWords, type ServerPlace } from '../../../ports/server-place.ts';
import { lastLine, type ServerPrograms } from './server-programs.ts';

type Argv = readonly [string, ...string[]];

/** The plan's own commands for a server, where pg_ctl and systemd do not do. */
export interface OwnCommands {
  readonly stop: Argv | undefined;
  readonly start: Argv | undefined;
}

/** Seconds that an immediate shutdown may take: it waits for nobody. */
const immediateSeconds = 30;
const pollSeconds = 0.05;

/** Stops and starts one server in the way that it is run. */
export function serverProcess(parts: {
  readonly host: Host;
  readonly clock: Clock;
  readonly place: ServerPlace;
  readonly programs: ServerPrograms;
  readonly commands: OwnCommands;
}) {
  const { host, clock, place, programs, commands } = parts;
  const { control, dataDirectory } = place;

  /** Whether it came to be so within the time. */
  const becomes = async (isRunning: boolean, seconds: number): Promise<boolean> => {
    const deadline = clock.monotonicSeconds() + seconds;
    for (;;) {
      if ((await programs.state()).isRunning === isRunning) return true;
      if (clock.monotonicSeconds() >= deadline) return false;
      await clock.wait(pollSeconds);
    }
  };
  const own = async (argv: Argv | undefined, seconds: number): Promise<string> => {
    if (argv === undefined) return 'the plan has no command for it';
    return lastLine(await host.run({ argv, timeoutSeconds: seconds }));
  };
  const systemctl = async (verb: 'stop' | 'start', unit: string, seconds: number) =>
    lastLine(
      await host.run({
        argv: ['systemctl', '--no-ask-password', verb, '--', unit],
        timeoutSeconds: seconds,
      }),
    );
  const act = async (
    verb: 'stop' | 'start',
    seconds: number,
    extra: readonly string[],
  ): Promise<string> => {
    switch (control.kind) {
      case 'unit':
        return systemctl(verb, control.unit, seconds);
      case 'commands':
        return own(commands[verb], seconds);
      case 'pg_ctl':
        return lastLine(await programs.pgCtl([verb, ...extra], seconds));
    }
  };

  return {
    async stop({ seconds, force }: { readonly seconds: number; readonly force: boolean }) {
      // The others say so themselves, and change nothing then.
      if (control.kind === 'commands' && !(await programs.state()).isRunning)
        return { forced: false };
      const said = await act('stop', seconds, ['-m', 'fast']);
      if (await becomes(false, 1)) return { forced: false };
      if (force) {
        await programs.pgCtl(['stop', '-m', 'immediate'], immediateSeconds);
        if (await becomes(false, 1)) return { forced: true };
      }
      return fail({
        code: 'standby-server-not-stopped',
        message: `The server in ${dataDirectory} on ${place.host} did not stop within ${formatDuration(seconds)}: ${said}.`,
        state: 'It may still be about to stop.',
        next: `Look at its log; it is stopped by ${controlInWords(place)}.`,
      });
    },
    async start({
      seconds,
      port,
    }: {
      readonly seconds: number;
      readonly port?: number | undefined;
    }): Promise<void> {
      if ((await programs.state()).isRunning) return;
      // A port on the command line would win over the one in the settings.
      const options =
        control.kind !== 'pg_ctl'
          ? []
          : [
              ...['-l', control.log],
              ...['-o', `${control.options}${port === undefined ? '' : ` "-p" "${String(port)}"`}`],
            ];
      const said = await act('start', seconds, options);
      if (await becomes(true, 1)) return;
      fail({
        code: 'standby-server-not-started',
        message: `The server in ${dataDirectory} on ${place.host} did not start within ${formatDuration(seconds)}: ${said}.`,
        state: 'It is stopped.',
        next: `Look at its log${control.kind === 'pg_ctl' ? ` (${control.log} on ${place.host})` : ''}; it is started by ${controlInWords(place)}.`,
      });
    },
  };
}
