import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ServerPlace } from '../../src/ports/server-place.ts';
import type { Standby } from '../../src/ports/standby.ts';
import { failureFrom, until } from '../fixtures/postgresql-bench.ts';
import { StandbyBench } from '../fixtures/standby-bench.ts';

/** How a real replica is stopped and started by its own programs. */
let bench: StandbyBench;
let standby: Standby;
let place: ServerPlace;
const how = { seconds: 30, force: false };

beforeAll(async () => {
  bench = await StandbyBench.start();
  const context = await bench.context();
  if (context.standby === undefined) throw new Error('the plan has no replica');
  standby = context.standby;
  place = (await standby.places(await standby.facts())).replica;
}, 60_000);
afterAll(() => bench.stop());

test('it is stopped in order, and a second time nothing is done', async () => {
  const stopped = {
    forced: false,
    state: { isRunning: false, clusterState: 'shut down in recovery', timeline: 1 },
  };
  expect(await standby.stop('replica', place, how)).toMatchObject(stopped);
  expect(await bench.replica.isRunning()).toBe(false);
  expect(await standby.stop('replica', place, how)).toMatchObject(stopped);
});

test('it is started, answers at once, and is found running', async () => {
  expect(await standby.start('replica', place, how)).toEqual({ wasRunning: false });
  expect(await standby.identity('replica')).toMatchObject({ isInRecovery: true, timeline: 1 });
  expect(await standby.start('replica', place, how)).toEqual({ wasRunning: true });
});

test('it is started beside the file that a killed server left, which says that it is ready', async () => {
  const file = join(bench.replica.dataFolder, 'postmaster.pid');
  const left = await readFile(file, 'utf8');
  expect(left).toMatch(/\nready *\n$/);
  await standby.stop('replica', place, how);
  // A process that is no server: it has ended.
  await writeFile(file, left.replace(/^\d+/, '4194303'));
  expect(await standby.state('replica', place)).toMatchObject({ isRunning: false });
  expect(await standby.start('replica', place, how)).toEqual({ wasRunning: false });
  expect(await standby.identity('replica')).toMatchObject({ isInRecovery: true });
});

test('one that cannot start is told with what pg_ctl says, and is stopped', async () => {
  await standby.stop('replica', place, how);
  const other = createServer();
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  const { port } = other.address() as AddressInfo;
  expect(await failureFrom(standby.start('replica', place, { ...how, port }))).toMatchObject({
    code: 'standby-server-not-started',
    message: expect.stringMatching(/pg_ctl: could not start server|Examine the log/) as unknown,
  });
  await new Promise((resolve) => other.close(resolve));
  expect(await standby.state('replica', place)).toMatchObject({ isRunning: false });
  await standby.start('replica', place, how);
});

test('a session that does not end keeps nobody waiting: it is stopped fast', async () => {
  const busy = bench.replica.psql('SELECT pg_sleep(600)').catch(() => 'ended');
  await until(
    async () =>
      (await bench.replica.psql(
        "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'",
      )) === '1',
    'it sleeps',
  );
  expect(await standby.stop('replica', place, how)).toMatchObject({ forced: false });
  expect(await busy).toBe('ended');
});
