import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startChild, type Child } from './child.ts';
import { findFreePort } from './free-port.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { privateAccounts, type Account } from './private-accounts.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

const run = promisify(execFile);

/** A key pair for SSH, in OpenSSH's formats. */
export type SshKey = { readonly privateKey: string; readonly publicKey: string };

/** A real sshd of our own: another machine, as far as a client can tell. */
export type SshServer = {
  /** `ssh://user@address:port` of its first account. */
  readonly url: string;
  readonly user: string;
  readonly address: string;
  readonly port: number;
  /** The private key that it accepts for every account; undefined when the caller named one of its own. */
  readonly privateKey: string | undefined;
  /** Its host key in known_hosts format. */
  readonly knownHosts: string;
  readonly hostKey: SshKey;
  /** The process id of the listening sshd. */
  readonly pid: number;
  /** What it logged, at most the last 4000 characters. */
  log(): string;
  /** Process ids of the connections that it serves now. */
  connections(): Promise<readonly number[]>;
  /** Ends the listener and the connections that it serves, by their process ids. */
  stop(): Promise<void>;
};

/** Makes an Ed25519 key pair. @param passphrase empty: none */
export async function makeSshKey(folder: string, name: string, passphrase = ''): Promise<SshKey> {
  const file = join(folder, name);
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', name, '-f', file]);
  const [privateKey, publicKey] = await Promise.all([
    readFile(file, 'utf8'),
    readFile(`${file}.pub`, 'utf8'),
  ]);
  return { privateKey, publicKey };
}

/**
 * Starts sshd with a host key and a configuration of its own. Resolves when it accepts connections.
 * @throws when openssh-server is not installed or refuses the configuration; nothing is left then
 */
export async function startSshServer(
  options: {
    /** Default: 127.0.0.1, or the namespace's address. */
    readonly listenAddress?: string;
    /** Default: a free one. */
    readonly port?: number;
    /** Where it listens, and what its commands see as their network. */
    readonly namespace?: NetworkNamespace;
    /** An account of this machine to log in to. Default: our own. */
    readonly user?: string;
    /** Accounts that only this server knows, in place of `user`. They need root. */
    readonly accounts?: readonly [Account, ...Account[]];
    /** A public key to accept for the account; default: one of its own, see `privateKey`. */
    readonly authorizedKey?: string;
    /** Default: a new one. */
    readonly hostKey?: SshKey;
    /** Further lines of sshd_config(5). */
    readonly configuration?: string;
  } = {},
): Promise<SshServer> {
  const folder = await makeTemporaryFolder('sshd');
  try {
    const address = options.listenAddress ?? options.namespace?.address ?? '127.0.0.1';
    const user = options.accounts?.[0].name ?? options.user ?? userInfo().username;
    const hostKey = options.hostKey ?? (await makeSshKey(folder.path, 'new-host-key'));
    const key =
      options.authorizedKey === undefined ? await makeSshKey(folder.path, 'user-key') : undefined;
    await writeFile(join(folder.path, 'host-key'), hostKey.privateKey, { mode: 0o600 });
    await writeFile(
      join(folder.path, 'authorized-keys'),
      options.authorizedKey ?? key?.publicKey ?? '',
    );
    // Debian's sshd separates its privileges there; its service makes the folder.
    if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
    const prefix =
      options.accounts === undefined ? [] : await privateAccounts(options.accounts, folder.path);
    const { child, port } = await startListener(folder.path, address, prefix, options);
    const connections = async (): Promise<readonly number[]> => childrenOf(child.pid);
    return {
      url: `ssh://${user}@${address}:${port}`,
      user,
      address,
      port,
      privateKey: key?.privateKey,
      knownHosts: `[${address}]:${port} ${hostKey.publicKey.trim()}\n`,
      hostKey,
      pid: child.pid,
      log: () => child.log(),
      connections,
      stop: async () => {
        const serving = await connections();
        await child.stop();
        for (const pid of serving) end(pid);
        await folder.remove();
      },
    };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

function configurationOf(folder: string, address: string, port: number, more: string): string {
  return `Port ${port}
ListenAddress ${address}
HostKey "${folder}/host-key"
AuthorizedKeysFile "${folder}/authorized-keys"
PidFile "${folder}/sshd.pid"
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv LANG LC_*
PrintMotd no
LogLevel VERBOSE
${more}
`;
}

async function startListener(
  folder: string,
  address: string,
  prefix: readonly string[],
  options: {
    readonly port?: number;
    readonly namespace?: NetworkNamespace;
    readonly configuration?: string;
  },
): Promise<{ child: Child; port: number }> {
  const attempts = options.port === undefined ? 10 : 1;
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await findFreePort());
    const file = join(folder, 'sshd_config');
    await writeFile(file, configurationOf(folder, address, port, options.configuration ?? ''));
    // sshd starts itself anew for each connection, for which it needs its absolute path.
    const sshd = [...prefix, '/usr/sbin/sshd', '-D', '-e', '-f', file];
    const [program = '', ...args] = options.namespace?.command(sshd) ?? sshd;
    const child = await startChild(program, args, {
      logFile: join(folder, 'sshd.log'),
      stopSignal: 'SIGTERM',
      cwd: '/',
      environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    });
    const problem = await waitUntilReady(child, folder, address, port);
    if (problem === undefined) return { child, port };
    await child.stop();
    if (!child.log().includes('Address already in use') || attempt === attempts) {
      throw new Error(
        `sshd did not start: ${problem}. Is openssh-server installed? It said:\n${child.log()}`,
      );
    }
  }
}

async function waitUntilReady(
  child: Child,
  folder: string,
  address: string,
  port: number,
): Promise<string | undefined> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const how = child.end();
    if (how !== undefined) return `it ended with ${how}`;
    // Written after it could listen: an answer on the port alone might be somebody else's.
    const pid = await readFile(join(folder, 'sshd.pid'), 'utf8').catch(() => '');
    if (pid.trim() === String(child.pid) && (await accepts(address, port))) return undefined;
    await pause(20);
  }
  return 'it accepted no connection within 30 seconds';
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** proc(5), /proc/PID/task/TID/children. */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It is gone already.
  }
}
