import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { farHost } from '../../src/hosts/far/far-host.ts';
import { loader } from '../../src/hosts/far/supervisor.ts';
import type { Host } from '../../src/ports/host.ts';

/** A far shell without anything in between: `sh`, and the tools, are those of the first folder on PATH. */
function hostWith(folder: string): Host {
  return farHost(
    {
      name: 'far',
      open: async () => ({
        argv: [join(folder, 'sh'), '-c', loader],
        env: { PATH: `${folder}:/usr/bin:/bin` },
        silence: async (_end, said) => {
          throw new Error(`the shell did not answer: ${said}`);
        },
        broken: async () => undefined,
        close: () => undefined,
      }),
    },
    { environment: {} },
  );
}

let root: TemporaryFolder;
beforeAll(async () => {
  root = await makeTemporaryFolder('far-shell');
});
afterAll(() => root.remove());

const shells: readonly { name: string; install: (folder: string) => Promise<void> }[] = [
  { name: 'dash', install: (folder) => symlink('/bin/dash', join(folder, 'sh')) },
  { name: 'bash', install: (folder) => symlink('/bin/bash', join(folder, 'sh')) },
  {
    name: 'busybox with its own tools',
    install: async (folder) => {
      execFileSync('/bin/busybox', ['--install', '-s', folder]);
    },
  },
];

