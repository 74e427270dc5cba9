import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { PlanChange, SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import type { Report } from '../../src/report/report-model.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import { runAction, type ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { databaseContents, databaseProperties } from '../fixtures/system-state.ts';
import {
  readStatus,
  runStep,
  runSteps,
  temporaryDatabases,
  type WindowStep,
} from '../fixtures/window-run.ts';

let site: Site;
let siteFileBefore: Buffer;
let contentsBefore: string;
let propertiesBefore: string;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  siteFileBefore = await readFile(site.webServer.siteFile);
  // All that a clone or a restore would lose.
  await site.cluster.psql(`
    create role auditor login;
    grant connect, temporary on database shop to auditor with grant option;
    alter database shop connection limit 40;
    alter database shop set lock_timeout to '7s';
    alter role shop in database shop set work_mem to '5MB';`);
}, 120_000);

afterAll(async () => {
  await site.stop();
});

beforeEach(async () => {
  contentsBefore = await databaseContents(site);
  propertiesBefore = await databaseProperties(site, 'shop');
});

const close: WindowStep = { entry: 'enable-maintenance' };
const change: WindowStep = { entry: 'run-db-maintenance', inputs: { stage: 'closed' } };

/** A window up to the migration that fails. */
async function failMigrating(runId: string, ...changes: readonly PlanChange[]): Promise<SitePlan> {
  const plan = await freshPlan(site, { migrations: 'migrations-failing', changes });
  await runSteps(plan, [{ entry: 'backup-db' }, close], { runId });
  const failed = await runStep(plan, change, { runId });
  expect(failureTold(failed).message).toContain('0002-one-account-per-address.sql');
  expect((await readStatus(plan))?.state).toBe('changing');
  expect(await publicStatus()).toBe(503);
  return plan;
}

/** As an operator does it at night: no repository, no plan, another run on another runner. */
function rollBackElsewhere(
  plan: SitePlan,
  inputs: Readonly<Record<string, string>> = {},
): Promise<ActionEnd> {
  return runAction({
    entry: 'rollback',
    inputs: { name: plan.name, 'state-dir': plan.stateDir, ...inputs },
    environment: plan.environment,
    runId: '9999',
  });
}

function expectRestored(end: ActionEnd): ActionEnd {
  if (end.code !== 0) throw new Error(`rollback ended with ${end.code}:\n${end.log}`);
  expect([end.outputs.outcome, end.outputs.state]).toEqual(['restored', 'rolled-back']);
  return end;
}

async function publicStatus(): Promise<number> {
  const answer = await fetch(`${site.publicUrl}/`);
  await answer.body?.cancel();
  return answer.status;
}

/** The site as it was before the window, apart from the failed database, which is then dropped. */
async function expectAsBefore(failedDatabase: string): Promise<void> {
  expect(await databaseContents(site)).toBe(contentsBefore);
  expect(await databaseProperties(site, 'shop')).toBe(propertiesBefore);
  expect(await temporaryDatabases(site)).toEqual([]);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
  expect(await publicStatus()).toBe(200);
  expect(
    await site.cluster.psql("select datname from pg_database where datname like '%failed'"),
  ).toBe(failedDatabase);
  await site.cluster.psql(`drop database "${failedDatabase}"`);
}

test('a failing migration: everything is back, by another runner from the record alone', async () => {
  const plan = await failMigrating('5001');
  const failedOid = await site.cluster.psql("select oid from pg_database where datname = 'shop'");

  const end = expectRestored(await rollBackElsewhere(plan));
  expect(Number(end.outputs['downtime-seconds'])).toBeGreaterThan(0);

  // The failed database is kept under a name that says so, and lets nobody in.
  const name = end.outputs['failed-database'] ?? '';
  expect(name).toBe(`shop_${end.outputs['window-id']?.replaceAll('-', '_') ?? ''}_failed`);
  const kept = `select oid, datallowconn from pg_database where datname = '${name}'`;
  expect(await site.cluster.psql(kept)).toBe(`${failedOid}|f`);
  await site.cluster.psql(`alter database "${name}" allow_connections true`);
  const version = await site.cluster.psql('select version from shop_schema', { database: name });
  expect(version).toBe('2');
  await expectAsBefore(name);

  const again = await rollBackElsewhere(plan);
  expect([again.code, again.outputs.outcome]).toEqual([0, 'nothing']);

  const reports = join(plan.stateDir, 'reports');
  const inputs = { 'output-directory': reports };
  const reported = await runStep(plan, { entry: 'report', inputs }, { runId: '5001' });
  expect([reported.code, reported.outputs.state]).toEqual([0, 'rolled-back']);
  const report = JSON.parse(await readFile(join(reports, 'report.json'), 'utf8')) as Report;
  expect(report).toMatchObject({
    outcome: { kind: 'rolled-back' },
    head: { otherRuns: ['9999'] },
    recovery: { rollback: { failedDatabase: name } },
    tasks: [{ id: 'migrate', outcome: 'failed' }],
  });
}, 60_000);

test('a backup retaken while closed as restore point: orders placed after the nightly one survive', async () => {
  const plan = await freshPlan(site, {
    migrations: 'migrations-failing',
    changes: [{ path: ['run-db-maintenance', 'restore-point'], value: 'dump' }],
  });
  await runSteps(plan, [{ entry: 'backup-db' }], { runId: '5002' });
  await site.sql(
    'insert into orders (reference, customer_id, total_cents) values (gen_random_uuid(), 1, 999)',
  );
  contentsBefore = await databaseContents(site);
  await runSteps(plan, [close], { runId: '5002' });
  expect((await runStep(plan, change, { runId: '5002' })).code).toBe(1);
  expect((await readStatus(plan))?.restorePoint?.kind).toBe('dump');

  const end = expectRestored(await rollBackElsewhere(plan));
  expect(end.log).toContain('equal to the restore point');
  await expectAsBefore(end.outputs['failed-database'] ?? '');
}, 60_000);

test('smoke tests that fail after the rollback: held, and gone on with when they pass again', async () => {
  const broken = { id: 'coupons', kind: 'sql', query: 'select count(*) from coupons' };
  const plan = await failMigrating(
    '5003',
    { path: ['smoke-test', 'checks', 3], value: broken },
    { path: ['smoke-test', 'deadline'], value: '300ms' },
  );
  const held = await rollBackElsewhere(plan);
  const { message, state, next } = failureTold(held);
  expect(message).toContain('coupons observed');
  expect(state).toContain('held; the site is kept closed');
  expect(next).toContain('Call On call, +49 30 5550100');
  expect([held.outputs.state, await publicStatus()]).toEqual(['held', 503]);

  // Nobody but an operator goes on from there.
  const unasked = await rollBackElsewhere(plan);
  expect(failureTold(unasked).message).toContain('only an operator goes on from there');
  expect(await publicStatus()).toBe(503);

  const mended = await freshPlan(site, {
    migrations: 'migrations-failing',
    changes: [{ path: ['state-dir'], value: plan.stateDir }],
  });
  const force = { entry: 'rollback', inputs: { force: 'true' } };
  const end = expectRestored(await runStep(mended, force, { runId: '9998' }));
  await expectAsBefore(end.outputs['failed-database'] ?? '');
}, 60_000);
