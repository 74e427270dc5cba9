import { access, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startChild, type Child } from './child.ts';
import { findFreePort } from './free-port.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

/** A real HAProxy on 127.0.0.1 before several web servers. */
export type LoadBalancer = {
  /** Without a slash at the end. */
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
};

const program = '/usr/sbin/haproxy';
const attempts = 10;

/**
 * Starts HAProxy over the servers, each asked for its health every 100 ms: out after two bad answers, in again after
 * two good ones. Resolves when it accepts connections.
 * @throws when haproxy is not installed or refuses the configuration; nothing is left then
 */
export async function startLoadBalancer(options: {
  readonly servers: readonly {
    readonly name: string;
    readonly address: string;
    readonly port: number;
  }[];
  /** What it asks each server; only 200 is well. */
  readonly healthPath: string;
  readonly parentFolder?: string;
}): Promise<LoadBalancer> {
  await access(program).catch(() => {
    throw new Error('haproxy is not installed. Nothing was started. Run script/bootstrap --tests.');
  });
  const folder = await makeTemporaryFolder('haproxy', options.parentFolder);
  try {
    for (let attempt = 1; ; attempt += 1) {
      const port = await findFreePort();
      const file = join(folder.path, 'haproxy.cfg');
      await writeFile(file, configurationOf(options, port));
      // -db: stays in the foreground, which startChild needs.
      const child = await startChild(program, ['-db', '-f', file], {
        logFile: join(folder.path, 'haproxy.log'),
        stopSignal: 'SIGTERM',
        cwd: '/',
        environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      });
      if (await isReady(child, port)) {
        return {
          url: `http://127.0.0.1:${port}`,
          port,
          stop: async () => {
            await child.stop();
            await folder.remove();
          },
        };
      }
      await child.stop();
      if (attempt === attempts) throw new Error(`haproxy did not start:\n${child.log()}`);
    }
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

function configurationOf(
  { servers, healthPath }: Parameters<typeof startLoadBalancer>[0],
  port: number,
): string {
  const lines = servers.map(
    ({ name, address, port: at }) => `    server ${name} ${address}:${at} check`,
  );
  return `defaults
    mode http
    timeout connect 500ms
    timeout client 10s
    timeout server 10s
    timeout check 500ms
    option redispatch 1
    retries 2

frontend public
    bind 127.0.0.1:${port}
    default_backend site

backend site
    balance roundrobin
    option httpchk GET ${healthPath}
    http-check expect status 200
    default-server inter 100ms fall 2 rise 2
${lines.join('\n')}
`;
}

async function isReady(child: Child, port: number): Promise<boolean> {
  const deadline = Date.now() + 20_000;
  while (child.isRunning() && Date.now() < deadline) {
    if (await accepts(port)) return child.isRunning();
    await pause(20);
  }
  return false;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
