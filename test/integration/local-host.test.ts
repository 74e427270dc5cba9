import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  mkdir,
  readFile,
  readdir,
  readlink,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
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

/** Whether a process runs; one that is dead but not yet collected does not. */
async function runs(pid: number): Promise<boolean> {
  const line = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return line !== '' && !/^[ZX]/.test(line.slice(line.lastIndexOf(')') + 2));
}

async function numberIn(file: string): Promise<number> {
  await until(async () => /^\d+\n$/.test(await readFile(file, 'utf8').catch(() => '')));
  return Number(await readFile(file, 'utf8'));
}

describe('run', () => {
  test('passes arguments unchanged, input by stdin, and tells exit code and outputs apart', async () => {
    const result = await host.run({
      argv: [
        'sh',
        '-c',
        'printf "%s|" "$@"; cat; echo trouble >&2; exit 3',
        'sh',
        '$(id)',
        "a 'b'",
        '*',
      ],
      stdin: 'from stdin',
    });
    expect(result).toMatchObject({
      exitCode: 3,
      stdout: "$(id)|a 'b'|*|from stdin",
      stderr: 'trouble\n',
      timedOut: false,
    });
  });

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

  test('names a variable with a NUL and never prints its value', async () => {
    const attempt = host.run({ argv: ['true'], env: { DATABASE_URL: 'hun\0ter2' } });
    await expect(attempt).rejects.toMatchObject({
      failure: { code: 'host-error', message: expect.stringContaining('DATABASE_URL') },
    });
    await expect(attempt).rejects.not.toMatchObject({ message: expect.stringContaining('hun') });
  });

  test('a program that is not there gives 127, one that may not be executed 126', async () => {
    expect(await host.run({ argv: ['no-such-program'] })).toMatchObject({
      exitCode: 127,
      stderr: 'no-such-program: program not found\n',
    });
    const plain = join(folder, 'plain');
    await writeFile(plain, 'data', { mode: 0o600 });
    expect(await host.run({ argv: [plain] })).toMatchObject({ exitCode: 126 });
  });

  test('hands out complete lines of both outputs, also a last one without line feed', async () => {
    const out: string[] = [];
    const err: string[] = [];
    await host.run({
      argv: [
        'sh',
        '-c',
        'printf "a\\nb\\303"; sleep 0.05; printf "\\274"; printf "one\\n\\ntwo" >&2',
      ],
      onStdoutLine: (line) => out.push(line),
      onStderrLine: (line) => err.push(line),
    });
    expect(out).toEqual(['a', 'bü']);
    expect(err).toEqual(['one', '', 'two']);
  });

  test('an exception in a line callback ends the command and comes back', async () => {
    const attempt = host.run({
      argv: ['sh', '-c', `echo $$ > ${folder}/pid; echo line; exec sleep 600`],
      onStdoutLine: () => {
        throw new Error('the reader gave up');
      },
    });
    await expect(attempt).rejects.toThrow('the reader gave up');
    expect(await runs(await numberIn(join(folder, 'pid')))).toBe(false);
  });

  test('refuses more than 8 MiB of output that nobody reads by line', async () => {
    const flood = ['sh', '-c', 'yes 0123456789 | head -c 9000000'] as const;
    await expect(host.run({ argv: flood })).rejects.toMatchObject({
      failure: { code: 'host-error', message: expect.stringContaining('8388608 bytes') },
    });
    let lines = 0;
    const result = await host.run({ argv: flood, onStdoutLine: () => (lines += 1) });
    expect(result.exitCode).toBe(0);
    expect(lines).toBe(Math.ceil(9_000_000 / 11));
    expect(result.stdout.length).toBeLessThan(8.1 * 1024 * 1024);
  });

  test('keeps head and tail of a long standard error', async () => {
    const { stderr } = await host.run({
      argv: ['sh', '-c', '(echo first; yes noise | head -c 10000000; echo last) >&2'],
    });
    expect(stderr.startsWith('first\n')).toBe(true);
    expect(stderr.endsWith('last\n')).toBe(true);
    expect(stderr).toContain(`[${10_000_011 - 8 * 1024 * 1024} bytes left out]`);
  });

  test('a command may leave its input unread', async () => {
    const result = await host.run({ argv: ['true'], stdin: 'x'.repeat(4 * 1024 * 1024) });
    expect(result.exitCode).toBe(0);
  });

  test('a timeout ends the whole process group, also who ignores SIGTERM', async () => {
    const result = await host.run({
      argv: [
        'sh',
        '-c',
        `(trap "" TERM; echo $(exec sh -c 'echo $PPID') > ${folder}/stubborn; while :; do sleep 1; done) &
         (echo $(exec sh -c 'echo $PPID') > ${folder}/mild; exec sleep 600) &
         echo $$ > ${folder}/leader; wait`,
      ],
      timeoutSeconds: 1,
    });
    expect(result).toMatchObject({ exitCode: null, timedOut: true });
    for (const name of ['stubborn', 'mild', 'leader']) {
      expect(await runs(await numberIn(join(folder, name)))).toBe(false);
    }
  });

  test('a signal that was not ours shows as no exit code, not as a timeout', async () => {
    const result = await host.run({ argv: ['sh', '-c', 'kill -9 $$'], timeoutSeconds: 60 });
    expect(result).toMatchObject({ exitCode: null, timedOut: false });
  });

  test('does not wait for a daemon that holds the pipes, nor end it', async () => {
    const { exitCode, stdout } = await host.run({
      argv: ['sh', '-c', `sleep 600 & echo $! > ${folder}/daemon; echo started`],
    });
    const daemon = await numberIn(join(folder, 'daemon'));
    try {
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'started\n' });
      expect(await runs(daemon)).toBe(true);
    } finally {
      process.kill(daemon, 'SIGKILL');
    }
  });

  test('a cancelled run ends the group and rejects; nothing starts afterwards', async () => {
    const cancelling = new AbortController();
    const cancellable = localHost({ environment: { PATH: path }, signal: cancelling.signal });
    const attempt = cancellable.run({
      argv: ['sh', '-c', `sleep 600 & echo $! > ${folder}/child; wait`],
    });
    const child = await numberIn(join(folder, 'child'));
    cancelling.abort();
    await expect(attempt).rejects.toMatchObject({ failure: { code: 'cancelled' } });
    expect(await runs(child)).toBe(false);
    const late = { argv: ['touch', join(folder, 'late')] } as const;
    await expect(cancellable.run(late)).rejects.toMatchObject({ failure: { code: 'cancelled' } });
    await expect(cancellable.start(late)).rejects.toMatchObject({ failure: { code: 'cancelled' } });
    expect(await readdir(folder)).toEqual(['child']);
  });
});

