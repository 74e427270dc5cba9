import { posix } from 'node:path';
import { databaseContentsSchema, type DatabaseContents } from '../../../ports/database-contents.ts';
import { fail } from '../../../ports/failure.ts';
import type { Host } from '../../../ports/host.ts';

/** Beside the data in a dump's folder, and like it in the manifest, with its checksum. */
export const contentsName = 'contents.json';

/** Keeps with a dump what its database held. */
export async function writeContents(
  host: Host,
  folder: string,
  contents: DatabaseContents,
): Promise<void> {
  await host.writeFile(posix.join(folder, contentsName), `${JSON.stringify(contents)}\n`, {
    mode: 0o600,
  });
}

/**
 * What the database held of which a dump was taken.
 * @throws FailureError `database-dump-without-contents`
 */
export async function readDumpContents(host: Host, folder: string): Promise<DatabaseContents> {
  const bytes = await host.readFile(posix.join(folder, contentsName));
  const problem =
    bytes === undefined ? `has no ${contentsName}` : `has an unreadable ${contentsName}`;
  try {
    return databaseContentsSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return fail({
      code: 'database-dump-without-contents',
      message: `The dump in ${folder} ${problem}, so there is nothing to compare a restored database with.`,
      state: 'Nothing was restored from it; no database was changed.',
      next: 'Take another backup with verify: restore-and-compare, or verify this one with verify: restore.',
    });
  }
}
