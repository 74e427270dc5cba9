import { createHash } from 'node:crypto';
import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  statfs,
} from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Host } from '../ports/host.ts';
import { absolutePath } from './absolute-path.ts';
import { appendDurably, createExclusively, replaceFile, syncFolder } from './durable-file.ts';
import { errnoOf, hostFailure } from './host-failure.ts';
import { cancelled } from './command-failure.ts';
import { LocalProcess, type ProcessOptions } from './local-process.ts';
import { runPipeline } from './pipeline.ts';

export interface LocalHostOptions {
  /** Ends running commands and refuses new ones; files are still read and written, for they are quick. */
  readonly signal?: AbortSignal;
  /** The environment of the run; commands see only a short allow-list of it. */
  readonly environment: Readonly<Record<string, string>>;
}

async function attempt<T>(doing: string, state: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw hostFailure(error, doing, state);
  }
}

/** `undefined` when there is nothing at the path. */
async function whenThere<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Creates the missing folders of a path, each with `mode` whatever the umask: a web server must be able to traverse them. */
async function makeFolders(path: string, mode: number): Promise<void> {
  const found = await whenThere(stat(path));
  if (found?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolders(parent, mode);
  try {
    await mkdir(path, { mode: mode & 0o700 });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await whenThere(stat(path)))?.isDirectory() === true)
      return;
    throw error;
  }
  await chmod(path, mode);
  await syncFolder(parent, `${path} was created`);
}

async function freeBytes(path: string): Promise<number> {
  const found = await whenThere(statfs(path, { bigint: true }));
  if (found !== undefined) return Number(found.bavail * found.bsize);
  const parent = dirname(path);
  if (parent === path) throw new Error('no file system found');
  return freeBytes(parent);
}

/** The machine that the run is on. */
export function localHost(options: LocalHostOptions): Host {
  const begin = (
    command: Parameters<Host['run']>[0],
    interactive: boolean,
    how: Pick<ProcessOptions, 'ends' | 'label'> = {},
  ): LocalProcess => {
    const label = how.label ?? command.argv[0];
    if (options.signal?.aborted === true) throw cancelled(label);
    try {
      return new LocalProcess(command, { ...options, ...how }, interactive);
    } catch (error) {
      throw hostFailure(error, `start \`${label}\``, 'Nothing was started.');
    }
  };
  return {
    name: 'local',
    run: async (command) => begin(command, false).result,
    start: async (command) => begin(command, true),
    pipe: (stages, ends) =>
      runPipeline('local', async (command, how) => begin(command, false, how), stages, ends),
    readFile: (path) =>
      attempt(`read ${path}`, 'Nothing was changed.', () =>
        whenThere(readFile(absolutePath(path))),
      ),
    writeFile: (path, bytes, how) =>
      attempt(`write ${path}`, 'The file is as it was before.', () =>
        replaceFile(absolutePath(path), bytes, how),
      ),
    createFile: (path, bytes, how) =>
      attempt(`create ${path}`, 'The file was not created.', () =>
        createExclusively(absolutePath(path), bytes, how),
      ),
    appendFile: (path, text, mode) =>
      attempt(`append to ${path}`, 'The file ends as it did before.', () =>
        appendDurably(absolutePath(path), text, mode),
      ),
    makeDirectory: (path, mode) =>
      attempt(`create the folder ${path}`, 'Nothing else was changed.', () =>
        makeFolders(resolve(absolutePath(path)), mode),
      ),
    rename: (from, to) =>
      attempt(`rename ${from} to ${to}`, 'Both names are as they were before.', async () => {
        await rename(absolutePath(from), absolutePath(to));
        const done = `${from} is now ${to}`;
        await syncFolder(dirname(to), done);
        if (dirname(from) !== dirname(to)) await syncFolder(dirname(from), done);
      }),
    remove: (path) =>
      attempt(`remove ${path}`, 'Some of it may be left.', async () => {
        const target = resolve(absolutePath(path));
        if ((await whenThere(lstat(target))) === undefined) return;
        if (target === dirname(target)) throw new Error('that is the whole machine');
        await rm(target, { recursive: true, force: true });
        await syncFolder(dirname(target), `${target} was removed`);
      }),
    list: (path) =>
      attempt(`list ${path}`, 'Nothing was changed.', async () => {
        const names = await readdir(absolutePath(path)).catch((error: unknown) => {
          if (errnoOf(error) === 'ENOENT') return [];
          throw error;
        });
        return names.sort();
      }),
    status: (path) =>
      attempt(`look at ${path}`, 'Nothing was changed.', async () => {
        const found = await whenThere(stat(absolutePath(path)));
        if (found === undefined) return undefined;
        const kind = found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other';
        const { size: bytes, uid, gid } = found;
        return { kind, bytes, mode: found.mode & 0o7777, uid, gid } as const;
      }),
    realPath: (path) =>
      attempt(`resolve ${path}`, 'Nothing was changed.', () => realpath(absolutePath(path))),
    freeBytes: (path) =>
      attempt(`measure the free space of ${path}`, 'Nothing was changed.', () =>
        freeBytes(resolve(absolutePath(path))),
      ),
    sha256: (path) =>
      attempt(`read ${path}`, 'Nothing was changed.', async () => {
        const hash = createHash('sha256');
        // One buffer for all of it: those of a stream pile up until they are collected.
        const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
        const file = await open(absolutePath(path));
        try {
          for (;;) {
            const { bytesRead } = await file.read(buffer, 0, buffer.length);
            if (bytesRead === 0) return hash.digest('hex');
            hash.update(buffer.subarray(0, bytesRead));
          }
        } finally {
          await file.close();
        }
      }),
  };
}