describe.each(shells)('$name on the other side', ({ name, install }) => {
  let host: Host;
  let folder: string;
  let count = 0;

  beforeAll(async () => {
    const bin = join(root.path, name.replaceAll(' ', '-'));
    await mkdir(bin);
    await install(bin);
    host = hostWith(bin);
  });
  beforeEach(async () => {
    count += 1;
    folder = join(root.path, `${name.replaceAll(' ', '-')}-${count}`);
    await mkdir(folder);
  });

  test('is the shell that is meant', async () => {
    const { stdout } = await host.run({ argv: ['readlink', '-f', '/proc/self/exe'] });
    const { stdout: shell } = await host.run({ argv: ['sh', '-c', 'readlink /proc/$$/exe; :'] });
    expect(shell).toContain(name.split(' ')[0] ?? '');
    if (name.startsWith('busybox')) expect(stdout).toContain('busybox');
  });

  test('arguments, variables, folder and input arrive byte for byte', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 }).map((s) => s.replaceAll('\0', ''));
    const sample = fc.array(fc.oneof(text, fc.constantFrom('', '-n', '\\', '\n', "'", '\\0101')), {
      maxLength: 40,
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        sample,
        text,
        fc.uint8Array({ maxLength: 5000 }),
        async (args, value, input) => {
          const place = join(folder, `${(run += 1)}${value.replaceAll('/', '').slice(0, 20)}`);
          await mkdir(place);
          const chunks = await host.run({
            argv: [process.execPath, '-e', echo, '--', ...args],
            env: { ODD_VALUE: value },
            workingDirectory: place,
            stdin: input,
          });
          expect(JSON.parse(chunks.stdout)).toEqual({
            args,
            value,
            place,
            input: createHash('sha256').update(input).digest('hex'),
          });
        },
      ),
      { numRuns: 25 },
    );
  });

  test('exit codes, signals, missing programs and folders', async () => {
    const code = async (...argv: [string, ...string[]]): Promise<number | null> =>
      (await host.run({ argv })).exitCode;
    expect(await code('sh', '-c', 'exit 255')).toBe(255);
    expect(await code('sh', '-c', 'exit 129')).toBe(129);
    expect(await code('sh', '-c', 'kill -9 $$')).toBeNull();
    expect(await code('sh', '-c', 'kill -TERM $$')).toBeNull();
    expect(await host.run({ argv: ['no-such'] })).toMatchObject({
      exitCode: 127,
      stderr: 'no-such: program not found\n',
    });
    expect(await code('-n')).toBe(127);
    expect(await code('')).toBe(127);
    expect(await code('/etc/passwd')).toBe(126);
    expect(await code('/etc')).toBe(126);
    await expect(host.run({ argv: ['true'], workingDirectory: '/none' })).rejects.toMatchObject({
      failure: { code: 'host-missing' },
    });
  });

  test.each(['1BAD', 'A=B', 'a-b', '', 'PPID', 'IFS', 'x\ny'])(
    'a variable named %j is refused before anything is started',
    async (variable) => {
      const attempt = host.run({ argv: ['true'], env: { [variable]: 'secret' } });
      await expect(attempt).rejects.toMatchObject({
        failure: {
          code: 'host-error',
          message: expect.not.stringContaining('secret'),
          state: 'Nothing was started.',
        },
      });
    },
  );

  test('a command that takes too long is ended with its children', async () => {
    const result = await host.run({
      argv: ['sh', '-c', `sleep 600 & echo $! > ${folder}/child; trap "" TERM; wait; sleep 600`],
      timeoutSeconds: 1,
    });
    expect(result).toMatchObject({ exitCode: null, timedOut: true });
    const child = (await readFile(join(folder, 'child'), 'utf8')).trim();
    const stat = await readFile(`/proc/${child}/stat`, 'latin1').catch(() => 'gone) Z');
    expect(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)).toBe('Z');
  });

  test('files: written, created, appended to, listed, looked at, moved and removed', async () => {
    const odd = join(folder, "a 'b'\n$(c)", '-é\\');
    const file = join(odd, ' .x\n');
    await host.makeDirectory(odd, 0o750);
    expect(await host.status(odd)).toMatchObject({ kind: 'directory', mode: 0o750 });
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7919) >> 3));
    await host.writeFile(file, bytes, { mode: 0o640, owner: { uid: 65534, gid: 65534 } });
    expect(await host.status(file)).toEqual({
      ...{ kind: 'file', bytes: bytes.length, mode: 0o640 },
      ...(process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}),
    });
    expect(bytes.equals((await host.readFile(file)) ?? Buffer.alloc(0))).toBe(true);
    expect(await host.sha256(file)).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(await host.createFile(file, 'x', { mode: 0o600 })).toBe(false);
    expect(await host.createFile(join(odd, 'new'), 'line 1\n', { mode: 0o600 })).toBe(true);
    await host.appendFile(join(odd, 'new'), 'line 2\n\n', 0o644);
    await host.appendFile(join(odd, 'newer'), '\n', 0o644);
    expect(await readFile(join(odd, 'new'), 'utf8')).toBe('line 1\nline 2\n\n');
    expect(await host.status(join(odd, 'newer'))).toMatchObject({ mode: 0o644, bytes: 1 });
    await symlink('new', join(odd, 'link'));
    await host.writeFile(join(odd, 'link'), 'through', { mode: 0o644 });
    expect(await readFile(join(odd, 'new'), 'utf8')).toBe('through');
    expect(await host.realPath(join(odd, 'link'))).toBe(join(odd, 'new'));
    await host.rename(file, join(odd, 'moved'));
    expect(await host.list(odd)).toEqual(['link', 'moved', 'new', 'newer']);
    await host.remove(odd);
    await host.remove(odd);
    expect(await host.status(odd)).toBeUndefined();
    expect(await host.readFile(join(odd, 'x'))).toBeUndefined();
    expect(await host.list(odd)).toEqual([]);
    expect(await host.freeBytes(join(odd, 'x'))).toBeGreaterThan(0);
  });

  test('leftovers of dead writers go, those of the living stay', async () => {
    const random = '0123456789abcdef01234567';
    const names = [`.f.1-${random}.tmp`, `.f.999999-x${random.slice(1)}.tmp`, `.f.-${random}.tmp`];
    for (const name of [...names, `.f.4194304-${random}.tmp`])
      await writeFile(join(folder, name), '');
    await host.writeFile(join(folder, 'f'), 'new', { mode: 0o600 });
    expect((await readdir(folder)).sort()).toEqual([...names, 'f'].sort());
  });

  test('what fails is told by its reason', async () => {
    const missing = join(folder, 'none/file');
    for (const attempt of [
      () => host.writeFile(missing, '', { mode: 0o600 }),
      () => host.createFile(missing, '', { mode: 0o600 }),
      () => host.appendFile(missing, '', 0o600),
      () => host.rename(missing, join(folder, 'x')),
      () => host.rename(folder, missing),
      () => host.realPath(missing),
      () => host.sha256(missing),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ failure: { code: 'host-missing' } });
    }
    await expect(host.appendFile('/dev/full', 'line\n', 0o600)).rejects.toMatchObject({
      failure: { code: 'host-disk-full' },
    });
    await expect(host.writeFile(folder, '', { mode: 0o600 })).rejects.toMatchObject({
      failure: { code: 'host-error' },
    });
    await expect(host.readFile(folder)).rejects.toMatchObject({ failure: { code: 'host-error' } });
    await expect(host.list('/etc/passwd')).rejects.toMatchObject({
      failure: { code: 'host-missing' },
    });
    await expect(host.remove('/')).rejects.toMatchObject({ failure: { code: 'host-error' } });
  });
});

/** Says as JSON what it was given. */
const echo = `
const hash = require('node:crypto').createHash('sha256');
process.stdin.on('data', (chunk) => hash.update(chunk)).on('end', () => console.log(JSON.stringify({
  args: process.argv.slice(1), value: process.env.ODD_VALUE, place: process.cwd(), input: hash.digest('hex'),
})));
`;
