import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { sshConnections, type SshConnections } from '../../src/hosts/ssh.ts';
import { prepareClosedTasks } from '../../src/phases/closing-preparation.ts';
import type { Host } from '../../src/ports/host.ts';
import { standbyLeft } from '../../src/report/standby-left.ts';
import { application, goBack, maintain, StandbyBench } from '../fixtures/standby-bench.ts';

/** The replica is on a host over SSH; a relay stands for the address that the application knows. */
let bench: StandbyBench;
let ssh: SshServer;
let connections: SshConnections;
let replicaHost: Host;
let relay: Server;
let folder: string;
const sockets = new Set<Socket>();

/** Leads each new connection to the port that stands in the file. */
function startRelay(file: string): Promise<Server> {
  const server = createServer((from) => {
    const to = connect(Number(readFileSync(file, 'utf8')), '127.0.0.1');
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on('error', () => {
        from.destroy();
        to.destroy();
      });
      socket.on('close', () => sockets.delete(socket));
    }
    from.pipe(to).pipe(from);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(server);
    });
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mw-switch-'));
  bench = await StandbyBench.start({
    cluster: { settings: { synchronous_standby_names: '' } },
    replica: { slot: 'replica_own', settings: { synchronous_standby_names: 'gone' } },
  });
  writeFileSync(join(folder, 'port'), String(bench.primary.port));
  relay = await startRelay(join(folder, 'port'));
  ssh = await startSshServer();
  connections = sshConnections({
    signal: new AbortController().signal,
    environment: { PATH: process.env.PATH ?? '' },
  });
  replicaHost = connections.host({
    url: ssh.url,
    privateKey: ssh.privateKey,
    knownHosts: ssh.knownHosts,
    sudo: false,
    connectTimeoutSeconds: 10,
  });
}, 60_000);
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  relay.close();
  await connections.close();
  await ssh.stop();
  await bench.stop();
  rmSync(folder, { recursive: true });
});

test('a replica on another host is promoted, and the application led to it', async () => {
  const before = await bench.contents();
  const { port } = relay.address() as AddressInfo;
  const url = bench.primary.url(application).replace(/:\d+\//, `:${String(port)}/`);
  const lead = `printf ${String(bench.replica.port)} > ${join(folder, 'port')}`;
  const context = await bench.context({
    url,
    hosts: { replica: replicaHost },
    standby: { 'switch-command': ['sh', '-c', lead] },
  });

  await bench.primary.psql('GRANT pg_checkpoint TO shop');
  await prepareClosedTasks(context);
  expect(context.record.journal.findLast(({ step }) => step === 'flush-standby')).toMatchObject({
    event: 'done',
    data: { isAllowed: true },
  });
  expect(context.record.status.standby).toMatchObject({
    replica: {
      host: ssh.url,
      dataDirectory: bench.replica.dataFolder,
      control: { kind: 'pg_ctl' },
    },
    primary: { host: 'local', dataDirectory: bench.primary.dataFolder },
    reachedBy: 'command',
  });
  // The replica has a slot of its own: none of ours is needed.
  expect(context.record.status.standby?.slot).toBeUndefined();
  expect(await bench.replica.isRunning()).toBe(true);

  const prepared = context.record.journal.length;
  expect(await maintain(context)).toMatchObject({ kind: 'failed' });
  const closedSteps = context.record.journal
    .slice(prepared)
    .filter(({ event }) => event === 'done')
    .map(({ step }) => step);
  expect(closedSteps).toEqual(['catch-up-standby', 'stop-standby', 'cut-off-standby']);
  expect(await bench.replica.isRunning()).toBe(false);

  expect(await goBack(context)).toMatchObject({ kind: 'done', outputs: { outcome: 'restored' } });
  const there = (text: string) => bench.replica.psql(text, application);
  expect(await bench.contents(there)).toBe(before);
  expect(await there('SELECT pg_is_in_recovery()')).toBe('f');
  // With the name of a replica that is not there, this would wait for ever.
  await there('INSERT INTO orders SELECT 1001');
  expect(readFileSync(join(folder, 'port'), 'utf8')).toBe(String(bench.replica.port));
  expect(standbyLeft(context.record.status).map(({ text }) => text)).toEqual([
    expect.stringContaining(
      `Keep the failed primary stopped: started again, by hand or at a reboot, there would be two primaries.`,
    ),
    expect.stringContaining('has no replica now'),
    expect.stringContaining('no primary to follow'),
  ]);
}, 60_000);
