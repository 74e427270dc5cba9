import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Migrations, PlanChange, SitePlan } from '../../rehearsal/plan.ts';
import { startTraffic, type TrafficReport } from '../../rehearsal/public-traffic.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { actionDefinitions } from '../../src/plan/actions.ts';
import type { Report } from '../../src/report/report-model.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import type { ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { databaseContents, systemState } from '../fixtures/system-state.ts';
import { readStatus, runStep, runSteps, temporaryDatabases } from '../fixtures/window-run.ts';
import { lostInEarnest } from '../fixtures/lost-requests.ts';

let site: Site;
let siteFileBefore: Buffer;
let runNumber = 8000;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  siteFileBefore = await readFile(site.webServer.siteFile);
}, 120_000);

afterAll(async () => {
  await site.stop();
});

type WholeWindow = {
  readonly plan: SitePlan;
  readonly main: ActionEnd;
  readonly post: ActionEnd;
  readonly served: TrafficReport;
  /** `undefined` when no report was written. */
  readonly report: Report | undefined;
};

/** The step and its post step, as the runner calls them, under the public's eyes. */
async function runWhole(plan: SitePlan): Promise<WholeWindow> {
  runNumber += 1;
  const run = { runId: String(runNumber) };
  const reports = join(dirname(plan.path), 'reports');
  const inputs = { 'output-directory': reports, reason: 'Tables are bloated' };
  const traffic = startTraffic({ url: site.publicUrl, clients: 2 });
  try {
    const main = await runStep(plan, { entry: 'maintenance-window', inputs }, run);
    const post = await runStep(plan, { entry: 'maintenance-window-post', inputs }, run);
    const served = await traffic.stop();
    const text = await readFile(join(reports, 'report.json'), 'utf8').catch(() => undefined);
    const report = text === undefined ? undefined : (JSON.parse(text) as Report);
    return { plan, main, post, served, report };
  } finally {
    await traffic.stop();
  }
}

const planOf = (migrations: Migrations, ...changes: readonly PlanChange[]) =>
  freshPlan(site, { migrations, changes });

/** Nobody was lost, the public saw 503 in one piece, and what was acknowledged is there. */
async function expectWellServed({ served, main }: WholeWindow): Promise<void> {
  expect(lostInEarnest(served, { clients: 2, reloads: 2 })).toEqual([]);
  expect(served.unexpected).toEqual([]);
  expect(served.closures.map(({ windows }) => windows)).toEqual([[main.outputs['window-id']]]);
  expect(await site.missingOrders(served.orders.map(({ reference }) => reference))).toEqual([]);
  const health = await fetch(`${site.publicUrl}/healthz`);
  expect([health.status, health.headers.get('x-maintenance')]).toEqual([200, null]);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
  expect(await temporaryDatabases(site)).toEqual([]);
}

async function expectBooksClosed({ plan, main, post }: WholeWindow): Promise<void> {
  if (post.code !== 0) throw new Error(`the post step ended with ${post.code}:\n${post.log}`);
  expect(await readStatus(plan)).toBeUndefined();
  expect(await readdir(join(plan.stateDir, plan.name, 'history'))).toEqual([
    main.outputs['window-id'],
  ]);
}

test.each([
  ['a failing migration', 'migrations-failing', /0002-one-account-per-address\.sql/],
  ['a failing smoke test', 'migrations-breaking-checkout', /health observed/],
] as const)(
  '%s: rolled back in the same step, reported in the post step',
  async (_name, migrations, said) => {
    const before = await site.sql(
      'select (select version from shop_schema), (select sum(price_cents) from products)',
    );
    const window = await runWhole(await planOf(migrations));
    const { message, state } = failureTold(window.main);
    expect(message).toMatch(said);
    expect(state).toContain('Rolled back');
    expect(window.main.outputs.state).toBe('rolled-back');
    await expectWellServed(window);
    await expectBooksClosed(window);
    expect(window.report?.outcome.kind).toBe('rolled-back');
    expect(window.post.summary).toContain('Maintenance report: shop');
    const after = await site.sql(
      'select (select version from shop_schema), (select sum(price_cents) from products)',
    );
    expect(after).toBe(before);
    await site.cluster.psql(
      `drop database "${window.report?.recovery.rollback?.failedDatabase ?? 'no name'}"`,
    );
  },
  60_000,
);

