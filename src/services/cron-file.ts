import { posix } from 'node:path';
import { fail } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import type { Service, ServiceState } from '../ports/services.ts';

export interface CronFileOptions {
  /** Name in the folder. */
  readonly file: string;
  readonly windowId: string;
  readonly folder?: string;
}

/**
 * Jobs in a file of `/etc/cron.d`. Paused by a rename within the folder to a name that cron ignores: Debian's takes
 * only names of letters, digits, `_` and `-` (cron(8)), cronie none that begin with a dot. So it is one atomic
 * change, and undone by another. Jobs that cron has begun go on.
 */
export function cronFile(host: Host, options: CronFileOptions): Service {
  const { file, windowId, folder = '/etc/cron.d' } = options;
  const pausedName = `.${file}.paused-by-${windowId}`;
  const live = posix.join(folder, file);
  const paused = posix.join(folder, pausedName);
  const look = async (): Promise<{ isLive: boolean; isPaused: boolean }> => {
    const names = await host.list(folder);
    return { isLive: names.includes(file), isPaused: names.includes(pausedName) };
  };
  const state = async (): Promise<ServiceState> => {
    const { isLive, isPaused } = await look();
    if (isLive && isPaused) {
      return {
        kind: 'replaced',
        detail: `${live} was put there anew while it was paused; the one of before is kept as ${paused}`,
      };
    }
    if (isLive) return { kind: 'running', detail: `${live} is read by cron` };
    return isPaused
      ? { kind: 'stopped', detail: `it is set aside as ${paused}` }
      : { kind: 'missing', detail: `there is no ${live}` };
  };
  return {
    host: host.name,
    title: `cron file ${live}`,
    check: async () => {
      const { isLive } = await look();
      if (!isLive) {
        return {
          verdict: 'failed',
          value: `there is no ${live}`,
          next: 'Correct the name of the file, or the hosts (`on`) that have it.',
        };
      }
      const result = await host.run({ argv: ['test', '-w', folder], timeoutSeconds: 10 });
      return result.exitCode === 0
        ? { verdict: 'passed', value: `${live}; it is set aside while the site is closed` }
        : {
            verdict: 'failed',
            value: `our user may not write ${folder}`,
            next: 'Give `sudo: true`, or use a user that may.',
          };
    },
    state,
    stop: async () => {
      const { isLive, isPaused } = await look();
      if (!isLive) return;
      if (isPaused) refuseReplaced(live, paused);
      await host.rename(live, paused);
    },
    start: async () => {
      const { isLive, isPaused } = await look();
      if (isLive && isPaused) refuseReplaced(live, paused);
      if (isPaused) await host.rename(paused, live);
    },
    log: async () => [],
  };
}

function refuseReplaced(live: string, paused: string): never {
  fail({
    code: 'service-replaced',
    message: `${live} was put there anew while it was paused.`,
    state: `Both are kept: the new one in place, the one of before as ${paused}.`,
    next: `Compare the two, keep what is right as ${live}, and remove the other.`,
  });
}
