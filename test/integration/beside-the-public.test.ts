import { execFile } from 'node:child_process';
import { appendFile, chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { writtenBack } from '../../src/databases/postgresql/beside-the-public.ts';
import { localHost } from '../../src/hosts/local.ts';
import type { Host } from '../../src/ports/host.ts';
import { storing } from '../../src/ports/stored-bytes.ts';
import { isRunning, pidIn, until } from '../fixtures/processes.ts';

const run = promisify(execFile);
const megabyte = 1024 * 1024;

let temporary: TemporaryFolder;
let folder: string;
let count = 0;

beforeAll(async () => {
  temporary = await makeTemporaryFolder('mw-beside');
});
afterAll(() => temporary.remove());

beforeEach(async () => {
  count += 1;
  folder = join(temporary.path, String(count));
  await mkdir(folder);
});

/** A host whose `dd` is this script, with the real one as `$DD`. */
async function hostWith(dd: string): Promise<Host> {
  const programs = join(folder, 'programs');
  await mkdir(programs);
  await writeFile(join(programs, 'dd'), `#!/bin/sh\nDD=/bin/dd\n${dd}\n`);
  await chmod(join(programs, 'dd'), 0o755);
  return localHost({ environment: { PATH: `${programs}:${process.env.PATH ?? ''}` } });
}

/** Bytes of a file that are in the page cache. */
async function inMemory(file: string): Promise<number> {
  const { stdout } = await run('fincore', ['--bytes', '--noheadings', '--output', 'RES', file]);
  return Number(stdout.trim());
}

async function* chunks(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) {
    yield await Promise.resolve(new Uint8Array(100_000).fill(index));
  }
}

describe.each([
  ['with a dd that hands on what it writes', 'exec "$DD" "$@"'],
  ['where dd cannot do that', 'echo "dd: unrecognized operand" >&2; exit 1'],
])('bytes are stored %s', (_, dd) => {
  test('whole, and for nobody but us', async () => {
    const host = await hostWith(dd);
    const file = join(folder, 'stored');
    const [stored] = await host.pipe([storing(file)], { source: chunks(37) });
    expect(stored).toMatchObject({ exitCode: 0, stderr: '' });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const bytes = await readFile(file);
    expect(bytes.length).toBe(3_700_000);
    for (let index = 0; index < 37; index += 1) expect(bytes[index * 100_000 + 99_999]).toBe(index);
  });

  test('never in the place of another file', async () => {
    const host = await hostWith(dd);
    const file = join(folder, 'stored');
    await writeFile(file, 'of somebody else');
    const [stored] = await host.pipe([storing(file)], { source: chunks(1) });
    expect(stored?.exitCode).not.toBe(0);
    expect(stored?.stderr).toMatch(/exist/i);
    expect(await readFile(file, 'utf8')).toBe('of somebody else');
  });
});

describe('files that another program writes', () => {
  test('are handed to the disk while they grow, unchanged, and only large ones', async () => {
    const host = await hostWith(`echo "$$ $*" >> ${join(folder, 'calls')}\nexec "$DD" "$@"`);
    const calls = () => readFile(join(folder, 'calls'), 'utf8').catch(() => '');
    const dump = join(folder, 'dump');
    await mkdir(dump);
    await writeFile(join(dump, 'small'), 'a');
    await writeFile(join(dump, 'large'), Buffer.alloc(3 * megabyte, 1));
    const result = await writtenBack(host, dump, async () => {
      await until('the large file was handed on', async () => (await calls()).includes('large'));
      // What the disk has is let go of; without count=0 dd would only do that for what it copied itself.
      await until(
        'none of it is in memory',
        async () => (await inMemory(join(dump, 'large'))) === 0,
      );
      await appendFile(join(dump, 'large'), Buffer.alloc(megabyte, 2));
      return 'done';
    });
    expect(result).toBe('done');
    expect(await calls()).not.toContain('small');
    const bytes = await readFile(join(dump, 'large'));
    expect(
      bytes.equals(Buffer.concat([Buffer.alloc(3 * megabyte, 1), Buffer.alloc(megabyte, 2)])),
    ).toBe(true);
  });

  test('are let alone once the work is over, however it ended', async () => {
    const host = localHost({ environment: { PATH: process.env.PATH ?? '' } });
    const watched: Host = {
      ...host,
      start: (command) =>
        host.start({
          argv: ['sh', '-c', 'echo $$ > "$1"; shift; exec "$@"', 'sh', pidFile, ...command.argv],
        }),
    };
    const pidFile = join(folder, 'pid');
    const failing = writtenBack(watched, folder, async () => {
      await pidIn(pidFile);
      throw new Error('the dump failed');
    });
    await expect(failing).rejects.toThrow('the dump failed');
    const pid = await pidIn(pidFile);
    await until('it has ended', async () => !(await isRunning(pid)));
  });
});
