import { posix } from 'node:path';
import type { DumpPlace } from '../../../ports/backup-proof.ts';
import { databaseContentsSchema, type DatabaseContents } from '../../../ports/database-contents.ts';
import type { Encryption } from '../../../ports/encryption.ts';
import { fail } from '../../../ports/failure.ts';
import type { Host, PipeStage } from '../../../ports/host.ts';

/** Beside the data in a dump's folder, and like it in the manifest, with its checksum; encrypted where the data are. */
export const contentsName = 'contents.json';

/**
 * Keeps with a dump what its database held.
 * @param host encrypts, before anything leaves it
 */
export async function writeContents(
  host: Host,
  { directory, keeper = host, encryption }: DumpPlace,
  contents: DatabaseContents,
): Promise<void> {
  const plain = new TextEncoder().encode(`${JSON.stringify(contents)}\n`);
  const path = posix.join(directory, contentsName);
  const how = { mode: 0o600 };
  await (encryption === undefined
    ? keeper.writeFile(path, plain, how)
    : keeper.writeFile(`${path}.age`, await through(host, encryption.encrypt, plain), how));
}

/**
 * What the database held of which a dump was taken.
 * @throws FailureError `database-dump-without-contents`
 */
export async function readDumpContents(host: Host, place: DumpPlace): Promise<DatabaseContents> {
  const { directory } = place;
  const bytes = await readPlain(host, place);
  if (bytes === undefined) without(directory, `has no ${contentsName}`);
  try {
    return databaseContentsSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return without(directory, `has an unreadable ${contentsName}`);
  }
}

async function readPlain(
  host: Host,
  { directory, keeper = host, encryption }: DumpPlace,
): Promise<Uint8Array | undefined> {
  const path = posix.join(directory, contentsName);
  const plain = await keeper.readFile(path);
  if (plain !== undefined) return plain;
  const encrypted = await keeper.readFile(`${path}.age`);
  if (encrypted === undefined) return undefined;
  const decrypt: Encryption['decrypt'] = encryption?.decrypt;
  if (decrypt === undefined)
    without(directory, `has an encrypted ${contentsName} and there is no private key for it`);
  return through(host, decrypt, encrypted);
}

/** What a program makes of bytes that are not many. */
async function through(host: Host, stage: PipeStage, bytes: Uint8Array): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const [result] = await host.pipe([stage], {
    source: (async function* () {
      yield bytes;
    })(),
    sink: (chunk) => {
      chunks.push(chunk.slice());
    },
  });
  if (result?.exitCode === 0) return Buffer.concat(chunks);
  return fail({
    code: 'database-dump-encryption-failed',
    message: `${stage.argv[0]} failed on ${host.name}: ${result?.stderr.trim().slice(0, 300) ?? ''}.`,
    state: 'The database was only read.',
    next: 'Check the recipients, the private key (backup-db.identity) and that `age` is installed there, then run the step again.',
  });
}

function without(folder: string, problem: string): never {
  return fail({
    code: 'database-dump-without-contents',
    message: `The dump in ${folder} ${problem}, so there is nothing to compare a restored database with.`,
    state: 'Nothing was restored from it; no database was changed.',
    next: 'Take another backup with verify: restore-and-compare, or verify this one with verify: restore.',
  });
}
