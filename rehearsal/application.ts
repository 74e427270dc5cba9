import { execFile, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmod,
  constants,
  copyFile,
  cp,
  link,
  mkdir,
  readFile,
  readdir,
  stat,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startChild, type Child } from './child.ts';
import { findFreePort } from './free-port.ts';
import { nodeProgram } from './node-program.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { identityOf, unprivilegedUser } from './unprivileged-user.ts';

const run = promisify(execFile);

/** The example shop, running. */
export type Application = {
  readonly folder: string;
  readonly port: number;
  /** Straight to the application, past nginx; without a slash at the end. */
  readonly url: string;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  isRunning(): boolean;
  /** The last of what it printed. */
  log(): string;
  /** Lets running requests finish and ends the process; folder and port stay its own. */
  halt(): Promise<void>;
  /** Starts it again on its port after `halt`. @throws when it does not start */
  resume(): Promise<void>;
  /** Lets running requests finish, ends the process that we started, removes its folder. */
  stop(): Promise<void>;
};

const shopFolder = fileURLToPath(new URL('../examples/shop', import.meta.url));

/**
 * Starts the example shop on a free port of 127.0.0.1, as an unprivileged user when we are root,
 * from a copy in a folder of its own: that user may not be able to read this repository.
 * Resolves when it listens, whether or not its database answers.
 * @throws when it does not start; nothing is left then.
 */
export async function startApplication(options: {
  readonly databaseUrl: string;
  /** Where its own folder is made; default: the system's temporary folder. */
  readonly parentFolder?: string;
}): Promise<Application> {
  const folder = await makeTemporaryFolder('shop', options.parentFolder);
  try {
    const shop = join(folder.path, 'shop');
    await cp(shopFolder, shop, {
      recursive: true,
      filter: (source) => !source.endsWith('/node_modules'),
    });
    await copyPackage('pg', createRequire(join(shopFolder, 'main.ts')), join(shop, 'node_modules'));
    await run('chmod', ['-R', 'a+rX', shop]);
    const node = await runnableNode(folder.path);
    const launch = (port: number) => launchShop(node, shop, folder.path, options.databaseUrl, port);
    const { port, ...first } = await launchOnFreePort(launch);
    let child = first.child;
    return {
      folder: folder.path,
      port,
      url: `http://127.0.0.1:${port}`,
      get pid() {
        return child.pid;
      },
      isRunning: () => child.isRunning(),
      log: () => child.log(),
      halt: () => child.stop(),
      resume: async () => {
        if (child.isRunning()) throw new Error('The shop runs already.');
        const started = await launch(port);
        if (!started.listens)
          throw new Error(`The shop did not start again:\n${started.child.log()}`);
        child = started.child;
      },
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

async function launchOnFreePort(
  launch: (port: number) => Promise<{ child: Child; listens: boolean }>,
): Promise<{ child: Child; port: number }> {
  const attempts = 10;
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort();
    const { child, listens } = await launch(port);
    if (listens) return { child, port };
    if (!child.log().includes('EADDRINUSE') || attempt === attempts) {
      throw new Error(`The shop did not start (${child.end() ?? 'too slow'}):\n${child.log()}`);
    }
  }
}

/** Starts the shop on a port; one that does not come to listen has ended when this resolves. */
async function launchShop(
  node: string,
  shop: string,
  folder: string,
  databaseUrl: string,
  port: number,
): Promise<{ child: Child; listens: boolean }> {
  const child = await startChild(node, ['--no-warnings', 'main.ts'], {
    logFile: join(folder, `shop-${randomUUID()}.log`),
    stopSignal: 'SIGTERM',
    cwd: shop,
    environment: {
      PATH: '/usr/bin:/bin',
      HOME: folder,
      DATABASE_URL: databaseUrl,
      HOST: '127.0.0.1',
      PORT: String(port),
    },
    ...identityOf(unprivilegedUser()),
  });
  const deadline = Date.now() + 30_000;
  // Its own word, because an answer on the port might be somebody else's.
  const listens = () => child.log().includes(`listening on 127.0.0.1:${port}\n`);
  while (!listens()) {
    if (!child.isRunning() || Date.now() > deadline) {
      await child.stop();
      return { child, listens: false };
    }
    await pause(10);
  }
  return { child, listens: true };
}

/** Copies an installed package and all that it depends on into a node_modules folder. */
async function copyPackage(name: string, require: NodeJS.Require, target: string): Promise<void> {
  const source = await packageFolder(name, require);
  if (source === undefined) {
    throw new Error(`The npm package "${name}" is not installed. Run script/bootstrap.`);
  }
  const destination = join(target, name);
  if ((await readdir(destination).catch(() => [])).length > 0) return;
  await mkdir(dirname(destination), { recursive: true });
  await cp(source, destination, {
    recursive: true,
    filter: (path) => path !== join(source, 'node_modules'),
  });
  const { dependencies = {} } = JSON.parse(
    await readFile(join(source, 'package.json'), 'utf8'),
  ) as { dependencies?: Record<string, string> };
  for (const dependency of Object.keys(dependencies)) {
    // One flat folder: the driver's packages agree on one version of each other.
    await copyPackage(dependency, createRequire(join(source, 'package.json')), target);
  }
}

async function packageFolder(name: string, require: NodeJS.Require): Promise<string | undefined> {
  for (const folder of require.resolve.paths(name) ?? []) {
    const candidate = join(folder, name);
    const files: readonly string[] = await readdir(candidate).catch(() => []);
    if (files.includes('package.json')) return candidate;
  }
  return undefined;
}

/** Node's program where the shop's user can run it: where it is, or as a link or copy of it. */
async function runnableNode(folder: string): Promise<string> {
  const node = nodeProgram();
  const user = unprivilegedUser();
  if (user === undefined) return node;
  const trial = spawnSync(node, ['--version'], { cwd: '/', ...identityOf(user) });
  if (trial.status === 0) return node;
  const reachable = join(folder, 'node');
  // A link shares its permissions with the original, which are not ours to change.
  const everybodyMayRun = ((await stat(node)).mode & 0o005) === 0o005;
  if (everybodyMayRun && (await linked(node, reachable))) return reachable;
  await copyFile(node, reachable, constants.COPYFILE_FICLONE);
  await chmod(reachable, 0o755);
  return reachable;
}

/** False when the two places are not on one file system. */
function linked(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    () => false,
  );
}
