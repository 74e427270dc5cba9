import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BackupDestination } from '../ports/backup-destination.ts';
import { fail, messageOf } from '../ports/failure.ts';
import type { RunArtifacts } from '../ports/github.ts';

/**
 * Artifacts of the workflow run. Their client works on files, so each object passes through one on the runner, as it
 * was sent: encrypted.
 */
export function artifactDestination({
  artifacts,
  temporaryFolder,
  days,
}: {
  readonly artifacts: RunArtifacts;
  /** Of the runner; folders of ours in it are gone again when a method has ended. */
  readonly temporaryFolder: string;
  readonly days: number | undefined;
}): BackupDestination {
  const withFolder = async <T>(body: (folder: string) => Promise<T>): Promise<T> => {
    if (!artifacts.isAvailable) refuseOutsideOfActions();
    const folder = await mkdtemp(join(temporaryFolder, 'maintenance-backup-'));
    try {
      return await body(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  return {
    label: 'artifacts of the workflow run',
    put: (name, content) =>
      withFolder(async (folder) => {
        const path = join(folder, name);
        try {
          await pipeline(content, createWriteStream(path, { mode: 0o600, flags: 'wx' }));
        } catch (error) {
          // What the content throws is passed on.
          if (!isOfDisk(error)) throw error;
          fail(
            {
              code: 'copy-not-written',
              message: `The runner could not write ${name} to its disk: ${messageOf(error)}.`,
              state: 'No artifact was made, and the file is gone.',
              next: 'Use a runner with more room in its temporary folder, or another place for the copy.',
            },
            error,
          );
        }
        await artifacts.keep(path, days);
      }),
    read: async function* read(name) {
      if (!artifacts.isAvailable) refuseOutsideOfActions();
      const folder = await mkdtemp(join(temporaryFolder, 'maintenance-backup-'));
      try {
        if (!(await artifacts.fetch(name, folder))) {
          fail({
            code: 'copy-unreadable',
            message: `The run has no artifact ${name}.`,
            state: 'Nothing was changed.',
            next: 'Run the job again.',
          });
        }
        for await (const chunk of createReadStream(join(folder, name))) yield chunk as Buffer;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    list: async () => (artifacts.isAvailable ? artifacts.list() : refuseOutsideOfActions()),
    remove: (name) => artifacts.remove(name),
  };
}

function refuseOutsideOfActions(): never {
  return fail({
    code: 'copy-no-artifacts',
    message: 'A copy is to become an artifact, and there is no artifact service here.',
    state: 'Nothing was touched.',
    next: 'Run it as an action on github.com, or name another place in backup-db.copies (folder, s3, ssh).',
  });
}

function isOfDisk(error: unknown): boolean {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' && ['ENOSPC', 'EDQUOT', 'EIO', 'EFBIG', 'EACCES'].includes(code);
}
