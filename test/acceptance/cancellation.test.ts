import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import { startAction, type ActionEnd, type RunningAction } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { holdSession } from '../fixtures/held-session.ts';
import { databaseClients, until } from '../fixtures/processes.ts';
import { databaseContents } from '../fixtures/system-state.ts';
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
let slowMigrations: string;

/** The runner kills the tree ten seconds after its first signal. */
const secondsUntilKilled = 10;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  siteFileBefore = await readFile(site.webServer.siteFile);
  contentsBefore = await databaseContents(site);
  slowMigrations = join(site.workFolder, 'slow-migrations');
  await mkdir(slowMigrations);
  await writeFile(
    join(slowMigrations, '0001-quick.sql'),
    'alter table orders add column note text;\n',
  );
  await writeFile(
    join(slowMigrations, '0002-slow.sql'),
    'update orders set total_cents = total_cents + 1 where id > 0;\nselect pg_sleep(300);\n',
  );
}, 120_000);

afterAll(async () => {
  await site.stop();
});

const slowPlan = () =>
  freshPlan(site, {
    changes: [{ path: ['run-db-maintenance', 'tasks', 2, 'files'], value: slowMigrations }],
  });

const started: RunningAction[] = [];

afterEach(async () => {
  for (const action of started.splice(0)) {
    action.child.kill('SIGKILL');
    await action.ended;
  }
});

async function start(plan: SitePlan, step: WindowStep, runId: string): Promise<RunningAction> {
  const action = await startAction({
    ...step,
    inputs: { plan: plan.path, ...step.inputs },
    environment: plan.environment,
    runId,
  });
  started.push(action);
  return action;
}

/** Cancels as the runner does, and waits no longer than it would. */
async function cancel(action: RunningAction): Promise<ActionEnd> {
  action.child.kill('SIGINT');
  const tooLate = new AbortController();
  const killed = pause(secondsUntilKilled * 1000, undefined, { signal: tooLate.signal }).then(
    () => {
      action.child.kill('SIGKILL');
      throw new Error(`it did not end within ${secondsUntilKilled} seconds of the signal`);
    },
    () => undefined,
  );
  const end = await Promise.race([action.ended, killed]);
  tooLate.abort();
  if (end === undefined) throw new Error('it neither ended nor was late');
  return end;
}

async function expectNoClients(): Promise<void> {
  expect(await databaseClients(site)).toEqual([]);
}

/** The site as the public has it, and as it was before the window. */
async function expectAsBefore(): Promise<void> {
  const [home, health] = [
    await fetch(`${site.publicUrl}/`),
    await fetch(`${site.publicUrl}/healthz`),
  ];
  expect([home.status, health.status, home.headers.get('x-maintenance')]).toEqual([200, 200, null]);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
  expect(await databaseContents(site)).toBe(contentsBefore);
  expect(await temporaryDatabases(site)).toEqual([]);
}

async function rollBack(plan: SitePlan, runId: string): Promise<ActionEnd> {
  const end = await runStep(plan, { entry: 'rollback' }, { runId });
  if (end.code !== 0) throw new Error(`rollback ended with ${end.code}:\n${end.log}`);
  return end;
}

test('during the dump: nothing half done is left, and the next run makes the backup', async () => {
  const plan = await freshPlan(site);
  const lock = await holdSession(site, 'begin; lock table orders in access exclusive mode;');
  const action = await start(plan, { entry: 'backup-db' }, '7001');
  await until('pg_dump waits for the lock', async () =>
    (await databaseClients(site)).some(({ command }) => command.includes('pg_dump')),
  );
  const end = await cancel(action);
  await expectNoClients();
  await lock.release();
  expect(failureTold(end).message).toContain('cancelled');
  expect(await readdir(join(plan.stateDir, plan.name, 'backups'))).toEqual([]);
  await expectAsBefore();

  const [again] = await runSteps(plan, [{ entry: 'backup-db' }], { runId: '7001' });
  expect(again?.outputs.sha256).toBeDefined();
  expect((await rollBack(plan, '7001')).outputs.outcome).toBe('cleaned-up');
  await expectAsBefore();
}, 60_000);

test('during the drain: the flag is lifted, and rollback does the rest', async () => {
  const plan = await freshPlan(site);
  const open = await holdSession(site, 'begin; select count(*) from orders;');
  const action = await start(plan, { entry: 'enable-maintenance' }, '7002');
  await action.logged('… enable-maintenance drain');
  expect((await fetch(`${site.publicUrl}/`)).status).toBe(503);
  const end = await cancel(action);
  await expectNoClients();
  const { message, state, next } = failureTold(end);
  expect(message).toContain('cancelled');
  expect(state).toContain('The flag is lifted, but it is not proved');
  expect(next).toContain('`rollback`');
  expect((await fetch(`${site.publicUrl}/`)).status).toBe(200);
  await open.release();
  await rollBack(plan, '7002');
  await expectAsBefore();
}, 60_000);

test('during a migration: rollback goes back to the restore point', async () => {
  const plan = await slowPlan();
  await runSteps(plan, [{ entry: 'enable-maintenance' }], { runId: '7003' });
  const migrate = { entry: 'run-db-maintenance', inputs: { stage: 'closed' } };
  const action = await start(plan, migrate, '7003');
  await untilSleeping();
  const end = await cancel(action);
  await expectNoClients();
  expect(failureTold(end).message).toContain('cancelled');
  expect((await readStatus(plan))?.state).toBe('changing');
  expect((await fetch(`${site.publicUrl}/`)).status).toBe(503);

  const back = await rollBack(plan, '7003');
  expect(back.outputs.outcome).toBe('restored');
  await expectAsBefore();
  await site.cluster.psql(`drop database "${back.outputs['failed-database'] ?? ''}"`);
}, 60_000);

test('of the root action: its post step makes the system safe, and reports', async () => {
  const plan = await slowPlan();
  const reports = join(plan.stateDir, 'reports');
  const inputs = { plan: plan.path, 'output-directory': reports };
  const action = await start(plan, { entry: 'maintenance-window', inputs }, '7004');
  await untilSleeping();
  const end = await cancel(action);
  await expectNoClients();
  expect(failureTold(end).message).toContain('cancelled');
  expect((await fetch(`${site.publicUrl}/`)).status).toBe(503);

  const post = await runStep(plan, { entry: 'maintenance-window-post', inputs }, { runId: '7004' });
  if (post.code !== 0) throw new Error(`the post step ended with ${post.code}:\n${post.log}`);
  expect(post.outputs.state).toBe('rolled-back');
  expect(post.summary).toContain('Rolled back');
  expect((await readdir(reports)).sort()).toEqual([
    'report.html',
    'report.json',
    'report.junit.xml',
    'report.md',
  ]);
  expect(await readFile(join(reports, 'report.md'), 'utf8')).toMatch(/cancelled/);
  await expectAsBefore();
}, 90_000);

async function untilSleeping(): Promise<void> {
  await until('the migration is at work', async () => {
    const query =
      "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and query like '%pg_sleep(300)%'";
    return (await site.cluster.psql(query)) === '1';
  });
}
