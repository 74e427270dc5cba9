import type { FailureError } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import type { Carrier } from './far/carrier.ts';
import { farHost } from './far/far-host.ts';
import { loader } from './far/supervisor.ts';
import type { LocalHostOptions } from './local.ts';
import { cancelled } from './command-failure.ts';
import { sudoArguments, sudoRefused } from './sudo-command.ts';

/** The machine that the run is on, all of it done as root by `sudo -n`: nobody is asked for a password. */
export function sudoHost(options: LocalHostOptions): Host {
  const carrier: Carrier = {
    name: 'local',
    open: async (_kind, program, signal) => {
      if (signal?.aborted === true) throw cancelled(program);
      return {
        argv: [...sudoArguments, 'sh', '-c', loader],
        env: {},
        silence: async (end, said) =>
          sudoRefused('local', end.error === undefined ? said : 'sudo is not installed'),
        // There is no connection that could break: whoever ended the command took its shell along.
        broken: async (): Promise<FailureError | undefined> => undefined,
        close: () => undefined,
      };
    },
  };
  return farHost(carrier, options);
}
