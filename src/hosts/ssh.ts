import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, FailureError } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import { farHost } from './far/far-host.ts';
import { makeConnectionFolder } from './ssh/connection-folder.ts';
import { startKeyAgent, type KeyAgent } from './ssh/key-agent.ts';
import { Master } from './ssh/master.ts';
import { Route } from './ssh/route.ts';
import { parseSshUrl, type SshAddress } from './ssh/ssh-url.ts';

export { parseSshUrl } from './ssh/ssh-url.ts';

export interface SshSettings {
  /** `ssh://user@host:port` (user and port optional). */
  readonly url: string;
  /** Text of the private key; undefined: the user's own keys, agent and configuration of OpenSSH. */
  readonly privateKey: string | undefined;
  /** Text in known_hosts format; undefined: the user's own known_hosts files (still strict). */
  readonly knownHosts: string | undefined;
  /** Everything on the host runs by `sudo -n`. */
  readonly sudo: boolean;
  /** Seconds. */
  readonly connectTimeoutSeconds: number;
}

/** One connection pool for a run: multiplexed connections, the agent that holds the key. */
export interface SshConnections {
  /**
   * A host by its login. Nothing is connected before it is asked for something.
   * @throws FailureError `host-error` when the address is none of SSH
   */
  host(settings: SshSettings): Host;
  /** Ends all connections and agents, and removes their folder. Commands that still run lose their connection. */
  close(): Promise<void>;
}

export interface SshOptions {
  /** Ends running commands and refuses new ones; files are still read and written. */
  readonly signal: AbortSignal;
  /** The environment of the run. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Hosts that are reached by the system's OpenSSH client; see docs/adr/0012-ssh-hosts.md. */
export function sshConnections(options: SshOptions): SshConnections {
  return new Pool(options);
}

class Pool implements SshConnections {
  readonly #options: SshOptions;
  readonly #routes = new Map<string, Route>();
  readonly #agents = new Map<string, Promise<KeyAgent>>();
  readonly #masters = new Set<Promise<Master>>();
  #folder: Promise<string> | undefined;
  #files = 0;
  readonly #closing = new AbortController();

  constructor(options: SshOptions) {
    this.#options = options;
  }

  host(settings: SshSettings): Host {
    const address = parseSshUrl(settings.url) ?? notAnAddress(settings.url);
    // With or without sudo, it is the same login.
    const { url, privateKey, knownHosts, connectTimeoutSeconds } = settings;
    const key = JSON.stringify([url, privateKey, knownHosts, connectTimeoutSeconds]);
    const route = this.#routes.get(key) ?? new Route(url, () => this.#connect(settings, address));
    this.#routes.set(key, route);
    return farHost(route.carrier(settings.sudo), this.#options);
  }

  async #connect(settings: SshSettings, address: SshAddress): Promise<Master> {
    if (this.#closing.signal.aborted) throw closed(settings.url);
    const connecting = this.#login(settings, address);
    this.#masters.add(connecting);
    try {
      return await connecting;
    } catch (error) {
      this.#masters.delete(connecting);
      throw error;
    }
  }

  async #login(settings: SshSettings, address: SshAddress): Promise<Master> {
    const { environment } = this.#options;
    const { privateKey, knownHosts, url, connectTimeoutSeconds } = settings;
    const agent = privateKey === undefined ? undefined : await this.#agent(privateKey);
    await agent?.unlock();
    const controlPath = await this.#path('c');
    const knownHostsFile = knownHosts === undefined ? undefined : await this.#path('k');
    if (knownHosts !== undefined && knownHostsFile !== undefined) {
      await writeFile(knownHostsFile, `${knownHosts.replaceAll('\r', '')}\n`, { mode: 0o600 });
    }
    const own = environment.SSH_AUTH_SOCK;
    return Master.connect(
      url,
      { address, controlPath, agentSocket: agent?.socket, knownHostsFile, connectTimeoutSeconds },
      agent === undefined && own !== undefined ? { SSH_AUTH_SOCK: own } : {},
      environment,
      this.#closing.signal,
    );
  }

  async #agent(privateKey: string): Promise<KeyAgent> {
    let agent = this.#agents.get(privateKey);
    if (agent === undefined) {
      agent = this.#path('a').then((socket) =>
        startKeyAgent(privateKey, socket, this.#options.environment),
      );
      this.#agents.set(privateKey, agent);
      agent.catch(() => this.#agents.delete(privateKey));
    }
    return agent;
  }

  /** A name in the private folder that nobody had before: what a dead process left is never taken for a live one. */
  async #path(kind: string): Promise<string> {
    this.#folder ??= makeConnectionFolder();
    const folder = await this.#folder;
    return join(folder, `${kind}${(this.#files += 1)}`);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const settled = async <T extends { close(): Promise<void> }>(
      all: Iterable<Promise<T>>,
    ): Promise<void> => {
      const ends = [...all].map(async (one) => (await one.catch(() => undefined))?.close());
      await Promise.all(ends);
    };
    await settled(this.#masters);
    await settled(this.#agents.values());
    this.#masters.clear();
    this.#agents.clear();
    const folder = await this.#folder?.catch(() => undefined);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

function notAnAddress(url: string): never {
  return fail({
    code: 'host-error',
    message: `${JSON.stringify(url)} is no address of an SSH host.`,
    state: 'Nothing was touched.',
    next: 'Give `ssh://user@host:port` (user and port may be left out), the name in ASCII letters.',
  });
}

function closed(url: string): FailureError {
  return new FailureError({
    code: 'host-unreachable',
    message: `The connections of this run are closed; ${url} can no longer be asked.`,
    state: 'Nothing was done on that host.',
    next: 'Run the step again.',
  });
}
