import { access, chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startChild, type Child } from './child.ts';
import { startLoadBalancer, type LoadBalancer } from './load-balancer.ts';
import { makeNetworkNamespace, type NetworkNamespace } from './network-namespace.ts';
import { makeSshKey, startSshServer, type SshServer } from './ssh-server.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { unprivilegedUser } from './unprivileged-user.ts';

/** One web server of a fleet: a network of its own, files of its own, sshd, nginx and an application behind it. */
export type WebMachine = {
  /** `web1` */
  readonly name: string;
  /** As a plan names it. */
  readonly url: string;
  /** Where it answers the public itself: `10.213.0.2:8080`. */
  readonly address: string;
  readonly namespace: NetworkNamespace;
  /** A file of this machine, by its path on the machine. */
  readFile(path: string): Promise<Buffer | undefined>;
  /** Makes the application answer 500, or well again. */
  breakApplication(isBroken: boolean): Promise<void>;
  /** Takes it off the network at once, its connections with it; what runs on it goes on. */
  cutOff(): Promise<void>;
  reconnect(): Promise<void>;
};

/** Several web servers behind a load balancer. */
export type WebFleet = {
  readonly machines: readonly WebMachine[];
  readonly balancer: LoadBalancer;
  /** Reads like the plan's settings: what is at the same path on each machine. */
  readonly siteFile: string;
  readonly stateDir: string;
  readonly nginxCommand: readonly string[];
  /** Accepted by each machine for root. */
  readonly privateKey: string;
  readonly publicKey: string;
  readonly knownHosts: string;
  readonly healthPath: string;
  stop(): Promise<void>;
};

const healthPath = '/lb-health';
const publicPort = 8080;
const applicationPort = 9000;
const nginx = '/usr/sbin/nginx';

// The machine has its own files at the same path as the others; the mount ends with the last process that sees it.
const onOwnFiles = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'mount --bind "$1" "$2" && shift 2 && exec "$@"',
  'sh',
];

/**
 * Starts web servers in network namespaces and HAProxy before them.
 * @throws when we are not root, or something is not installed; nothing is left then
 */
export async function startWebFleet(options: {
  /** How many web servers. */
  readonly size: number;
}): Promise<WebFleet> {
  const folder = await makeTemporaryFolder('fleet');
  const running: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (let part = running.pop(); part !== undefined; part = running.pop()) await part.stop();
    await folder.remove();
  };
  try {
    await chmod(folder.path, 0o755);
    const machine = join(folder.path, 'machine');
    await mkdir(machine);
    const key = await makeSshKey(folder.path, 'fleet-key');
    const started = await Promise.all(
      Array.from({ length: options.size }, (_, index) =>
        startMachine(`web${index + 1}`, folder.path, machine, key.publicKey, running),
      ),
    );
    const balancer = await startLoadBalancer({
      parentFolder: folder.path,
      healthPath,
      servers: started.map(({ machine: { name, namespace } }) => ({
        name,
        address: namespace.address,
        port: publicPort,
      })),
    });
    running.push(balancer);
    return {
      machines: started.map((each) => each.machine),
      balancer,
      siteFile: join(machine, 'nginx/sites/shop.conf'),
      stateDir: join(machine, 'state'),
      nginxCommand: nginxCommand(machine),
      privateKey: key.privateKey,
      publicKey: key.publicKey,
      knownHosts: started.map(({ knownHosts }) => knownHosts).join(''),
      healthPath,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function nginxCommand(machine: string): string[] {
  const folder = join(machine, 'nginx');
  return [nginx, '-p', `${folder}/`, '-c', `${folder}/nginx.conf`, '-e', `${folder}/error.log`];
}

async function startMachine(
  name: string,
  root: string,
  machine: string,
  authorizedKey: string,
  running: { stop(): Promise<void> }[],
): Promise<{ machine: WebMachine; knownHosts: string }> {
  const own = join(root, name);
  await mkdir(join(own, 'nginx/sites'), { recursive: true });
  await mkdir(join(own, 'state'), { mode: 0o755 });
  await writeFile(join(own, 'nginx/nginx.conf'), nginxConfiguration(machine, name));
  await writeFile(join(own, 'nginx/sites/shop.conf'), siteFile);
  const network = await makeNetworkNamespace();
  running.push({ stop: () => network.close() });
  const command = (argv: readonly string[]): [string, ...string[]] =>
    network.command([...onOwnFiles, own, machine, ...argv]);

  const [program, ...args] = command([...nginxCommand(machine), '-g', 'daemon off;']);
  const webServer = await startChild(program, args, {
    logFile: join(own, 'nginx/output.log'),
    stopSignal: 'SIGTERM',
    cwd: '/',
    environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  running.push(webServer);
  await waitUntilAnswered(webServer, `http://${network.address}:${publicPort}${healthPath}`);

  const namespace = { ...network, command };
  let login = await startSshServer({ namespace, authorizedKey });
  running.push({ stop: () => login.stop() });
  const { port, hostKey, url, knownHosts } = login;
  const start = (): Promise<SshServer> =>
    startSshServer({ namespace, authorizedKey, port, hostKey });
  return {
    knownHosts,
    machine: {
      name,
      url,
      address: `${network.address}:${publicPort}`,
      namespace: network,
      readFile: async (path) => {
        if (!path.startsWith(`${machine}/`)) throw new Error(`${path} is not on ${name} alone.`);
        return readFile(join(own, path.slice(machine.length))).catch(() => undefined);
      },
      breakApplication: async (isBroken) => {
        const file = join(own, 'broken');
        await (isBroken ? writeFile(file, '') : rm(file, { force: true }));
      },
      cutOff: async () => {
        // Without its end, each connection would be missed only after its keep-alive.
        await login.stop();
        await network.cutOff();
      },
      reconnect: async () => {
        await network.reconnect();
        login = await start();
      },
    },
  };
}

const siteFile = `# The shop, as the public reaches it.
server {
    listen ${publicPort};
    server_name _;

    location / {
        proxy_pass http://127.0.0.1:${applicationPort};
    }
}
`;

function nginxConfiguration(machine: string, name: string): string {
  const folder = join(machine, 'nginx');
  const user = unprivilegedUser();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `    ${kind}_temp_path "${folder}/temp-${kind}";\n`,
  );
  return `${user ? `user ${user.name} ${user.group};\n` : ''}worker_processes 1;
pid "${folder}/nginx.pid";
error_log "${folder}/error.log" notice;

events {
    worker_connections 256;
}

http {
${temporary.join('')}    access_log off;
    include "${folder}/sites/*.conf";

    # The application.
    server {
        listen 127.0.0.1:${applicationPort};
        default_type text/plain;
        if (-f "${machine}/broken") {
            return 500 "broken\\n";
        }
        return 200 "shop on ${name}\\n";
    }
}
`;
}

async function waitUntilAnswered(child: Child, url: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (child.isRunning() && Date.now() < deadline) {
    const status = await fetch(url).then(
      (answer) => answer.status,
      () => undefined,
    );
    if (status === 200) return;
    await pause(20);
  }
  await access(nginx).catch(() => {
    throw new Error('nginx is not installed. Run script/bootstrap.');
  });
  throw new Error(`nginx did not answer at ${url}:\n${child.log()}`);
}