test('a plan that holds: closed and reported, and left alone', async () => {
  const window = await runWhole(
    await planOf('migrations-failing', { path: ['rollback', 'on-failure'], value: 'hold' }),
  );
  const { state, next } = failureTold(window.main);
  expect(state).toContain('the site is kept closed');
  expect(next).toContain('+49 30 5550100');
  expect(failureTold(window.post).message).toContain('held');
  expect(window.report?.outcome.kind).toBe('held');
  expect((await readStatus(window.plan))?.state).toBe('held');
  expect((await fetch(`${site.publicUrl}/`)).status).toBe(503);

  const force = { entry: 'rollback', inputs: { force: 'true' } };
  const [end] = await runSteps(window.plan, [force], { runId: '8999' });
  await site.cluster.psql(`drop database "${end?.outputs['failed-database'] ?? 'no name'}"`);
}, 60_000);

test("another run's window: refused, and the post step does not touch it", async () => {
  const plan = await freshPlan(site);
  const [closed] = await runSteps(plan, [{ entry: 'enable-maintenance' }], { runId: '8888' });
  const before = await systemState(site, plan);
  const { main, post, report } = await runWhole(plan);
  expect(failureTold(main).message).toContain(closed?.outputs['window-id']);
  expect([post.code, post.summary, report]).toEqual([0, '', undefined]);
  expect(post.log).toContain('Nothing to do');
  expect(await systemState(site, plan)).toEqual(before);
  await runSteps(plan, [{ entry: 'disable-maintenance' }], { runId: '8888' });
}, 60_000);

test('a refusal by preflight, and a dry run, leave nothing to the post step', async () => {
  const plan = await freshPlan(site);
  const before = await systemState(site, plan);
  const broken = await freshPlan(site, {
    changes: [
      { path: ['state-dir'], value: plan.stateDir },
      { path: ['window'], value: { start: '2036-01-05T02:00' } },
    ],
  });
  const refused = await runWhole(broken);
  expect(failureTold(refused.main).message).toContain('outside the window');
  expect([refused.post.code, refused.report]).toEqual([0, undefined]);
  // Apart from what the public ordered meanwhile.
  const contents = await databaseContents(site);
  expect(await systemState(site, plan)).toEqual({ ...before, contents });

  const run = { runId: '8777' };
  const inputs = { 'dry-run': 'true' };
  const dry = await runStep(plan, { entry: 'maintenance-window', inputs }, run);
  const post = await runStep(plan, { entry: 'maintenance-window-post', inputs }, run);
  expect([dry.code, post.code]).toEqual([0, 0]);
  expect(dry.summary).toContain('Predicted timeline');
  expect(await systemState(site, plan)).toEqual({ ...before, contents });
}, 60_000);

test('a good window in one step', async () => {
  const window = await runWhole(await freshPlan(site));
  const { main, report } = window;
  if (main.code !== 0) throw new Error(`the window ended with ${main.code}:\n${main.log}`);
  // A post step's outputs reach nobody: all must come from the step itself.
  const declared = Object.keys(actionDefinitions['maintenance-window'].outputs);
  expect(declared.filter((name) => (main.outputs[name] ?? '') === '')).toEqual([]);
  expect(main.outputs.state).toBe('reopened');
  expect(main.summary).toContain('Ready: no check failed.');
  await expectWellServed(window);
  await expectBooksClosed(window);
  expect(report).toMatchObject({
    outcome: { kind: 'completed' },
    head: { reason: 'Tables are bloated', windowId: main.outputs['window-id'] },
  });
  expect(report?.checklist).toHaveLength(15);
  expect(await databaseContents(site)).toContain('orders_customer_placed');
}, 60_000);
