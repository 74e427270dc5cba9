import type { Command, CommandResult, Host, WriteOptions } from '../../ports/host.ts';
import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { absolutePath } from '../absolute-path.ts';
import { errnoOf, hostFailure } from '../host-failure.ts';
import type { Carrier } from './carrier.ts';
import { runPipeline } from '../pipeline.ts';
import { beginFar, runFar } from './far-command.ts';
import * as scripts from './file-scripts.ts';
import { ToolError } from './tool-failure.ts';

export interface FarHostOptions {
  /** Ends running commands and refuses new ones; files are still read and written, for they are quick. */
  readonly signal?: AbortSignal;
  /** The environment of the run; the carrier sees only a short allow-list of it, the other side nothing. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Exit codes of the file scripts beside 0 and 1. */
const undurable = 3;
const halfWritten = 4;
const taken = 17;

/** A host of which we have a shell and nothing else. */
export function farHost(carrier: Carrier, options: FarHostOptions): Host {
  const { environment, signal } = options;

  const run = (command: Command): Promise<CommandResult> =>
    runFar(carrier, command, { kind: 'command', environment, signal });

  /** A file operation; not for the signal to end. */
  const script = (
    text: string,
    args: readonly string[],
    more: { readonly stdin?: string | Uint8Array; readonly onBytes?: (chunk: Buffer) => void } = {},
  ): Promise<CommandResult> =>
    runFar(
      carrier,
      {
        argv: ['sh', '-c', text, 'sh', ...args],
        workingDirectory: '/',
        ...(more.stdin === undefined ? {} : { stdin: more.stdin }),
      },
      { kind: 'command', environment, onBytes: more.onBytes },
    );

  const attempt = async <T>(
    doing: string,
    state: string,
    action: () => Promise<T>,
    done?: string,
  ): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof UndurableError)) throw hostFailure(error, doing, state);
      throw hostFailure(error, `make it durable to ${doing}`, done ?? state);
    }
  };

  const change = async (
    text: string,
    args: readonly string[],
    stdin?: string | Uint8Array,
  ): Promise<void> => {
    check(await script(text, args, stdin === undefined ? {} : { stdin }));
  };

  const look = async (text: string, path: string): Promise<string> => {
    const result = await script(text, [path]);
    check(result);
    return result.stdout;
  };

  const bytesOf = async (text: string, path: string): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    check(await script(text, [path], { onBytes: (chunk) => chunks.push(chunk) }));
    return Buffer.concat(chunks);
  };

  const published = (what: string): string => `${what}, but that may not survive a power cut.`;

  return {
    name: carrier.name,
    run,
    start: (command) => beginFar(carrier, command, { kind: 'session', environment, signal }, true),
    pipe: (stages, ends) =>
      runPipeline(
        carrier.name,
        // A session waits for nobody: whoever feeds it may need a channel too.
        (command, how) =>
          beginFar(carrier, command, { kind: 'session', environment, signal, ...how }, false),
        stages,
        ends,
      ),
    readFile: (path) =>
      attempt(`read ${path}`, 'Nothing was changed.', () =>
        whenThere(bytesOf(scripts.readScript, absolutePath(path))),
      ),
    writeFile: (path, bytes, how) =>
      attempt(
        `write ${path}`,
        'The file is as it was before.',
        () => change(scripts.writeScript, writing(absolutePath(path), bytes, how), bytes),
        published(`${path} has its new contents`),
      ),
    createFile: (path, bytes, how) =>
      attempt(
        `create ${path}`,
        'The file was not created.',
        async () => {
          const args = writing(absolutePath(path), bytes, how);
          const result = await script(scripts.createScript, args, { stdin: bytes });
          if (result.exitCode === taken) return false;
          check(result);
          return true;
        },
        published(`${path} was created`),
      ),
    appendFile: (path, text, mode) =>
      attempt(
        `append to ${path}`,
        'The file ends as it did before.',
        async () => {
          const args = [absolutePath(path), octal(mode), String(Buffer.byteLength(text))];
          const result = await script(scripts.appendScript, args, { stdin: text });
          if (result.exitCode === halfWritten) {
            const error = new ToolError(result.stderr, result.exitCode);
            throw hostFailure(error, `append to ${path}`, 'It may end in the middle of a line.');
          }
          check(result);
        },
        published(`${path} has its new line`),
      ),
    makeDirectory: (path, mode) =>
      attempt(`create the folder ${path}`, 'Nothing else was changed.', () =>
        change(scripts.makeDirectoryScript, [posix.resolve(absolutePath(path)), octal(mode)]),
      ),
    rename: (from, to) =>
      attempt(
        `rename ${from} to ${to}`,
        'Both names are as they were before.',
        () =>
          change(scripts.renameScript, [
            withoutSlash(absolutePath(from)),
            withoutSlash(absolutePath(to)),
          ]),
        published(`${from} is now ${to}`),
      ),
    remove: (path) =>
      attempt(`remove ${path}`, 'Some of it may be left.', async () => {
        const target = posix.resolve(absolutePath(path));
        if (target === '/') throw new Error('that is the whole machine');
        await change(scripts.removeScript, [target]);
      }),
    list: (path) =>
      attempt(`list ${path}`, 'Nothing was changed.', async () => {
        const folder = absolutePath(path);
        const found = await whenThere(bytesOf(scripts.listScript, folder), ['ENOENT']);
        const prefix = `${folder.replace(/\/$/, '')}/./`;
        return (found?.toString('utf8') ?? '')
          .split('\0')
          .filter((entry) => entry !== '')
          .map((entry) => entry.slice(prefix.length))
          .sort();
      }),
    status: (path) =>
      attempt(`look at ${path}`, 'Nothing was changed.', async () => {
        const found = await whenThere(look(scripts.statusScript, absolutePath(path)));
        if (found === undefined) return undefined;
        const [raw = '', bytes, uid, gid] = found.trim().split(' ');
        // The type is in the upper bits of st_mode; see inode(7).
        const type = Number.parseInt(raw, 16) & 0o170000;
        const kind = type === 0o100000 ? 'file' : type === 0o040000 ? 'directory' : 'other';
        const mode = Number.parseInt(raw, 16) & 0o7777;
        return { kind, bytes: Number(bytes), mode, uid: Number(uid), gid: Number(gid) } as const;
      }),
    realPath: (path) =>
      attempt(`resolve ${path}`, 'Nothing was changed.', async () =>
        (await bytesOf(scripts.realPathScript, absolutePath(path))).toString('utf8').slice(0, -1),
      ),
    freeBytes: (path) =>
      attempt(`measure the free space of ${path}`, 'Nothing was changed.', async () => {
        const found = await look(scripts.freeBytesScript, posix.resolve(absolutePath(path)));
        const [blocks, size] = found.trim().split(' ').map(BigInt);
        return Number((blocks ?? 0n) * (size ?? 0n));
      }),
    sha256: (path) =>
      attempt(`read ${path}`, 'Nothing was changed.', async () => {
        const found = await look(scripts.sha256Script, absolutePath(path));
        const hash = /^[0-9a-f]{64}\b/.exec(found)?.[0];
        if (hash === undefined) throw new Error('neither sha256sum nor openssl is there');
        return hash;
      }),
  };
}

/** The change can be seen, but the host did not promise to keep it. */
class UndurableError extends ToolError {}

function check(result: CommandResult): void {
  if (result.exitCode === 0) return;
  const of = result.exitCode === undurable ? UndurableError : ToolError;
  throw new of(result.stderr, result.exitCode);
}

async function whenThere<T>(
  action: Promise<T>,
  absent: readonly string[] = ['ENOENT', 'ENOTDIR'],
): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    if (absent.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** A path that ends in a slash names a folder, which cannot be written. */
function writing(path: string, bytes: string | Uint8Array, how: WriteOptions): string[] {
  if (path.endsWith('/'))
    throw Object.assign(new Error('EISDIR: it ends in /'), { code: 'EISDIR' });
  const owner = how.owner === undefined ? '' : `${how.owner.uid}:${how.owner.gid}`;
  const random = randomBytes(12).toString('hex');
  return [path, octal(how.mode), owner, random, String(Buffer.byteLength(bytes))];
}

function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, '');
}
