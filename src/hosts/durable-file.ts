import { randomBytes } from 'node:crypto';
import {
  link,
  lstat,
  open,
  readdir,
  realpath,
  rename,
  unlink,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { WriteOptions } from '../ports/host.ts';
import { errnoOf, hostFailure } from './host-failure.ts';

/** Temporary files that this process is writing now. */
const inUse = new Set<string>();

/** `.<name>.<pid>-<random>.tmp`: hidden, unpredictable, and it names who must be dead before it may be removed. */
function temporaryPath(path: string): string {
  const random = randomBytes(12).toString('hex');
  return join(dirname(path), `.${basename(path)}.${process.pid}-${random}.tmp`);
}

/** The process that wrote a temporary file of `name`; `undefined` when `entry` is none. */
export function writerOf(entry: string, name: string): number | undefined {
  const prefix = `.${name}.`;
  if (!entry.startsWith(prefix)) return undefined;
  const match = /^(\d+)-[0-9a-f]{24}\.tmp$/.exec(entry.slice(prefix.length));
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

/** Removes what killed writers of the same file left. A file of our own pid that we do not write is one (pids come again). */
async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  for (const entry of await readdir(folder)) {
    const writer = writerOf(entry, basename(path));
    if (writer === undefined) continue;
    const leftover = join(folder, entry);
    const abandoned = writer === process.pid ? !inUse.has(leftover) : !isAlive(writer);
    if (abandoned) await unlink(leftover).catch(() => undefined);
  }
}

/**
 * Makes names in a folder (created, renamed, removed) survive a power cut.
 * @param done what has happened in it, for the failure: the change itself can be seen already
 */
export async function syncFolder(folder: string, done: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    // Some file systems (network shares) cannot; there is nothing more to be done on them.
    if (errnoOf(error) === 'EINVAL') return;
    throw hostFailure(
      error,
      `make the change of the folder ${folder} durable`,
      `${done}, but that may not survive a power cut.`,
    );
  }
}

async function own(handle: FileHandle, options: WriteOptions): Promise<void> {
  if (options.owner !== undefined) {
    const { uid, gid } = options.owner;
    const now = await handle.stat();
    if (now.uid !== uid || now.gid !== gid) {
      await handle.chown(uid, gid).catch((error: unknown) => {
        if (errnoOf(error) !== 'EPERM') throw error;
      });
    }
  }
  // After chown, which clears bits; before the content, which must never be readable by more than asked.
  await handle.chmod(options.mode);
}

/** Writes a temporary file beside `path`, lets `publish` give it its name, and cleans up whatever happens. */
async function throughTemporary<T>(
  path: string,
  bytes: string | Uint8Array,
  options: WriteOptions,
  publish: (temporary: string) => Promise<T>,
): Promise<T> {
  const temporary = temporaryPath(path);
  inUse.add(temporary);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await own(handle, options);
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return await publish(temporary);
  } finally {
    await unlink(temporary).catch(() => undefined);
    inUse.delete(temporary);
  }
}

/** Where a write to `path` ends up: a symbolic link is followed and stays a link. */
async function targetOf(path: string): Promise<string> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  return found?.isSymbolicLink() === true ? await realpath(path) : path;
}

/** Replaces a file or leaves it as it was; a symbolic link is followed. Throws system errors. */
export async function replaceFile(
  path: string,
  bytes: string | Uint8Array,
  options: WriteOptions,
): Promise<void> {
  const target = await targetOf(path);
  await throughTemporary(target, bytes, options, (temporary) => rename(temporary, target));
  await syncFolder(dirname(target), `${target} has its new contents`);
  await removeLeftovers(target).catch(() => undefined);
}

/** Creates a file with all its contents; false when something has the name already. Throws system errors. */
export async function createExclusively(
  path: string,
  bytes: string | Uint8Array,
  options: WriteOptions,
): Promise<boolean> {
  const created = await throughTemporary(path, bytes, options, async (temporary) => {
    try {
      await link(temporary, path);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw error;
    }
  });
  if (!created) return false;
  await syncFolder(dirname(path), `${path} was created`);
  await removeLeftovers(path).catch(() => undefined);
  return true;
}

/** Appends a text as a whole or not at all, on disk when it returns. Throws system errors. */
export async function appendDurably(path: string, text: string, mode: number): Promise<void> {
  let created = true;
  let handle: FileHandle;
  try {
    handle = await open(path, 'ax', mode);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    created = false;
    handle = await open(path, 'a');
  }
  try {
    if (created) await handle.chmod(mode);
    const before = (await handle.stat()).size;
    try {
      await handle.writeFile(text);
      await handle.sync();
    } catch (error) {
      // A full disk takes the first half of a line; the next line must not be glued to it.
      await handle.truncate(before).catch(() => {
        throw hostFailure(error, `append to ${path}`, 'It may end in the middle of a line.');
      });
      throw error;
    }
  } finally {
    await handle.close();
  }
  if (created) await syncFolder(dirname(path), `${path} was created`);
}
