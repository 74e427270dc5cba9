import { copyFile, readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startTraffic } from '../../rehearsal/public-traffic.ts';
import { startReplica, type Replica } from '../../rehearsal/replica.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import type { Report } from '../../src/report/report-model.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { until } from '../fixtures/processes.ts';
import { databaseContents } from '../fixtures/system-state.ts';
import { runStep, runSteps, windowSteps } from '../fixtures/window-run.ts';

/** Windows whose restore point is a real replica of the shop's database, by the built actions. */
let site: Site;
let replica: Replica;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  // The shop's role may not make slots.
  replica = await startReplica(site.cluster, { slot: 'replica' });
}, 120_000);

afterAll(async () => {
  await replica.stop();
  await site.stop();
});

async function planOverReplica(): Promise<SitePlan> {
  const plan = await freshPlan(site, {
    changes: [
      { path: ['standby'], value: { url: '$STANDBY_URL' } },
      { path: ['run-db-maintenance', 'restore-point'], value: 'standby' },
    ],
  });
  const login = { user: site.databaseUser, password: site.databasePassword, database: 'shop' };
  return { ...plan, environment: { ...plan.environment, STANDBY_URL: replica.url(login) } };
}

/** The first steps of a window, up to the changes that are made while the site is closed. */
const closed = windowSteps.findIndex(({ inputs }) => inputs?.stage === 'closed') + 1;

/** The last step of a window: what its report says, as data and as text. */
async function report(plan: SitePlan, runId: string): Promise<{ data: Report; text: string }> {
  const folder = join(dirname(plan.path), 'reports');
  await runSteps(plan, [{ entry: 'report', inputs: { 'output-directory': folder } }], { runId });
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  return { data: JSON.parse(await read('report.json')) as Report, text: await read('report.md') };
}

/** Orders that the public was told are placed, while something is done. */
async function ordersDuring(work: () => Promise<void>): Promise<readonly string[]> {
  const traffic = startTraffic({ url: site.publicUrl, clients: 1 });
  try {
    await traffic.next(({ outcome }) => outcome.kind === 'answered' && outcome.status === 201);
    await work();
  } finally {
    await traffic.stop();
  }
  return traffic.report().orders.map(({ reference }) => reference);
}

const arrived = "SELECT to_regclass('public.arrived') IS NOT NULL";

test('a good window stops the replica, and ends with the replica streaming again', async () => {
  const runId = '6001';
  const plan = await planOverReplica();
  const orders = await ordersDuring(async () => {
    const [preflight] = await runSteps(plan, windowSteps.slice(0, closed), { runId });
    expect(preflight?.summary).toContain('replica');
    expect(await replica.isRunning()).toBe(false);
    await runSteps(plan, windowSteps.slice(closed, -1), { runId });
  });
  const told = await report(plan, runId);

  expect(told.data).toMatchObject({
    head: { state: 'reopened' },
    outcome: { kind: 'completed' },
    recovery: { restorePoint: { kind: 'standby', takenWhileClosed: true, dropped: true } },
  });
  expect(await replica.isRunning()).toBe(true);
  expect(await replica.psql('SELECT status FROM pg_stat_wal_receiver')).toBe('streaming');
  // It follows: what is written now arrives there.
  await site.cluster.psql('CREATE TABLE public.arrived ()', { database: 'shop' });
  await until('the replica has what was written', async () => {
    return (await replica.psql(arrived, { database: 'shop' })) === 't';
  });
  await site.cluster.psql('DROP TABLE public.arrived', { database: 'shop' });
  expect(await site.sql('SELECT version FROM shop_schema')).toBe('3');
  expect(await site.missingOrders(orders)).toEqual([]);
}, 120_000);

test('a migration that fails is rolled back by promotion, and nothing is lost', async () => {
  const runId = '6002';
  // Beside those that are applied: one that changes rows, and one that fails.
  const [from, to] = ['migrations-failing', 'migrations'].map((name) =>
    join(site.shopFolder, name),
  );
  const failing = '0004-one-account-per-address.sql';
  await copyFile(`${from}/0001-round-prices.sql`, `${to}/0003-round-prices.sql`);
  await copyFile(`${from}/0002-one-account-per-address.sql`, `${to}/${failing}`);
  const plan = await planOverReplica();
  const primary = await site.cluster.psql('SHOW data_directory');
  const orders = await ordersDuring(async () => {
    await runSteps(plan, windowSteps.slice(0, closed - 1), { runId });
  });
  const before = await databaseContents(site);
  const failed = await runStep(plan, windowSteps[closed - 1] ?? { entry: '' }, { runId });
  expect(failureTold(failed).message).toContain(failing);
  expect(await databaseContents(site)).not.toBe(before);
  expect(await replica.isRunning()).toBe(false);

  const [back] = await runSteps(plan, [{ entry: 'rollback' }], { runId });
  expect([back?.outputs.outcome, back?.outputs.state]).toEqual(['restored', 'rolled-back']);
  // What answers at the address of the primary is the replica, with what the primary had.
  expect(await site.cluster.psql('SHOW data_directory')).toBe(replica.dataFolder);
  expect(await site.cluster.psql('SELECT pg_is_in_recovery()')).toBe('f');
  expect(await databaseContents(site)).toBe(before);
  expect(await site.missingOrders(orders)).toEqual([]);
  const health = await fetch(`${site.publicUrl}/healthz`);
  expect([health.status, await health.json()]).toMatchObject([200, { database: 'ok' }]);
  expect((await ordersDuring(() => Promise.resolve())).length).toBeGreaterThan(0);
  // The failed primary is stopped and kept for study.
  expect(await readdir(primary)).not.toContain('postmaster.pid');

  const told = await report(plan, runId);
  expect(told.data).toMatchObject({
    head: { state: 'rolled-back' },
    recovery: {
      restorePoint: { kind: 'standby' },
      rollback: { restored: true, basis: 'restore-point' },
    },
  });
  expect(told.text).toContain('Keep the failed primary stopped');
}, 120_000);
