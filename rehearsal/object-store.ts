import { randomBytes } from 'node:crypto';
import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from './child.ts';
import { findFreePort } from './free-port.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

export type ObjectStoreOptions = {
  /** Where its own folder is made; default: the system's temporary folder. */
  readonly parentFolder?: string;
  /** Names of the buckets that are there from the start. Default: `backups`. */
  readonly buckets?: readonly string[];
  /** A folder for the contents of the buckets, for instance on a small disk; default: in its own folder. */
  readonly dataFolder?: string;
  /** Key and certificate (PEM), to be asked by https. */
  readonly tls?: { readonly key: string; readonly cert: string };
};

export type ObjectStoreKeys = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
};

/** A private server of the S3 protocol on 127.0.0.1 (versitygw over a folder). */
export type ObjectStore = {
  readonly folder: string;
  /** Has a folder for each bucket; objects are files in it. */
  readonly dataFolder: string;
  readonly port: number;
  /** `http://127.0.0.1:PORT`, or https. */
  readonly endpoint: string;
  readonly region: string;
  /** Of the owner of all buckets. */
  readonly keys: ObjectStoreKeys;
  /** The process id of the server. */
  readonly pid: number;
  /** Kills the server and waits for its end; what it has stored stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port, after {@link kill} or instead of what runs. */
  restart(options?: { readonly readOnly?: boolean }): Promise<void>;
  /** Ends the server that we started; then its folder is removed. */
  stop(): Promise<void>;
};

/** Where script/bootstrap puts it. */
const program = fileURLToPath(new URL('../.tools/bin/versitygw', import.meta.url));

/**
 * Starts an S3 server on a free port of 127.0.0.1 with keys of its own. Resolves when it answers.
 * @throws when it is not installed or does not start; nothing is left then.
 */
export async function startObjectStore(options: ObjectStoreOptions = {}): Promise<ObjectStore> {
  await access(program).catch(() => {
    throw new Error(
      `There is no ${program}. Nothing was started. Run script/bootstrap --tests, which installs it.`,
    );
  });
  const folder = await makeTemporaryFolder('s3', options.parentFolder);
  try {
    return await startIn(folder.path, options, () => folder.remove());
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

async function startIn(
  folder: string,
  options: ObjectStoreOptions,
  removeFolder: () => Promise<void>,
): Promise<ObjectStore> {
  const region = 'us-east-1';
  const keys = {
    accessKeyId: `AK${randomBytes(9).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  const dataFolder = options.dataFolder ?? join(folder, 'data');
  // Attributes of objects lie beside them: not every file system has extended ones.
  const attributeFolder = join(folder, 'attributes');
  // Without accounts the server knows one key only, and answers others as S3 does not.
  const accountFolder = join(folder, 'accounts');
  for (const path of [attributeFolder, accountFolder, dataFolder]) {
    await mkdir(path, { recursive: true });
  }
  for (const bucket of options.buckets ?? ['backups']) await mkdir(join(dataFolder, bucket));
  const logFile = join(folder, 'server.log');
  const tls = options.tls === undefined ? [] : await writeIdentity(folder, options.tls);

  const { port, child: started } = await startOnFreePort();
  let child = started;
  const restart = async (readOnly: boolean): Promise<void> => {
    await child.stop();
    child = await start(port, readOnly);
    const problem = await waitUntilReady(child, port);
    if (problem === undefined) return;
    await child.stop();
    throw new Error(`The S3 server did not start again: ${problem}. Its log:\n${child.log()}`);
  };
  return {
    folder,
    dataFolder,
    port,
    endpoint: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    region,
    keys,
    get pid() {
      return child.pid;
    },
    kill: async () => {
      if (child.isRunning()) process.kill(child.pid, 'SIGKILL');
      await child.stop();
    },
    restart: ({ readOnly = false } = {}) => restart(readOnly),
    stop: async () => {
      await child.stop();
      await removeFolder();
    },
  };

  function start(candidate: number, readOnly: boolean): Promise<Child> {
    return startChild(
      program,
      [
        ...['--port', `127.0.0.1:${candidate}`, '--region', region, '--quiet', ...tls],
        ...['--iam-dir', accountFolder],
        ...(readOnly ? ['--readonly'] : []),
        ...['posix', '--sidecar', attributeFolder, dataFolder],
      ],
      {
        logFile,
        stopSignal: 'SIGTERM',
        cwd: folder,
        environment: {
          HOME: folder,
          TZ: 'UTC',
          ROOT_ACCESS_KEY: keys.accessKeyId,
          ROOT_SECRET_KEY: keys.secretAccessKey,
        },
      },
    );
  }

  async function startOnFreePort(): Promise<{ child: Child; port: number }> {
    const attempts = 10;
    for (let attempt = 1; ; attempt += 1) {
      const candidate = await findFreePort();
      const started = await start(candidate, false);
      const problem = await waitUntilReady(started, candidate);
      if (problem === undefined) return { child: started, port: candidate };
      await started.stop();
      if (!started.log().includes('address already in use') || attempt === attempts) {
        throw new Error(`The S3 server did not start: ${problem}. Its log:\n${started.log()}`);
      }
      await rm(logFile);
    }
  }
}

/** Files of the server's key and certificate, as arguments. */
async function writeIdentity(
  folder: string,
  { key, cert }: { readonly key: string; readonly cert: string },
): Promise<readonly string[]> {
  const files = { key: join(folder, 'server.key'), cert: join(folder, 'server.crt') };
  await writeFile(files.key, key, { mode: 0o600 });
  await writeFile(files.cert, cert);
  return ['--key', files.key, '--cert', files.cert];
}

async function waitUntilReady(child: Child, port: number): Promise<string | undefined> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const how = child.end();
    if (how !== undefined) return `it ended with ${how}`;
    if ((await accepts(port)) && child.isRunning()) return undefined;
    await pause(20);
  }
  return 'it accepted no connection within 30 seconds';
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
