import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf, hostFailure } from '../host-failure.ts';

const prefix = 'mw-ssh-';
/** A socket's path ends at some 104 bytes (unix(7): 108 on Linux), and ssh adds 17 to it while it makes one. */
const longestFolder = 60;

/** A folder path that needs no quoting in an option of ssh, and leaves room for a socket's name. */
function suits(folder: string): boolean {
  return folder.length <= longestFolder && /^[A-Za-z0-9/._-]+$/.test(folder);
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return errnoOf(error) === 'ESRCH';
  }
}

/** Runs that were killed leave their folder: sockets that nobody listens on, and public host keys. */
async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || !isGone(Number(pid))) continue;
    const path = join(parent, name);
    const found = await lstat(path);
    if (found.isDirectory() && found.uid === process.geteuid?.()) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

/** Makes a private folder (0700, as mkdtemp(3) makes it) for the sockets of one run. */
export async function makeConnectionFolder(): Promise<string> {
  const parent = [tmpdir(), '/tmp'].find(suits) ?? '/tmp';
  await removeLeftovers(parent).catch(() => undefined);
  try {
    return await mkdtemp(join(parent, `${prefix}${process.pid}-`));
  } catch (error) {
    throw hostFailure(error, `make a folder for SSH in ${parent}`, 'No host was contacted.');
  }
}
