import { join } from 'node:path';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeNetworkNamespace, type NetworkNamespace } from '../../rehearsal/network-namespace.ts';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { sshConnections, type SshConnections } from '../../src/hosts/ssh.ts';
import type { Host } from '../../src/ports/host.ts';
import { deployer } from '../fixtures/host-kinds.ts';
import { until } from '../fixtures/processes.ts';

const environment = { PATH: process.env.PATH ?? '' };
let folder: TemporaryFolder;
let network: NetworkNamespace;
let server: SshServer;
let pool: SshConnections;

beforeAll(async () => {
  folder = await makeTemporaryFolder('cut-off');
  network = await makeNetworkNamespace();
  server = await startSshServer({ namespace: network, accounts: [deployer] });
  pool = sshConnections({ signal: new AbortController().signal, environment });
});
afterAll(async () => {
  await pool.close();
  await server.stop();
  await network.close();
  await folder.remove();
});

function hostOf(connections: SshConnections, connectTimeoutSeconds = 2): Host {
  const { url, privateKey, knownHosts } = server;
  return connections.host({ url, privateKey, knownHosts, sudo: true, connectTimeoutSeconds });
}

test('the host is another machine, with its own network', async () => {
  const { stdout } = await hostOf(pool).run({ argv: ['ip', '-brief', 'address'] });
  expect(stdout).toContain(`${network.address}/30`);
  expect(stdout).not.toContain(network.hostAddress);
});

test('a host that is cut off before is unreachable, and can be used when it is back', async () => {
  await network.cutOff();
  const cancelling = new AbortController();
  const other = sshConnections({ signal: cancelling.signal, environment });
  try {
    const host = hostOf(other, 1);
    await expect(host.run({ argv: ['touch', join(folder.path, 'never')] })).rejects.toMatchObject({
      failure: { code: 'host-unreachable', state: 'Nothing was done on that host.' },
    });
    await expect(host.readFile('/etc/hostname')).rejects.toMatchObject({
      failure: { code: 'host-unreachable' },
    });
    // A run that is cancelled does not wait for the timeout, nor does its end.
    const slow = hostOf(other, 600);
    const attempt = slow.run({ argv: ['true'] });
    const cancelled = expect(attempt).rejects.toMatchObject({ failure: { code: 'cancelled' } });
    cancelling.abort();
    await cancelled;
    await other.close();
    expect(await readdir(folder.path)).toEqual([]);
  } finally {
    await other.close();
    await network.reconnect();
  }
  expect(await hostOf(pool).run({ argv: ['echo', 'back'] })).toMatchObject({ stdout: 'back\n' });
});

test('a host that is cut off in mid-command: nobody claims to know what it did', async () => {
  const host = hostOf(pool);
  const started = join(folder.path, 'started');
  await writeFile(join(folder.path, 'file'), 'old');
  const session = await host.start({ argv: ['cat'] });
  await session.write('here\n');
  expect(await session.nextLine()).toBe('here');
  const command = host.run({ argv: ['sh', '-c', `echo $$ > ${started}; exec sleep 600`] });
  const limited = host.run({
    argv: ['sh', '-c', `echo $$ > ${started}-limited; exec sleep 600`],
    timeoutSeconds: 2,
  });
  // Their contents are under way when the cable is pulled.
  const write = host.writeFile(join(folder.path, 'file'), Buffer.alloc(64e6), { mode: 0o600 });
  const append = host.run({ argv: ['sh', '-c', 'cat > /dev/null'], stdin: Buffer.alloc(64e6) });
  let passed = 0;
  const endless = (async function* () {
    for (;;) yield Buffer.alloc(65_536);
  })();
  const piped = host.pipe([{ argv: ['cat'] }, { argv: ['cat'] }], {
    source: endless,
    sink: (chunk) => void (passed += chunk.length),
  });
  const next = session.nextLine();
  const outcome = Promise.allSettled([command, limited, write, append, next, piped]);
  await until('it runs', async () => {
    const names = await readdir(folder.path);
    return (
      passed > 1_000_000 &&
      names.includes('started-limited') &&
      names.includes('started') &&
      names.some((name) => name.startsWith('.file.'))
    );
  });
  await network.cutOff();
  try {
    const [command, limited, write, append, line, piped] = await outcome;
    const lost = (program: string): object => ({
      status: 'rejected',
      reason: {
        failure: {
          code: 'host-unreachable',
          message: expect.stringContaining(`was lost while \`${program}\` ran`),
          state: 'What it did there up to then is unknown, and it may still be running.',
        },
      },
    });
    expect(command).toMatchObject(lost('sh'));
    expect(write).toMatchObject(lost('sh'));
    expect(append).toMatchObject(lost('sh'));
    expect(line).toMatchObject(lost('cat'));
    expect(piped).toMatchObject(lost('cat | cat'));
    expect(limited).toMatchObject({
      status: 'rejected',
      reason: {
        failure: {
          code: 'host-unreachable',
          message: expect.stringContaining('`sh` was to be ended (timeout or cancelled run)'),
          state: expect.stringContaining('It may still be running there'),
        },
      },
    });
    await expect(session.write('lost')).rejects.toMatchObject({
      failure: { message: expect.stringContaining('was lost while `cat` ran') },
    });
    await expect(session.end()).rejects.toMatchObject({ failure: { code: 'host-unreachable' } });
    expect(await readFile(join(folder.path, 'file'), 'utf8')).toBe('old');
  } finally {
    await network.reconnect();
  }
  // The machine itself never noticed: what ran goes on, until somebody ends it.
  for (const name of [started, `${started}-limited`]) {
    const pid = (await readFile(name, 'utf8')).trim();
    expect(await host.run({ argv: ['kill', pid] })).toMatchObject({ exitCode: 0 });
  }
  // A write after it removes what the broken one left as soon as that writer is gone.
  await until('the half-written file is removed', async () => {
    await host.writeFile(join(folder.path, 'file'), 'new', { mode: 0o600 });
    return (await readdir(folder.path)).length === 3;
  });
  expect(await readFile(join(folder.path, 'file'), 'utf8')).toBe('new');
});
