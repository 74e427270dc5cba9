import { localHost } from '../hosts/local.ts';
import type { SshConnections } from '../hosts/ssh.ts';
import { allHosts, fleetOf } from '../plan/fleet.ts';
import type { Plan } from '../plan/plan.ts';
import { sshPrivateKey } from '../plan/secrets.ts';
import { fail } from '../ports/failure.ts';
import type { Address, Fleet } from '../ports/fleet.ts';
import type { Host } from '../ports/host.ts';
import type { Surroundings } from './surroundings.ts';

/** How to get to a machine by SSH. */
export interface Login {
  readonly url: string;
  readonly privateKey?: string | undefined;
  readonly knownHosts?: string | undefined;
}

/** The machines of one run; each is connected once, and all are let go at its end. */
export interface Machines {
  /** The one that the run is on: it has the checked-out repository. */
  readonly runner: Host;
  /**
   * A machine by its name in the plan.
   * @throws FailureError `secret-missing`
   */
  host(name: string, plan: Plan): Promise<Host>;
  fleet(plan: Plan): Promise<Fleet>;
  /**
   * A machine that need not be one of the plan's, without sudo; key and known hosts are the plan's unless given.
   * @throws FailureError `secret-missing`
   */
  login(login: Login, plan: Plan): Promise<Host>;
  close(): Promise<void>;
}

/** Finds the machines of a plan. Nothing is connected before it is asked for something. */
export function machinesOf(surroundings: Surroundings): Machines {
  const { signal } = surroundings;
  const environment = definedOf(surroundings.environment);
  const runner = localHost({ signal, environment });
  const known = new Map<string, Host>();
  let connections: SshConnections | undefined;

  const connect = async (name: string, plan: Plan): Promise<Host> => {
    if (name === 'local') {
      if (!plan.sudo) return runner;
      const { sudoHost } = await import('../hosts/sudo.ts');
      return sudoHost({ signal, environment });
    }
    return overSsh({ url: name }, plan, plan.sudo);
  };
  const overSsh = async (login: Login, plan: Plan, sudo: boolean): Promise<Host> => {
    const privateKey = login.privateKey ?? sshPrivateKey(plan, surroundings.environment);
    if (privateKey !== undefined) surroundings.mask(privateKey);
    // Loaded only where it is used: most windows work on the runner's own host.
    const { sshConnections } = await import('../hosts/ssh.ts');
    connections ??= sshConnections({ signal, environment });
    return connections.host({
      url: login.url,
      privateKey,
      knownHosts: login.knownHosts ?? plan.ssh.knownHosts,
      sudo,
      connectTimeoutSeconds: plan.ssh.connectTimeout,
    });
  };
  const host = async (name: string, plan: Plan): Promise<Host> => {
    const found = known.get(name) ?? (await connect(name, plan));
    known.set(name, found);
    return found;
  };
  return {
    runner,
    host,
    fleet: async (plan) => {
      const names = fleetOf(plan);
      for (const name of allHosts(names)) await host(name, plan);
      const by = (name: string): Host => known.get(name) ?? runner;
      return {
        control: by(names.control),
        web: names.web.map((web) => ({ host: by(web.host), address: addressOf(web.address) })),
        database: by(names.database),
        backups: names.backups === undefined ? undefined : by(names.backups),
        workers: names.workers.map(by),
        standby: names.standby && {
          replica: by(names.standby.replica),
          primary: by(names.standby.primary),
          switch: by(names.standby.switch),
        },
        parallel: plan.hosts.parallel,
      };
    },
    login: (login, plan) => overSsh(login, plan, false),
    close: async () => connections?.close(),
  };
}

function addressOf(text: string | undefined): Address | undefined {
  if (text === undefined) return undefined;
  const parts = /^(?:(https?):\/\/)?(.*):(\d+)$/.exec(text);
  if (parts === null) {
    return fail({
      code: 'plan-invalid',
      message: `${JSON.stringify(text)} is no address such as 192.0.2.11:443.`,
      state: 'Nothing was touched.',
      next: 'Correct the address in hosts.web.',
    });
  }
  const [, scheme, host = '', port = ''] = parts;
  return {
    host: host.replaceAll(/[[\]]/g, ''),
    port: Number(port),
    ...(scheme === 'http' || scheme === 'https' ? { scheme } : {}),
  };
}

function definedOf(environment: Surroundings['environment']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}
