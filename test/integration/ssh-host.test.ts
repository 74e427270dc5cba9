import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, lstat, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findFreePort } from '../../rehearsal/free-port.ts';
import { makeSshKey, startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { startKeyAgent } from '../../src/hosts/ssh/key-agent.ts';
import { readyWord } from '../../src/hosts/ssh/ssh-arguments.ts';
import { sshConnections, type SshConnections, type SshSettings } from '../../src/hosts/ssh.ts';
import { descendantsOf, processTable } from '../fixtures/process-table.ts';
import { until } from '../fixtures/processes.ts';

const environment = { PATH: process.env.PATH ?? '' };
const loginShells = {
  bash: '/bin/bash',
  dash: '/bin/dash',
  fish: '/usr/bin/fish',
  csh: '/bin/csh',
} as const;
const noisy = 'echo noise; echo noise >&2; export LC_ALL=de_DE.UTF-8 HOST_TEST=left\n';

let folder: TemporaryFolder;
let server: SshServer;
let pool: SshConnections;
const pools: SshConnections[] = [];

beforeAll(async () => {
  folder = await makeTemporaryFolder('ssh-host');
  server = await startSshServer({
    accounts: [
      { name: 'plain', uid: 61_000, shell: '/bin/bash', sudo: false, home: { '.bashrc': noisy } },
      ...Object.entries(loginShells).map(([name, shell], index) => ({
        ...{ name: `with-${name}`, uid: 61_001 + index, shell, sudo: true },
        home: { '.bashrc': noisy, '.cshrc': 'echo noise\n' },
      })),
      { name: 'closed', uid: 61_010, shell: '/usr/sbin/nologin', sudo: false },
    ],
  });
  pool = newPool();
});
afterEach(async () => {
  // Each test that needs connections of its own has them ended.
  await Promise.all(pools.splice(1).map((one) => one.close()));
});
afterAll(async () => {
  await Promise.all(pools.splice(0).map((one) => one.close()));
  await server.stop();
  await folder.remove();
});

function newPool(
  signal: AbortSignal = new AbortController().signal,
  more: Record<string, string> = {},
): SshConnections {
  const made = sshConnections({ signal, environment: { ...environment, ...more } });
  pools.push(made);
  return made;
}

function settingsFor(user: string, changes: Partial<SshSettings> = {}): SshSettings {
  return {
    url: `ssh://${user}@${server.address}:${server.port}`,
    privateKey: server.privateKey,
    knownHosts: server.knownHosts,
    sudo: false,
    connectTimeoutSeconds: 10,
    ...changes,
  };
}

/** The ssh of ours that holds the connection of a pool's newest login. */
async function masters(): Promise<number[]> {
  const ours = descendantsOf(process.pid, await processTable());
  return ours
    .filter(({ command }) => command.startsWith('ssh ') && command.includes(readyWord))
    .map(({ pid }) => pid);
}

describe('login shells', () => {
  test.each(Object.keys(loginShells))('%s', async (name) => {
    for (const sudo of [false, true]) {
      const host = pool.host(settingsFor(`with-${name}`, { sudo }));
      const result = await host.run({
        argv: ['sh', '-c', 'printf "%s|" "$@"; id -un; env; cat; exit 255', 'sh', '$a!b', "'\\\n"],
        env: { SECRET: 'two\nlines\n' },
        stdin: 'input\n',
      });
      expect(result).toMatchObject({ exitCode: 255, stderr: '' });
      expect(result.stdout).toMatch(
        new RegExp(`^\\$a!b\\|'\\\\\n\\|${sudo ? 'root' : `with-${name}`}\n`),
      );
      expect(result.stdout).toMatch(/\nLC_ALL=C\n/);
      expect(result.stdout).toMatch(/\nSECRET=two\nlines\n/);
      expect(result.stdout).toMatch(/\ninput\n$/);
      expect(result.stdout).not.toMatch(/noise|HOST_TEST|SSH_|SUDO_/);
      const path = /^PATH=(.*)$/m.exec(result.stdout)?.[1]?.split(':');
      expect(path).toEqual(expect.arrayContaining(['/usr/sbin', '/sbin', '/usr/bin']));
      const file = join('/tmp', `.mw-test-${process.pid}-${name}`);
      await host.writeFile(file, 'x\0y', { mode: 0o600 });
      expect(Buffer.from((await host.readFile(file)) ?? []).toString()).toBe('x\0y');
      await host.remove(file);
    }
  });

  test('one that runs nothing is told from a lost connection', async () => {
    const attempt = pool.host(settingsFor('closed')).run({ argv: ['true'] });
    await expect(attempt).rejects.toMatchObject({
      failure: { code: 'host-error', message: expect.stringContaining('not available') },
    });
  });
});

describe('a login that fails says why, and that nothing was done', () => {
  const other = (): Promise<{ privateKey: string; publicKey: string }> =>
    makeSshKey(folder.path, `key-${Math.random()}`);

  test.each<[string, () => Promise<Partial<SshSettings>>, string, RegExp]>([
    ['unknown host key', async () => ({ knownHosts: '' }), 'host-key-unknown', /not among/],
    [
      'changed host key',
      async () => ({
        knownHosts: `[${server.address}]:${server.port} ${(await other()).publicKey}`,
      }),
      'host-key-changed',
      /another host key .*SHA256:/,
    ],
    [
      'wrong key',
      async () => ({ privateKey: (await other()).privateKey }),
      'host-auth-failed',
      /did not accept our key: .*Permission denied/,
    ],
    [
      'key with a passphrase',
      async () => ({ privateKey: (await makeSshKey(folder.path, 'locked', 'open')).privateKey }),
      'host-auth-failed',
      /protected by a passphrase/,
    ],
    ['no key at all', async () => ({ privateKey: 'secret' }), 'host-auth-failed', /not a private/],
    [
      'half a key',
      async () => ({ privateKey: server.privateKey?.replace(/(.{60})[\s\S]*\n(-+END)/, '$1\n$2') }),
      'host-auth-failed',
      /private key for SSH/,
    ],
    [
      'public key',
      async () => ({ privateKey: (await other()).publicKey }),
      'host-auth-failed',
      /is a public key/,
    ],
    [
      'nobody listens',
      async () => ({ url: `ssh://plain@127.0.0.1:${await findFreePort()}` }),
      'host-unreachable',
      /Connection refused/,
    ],
  ])('%s', async (_name, changes, code, message) => {
    const host = newPool().host(settingsFor('plain', await changes()));
    const expected = {
      failure: {
        code,
        message: expect.stringMatching(message),
        state: expect.stringMatching(/^(Nothing was done|No host was contacted)/),
        next: expect.stringContaining('.'),
      },
    };
    await expect(host.run({ argv: ['true'] })).rejects.toMatchObject(expected);
    // A second attempt is a new login, and file operations fail the same way.
    await expect(host.readFile('/etc/hostname')).rejects.toMatchObject(expected);
    await expect(host.start({ argv: ['cat'] })).rejects.toMatchObject(expected);
  });

  test.each(['ssh://-oProxyCommand=id/', 'ssh://a b', 'http://host', 'ssh://-l@host', 'host'])(
    '%j is no address',
    (url) => {
      expect(() => pool.host(settingsFor('plain', { url }))).toThrow(
        /is no address of an SSH host/,
      );
    },
  );

  test('a key pasted with the line ends of Windows and without its last one works', async () => {
    const privateKey = `\n${server.privateKey?.trim().replaceAll('\n', '\r\n') ?? ''}`;
    const knownHosts = server.knownHosts.trim().replaceAll('\n', '\r\n');
    const host = newPool().host(settingsFor('plain', { privateKey, knownHosts }));
    expect(await host.run({ argv: ['id', '-un'] })).toMatchObject({ stdout: 'plain\n' });
  });

  test("without a key, the caller's own agent is asked", async () => {
    const socket = join(folder.path, 'own-agent');
    const agent = await startKeyAgent(server.privateKey ?? '', socket, environment);
    try {
      await agent.unlock();
      const host = newPool(undefined, { SSH_AUTH_SOCK: socket }).host(
        settingsFor('plain', { privateKey: undefined }),
      );
      expect(await host.run({ argv: ['id', '-un'] })).toMatchObject({ stdout: 'plain\n' });
    } finally {
      await agent.close();
    }
    await expect(lstat(socket)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('whatever arguments, variables and input hold arrives byte for byte', async () => {
  const host = pool.host(settingsFor('with-dash', { sudo: true }));
  const word = fc
    .string({ unit: 'binary', maxLength: 30 })
    .map((text) => text.replaceAll('\0', ''));
  const batch = fc.array(word, { minLength: 100, maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(
      batch,
      word,
      fc.uint8Array({ maxLength: 2000 }),
      async (args, value, input) => {
        const { stdout } = await host.run({
          argv: ['sh', '-c', 'printf "%s\\0" "$@" "$VALUE"; sha256sum', 'sh', ...args],
          env: { VALUE: value },
          stdin: input,
        });
        const arrived = stdout.split('\0');
        expect(arrived.pop()?.slice(0, 64)).toBe(createHash('sha256').update(input).digest('hex'));
        expect(arrived).toEqual([...args, value].map((text) => Buffer.from(text).toString()));
      },
    ),
    { numRuns: 10 },
  );
});

describe('rights', () => {
  test('sudo that is not allowed is host-sudo-refused, for commands and files', async () => {
    const host = pool.host(settingsFor('plain', { sudo: true }));
    const refused = {
      failure: { code: 'host-sudo-refused', message: expect.stringContaining('sudo: a password') },
    };
    await expect(host.run({ argv: ['true'] })).rejects.toMatchObject(refused);
    await expect(host.readFile('/etc/hostname')).rejects.toMatchObject(refused);
  });

  test('what the account may not do is host-permission, never "there is nothing"', async () => {
    const host = pool.host(settingsFor('plain'));
    const secret = join(folder.path, 'secret');
    await mkdir(secret, { mode: 0o700 });
    await writeFile(join(secret, 'file'), 'old');
    const readable = join(folder.path, 'readable');
    await writeFile(readable, 'old', { mode: 0o644 });
    for (const attempt of [
      () => host.readFile(join(secret, 'file')),
      () => host.status(join(secret, 'file')),
      () => host.list(secret),
      () => host.list(join(secret, 'deeper')),
      () => host.sha256(join(secret, 'file')),
      () => host.realPath(join(secret, 'file')),
      () => host.freeBytes(join(secret, 'deeper')),
      () => host.writeFile(join(secret, 'file'), 'new', { mode: 0o600 }),
      () => host.createFile(join(secret, 'other'), 'new', { mode: 0o600 }),
      () => host.appendFile(readable, 'new', 0o600),
      () => host.makeDirectory(join(secret, 'deeper'), 0o755),
      () => host.rename(readable, `${readable}2`),
      () => host.remove(join(secret, 'file')),
      () => host.run({ argv: ['true'], workingDirectory: secret }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ failure: { code: 'host-permission' } });
    }
    const write = host.writeFile(readable, 'new', { mode: 0o644 });
    await expect(write).rejects.toMatchObject({
      failure: {
        message: expect.stringContaining(`Could not write ${readable}: EACCES`),
        state: 'The file is as it was before.',
      },
    });
    expect(await readFile(readable, 'utf8')).toBe('old');
    expect((await readdir(folder.path)).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  test('a file that may be written in a folder that may not can be appended to', async () => {
    const journal = join(folder.path, 'journal');
    await writeFile(journal, '1\n');
    await chmod(journal, 0o666);
    await pool.host(settingsFor('plain')).appendFile(journal, '2\n', 0o600);
    expect(await readFile(journal, 'utf8')).toBe('1\n2\n');
  });
});

describe('one connection for many', () => {
  test('forty commands at once, and sessions beside them', async () => {
    const before = await server.connections();
    const host = newPool().host(settingsFor('with-dash'));
    const sessions = await Promise.all(
      Array.from({ length: 10 }, () => host.start({ argv: ['cat'] })),
    );
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, index) => host.run({ argv: ['echo', String(index)] })),
    );
    expect(results.map(({ stdout }) => Number(stdout))).toEqual(results.map((_, index) => index));
    // One for the commands, two for ten sessions.
    const more = (await server.connections()).filter((pid) => !before.includes(pid));
    expect(more).toHaveLength(3);
    for (const session of sessions) {
      await session.write('still here\n');
      expect(await session.nextLine()).toBe('still here');
      expect(await session.end()).toMatchObject({ exitCode: 0 });
    }
  });

  test('who waits for a channel can be cancelled', async () => {
    const cancelling = new AbortController();
    const nap = `600.${process.pid}`;
    const host = newPool(cancelling.signal).host(settingsFor('with-dash'));
    const running = Array.from({ length: 12 }, () => host.run({ argv: ['sleep', nap] }));
    const ends = Promise.allSettled(running);
    await until('eight of them run', async () => {
      const sleeping = (await processTable()).filter(({ command }) => command === `sleep ${nap}`);
      return sleeping.length === 8;
    });
    cancelling.abort();
    for (const end of await ends) {
      expect(end).toMatchObject({ status: 'rejected', reason: { failure: { code: 'cancelled' } } });
    }
    expect((await processTable()).filter(({ command }) => command === `sleep ${nap}`)).toEqual([]);
    // Files are still read: somebody has to write down what happened.
    expect(await host.readFile('/etc/passwd')).toBeDefined();
  });

  test('a lost connection ends the command under way and is made again for the next one', async () => {
    const host = newPool().host(settingsFor('with-dash'));
    const before = await masters();
    const remote: number[] = [];
    const underWay = host.run({
      argv: ['sh', '-c', 'echo $$; exec sleep 600'],
      onStdoutLine: (line) => remote.push(Number(line)),
    });
    const lost = expect(underWay).rejects.toMatchObject({
      failure: {
        code: 'host-unreachable',
        message: expect.stringContaining('was lost while `sh` ran'),
        state: expect.stringContaining('may still be running'),
      },
    });
    await until('it runs', async () => remote.length === 1);
    const [master] = (await masters()).filter((pid) => !before.includes(pid));
    process.kill(master ?? 0, 'SIGKILL');
    await lost;
    expect(await host.run({ argv: ['echo', 'again'] })).toMatchObject({ stdout: 'again\n' });
    process.kill(remote[0] ?? 0, 'SIGKILL');
    // Killed between commands: nobody has noticed yet when the next one begins.
    for (let round = 0; round < 3; round += 1) {
      const [next] = (await masters()).filter((pid) => !before.includes(pid));
      process.kill(next ?? 0, 'SIGKILL');
      expect(await host.run({ argv: ['echo', 'again'] })).toMatchObject({ stdout: 'again\n' });
    }
  });

  test('a command that ends its own shell is no lost connection', async () => {
    const host = pool.host(settingsFor('with-dash'));
    const result = await host.run({ argv: ['sh', '-c', 'kill -9 $PPID; sleep 0.1'] });
    expect(result).toMatchObject({ exitCode: null, timedOut: false });
  });
});

describe('secrets', () => {
  test('stand in no argument on either side, and the key in no file', async () => {
    const host = newPool().host(settingsFor('with-bash', { sudo: true }));
    const secret = 'hunter2-in-no-argument';
    const session = await host.start({
      argv: ['sh', '-c', 'read line; echo "$line $PASSWORD"; read line'],
      env: { PASSWORD: secret },
    });
    await session.write(`${secret}\n`);
    expect(await session.nextLine()).toBe(`${secret} ${secret}`);
    const all = await processTable();
    expect(all.filter(({ command }) => command.includes('read line')).length).toBeGreaterThan(0);
    expect(all.filter(({ command }) => command.includes(secret))).toEqual([]);
    const keyLine = server.privateKey?.split('\n')[2] ?? 'none';
    expect(all.filter(({ command }) => command.includes(keyLine))).toEqual([]);
    const ours = (await readdir('/tmp')).filter((name) =>
      name.startsWith(`mw-ssh-${process.pid}-`),
    );
    expect(ours.length).toBeGreaterThan(0);
    for (const name of ours) {
      expect((await lstat(join('/tmp', name))).mode & 0o777).toBe(0o700);
      for (const file of await readdir(join('/tmp', name))) {
        const found = await lstat(join('/tmp', name, file));
        const text = found.isFile() ? await readFile(join('/tmp', name, file), 'utf8') : '';
        expect(text).not.toContain(keyLine);
      }
    }
    await session.end();
  });

  test('closing leaves no process and no folder', async () => {
    const before = new Set(descendantsOf(process.pid, await processTable()).map(({ pid }) => pid));
    const own = sshConnections({ signal: new AbortController().signal, environment });
    const folders = async (): Promise<string[]> =>
      (await readdir('/tmp')).filter((name) => name.startsWith(`mw-ssh-${process.pid}-`));
    const known = await folders();
    await own.host(settingsFor('plain')).run({ argv: ['true'] });
    const added = (await folders()).filter((name) => !known.includes(name));
    expect(added).toHaveLength(1);
    await own.close();
    expect((await folders()).filter((name) => added.includes(name))).toEqual([]);
    await until('nothing of it runs', async () => {
      const now = await processTable();
      return (
        !descendantsOf(process.pid, now).some(
          ({ pid, command }) => !before.has(pid) && command.includes('ssh'),
        ) && !now.some(({ command }) => command.includes(added[0] ?? 'none'))
      );
    });
    await expect(own.host(settingsFor('plain')).run({ argv: ['true'] })).rejects.toMatchObject({
      failure: { code: 'host-unreachable', message: expect.stringContaining('are closed') },
    });
  });

  test('when we are killed, the agent with the key ends too', async () => {
    const holder = join(import.meta.dirname, 'ssh-host-holder.ts');
    const child = spawn(process.execPath, ['--no-warnings', holder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.end(JSON.stringify(settingsFor('plain')));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    expect(String(line)).toMatch(/^\d+\n$/);
    const folderOf = `mw-ssh-${String(child.pid)}-`;
    const theirs = async (): Promise<string[]> =>
      (await processTable())
        .map(({ command }) => command)
        .filter((text) => text.includes(folderOf));
    expect((await theirs()).some((text) => text.startsWith('ssh-agent'))).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    // ssh-agent looks for its parent every ten seconds.
    await until('agent and connection have ended', async () => (await theirs()).length === 0, 30);
    // The next run removes what was left in the file system.
    const next = newPool();
    await next.host(settingsFor('plain')).run({ argv: ['true'] });
    expect((await readdir('/tmp')).filter((name) => name.startsWith(folderOf))).toEqual([]);
  });
});
