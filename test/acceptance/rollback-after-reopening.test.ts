import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import { startAction, type ActionEnd, type RunningAction } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { holdSession } from '../fixtures/held-session.ts';
import { until } from '../fixtures/processes.ts';
import { databaseContents } from '../fixtures/system-state.ts';
import { readStatus, runStep, runSteps, temporaryDatabases } from '../fixtures/window-run.ts';

let site: Site;
let plan: SitePlan;
let siteFileBefore: Buffer;
let contentsBefore: string;
let runNumber = 6500;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  siteFileBefore = await readFile(site.webServer.siteFile);
}, 120_000);

afterAll(async () => {
  await site.stop();
});

/** Each test begins on a window that ended well, on an open site with a restore point. */
beforeEach(async () => {
  runNumber += 1;
  plan = await freshPlan(site);
  contentsBefore = await databaseContents(site);
  const steps = [
    { entry: 'enable-maintenance' },
    { entry: 'run-db-maintenance', inputs: { stage: 'closed' } },
    { entry: 'smoke-test' },
    { entry: 'disable-maintenance' },
  ];
  await runSteps(plan, steps, { runId: String(runNumber) });
  expect(await seen()).toEqual(['reopened', 200, '3']);
}, 60_000);

/** State of the window, what the public sees, version of the schema. */
async function seen(): Promise<readonly unknown[]> {
  const answer = await fetch(`${site.publicUrl}/`);
  await answer.body?.cancel();
  const version = await site.sql('select version from shop_schema');
  return [(await readStatus(plan))?.state, answer.status, version];
}

const rollBack = (inputs: Readonly<Record<string, string>>): Promise<ActionEnd> =>
  runStep(plan, { entry: 'rollback', inputs }, { runId: '6999' });

function startRollback(inputs: Readonly<Record<string, string>>): Promise<RunningAction> {
  return startAction({
    entry: 'rollback',
    inputs: { plan: plan.path, ...inputs },
    environment: plan.environment,
    runId: '6999',
  });
}

/** An order that the shop confirms to a customer. */
async function placeOrder(): Promise<string> {
  const reference = globalThis.crypto.randomUUID();
  const answer = await fetch(`${site.publicUrl}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      reference,
      customerId: 1,
      items: [{ productId: 1, quantity: 1 }],
    }),
  });
  expect(answer.status).toBe(201);
  await answer.body?.cancel();
  return reference;
}

async function expectRestored(end: ActionEnd): Promise<void> {
  if (end.code !== 0) throw new Error(`rollback ended with ${end.code}:\n${end.log}`);
  expect(end.outputs.outcome).toBe('restored');
  expect(await seen()).toEqual(['rolled-back', 200, '1']);
  expect(await databaseContents(site)).toBe(contentsBefore);
  expect(await temporaryDatabases(site)).toEqual([]);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
}

async function expectNothingDone(reference: string): Promise<void> {
  expect(await seen()).toEqual(['reopened', 200, '3']);
  expect(await site.missingOrders([reference])).toEqual([]);
  expect(await temporaryDatabases(site)).toHaveLength(1);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
}

test('a window that ended well is rolled back by name only, and then loses nothing', async () => {
  const unasked = await rollBack({});
  expect([unasked.code, unasked.outputs.outcome]).toEqual([0, 'nothing']);
  expect(unasked.log).toContain('an operator rolls it back with `force`');
  expect(await seen()).toEqual(['reopened', 200, '3']);

  const end = await rollBack({ force: 'true' });
  await expectRestored(end);
  // Both times for which the public was kept out count.
  const { maintenance, earlierClosures = [] } = (await readStatus(plan)) ?? {};
  expect(earlierClosures).toHaveLength(1);
  const milliseconds = [...earlierClosures, maintenance].map(
    (closure) => Date.parse(closure?.reopenedAt ?? '') - Date.parse(closure?.closedAt ?? ''),
  );
  const seconds = milliseconds.reduce((sum, one) => sum + one, 0) / 1000;
  expect(Number(end.outputs['downtime-seconds'])).toBeCloseTo(seconds, 3);
}, 60_000);

test('orders placed since are named and kept, until their loss is accepted', async () => {
  const reference = await placeOrder();
  // The server counts a session's writes some time after they were made, at the latest when it ends.
  await site.cluster.psql(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'shop'",
  );
  const { message, state, next } = failureTold(await rollBack({ force: 'true' }));
  expect(message).toMatch(/users have written: at least .*public\.orders: 1 inserted/);
  expect(message).toContain('public.order_items: 1 inserted');
  expect(state).toContain('nothing was done');
  expect(next).toContain('accept-data-loss');
  await expectNothingDone(reference);

  await expectRestored(await rollBack({ force: 'true', 'accept-data-loss': 'true' }));
  expect(await site.missingOrders([reference])).toEqual([reference]);
  // It is not thrown away: the database that was set aside has it.
  const { failedDatabase = '' } = (await readStatus(plan))?.rollback ?? {};
  await site.cluster.psql(`alter database "${failedDatabase}" allow_connections true`);
  const kept = `select count(*) from orders where reference = '${reference}'`;
  expect(await site.cluster.psql(kept, { database: failedDatabase })).toBe('1');
}, 60_000);

test('orders that the server has not counted yet are not lost either', async () => {
  // The first statements of a session are counted at once, those of the next second later.
  const references = [await placeOrder(), await placeOrder(), await placeOrder()];
  const refused = await rollBack({ force: 'true' });
  expect(failureTold(refused).message).toMatch(/public\.orders: [123] inserted/);
  await expectNothingDone(references[2] ?? '');
  await expectRestored(await rollBack({ force: 'true', 'accept-data-loss': 'true' }));
}, 60_000);

test('an order placed while the rollback is about to close is not lost either', async () => {
  const rollback = await startRollback({ force: 'true' });
  await rollback.logged('… rollback hook');
  const reference = await placeOrder();
  const { message, state } = failureTold(await rollback.ended);
  expect(message).toContain('public.orders: 1 inserted');
  expect(state).toContain('open again');
  await expectNothingDone(reference);
  // The record can be gone on with: now with consent.
  await expectRestored(await rollBack({ force: 'true', 'accept-data-loss': 'true' }));
}, 60_000);

test('an order under way is let finish before the sessions are ended, and counts', async () => {
  const lock = await holdSession(site, 'begin; lock table events in exclusive mode;');
  try {
    const order = placeOrder();
    await until('the order waits for the lock', async () => {
      const waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
      return (await site.cluster.psql(waiting)) === '1';
    });
    const rollback = await startRollback({ force: 'true' });
    await rollback.logged('… rollback drain');
    await lock.release();
    const reference = await order;
    expect(failureTold(await rollback.ended).message).toContain('public.orders: 1 inserted');
    await expectNothingDone(reference);
  } finally {
    await lock.release();
  }
  await expectRestored(await rollBack({ force: 'true', 'accept-data-loss': 'true' }));
}, 60_000);