describe('start', () => {
  test('is a conversation', async () => {
    const session = await host.start({ argv: ['cat'] });
    await session.write('one\ntwo\n');
    expect(await session.nextLine()).toBe('one');
    expect(await session.nextLine()).toBe('two');
    const waiting = session.nextLine();
    await session.write('three');
    expect(await session.end()).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await waiting).toBe('three');
    expect(await session.nextLine()).toBeUndefined();
  });

  test('holds a fast command back until its lines are read, and loses none', async () => {
    const session = await host.start({ argv: ['seq', '1', '2000000'] });
    let expected = 0;
    for (let line = await session.nextLine(); line !== undefined; line = await session.nextLine()) {
      expected += 1;
      if (Number(line) !== expected) throw new Error(`line ${expected} is ${line}`);
    }
    expect(expected).toBe(2_000_000);
    expect((await session.end()).exitCode).toBe(0);
  });

  test('end gives the lines that nobody read', async () => {
    const session = await host.start({ argv: ['sh', '-c', 'read x; echo $x; echo more; exit 4'] });
    await session.write('go\n');
    expect(await session.nextLine()).toBe('go');
    expect(await session.end()).toMatchObject({ exitCode: 4, stdout: 'more\n' });
  });

  test('writing to a command that has ended tells what it said', async () => {
    const session = await host.start({ argv: ['sh', '-c', 'echo "no such database" >&2; exit 2'] });
    expect(await session.nextLine()).toBeUndefined();
    await expect(session.write('select 1;\n')).rejects.toMatchObject({
      failure: { code: 'host-error', message: expect.stringContaining('no such database') },
    });
    expect((await session.end()).exitCode).toBe(2);
  });

  test('a program that is not there ends with 127', async () => {
    const session = await host.start({ argv: ['no-such-program'] });
    expect(await session.nextLine()).toBeUndefined();
    expect((await session.end()).exitCode).toBe(127);
  });

  test('kill ends the group and wakes the reader', async () => {
    const session = await host.start({
      argv: ['sh', '-c', `sleep 600 & echo $! > ${folder}/child; echo up; wait`],
    });
    expect(await session.nextLine()).toBe('up');
    const waiting = session.nextLine();
    await session.kill();
    expect(await waiting).toBeUndefined();
    expect(await runs(await numberIn(join(folder, 'child')))).toBe(false);
    await session.kill();
  });

  test('a cancelled run rejects the reader and the end', async () => {
    const cancelling = new AbortController();
    const session = await localHost({
      environment: { PATH: path },
      signal: cancelling.signal,
    }).start({ argv: ['sleep', '600'] });
    const waiting = session.nextLine();
    cancelling.abort();
    await expect(waiting).rejects.toMatchObject({ failure: { code: 'cancelled' } });
    await expect(session.end()).rejects.toMatchObject({ failure: { code: 'cancelled' } });
  });
});

