import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardFolder } from './guardian.ts';

/** A folder of our own, gone with everything in it after `remove`, or when our process ends. */
export type TemporaryFolder = {
  readonly path: string;
  /** Removes the folder and everything in it. A second call does nothing. */
  remove(): Promise<void>;
};

/**
 * Makes a folder with a unique name in the system's temporary folder (or in `parentFolder`).
 * Its mode is 0755, because servers that run as another user must be able to pass through it.
 */
export async function makeTemporaryFolder(
  prefix: string,
  parentFolder: string = tmpdir(),
): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(parentFolder, `${prefix}-`));
  const withdraw = guardFolder(path);
  await chmod(path, 0o755);
  return {
    path,
    remove: async () => {
      // A server that has just ended may still be unlinking files of its own: hence the retries.
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      withdraw();
    },
  };
}
