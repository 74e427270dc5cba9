import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { guardNamespace } from './guardian.ts';

const run = promisify(execFile);

/** A machine's network of its own, joined to ours by one cable: what listens in it is a host of its own. */
export type NetworkNamespace = {
  readonly name: string;
  /** Its address, reached from here. */
  readonly address: string;
  /** Our end of the cable, reached from there. */
  readonly hostAddress: string;
  /** A command to be run in it. Replaces itself by the program, whose process id is the command's. */
  command(argv: readonly string[]): [string, ...string[]];
  /** Pulls the cable: packets vanish on both sides, and nobody is told. */
  cutOff(): Promise<void>;
  /** Puts the cable back. */
  reconnect(): Promise<void>;
  /** Removes it; connections through it never end by themselves. A second call does nothing. */
  close(): Promise<void>;
};

const attempts = 50;
let count = 0;

/** A network of two addresses in 10.213.0.0/16 (RFC 1918) that no route of ours leads into. */
async function freeNetwork(): Promise<{ ours: string; theirs: string }> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const number = randomInt(1, 2 ** 14 - 1) * 4;
    const base = `10.213.${number >> 8}`;
    const low = number & 255;
    const network = `${base}.${low}/30`;
    const { stdout } = await run('ip', ['-4', 'route', 'show', 'root', network, 'table', 'all']);
    const taken = stdout.split('\n').some((line) => line !== '' && !line.startsWith('default'));
    if (!taken) return { ours: `${base}.${low + 1}`, theirs: `${base}.${low + 2}` };
  }
  throw new Error('No free network in 10.213.0.0/16. Remove old interfaces (`ip link`) and retry.');
}

/** Whether an interface of ours has a carrier and may send. */
async function isUp(name: string): Promise<boolean> {
  const state = await readFile(`/sys/class/net/${name}/operstate`, 'utf8').catch(() => '');
  return state.trim() === 'up';
}

/**
 * Makes a network namespace and a veth pair into it (ip-netns(8), veth(4)).
 * @throws when we are not root or iproute2 is not installed; nothing is left then
 */
export async function makeNetworkNamespace(): Promise<NetworkNamespace> {
  if (process.getuid?.() !== 0) {
    throw new Error('Network namespaces need root. Nothing was made. Run this as root.');
  }
  // An interface's name has at most 15 characters; the number of our process keeps others' apart.
  const name = `mw${process.pid.toString(36)}x${(count += 1).toString(36)}`;
  const { ours, theirs } = await freeNetwork();
  const withdraw = guardNamespace(name);
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await run('ip', ['link', 'delete', name]).catch(() => undefined);
    await run('ip', ['netns', 'delete', name]).catch(() => undefined);
    withdraw();
  };
  const inside = (...args: string[]) => run('ip', ['-n', name, ...args]);
  const connect = async (): Promise<void> => {
    await inside('link', 'set', 'eth0', 'up');
    await inside('route', 'replace', 'default', 'via', ours);
    for (let round = 0; round < 500 && !(await isUp(name)); round += 1) await pause(10);
    // What was tried meanwhile has left "no route to host" behind, which the kernel would go on to answer for a while.
    await run('ip', ['neighbour', 'flush', 'dev', name, 'nud', 'all']);
  };
  try {
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name]);
    await run('ip', ['address', 'add', `${ours}/30`, 'dev', name]);
    await run('ip', ['link', 'set', name, 'up']);
    await inside('link', 'set', 'lo', 'up');
    await inside('address', 'add', `${theirs}/30`, 'dev', 'eth0');
    await connect();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    name,
    address: theirs,
    hostAddress: ours,
    command: (argv) => ['ip', 'netns', 'exec', name, ...argv],
    // Their end and not ours: without our route, packets might leave by another one.
    cutOff: async () => {
      await inside('link', 'set', 'eth0', 'down');
    },
    reconnect: connect,
    close,
  };
}