describe('files', () => {
  test('writes with exactly the mode asked for, whatever the umask, and leaves nothing else', async () => {
    const file = join(folder, 'conf');
    const before = process.umask(0o077);
    try {
      await host.writeFile(file, 'one', { mode: 0o644 });
      expect(await host.status(file)).toMatchObject({ kind: 'file', bytes: 3, mode: 0o644 });
      await host.makeDirectory(join(folder, 'a/b'), 0o755);
      expect(await host.status(join(folder, 'a'))).toMatchObject({
        kind: 'directory',
        mode: 0o755,
      });
      expect(await host.status(join(folder, 'a/b'))).toMatchObject({ mode: 0o755 });
    } finally {
      process.umask(before);
    }
    await host.writeFile(file, Buffer.from([0, 255, 10]), { mode: 0o600 });
    expect(Buffer.from((await host.readFile(file)) ?? [])).toEqual(Buffer.from([0, 255, 10]));
    expect(await host.status(file)).toMatchObject({ mode: 0o600 });
    expect(await host.list(folder)).toEqual(['a', 'conf']);
  });

  test('an existing folder keeps its mode', async () => {
    const inner = join(folder, 'inner');
    await mkdir(inner);
    await chmod(inner, 0o711);
    await host.makeDirectory(inner, 0o700);
    expect(await host.status(inner)).toMatchObject({ mode: 0o711 });
  });

  test('gives the file to its owner when it may', async () => {
    const us = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const file = join(folder, 'owned');
    const other = us.uid === 0 ? { uid: 65534, gid: 65534 } : { uid: 0, gid: 0 };
    await host.writeFile(file, 'x', { mode: 0o640, owner: other });
    expect(await host.status(file)).toMatchObject({ mode: 0o640, ...(us.uid === 0 ? other : us) });
  });

  test('writes through a symbolic link and keeps the link', async () => {
    await mkdir(join(folder, 'available'));
    const real = join(folder, 'available', 'site');
    const linked = join(folder, 'site');
    await writeFile(real, 'old');
    await symlink('available/site', linked);
    await host.writeFile(linked, 'new', { mode: 0o644 });
    expect(await readlink(linked)).toBe('available/site');
    expect(await readFile(real, 'utf8')).toBe('new');
    expect(await host.realPath(linked)).toBe(await host.realPath(real));
  });

  test('of many who create the same file, one does, and it is whole', async () => {
    const file = join(folder, 'lock');
    const contents = Array.from({ length: 20 }, (_, index) => `${index}:`.repeat(5000));
    const created = await Promise.all(
      contents.map((text) => host.createFile(file, text, { mode: 0o600 })),
    );
    expect(created.filter((won) => won)).toHaveLength(1);
    expect(await readFile(file, 'utf8')).toBe(contents[created.indexOf(true)]);
    expect(await host.list(folder)).toEqual(['lock']);
    expect(await host.status(file)).toMatchObject({ mode: 0o600 });
  });

  test('appends, creates with the mode, renames, removes, and finds nothing where nothing is', async () => {
    const file = join(folder, 'journal');
    await host.appendFile(file, '1\n', 0o640);
    await host.appendFile(file, '2\n', 0o600);
    expect(await readFile(file, 'utf8')).toBe('1\n2\n');
    expect(await host.status(file)).toMatchObject({ mode: 0o640 });
    await host.rename(file, join(folder, 'archived'));
    expect(await host.readFile(file)).toBeUndefined();
    expect(await host.status(file)).toBeUndefined();
    expect(await host.list(join(folder, 'none'))).toEqual([]);
    await mkdir(join(folder, 'tree/deep'), { recursive: true });
    await writeFile(join(folder, 'tree/deep/file'), '');
    await symlink('/etc/hostname', join(folder, 'tree/outside'));
    await host.remove(join(folder, 'tree'));
    await host.remove(join(folder, 'tree'));
    await host.remove(join(folder, 'archived/under-a-file'));
    expect(await host.list(folder)).toEqual(['archived']);
    expect((await stat('/etc/hostname')).isFile()).toBe(true);
  });

  test('hashes on the host and measures the nearest existing parent', async () => {
    const file = join(folder, 'abc');
    await writeFile(file, 'abc');
    // The SHA-256 example of FIPS 180-2, appendix B.1.
    expect(await host.sha256(file)).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    const df = spawnSync('df', ['--output=avail', '--block-size=1', '/proc'], { encoding: 'utf8' });
    expect(await host.freeBytes('/proc/1/no/such')).toBe(Number(df.stdout.split('\n')[1]));
    expect(await host.freeBytes(join(folder, 'not/yet/there'))).toBeGreaterThan(0);
  });

  test.each([
    ['relative/path', 'is not absolute'],
    ['/tmp/a\0b', 'is not absolute'],
  ])('refuses %j before touching anything', async (bad, message) => {
    await expect(host.writeFile(bad, '', { mode: 0o600 })).rejects.toMatchObject({
      failure: { code: 'host-error', message: expect.stringContaining(message) },
    });
  });
});

describe('what the host cannot do', () => {
  test('a missing folder is host-missing', async () => {
    const file = join(folder, 'none/file');
    for (const attempt of [
      () => host.writeFile(file, '', { mode: 0o600 }),
      () => host.createFile(file, '', { mode: 0o600 }),
      () => host.appendFile(file, '', 0o600),
      () => host.rename(file, join(folder, 'x')),
      () => host.realPath(file),
      () => host.sha256(file),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ failure: { code: 'host-missing' } });
    }
  });

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

  test('a device that is full is host-disk-full', async () => {
    await expect(host.appendFile('/dev/full', 'line\n', 0o600)).rejects.toMatchObject({
      failure: { code: 'host-disk-full', message: expect.stringContaining('/dev/full') },
    });
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
