import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import type { ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { databaseContents } from '../fixtures/system-state.ts';
import { readStatus, runStep, runSteps, temporaryDatabases } from '../fixtures/window-run.ts';

let site: Site;
let siteFileBefore: Buffer;
let contentsBefore: string;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  siteFileBefore = await readFile(site.webServer.siteFile);
  contentsBefore = await databaseContents(site);
}, 120_000);

afterAll(async () => {
  await site.stop();
});

async function publicStatus(): Promise<number> {
  const answer = await fetch(`${site.publicUrl}/`);
  await answer.body?.cancel();
  return answer.status;
}

/** A window whose migration failed, and whose plan says to hold then. */
async function holdWindow(runId: string): Promise<SitePlan> {
  const plan = await freshPlan(site, {
    migrations: 'migrations-failing',
    changes: [{ path: ['rollback', 'on-failure'], value: 'hold' }],
  });
  await runSteps(plan, [{ entry: 'enable-maintenance' }], { runId });
  const failed = await runStep(
    plan,
    { entry: 'run-db-maintenance', inputs: { stage: 'closed' } },
    { runId },
  );
  expect(failed.code).toBe(1);
  const held = await runStep(plan, { entry: 'rollback' }, { runId });
  const { message, state, next } = failureTold(held);
  expect(message).toContain('the plan says to hold');
  expect(state).toContain('restore point and backup are kept; the site is kept closed');
  expect(next).toContain('Call On call, +49 30 5550100');
  expect(await stillHeld(plan)).toEqual(['held', 503, true]);
  return plan;
}

async function stillHeld(plan: SitePlan): Promise<readonly unknown[]> {
  const status = await readStatus(plan);
  const [point] = await temporaryDatabases(site);
  return [status?.state, await publicStatus(), point?.endsWith('_restore_point')];
}

function run(
  plan: SitePlan,
  entry: string,
  runId: string,
  inputs: Readonly<Record<string, string>> = {},
): Promise<ActionEnd> {
  return runStep(plan, { entry, inputs }, { runId });
}

test('stays closed for everybody until an operator rolls it back by name', async () => {
  const plan = await holdWindow('6001');
  for (const entry of ['disable-maintenance', 'enable-maintenance', 'rollback']) {
    const { next } = failureTold(await run(plan, entry, '6001'));
    expect(next).toMatch(/rollback/);
  }
  const other = await run(plan, 'preflight', '6002');
  expect(failureTold(other).message).toContain('is held and owes the site its end');
  // The report tells of it, and closes no books.
  const reported = await run(plan, 'report', '6001');
  expect([reported.code, reported.outputs.state]).toEqual([0, 'held']);
  expect(reported.summary).toContain('+49 30 5550100');
  expect(await stillHeld(plan)).toEqual(['held', 503, true]);

  const forced = await run(plan, 'rollback', '6003', { force: 'true' });
  expect([forced.code, forced.outputs.outcome, forced.outputs.state]).toEqual([
    0,
    'restored',
    'rolled-back',
  ]);
  expect(await databaseContents(site)).toBe(contentsBefore);
  expect(await publicStatus()).toBe(200);
  expect(await temporaryDatabases(site)).toEqual([]);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
}, 60_000);

test('is reopened by an operator who has repaired it by hand', async () => {
  const plan = await holdWindow('6004');
  await site.sql(
    "update customers set email = 'second.' || email where id in (select max(id) from customers group by lower(email) having count(*) > 1)",
  );
  const refused = await run(plan, 'disable-maintenance', '6005');
  expect(failureTold(refused).message).toContain('is held');
  const opened = await run(plan, 'disable-maintenance', '6005', { 'reopen-held': 'true' });
  if (opened.code !== 0) throw new Error(opened.log);
  expect(opened.outputs.state).toBe('reopened');
  expect(await publicStatus()).toBe(200);
  // The first of the failing migrations stays: the operator's repair was made on it.
  expect(await site.sql('select version from shop_schema')).toBe('2');
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);

  const reported = await run(plan, 'report', '6004');
  expect([reported.code, reported.outputs.state]).toEqual([0, 'reopened']);
  expect(await temporaryDatabases(site)).toEqual([]);
}, 60_000);
