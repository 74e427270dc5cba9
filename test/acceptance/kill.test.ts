import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writePlan, type SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import {
  readJournal,
  readStatus,
  runStep,
  temporaryDatabases,
  windowSteps,
  type WindowStep,
} from '../fixtures/window-run.ts';

let site: Site;
let siteFileBefore: Buffer;
let rowsBefore: string;
let runNumber = 5000;

const rows = () =>
  site.sql(
    'select (select count(*) from customers), (select count(*) from orders), (select count(*) from order_items), (select count(*) from events)',
  );
const columns = () =>
  site.sql(
    "select string_agg(table_name || '.' || column_name, ',' order by table_name, column_name) from information_schema.columns where table_schema = 'public'",
  );

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  siteFileBefore = await readFile(site.webServer.siteFile);
  rowsBefore = await rows();
}, 120_000);

afterAll(async () => {
  await site.stop();
});

/** The site as the public has it: open and healthy, every row there, the site file as ever, nothing left over. */
async function expectUntouched(plan: SitePlan): Promise<void> {
  const health = await fetch(`${site.publicUrl}/healthz`);
  const home = await fetch(`${site.publicUrl}/`);
  expect([health.status, home.status, home.headers.get('x-maintenance')]).toEqual([200, 200, null]);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
  expect(await rows()).toBe(rowsBefore);
  expect(await temporaryDatabases(site)).toEqual([]);
  expect(await leftOverFiles(plan)).toEqual([]);
}

/** Files that only a step under way has any use for. */
async function leftOverFiles(plan: SitePlan): Promise<readonly string[]> {
  const all = await readdir(join(plan.stateDir, plan.name), { recursive: true });
  return all.filter((name) => /\.tmp$|\.partial(?:\/|$)|(?:^|\/)closed$/.test(name));
}

async function dropFailedDatabases(): Promise<void> {
  const names = await site.sql("select datname from pg_database where datname like '%\\_failed'");
  for (const name of names.split('\n').filter((entry) => entry !== '')) {
    await site.cluster.psql(`drop database "${name}"`);
  }
}

function nextRun(): string {
  runNumber += 1;
  return String(runNumber);
}

describe('kill -9 right after every journal line', () => {
  test('rollback after a kill at any line makes the system safe', async () => {
    const plan = await writePlan(site, { migrations: 'migrations-failing' });
    let total = 0;
    let step = 0;
    let line = 1;
    const columnsBefore = await columns();
    // Each turn runs a window up to one more line of its journal, kills it there and rolls back.
    for (let turn = 0; turn < 120 && step < windowSteps.length; turn += 1) {
      const runId = nextRun();
      const killed = await runUntilKilled(plan, runId, step, line);
      if (killed === 'step-ended') {
        step += 1;
        line = 1;
      } else {
        total += 1;
        line += 1;
      }
      const before = await readStatus(plan);
      const rolledBack = await runStep(plan, { entry: 'rollback' }, { runId });
      if (before !== undefined && rolledBack.code !== 0) {
        throw new Error(`rollback after ${before.state} failed:\n${rolledBack.log}`);
      }
      const report = await runStep(plan, { entry: 'report' }, { runId });
      if (before !== undefined)
        expect([report.code, report.outputs.state]).toEqual([0, 'rolled-back']);
      expect(await columns()).toBe(columnsBefore);
      await expectUntouched(plan);
      await dropFailedDatabases();
      if (killed === 'step-failed') break;
    }
    expect(total).toBeGreaterThan(15);
  }, 900_000);

  test('rollback itself may be killed at every line', async () => {
    const plan = await writePlan(site, { migrations: 'migrations-failing' });
    const columnsBefore = await columns();
    const runId = nextRun();
    await runUntilKilled(plan, runId, windowSteps.length, 1);
    expect((await readStatus(plan))?.state).toBe('changing');
    const kills = await killAtEveryLine(plan, { entry: 'rollback' }, runId);
    expect(kills).toBeGreaterThan(8);
    expect((await readStatus(plan))?.state).toBe('rolled-back');
    expect(await columns()).toBe(columnsBefore);
    await expectUntouched(plan);
    await dropFailedDatabases();
  }, 300_000);

  // The last one: preflight refuses plans that lack migrations which it has applied.
  test('running each phase again goes on to a good end', async () => {
    const plan = await writePlan(site);
    const runId = nextRun();
    let kills = 0;
    for (const step of windowSteps) kills += await killAtEveryLine(plan, step, runId);
    // A window has at least an intent and an outcome for each of its dozen effects.
    expect(kills).toBeGreaterThan(24);
    expect(await readStatus(plan)).toBeUndefined();
    // The migrations are applied; everything else is as it was.
    expect(await columns()).toContain('orders.currency');
    await expectUntouched(plan);
  }, 600_000);
});

/**
 * Runs a step again and again, killed after each journal line that it has not been killed after yet, until it
 * ends by itself. Returns the number of kills.
 */
async function killAtEveryLine(plan: SitePlan, step: WindowStep, runId: string): Promise<number> {
  const killedAfter = new Set<string>();
  let line = 1;
  for (let tries = 0; tries < 80; tries += 1) {
    const end = await runStep(plan, step, { runId, killAfterLine: line });
    if (end.signal !== 'SIGKILL') {
      if (end.code !== 0)
        throw new Error(`${step.entry} after ${killedAfter.size} kills:\n${end.log}`);
      return killedAfter.size;
    }
    const last = (await readJournal(plan)).at(-1);
    const key = `${last?.step ?? ''} ${last?.event ?? ''}`;
    // What is observed anew each time writes its lines again: the next line is one further on.
    line = killedAfter.has(key) ? line + 1 : 1;
    killedAfter.add(key);
  }
  throw new Error(`${step.entry} does not come to an end`);
}

/** Runs a window's steps up to the one that is killed after a line of its own. */
async function runUntilKilled(
  plan: SitePlan,
  runId: string,
  killedStep: number,
  line: number,
): Promise<'killed' | 'step-ended' | 'step-failed'> {
  for (const [index, step] of windowSteps.entries()) {
    const isKilled = index === killedStep;
    const end = await runStep(plan, step, { runId, ...(isKilled ? { killAfterLine: line } : {}) });
    if (isKilled) {
      if (end.signal === 'SIGKILL') return 'killed';
      return end.code === 0 ? 'step-ended' : 'step-failed';
    }
    if (end.code !== 0) return 'step-failed';
  }
  return 'step-failed';
}

test('the journal of a killed window says where it stood', async () => {
  const plan = await writePlan(site);
  const runId = nextRun();
  // After the lines of the two steps that are done once more right before closing.
  await runUntilKilled(plan, runId, 4, 5);
  const journal = await readJournal(plan);
  expect(journal.at(-1)).toMatchObject({
    event: 'intent',
    phase: 'enable-maintenance',
    step: 'flag',
  });
  expect((await readStatus(plan))?.state).toBe('closing');
  const rolledBack = await runStep(plan, { entry: 'rollback' }, { runId });
  expect([rolledBack.code, rolledBack.outputs.outcome]).toEqual([0, 'reopened']);
  await expectUntouched(plan);
}, 120_000);
