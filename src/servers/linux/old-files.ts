import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import type { FoundFiles, OldFiles } from '../../ports/server.ts';
import { failCommand, lastWords } from '../command-failure.ts';

const searchSeconds = 600;

/**
 * The conditions, after which `find` prints or removes. `find` itself removes: it goes down from folder to folder by
 * their handles and follows no link, so nobody who may write below the folder can lead it elsewhere.
 */
async function conditions(host: Host, what: OldFiles): Promise<string[]> {
  const match = ['-xdev', '-type', 'f', '-name', what.name];
  const now = Number((await command(host, 'Asking for the time', ['date', '+%s'])).trim());
  const age = ['-not', '-newermt', `@${Math.floor(now - what.olderThanSeconds)}`];
  if (what.keepNewest === 0) return [...match, ...age];
  const times = (await find(host, what.folder, [...match, '-printf', '%T@\\n']))
    .split('\n')
    .filter((time) => time !== '')
    .map(nanoseconds)
    .toSorted((a, b) => (a < b ? 1 : -1));
  const last = times[what.keepNewest - 1];
  // Fewer files than are kept: none may go.
  if (last === undefined) return [...match, '-false'];
  return [...match, ...age, '-not', '-newermt', `@${decimal(last - 1n)}`];
}

/** Files that {@link removeOldFiles} would remove. */
export async function findOldFiles(host: Host, what: OldFiles): Promise<FoundFiles> {
  const where = await conditions(host, what);
  return parse(await find(host, what.folder, [...where, '-printf', printed]));
}

/**
 * Removes them, and looks again.
 * @throws FailureError `server-clean-up` when some could not be removed
 */
export async function removeOldFiles(host: Host, what: OldFiles): Promise<FoundFiles> {
  const where = await conditions(host, what);
  const result = await host.run({
    argv: ['find', what.folder, ...where, '-printf', printed, '-delete'],
    timeoutSeconds: searchSeconds,
  });
  const left = parse(await find(host, what.folder, [...where, '-printf', printed]));
  if (result.exitCode !== 0 || left.paths.length > 0) {
    const words = lastWords({ ...result, stdout: '' });
    fail({
      code: 'server-clean-up',
      message: `${left.paths.length} old files below ${what.folder} could not be removed${words === '' ? '' : `: ${words}`}.`,
      state: `${Math.max(0, parse(result.stdout).paths.length - left.paths.length)} files were removed there; the rest is as it was.`,
      next: 'Look at owner and attributes of these files on the host.',
    });
  }
  return parse(result.stdout);
}

/** Records end in NUL, since names may hold anything else; numbers first. */
const printed = '%n %s %p\\0';

function parse(output: string): FoundFiles {
  const paths: string[] = [];
  let bytes = 0;
  for (const record of output.split('\0')) {
    const [, links = '', size = '', path] = /^(\d+) (\d+) ([\s\S]+)$/.exec(record) ?? [];
    if (path === undefined) continue;
    paths.push(path);
    if (links === '1') bytes += Number(size);
  }
  return { paths, bytes };
}

function find(host: Host, folder: string, rest: readonly string[]): Promise<string> {
  return command(host, `Looking for files below ${folder}`, ['find', folder, ...rest]);
}

async function command(host: Host, doing: string, argv: [string, ...string[]]): Promise<string> {
  const result = await host.run({ argv, timeoutSeconds: searchSeconds });
  if (result.exitCode !== 0) failCommand(doing, argv[0], result);
  return result.stdout;
}

/** The folder of a PostgreSQL or MySQL server within a folder: nothing of it is ever old. */
export async function databaseWithin(host: Host, folder: string): Promise<string | undefined> {
  const marks = ['(', '-name', 'PG_VERSION', '-o', '-name', 'ibdata1', ')'];
  const found = await find(host, folder, ['-xdev', ...marks, '-printf', '%h\\0', '-quit']);
  const [first = ''] = found.split('\0');
  return first === '' ? undefined : first;
}

function nanoseconds(time: string): bigint {
  const [seconds = '0', fraction = ''] = time.split('.');
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}

function decimal(time: bigint): string {
  return `${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
}
