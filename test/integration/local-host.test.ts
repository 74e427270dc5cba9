import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { writerOf } from '../../src/hosts/durable-file.ts';
import { localHost } from '../../src/hosts/local.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';

const writer = join(import.meta.dirname, 'local-host-writer.ts');
const path = process.env.PATH ?? '';
const host = localHost({ environment: { PATH: path } });

let root: TemporaryFolder;
let folder: string;
let count = 0;

beforeAll(async () => {
  root = await makeTemporaryFolder('local-host');
});
beforeEach(async () => {
  count += 1;
  folder = join(root.path, `case-${count}`);
  await mkdir(folder);
});
afterAll(() => root.remove());

/** Waits for a condition with a bound; the bound is for a broken test only. */
async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let round = 0; round < 1500; round += 1) {
    if (await condition()) return;
    await pause(10);
  }
  throw new Error('the condition did not come true');
}

describe('run', () => {
  test('shows a child a short allow-list of the environment, and what the command names', async () => {
    const careful = localHost({
      environment: {
        PATH: path,
        HOME: '/home/x',
        TZ: 'UTC',
        GITHUB_TOKEN: 'secret',
        LANG: 'de_DE.UTF-8',
      },
    });
    const { stdout } = await careful.run({ argv: ['env'], env: { PGPASSWORD: 'for this one' } });
    expect(stdout.trim().split('\n').sort()).toEqual([
      'HOME=/home/x',
      'LANG=C',
      'LC_ALL=C',
      `PATH=${path}`,
      'PGPASSWORD=for this one',
      'TZ=UTC',
    ]);
  });
});

describe('what the host cannot do', () => {
  test('no permission is host-permission, and the old contents stay', async () => {
    const file = join(folder, 'site.conf');
    await writeFile(file, 'old');
    await chmod(folder, 0o555);
    const wasRoot = process.geteuid?.() === 0;
    // Permission bits do not stop root.
    if (wasRoot) process.seteuid?.(65534);
    try {
      await expect(host.writeFile(file, 'new', { mode: 0o644 })).rejects.toMatchObject({
        failure: {
          code: 'host-permission',
          message: expect.stringContaining(`Could not write ${file}: EACCES`),
          state: 'The file is as it was before.',
          next: expect.stringContaining('run the step again'),
        },
      });
    } finally {
      if (wasRoot) process.seteuid?.(0);
      await chmod(folder, 0o755);
    }
    expect(await readFile(file, 'utf8')).toBe('old');
    expect(await host.list(folder)).toEqual(['site.conf']);
  });
  /** Ways to run a command with at most 1 MiB to write into a folder; the second serves where mounting is forbidden. */
  const limits: readonly ((place: string) => readonly [string, ...string[]])[] = [
    (place) => [
      ...(['unshare', '-m', 'sh', '-c'] as const),
      `mount -t tmpfs -o size=1m tmpfs '${place}' && exec "$@"`,
      'sh',
    ],
    () => ['prlimit', '--fsize=1048576'],
  ];

  test('a full disk leaves the old contents, no new file, and no half line', () => {
    const run = (limit: (typeof limits)[number], ...argv: string[]) => {
      const [program, ...args] = limit(folder);
      return spawnSync(program, [...args, ...argv], { encoding: 'utf8' });
    };
    const usable = limits.find((limit) => run(limit, 'true').status === 0);
    if (usable === undefined) throw new Error('neither unshare nor prlimit can be used here');
    const { stdout, stderr } = run(usable, process.execPath, writer, 'full', folder);
    expect({ stderr, ...(JSON.parse(stdout || '{}') as object) }).toEqual({
      stderr: '',
      codes: { write: 'host-disk-full', create: 'host-disk-full', append: 'host-disk-full' },
      kept: 'old',
      journal: 'line 1\n',
      names: ['journal', 'kept'],
    });
  });
});
describe('killed writers', () => {
  test('a kill at any moment leaves the old or the new contents; the next write removes the leftovers', async () => {
    const file = join(folder, 'status.json');
    const leftovers = async (): Promise<string[]> =>
      (await readdir(folder)).filter((name) => writerOf(name, 'status.json') !== undefined);
    await writeFile(file, 'a'.repeat(512 * 1024));
    // The writer spends most of its time with a temporary file: a few kills are sure to leave one.
    for (let round = 0; round < 20 && (await leftovers()).length === 0; round += 1) {
      const child = spawn(process.execPath, [writer, 'loop', file], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await until(async () => (await leftovers()).length > 0);
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(await readFile(file, 'utf8')).toMatch(/^(a{524288}|b{524288})$/);
    }
    expect(await leftovers()).not.toEqual([]);
    await host.writeFile(file, 'new', { mode: 0o600 });
    expect(await host.list(folder)).toEqual(['status.json']);
  });

  test('leaves temporary files of the living and of other names alone', async () => {
    const random = '0123456789abcdef01234567';
    const alive = `.lock.1-${random}.tmp`;
    const otherName = `.lock.json.999999999-${random}.tmp`;
    const notOurs = '.lock.999999999-short.tmp';
    const dead = `.lock.999999999-${random}.tmp`;
    const formerSelf = `.lock.${process.pid}-${random}.tmp`;
    for (const name of [alive, otherName, notOurs, dead, formerSelf]) {
      await writeFile(join(folder, name), '');
    }
    expect(await host.createFile(join(folder, 'lock'), 'held', { mode: 0o600 })).toBe(true);
    expect(await host.list(folder)).toEqual([notOurs, alive, otherName, 'lock'].sort());
  });
});
