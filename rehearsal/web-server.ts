import { execFile } from 'node:child_process';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startChild, type Child } from './child.ts';
import { findFreePort } from './free-port.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { unprivilegedUser, type UnprivilegedUser } from './unprivileged-user.ts';

const run = promisify(execFile);

/** A site file to serve; its text is asked for again when the port turns out to be taken. */
export type SiteFile = {
  /** Name of the file, without `.conf`. */
  readonly name: string;
  /** The site's text, for its port on 127.0.0.1 and the folder for its log files. */
  readonly render: (port: number, logFolder: string) => string;
};

export type ServedSite = {
  readonly name: string;
  readonly port: number;
  readonly siteFile: string;
};

/** A real nginx on 127.0.0.1: its master as us, its workers unprivileged. */
export type WebServer = {
  readonly folder: string;
  readonly sites: readonly ServedSite[];
  /** Port and file of the first site. */
  readonly port: number;
  readonly siteFile: string;
  readonly configurationFile: string;
  readonly logFolder: string;
  /** Program and arguments with which every nginx command begins: add `-t` or `-s reload`. */
  readonly command: readonly [string, ...string[]];
  /** The process id of the master. */
  readonly pid: number;
  /** Reloads the configuration. Resolves when the new workers are there. @throws when refused */
  reload(): Promise<void>;
  /** Ends the master that we started, and so its workers; then its folder is removed. */
  stop(): Promise<void>;
};

async function findNginx(): Promise<string> {
  const folders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/nginx/sbin', '/usr/bin'];
  for (const folder of [...folders, ...(process.env.PATH ?? '').split(':').filter(Boolean)]) {
    const path = join(folder, 'nginx');
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  throw new Error(
    'nginx is not installed. Nothing was started. Run script/bootstrap, or install "nginx".',
  );
}

/** Since 1.19.5 nginx can be told where to log before it has read its configuration. */
async function takesErrorLogArgument(nginx: string): Promise<boolean> {
  const { stderr } = await run(nginx, ['-v']);
  const [, major, minor, patch] = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(stderr) ?? [];
  return Number(major) * 1e6 + Number(minor) * 1e3 + Number(patch) >= 1_019_005;
}

/**
 * Starts nginx with the given site files, each on a free port, everything it writes inside a
 * folder of its own. Resolves when it accepts connections.
 * @throws when nginx is not installed or refuses the configuration; nothing is left then.
 */
export async function startWebServer(options: {
  readonly sites: readonly [SiteFile, ...SiteFile[]];
  /** Where its own folder is made; default: the system's temporary folder. */
  readonly parentFolder?: string;
}): Promise<WebServer> {
  const nginx = await findNginx();
  const hasErrorLogArgument = await takesErrorLogArgument(nginx);
  const folder = await makeTemporaryFolder('nginx', options.parentFolder);
  try {
    const logFolder = join(folder.path, 'logs');
    const siteFolder = join(folder.path, 'sites');
    await mkdir(logFolder);
    await mkdir(siteFolder);
    const configurationFile = join(folder.path, 'nginx.conf');
    const command: [string, ...string[]] = [
      nginx,
      ...['-p', `${folder.path}/`, '-c', configurationFile],
      ...(hasErrorLogArgument ? ['-e', join(logFolder, 'error.log')] : []),
    ];
    await writeFile(configurationFile, mainConfiguration(folder.path, unprivilegedUser()));

    const { child, sites } = await startMaster(options.sites, {
      folder: folder.path,
      logFolder,
      siteFolder,
      command,
    });
    const first = sites[0];
    if (first === undefined) throw new Error('startWebServer needs at least one site.');
    return {
      folder: folder.path,
      sites,
      port: first.port,
      siteFile: first.siteFile,
      configurationFile,
      logFolder,
      command,
      pid: child.pid,
      reload: () => reload(child, command),
      stop: async () => {
        await child.stop();
        await folder.remove();
      },
    };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

function mainConfiguration(folder: string, user: UnprivilegedUser | undefined): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `    ${kind}_temp_path "${folder}/temp-${kind}";\n`,
  );
  // "user" is for a master that is root; for others nginx warns that it has no effect.
  return `${user ? `user ${user.name} ${user.group};\n` : ''}daemon off;
worker_processes 2;
pid "${folder}/nginx.pid";
error_log "${folder}/logs/error.log" notice;

events {
    worker_connections 512;
}

http {
${temporary.join('')}    types {
        text/html html;
        text/css css;
    }
    default_type application/octet-stream;
    access_log off;
    include "${folder}/sites/*.conf";
}
`;
}

async function startMaster(
  sites: readonly SiteFile[],
  place: { folder: string; logFolder: string; siteFolder: string; command: readonly string[] },
): Promise<{ child: Child; sites: ServedSite[] }> {
  const [program = '', ...args] = place.command;
  const outputFile = join(place.logFolder, 'output.log');
  const attempts = 10;
  for (let attempt = 1; ; attempt += 1) {
    const served: ServedSite[] = [];
    for (const { name, render } of sites) {
      const port = await findFreePort();
      const siteFile = join(place.siteFolder, `${name}.conf`);
      await writeFile(siteFile, render(port, place.logFolder));
      served.push({ name, port, siteFile });
    }
    const child = await startChild(program, args, {
      logFile: outputFile,
      // Fast shutdown: clients that keep their connections open do not hold it up.
      stopSignal: 'SIGTERM',
      cwd: place.folder,
      environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    });
    const problem = await waitUntilReady(child, place.folder, served);
    if (problem === undefined) return { child, sites: served };
    await child.stop();
    const log = await readFile(join(place.logFolder, 'error.log'), 'utf8').catch(() => '');
    const output = `${child.log()}${log}`;
    if (!output.includes('Address already in use') || attempt === attempts) {
      throw new Error(`nginx did not start: ${problem}. It said:\n${output}`);
    }
  }
}

async function waitUntilReady(
  child: Child,
  folder: string,
  sites: readonly ServedSite[],
): Promise<string | undefined> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const how = child.end();
    if (how !== undefined) return `it ended with ${how}`;
    // The master writes its number only after it could listen on all of its ports: an answer on
    // a port alone might be somebody else's.
    const pid = await readFile(join(folder, 'nginx.pid'), 'utf8').catch(() => '');
    if (pid.trim() === String(child.pid)) {
      const answers = await Promise.all(sites.map(({ port }) => accepts(port)));
      if (answers.every(Boolean)) return undefined;
    }
    await pause(20);
  }
  return 'it accepted no connection within 30 seconds';
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

async function reload(child: Child, command: readonly string[]): Promise<void> {
  const [program = '', ...args] = command;
  const before = new Set(await workersOf(child.pid));
  await run(program, [...args, '-s', 'reload']);
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (!child.isRunning()) break;
    const workers = await workersOf(child.pid);
    if (workers.some((pid) => !before.has(pid))) return;
    await pause(10);
  }
  throw new Error(
    `nginx accepted the reload, but started no new workers. It said:\n${child.log()}`,
  );
}

/** The master's children (proc(5), /proc/PID/task/TID/children). */
async function workersOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean);
}
