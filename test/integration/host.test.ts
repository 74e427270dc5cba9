import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
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
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Host } from '../../src/ports/host.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { hostKinds, type OpenHosts } from '../fixtures/host-kinds.ts';
import { isRunning, pidIn } from '../fixtures/processes.ts';

/** What a shell, an option parser or a line reader might take for something else. */
const hostileWords = [
  '',
  ' ',
  '-rf',
  '--',
  '-n',
  "it's",
  '"double"',
  '$(touch /tmp/never)`id`',
  '${HOME} $0 $$ %s %b %%',
  'back\\slash \\n \\0101 \\c end\\',
  'line\nfeed\n\n',
  '\n',
  'tab\tand\rreturn',
  '* ? [a-z] ~ {a,b} !x #y ;&|<>()',
  'ünïcödé 漢字 🦊 \u0081\u0088',
  '\u0001\u001e\u007f',
  'x'.repeat(100_000),
] as const;

describe.each(hostKinds)('a host: $name', (kind) => {
  let hosts: OpenHosts;
  let host: Host;
  let root: TemporaryFolder;
  let folder: string;
  let count = 0;

  beforeAll(async () => {
    root = await makeTemporaryFolder('host');
    hosts = await kind.open();
    host = hosts.host;
  });
  beforeEach(async () => {
    count += 1;
    folder = join(root.path, `case-${count}`);
    await mkdir(folder);
  });
  afterAll(async () => {
    await hosts.close();
    await root.remove();
  });

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
      expect(await isRunning(await pidIn(join(folder, 'pid')))).toBe(false);
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
        expect(await isRunning(await pidIn(join(folder, name)))).toBe(false);
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
      const daemon = await pidIn(join(folder, 'daemon'));
      try {
        expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'started\n' });
        expect(await isRunning(daemon)).toBe(true);
      } finally {
        process.kill(daemon, 'SIGKILL');
      }
    });

    test('a cancelled run ends the group and rejects; nothing starts afterwards', async () => {
      const cancelling = new AbortController();
      const cancellable = hosts.cancellable(cancelling.signal);
      const attempt = cancellable.run({
        argv: ['sh', '-c', `sleep 600 & echo $! > ${folder}/child; wait`],
      });
      const child = await pidIn(join(folder, 'child'));
      cancelling.abort();
      await expect(attempt).rejects.toMatchObject({ failure: { code: 'cancelled' } });
      expect(await isRunning(child)).toBe(false);
      const late = { argv: ['touch', join(folder, 'late')] } as const;
      await expect(cancellable.run(late)).rejects.toMatchObject({ failure: { code: 'cancelled' } });
      await expect(cancellable.start(late)).rejects.toMatchObject({
        failure: { code: 'cancelled' },
      });
      expect(await readdir(folder)).toEqual(['child']);
    });

    test('shows a child little of our environment, messages in English, and what the command names', async () => {
      process.env.HOST_TEST_TOKEN = 'secret';
      try {
        const { stdout } = await host.run({
          argv: ['env', '-0'],
          env: { PGPASSWORD: 'two\nlines\n' },
        });
        const seen = stdout.split('\0');
        expect(seen).toEqual(
          expect.arrayContaining(['PGPASSWORD=two\nlines\n', 'LC_ALL=C', 'LANG=C']),
        );
        expect(seen.filter((entry) => /TOKEN|SSH|SUDO|^mw/.test(entry))).toEqual([]);
      } finally {
        delete process.env.HOST_TEST_TOKEN;
      }
    });

    test('hands on arguments, variables and input byte for byte', async () => {
      const { stdout } = await host.run({
        argv: ['sh', '-c', 'printf "%s\\0" "$@" "$WORDS"', 'sh', ...hostileWords],
        env: { WORDS: hostileWords.slice(0, -1).join('') },
      });
      expect(stdout.split('\0').slice(0, -1)).toEqual([
        ...hostileWords,
        hostileWords.slice(0, -1).join(''),
      ]);
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) >> 5));
      const hashed = await host.run({ argv: ['sha256sum'], stdin: bytes });
      expect(hashed.stdout.slice(0, 64)).toBe(createHash('sha256').update(bytes).digest('hex'));
    });

    test.each([0, 1, 96, 124, 128, 129, 255])('an exit code of %i is that', async (code) => {
      expect(await host.run({ argv: ['sh', '-c', `exit ${code}`] })).toMatchObject({
        exitCode: code,
        stdout: '',
        stderr: '',
      });
    });

    test('runs in the folder asked for; one that is not there is host-missing', async () => {
      const odd = join(folder, "a 'b' $(c)\n");
      await mkdir(odd);
      expect((await host.run({ argv: ['pwd'], workingDirectory: odd })).stdout).toBe(`${odd}\n`);
      await expect(
        host.run({
          argv: ['touch', join(folder, 'never')],
          workingDirectory: join(folder, 'none'),
        }),
      ).rejects.toMatchObject({ failure: { code: 'host-missing', state: 'Nothing was started.' } });
      expect(await readdir(folder)).toEqual([odd.slice(folder.length + 1)]);
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
      for (
        let line = await session.nextLine();
        line !== undefined;
        line = await session.nextLine()
      ) {
        expected += 1;
        if (Number(line) !== expected) throw new Error(`line ${expected} is ${line}`);
      }
      expect(expected).toBe(2_000_000);
      expect((await session.end()).exitCode).toBe(0);
    });

    test('end gives the lines that nobody read', async () => {
      const session = await host.start({
        argv: ['sh', '-c', 'read x; echo $x; echo more; exit 4'],
      });
      await session.write('go\n');
      expect(await session.nextLine()).toBe('go');
      expect(await session.end()).toMatchObject({ exitCode: 4, stdout: 'more\n' });
    });

    test('writing to a command that has ended tells what it said', async () => {
      const session = await host.start({
        argv: ['sh', '-c', 'echo "no such database" >&2; exit 2'],
      });
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
      expect(await isRunning(await pidIn(join(folder, 'child')))).toBe(false);
      await session.kill();
    });

    test('a cancelled run rejects the reader and the end', async () => {
      const cancelling = new AbortController();
      const session = await hosts.cancellable(cancelling.signal).start({ argv: ['sleep', '600'] });
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
      expect(await host.status(file)).toMatchObject({
        mode: 0o640,
        ...(us.uid === 0 ? other : us),
      });
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
      const df = spawnSync('df', ['--output=avail', '--block-size=1', '/proc'], {
        encoding: 'utf8',
      });
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

    test('several megabytes of any bytes come and go unchanged', async () => {
      const bytes = Buffer.allocUnsafe(5_000_000);
      for (let index = 0; index < bytes.length; index += 1) bytes[index] = (index * 7919) >> 4;
      const file = join(folder, 'big');
      await host.writeFile(file, bytes, { mode: 0o600 });
      expect(bytes.equals((await host.readFile(file)) ?? Buffer.alloc(0))).toBe(true);
      expect(await host.sha256(file)).toBe(createHash('sha256').update(bytes).digest('hex'));
    });

    test('names may hold anything but a slash and a NUL', async () => {
      const words = hostileWords.filter((word) => word.length < 100 && !word.includes('/'));
      // All of them in one name, and the ones that are odd by how they begin or end.
      const names = [words.join(''), '-rf', ' ', '\n', 'back\\'];
      for (const name of names) {
        const inner = join(folder, 'odd', name);
        await host.makeDirectory(inner, 0o755);
        const file = join(inner, name);
        await host.writeFile(file, name, { mode: 0o644 });
        expect(await host.createFile(file, 'x', { mode: 0o644 })).toBe(false);
        await host.appendFile(file, '+', 0o644);
        expect(Buffer.from((await host.readFile(file)) ?? []).toString()).toBe(`${name}+`);
        expect(await host.realPath(file)).toBe(file);
        expect(await host.status(file)).toMatchObject({ kind: 'file' });
        expect(await host.sha256(file)).toBe(createHash('sha256').update(`${name}+`).digest('hex'));
        await host.rename(file, `${file}2`);
        expect(await host.list(inner)).toEqual([`${name}2`]);
        await host.remove(`${file}2`);
        expect(await host.list(inner)).toEqual([]);
      }
      expect(await host.list(join(folder, 'odd'))).toEqual([...names].sort());
    });

    test('renames as rename(2) does: never into a folder', async () => {
      const at = (name: string): string => join(folder, name);
      await host.writeFile(at('file'), 'file', { mode: 0o600 });
      await host.makeDirectory(at('full/inside'), 0o755);
      await host.makeDirectory(at('empty'), 0o755);
      await expect(host.rename(at('file'), at('empty'))).rejects.toMatchObject({
        failure: { code: 'host-error', state: 'Both names are as they were before.' },
      });
      await expect(host.rename(at('empty'), at('full'))).rejects.toMatchObject({
        failure: { code: 'host-error' },
      });
      await expect(host.rename(at('full'), at('file'))).rejects.toMatchObject({
        failure: { code: 'host-missing' },
      });
      await host.rename(at('full'), at('empty'));
      expect(await host.list(folder)).toEqual(['empty', 'file']);
      expect(await host.list(at('empty'))).toEqual(['inside']);
      await symlink('empty', at('link'));
      await host.rename(at('file'), at('link'));
      expect(await readFile(at('link'), 'utf8')).toBe('file');
      expect(await host.list(at('empty'))).toEqual(['inside']);
    });

    test('writing to a folder, or to a link that leads nowhere, is refused', async () => {
      await mkdir(join(folder, 'inner'));
      await symlink('nowhere', join(folder, 'dangling'));
      await expect(
        host.writeFile(join(folder, 'inner'), 'x', { mode: 0o600 }),
      ).rejects.toMatchObject({ failure: { code: 'host-error' } });
      await expect(
        host.writeFile(join(folder, 'dangling'), 'x', { mode: 0o600 }),
      ).rejects.toMatchObject({ failure: { code: 'host-missing' } });
      expect(await host.createFile(join(folder, 'dangling'), 'x', { mode: 0o600 })).toBe(false);
      expect(await host.list(folder)).toEqual(['dangling', 'inner']);
      expect(await host.list(join(folder, 'inner'))).toEqual([]);
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
    test('a device that is full is host-disk-full', async () => {
      await expect(host.appendFile('/dev/full', 'line\n', 0o600)).rejects.toMatchObject({
        failure: { code: 'host-disk-full', message: expect.stringContaining('/dev/full') },
      });
    });

    test('a full disk leaves the old contents, no new file, and no half line', async () => {
      const disk = join(folder, 'disk');
      await mkdir(disk);
      // Through the host: what sudo runs may see mounts of its own.
      const mount = ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk] as const;
      expect(await host.run({ argv: mount })).toMatchObject({ exitCode: 0, stderr: '' });
      try {
        const at = (name: string): string => join(disk, name);
        await host.writeFile(at('kept'), 'old', { mode: 0o600 });
        await host.appendFile(at('journal'), 'line 1\n', 0o600);
        const tooMuch = 'x'.repeat(2 * 1024 * 1024);
        for (const attempt of [
          () => host.writeFile(at('kept'), tooMuch, { mode: 0o600 }),
          () => host.createFile(at('new'), tooMuch, { mode: 0o600 }),
          () => host.appendFile(at('journal'), tooMuch, 0o600),
        ]) {
          await expect(attempt()).rejects.toMatchObject({ failure: { code: 'host-disk-full' } });
        }
        const read = async (name: string): Promise<string> =>
          Buffer.from((await host.readFile(at(name))) ?? []).toString('utf8');
        expect(await read('kept')).toBe('old');
        expect(await read('journal')).toBe('line 1\n');
        expect(await host.list(disk)).toEqual(['journal', 'kept']);
      } finally {
        await host.run({ argv: ['umount', disk] });
      }
    });

    test('a write removes what dead writers of the same name left, and nothing else', async () => {
      const random = '0123456789abcdef01234567';
      const alive = `.lock.1-${random}.tmp`;
      const otherName = `.lock.json.999999999-${random}.tmp`;
      const notOurs = '.lock.999999999-short.tmp';
      const dead = `.lock.999999999-${random}.tmp`;
      for (const name of [alive, otherName, notOurs, dead]) await writeFile(join(folder, name), '');
      expect(await host.createFile(join(folder, 'lock'), 'held', { mode: 0o600 })).toBe(true);
      await writeFile(join(folder, dead), '');
      await host.writeFile(join(folder, 'lock'), 'held', { mode: 0o600 });
      expect(await host.list(folder)).toEqual([notOurs, alive, otherName, 'lock'].sort());
    });
  });
});
