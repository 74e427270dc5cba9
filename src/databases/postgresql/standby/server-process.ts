import { formatDuration } from '../../../plan/duration.ts';
import type { Clock } from '../../../ports/clock.ts';
import { fail } from '../../../ports/failure.ts';
import type { Host } from '../../../ports/host.ts';
import { controlInWords, type ServerPlace } from '../../../ports/server-place.ts';
import type { ServerState } from '../../../ports/standby.ts';
import { lastLine, type Acted, type ServerPrograms } from './server-programs.ts';

type Argv = readonly [string, ...string[]];

/** The plan's own commands for a server, where pg_ctl and systemd do not do. */
export interface OwnCommands {
  readonly stop: Argv | undefined;
  readonly start: Argv | undefined;
}

/** Seconds that an immediate shutdown may take: it waits for nobody. */
const immediateSeconds = 30;
const pollSeconds = 0.01;

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

  /** The server once it came to be so within the time; `undefined` when it did not. */
  const becomes = async (
    isRunning: boolean,
    first: ServerState,
    seconds: number,
  ): Promise<ServerState | undefined> => {
    const deadline = clock.monotonicSeconds() + seconds;
    for (let state = first; ; state = await programs.state()) {
      if (state.isRunning === isRunning) return state;
      if (clock.monotonicSeconds() >= deadline) return undefined;
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
  /** By systemd, or the plan's own commands. */
  const byOthers = async (verb: 'stop' | 'start', seconds: number): Promise<Acted> => {
    const said =
      control.kind === 'unit'
        ? await systemctl(verb, control.unit, seconds)
        : await own(commands[verb], seconds);
    return { said, wasRunning: false, state: await programs.state() };
  };

  return {
    async stop({
      seconds,
      force,
    }: {
      readonly seconds: number;
      readonly force: boolean;
    }): Promise<{ forced: boolean; state: ServerState }> {
      // The others say so themselves, and change nothing then.
      if (control.kind === 'commands') {
        const state = await programs.state();
        if (!state.isRunning) return { forced: false, state };
      }
      const { said, state: first } =
        control.kind === 'pg_ctl'
          ? await programs.stop('fast', seconds)
          : await byOthers('stop', seconds);
      const stopped = await becomes(false, first, 1);
      if (stopped !== undefined) return { forced: false, state: stopped };
      if (force) {
        const next = await programs.stop('immediate', immediateSeconds);
        const ended = await becomes(false, next.state, 1);
        if (ended !== undefined) return { forced: true, state: ended };
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
    }): Promise<{ wasRunning: boolean }> {
      if (control.kind !== 'pg_ctl' && (await programs.state()).isRunning) {
        return { wasRunning: true };
      }
      const { said, state, wasRunning } =
        control.kind === 'pg_ctl'
          ? await programs.start(
              // A port on the command line would win over the one in the settings.
              `${control.options}${port === undefined ? '' : ` "-p" "${String(port)}"`}`,
              control.log,
              seconds,
            )
          : await byOthers('start', seconds);
      if ((await becomes(true, state, 1)) !== undefined) return { wasRunning };
      return fail({
        code: 'standby-server-not-started',
        message: `The server in ${dataDirectory} on ${place.host} did not start within ${formatDuration(seconds)}: ${said}.`,
        state: 'It is stopped.',
        next: `Look at its log${control.kind === 'pg_ctl' ? ` (${control.log} on ${place.host})` : ''}; it is started by ${controlInWords(place)}.`,
      });
    },
  };
}
