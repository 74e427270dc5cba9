import type { Host } from '../ports/host.ts';
import type { Service, ServiceState } from '../ports/services.ts';
import { describePrior } from './systemd.ts';
import { lastLine, toolFailed } from './tool.ts';

type Argv = readonly [string, ...string[]];

export interface CommandOptions {
  readonly id: string;
  readonly stop: Argv;
  readonly start: Argv;
  readonly status: Argv;
  /** Exit codes of `status` that mean stopped. */
  readonly stoppedCodes: readonly number[];
  readonly directory?: string | undefined;
}

/** What the user's own commands stop and start. */
export function commandService(host: Host, options: CommandOptions): Service {
  const where = options.directory === undefined ? {} : { workingDirectory: options.directory };
  const state = async (): Promise<ServiceState> => {
    const result = await host.run({ argv: options.status, ...where, timeoutSeconds: 30 });
    if (result.timedOut)
      return { kind: 'failed', detail: 'its status command did not answer in 30 s' };
    return commandState(result.exitCode, options.stoppedCodes, lastLine(result.stderr));
  };
  const act = async (argv: Argv, doing: string, seconds: number): Promise<void> => {
    const command = { argv, ...where, timeoutSeconds: seconds };
    const result = await host.run(command);
    if (result.exitCode === 0 || result.timedOut) return;
    toolFailed(host, command, result, doing);
  };
  return {
    host: host.name,
    title: `command ${options.status.join(' ')}`,
    check: async () => {
      const found = await state();
      return found.kind === 'failed' || found.kind === 'missing'
        ? {
            verdict: 'failed',
            value: found.detail,
            next: `The status command of ${options.id} must end with 0 when it runs and with ${options.stoppedCodes.join(' or ')} when it is stopped.`,
          }
        : { verdict: 'passed', value: describePrior(found) };
    },
    state,
    stop: (seconds) => act(options.stop, `stop ${options.id}`, seconds),
    start: (_mark, seconds) => act(options.start, `start ${options.id}`, seconds),
    log: async () => [],
  };
}

/** What the exit code of a status command means. */
export function commandState(
  exitCode: number | null,
  stoppedCodes: readonly number[],
  said: string | undefined,
): ServiceState {
  if (exitCode === 0) return { kind: 'running', detail: 'its status command says that it runs' };
  if (exitCode !== null && stoppedCodes.includes(exitCode)) {
    return {
      kind: 'stopped',
      detail: `its status command says that it is stopped (exit code ${exitCode})`,
    };
  }
  const detail = `its status command ended with exit code ${String(exitCode)}${said === undefined ? '' : `: ${said}`}`;
  return exitCode === 127 ? { kind: 'missing', detail } : { kind: 'failed', detail };
}
