import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { writePlan, type Migrations, type PlanChange } from '../../rehearsal/plan.ts';
import { startTraffic, type Traffic, type TrafficReport } from '../../rehearsal/public-traffic.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import type { Report } from '../../src/report/report-model.ts';
import { startGitHubApi, type GitHubApi } from '../contract/github-api.ts';
import { runAction } from '../fixtures/action-process.ts';
import { makeRepository } from './act-repository.ts';
import { runAct, type ActRun } from './act-run.ts';
import { localCaller } from './act-safe.ts';
import { lostInEarnest } from '../fixtures/lost-requests.ts';

const token = 'ghs-rehearsal-token';
const clients = 4;
const actTimeoutSeconds = 150;
const testTimeout = 240_000;

let site: Site;
let github: GitHubApi;
let publicTraffic: Traffic;
let siteFile: Buffer;
let runNumber = 7000;
/** Of the latest run. */
let planFile = '';
let secrets: Readonly<Record<string, string>> = {};

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  siteFile = await readFile(site.webServer.siteFile);
}, 120_000);

afterAll(async () => {
  await site.stop();
});

beforeEach(async () => {
  github = await startGitHubApi({
    token,
    environments: {
      'maintenance-approval': { users: ['grace'] },
      'maintenance-sign-off': { teams: ['business'] },
      'maintenance-rollback': {},
    },
    approvals: [
      { state: 'approved', user: 'grace', comment: 'Go.', environments: ['maintenance-approval'] },
    ],
    jobs: [{ name: 'Window / Preflight', conclusion: 'success' }],
  });
  publicTraffic = startTraffic({ url: site.publicUrl, clients, thinkMilliseconds: 10 });
});

afterEach(async () => {
  await publicTraffic.stop();
  await github.close();
  // A failed database is kept on purpose; the next window shall find none.
  for (const name of await databasesLeft()) await site.cluster.psql(`drop database "${name}"`);
});

type Scenario = {
  readonly migrations?: Migrations;
  readonly changes?: readonly PlanChange[];
  readonly inputs?: Readonly<Record<string, string>>;
  /** Inputs that the caller gives to the reusable workflow in addition. */
  readonly with?: Readonly<Record<string, string>>;
};

/** Runs the example caller and `window.yml` on the site. */
async function runWindow(scenario: Scenario): Promise<ActRun> {
  runNumber += 1;
  const folder = join(site.workFolder, `run-${runNumber}`);
  const repository = join(folder, 'repository');
  await mkdir(repository, { recursive: true });
  const { migrations = 'migrations', changes = [] } = scenario;
  const plan = await writePlan(site, { migrations, changes });
  planFile = plan.path;
  secrets = plan.environment;
  const example = new URL('../../examples/workflows/manual.yml', import.meta.url);
  const additions = Object.entries(scenario.with ?? {}).map(
    ([key, value]) => `\n      ${key}: ${value}`,
  );
  const caller = localCaller(await readFile(example, 'utf8')).replace(
    /^ {6}runs-on: self-hosted$/m,
    (line) => line + additions.join(''),
  );
  await makeRepository(repository, { plan: await readFile(plan.path, 'utf8'), caller });
  const run = await runAct({
    repository,
    workFolder: folder,
    runId: String(runNumber),
    inputs: { reason: 'Tables are bloated', ...scenario.inputs },
    secrets: { GITHUB_TOKEN: token, ...plan.environment },
    apiUrl: github.url,
    timeoutSeconds: actTimeoutSeconds,
  });
  expect(run.survivors).toEqual([]);
  expect(github.violations).toEqual([]);
  for (const secret of [site.databasePassword, plan.environment.MAINTENANCE_BYPASS_TOKEN, token]) {
    expect(run.log).not.toContain(secret);
  }
  return run;
}

/** Results of the jobs that ran; when others are expected, the log tells why. */
function expectJobs(run: ActRun, results: Readonly<Record<string, string>>): void {
  try {
    expect(run.jobs).toEqual(results);
  } catch (error) {
    const difference = error instanceof Error ? error.message : String(error);
    throw new Error(`${difference}\n\nThe log of the run:\n${run.log}`, { cause: error });
  }
}

/** The uploaded report, all three forms of it. */
async function reportOf(run: ActRun): Promise<Report> {
  const files = await run.artifact('maintenance-report-mw-');
  expect(Object.keys(files).sort()).toEqual([
    'report.html',
    'report.json',
    'report.junit.xml',
    'report.md',
  ]);
  const report = JSON.parse(files['report.json'] ?? '') as Report;
  for (const name of ['report.html', 'report.md']) {
    expect(files[name]).toContain(report.head.windowId);
    expect(files[name]).not.toContain(site.databasePassword);
  }
  expect(report.checklist).toHaveLength(15);
  expect(report.head.reason).toBe('Tables are bloated');
  expect(report.approvals.reviews.map(({ user, state }) => `${user} ${state}`)).toEqual([
    'grace approved',
  ]);
  return report;
}

/** What holds after every run: nobody was lost, what was acknowledged is there, the site is as ever. */
async function expectWellServed(): Promise<TrafficReport> {
  // The public is served again before its last word is taken.
  await publicTraffic.next(({ outcome }) => outcome.kind === 'answered' && outcome.status === 201);
  const seen = await publicTraffic.stop();
  expect(lostInEarnest(seen, { clients, reloads: 2 })).toEqual([]);
  expect(seen.unexpected).toEqual([]);
  expect(seen.orders.length).toBeGreaterThan(0);
  expect(await site.missingOrders(seen.orders.map(({ reference }) => reference))).toEqual([]);
  expect((await readFile(site.webServer.siteFile)).equals(siteFile)).toBe(true);
  expect((await fetch(`${site.publicUrl}/healthz`)).status).toBe(200);
  return seen;
}

/** Databases that windows made and left. */
async function databasesLeft(): Promise<string[]> {
  const names = await site.sql("select datname from pg_database where datname like '%\\_mw\\_%'");
  return names.split('\n').filter((name) => name !== '');
}

/** The public saw 503 in one piece, and the window's own. */
function expectOneClosure(seen: TrafficReport, report: Report): void {
  expect(seen.closures.map(({ windows }) => windows)).toEqual([[report.head.windowId]]);
  const { from = 0, firstSuccessAfter = 0 } = seen.closures[0] ?? {};
  expect(firstSuccessAfter).toBeGreaterThan(from);
  expect(report.downtime).toMatchObject({ kind: 'reopened', spans: [{}] });
}

const asked = () => github.requests.map(({ url }) => url.replace(/\?.*/, ''));
const sumOfPrices = () => site.sql('select sum(price_cents) from products');
const schemaVersion = () => site.sql('select version from shop_schema');

describe('window.yml, run by act', () => {
  test(
    'refuses a mistyped gate before anything is touched',
    async () => {
      const run = await runWindow({ with: { 'approval-environment': 'maintenance-aproval' } });
      expectJobs(run, { preflight: 'failure' });
      expect(run.exitCode).toBe(1);
      expect(run.log).toContain('Gate maintenance-aproval: there is no environment of that name');
      expect(asked()).toEqual(['/repos/shop/shop/environments/maintenance-aproval']);
      const seen = await expectWellServed();
      expect(seen.closures).toEqual([]);
    },
    testTimeout,
  );

  test(
    'refuses a gate without reviewers, whichever of the three it is',
    async () => {
      const run = await runWindow({ with: { 'rollback-environment': 'maintenance-rollback' } });
      expectJobs(run, { preflight: 'failure' });
      expect(run.log).toContain('Gate maintenance-rollback: has no required reviewers');
      expect((await expectWellServed()).closures).toEqual([]);
    },
    testTimeout,
  );

  test(
    'refuses to ask nobody',
    async () => {
      const run = await runWindow({ with: { 'approval-environment': "''" } });
      expectJobs(run, { preflight: 'failure' });
      expect(run.log).toContain('The input approval-environment is empty');
      expect(asked()).toEqual([]);
    },
    testTimeout,
  );

  test(
    'a dry run ends with preflight',
    async () => {
      const run = await runWindow({ inputs: { 'dry-run': 'true' } });
      expectJobs(run, { preflight: 'success' });
      expect(run.exitCode).toBe(0);
      expect((await expectWellServed()).closures).toEqual([]);
    },
    testTimeout,
  );

  test(
    'rolls back a failing migration',
    async () => {
      const before = [await sumOfPrices(), await schemaVersion()];
      const run = await runWindow({ migrations: 'migrations-failing' });
      expectJobs(run, {
        preflight: 'success',
        approve: 'success',
        prepare: 'success',
        maintain: 'failure',
        rollback: 'success',
        report: 'success',
      });
      expect(run.exitCode).toBe(1);
      const report = await reportOf(run);
      expect([report.head.state, report.outcome.kind]).toEqual(['rolled-back', 'rolled-back']);
      expectOneClosure(await expectWellServed(), report);
      expect([await sumOfPrices(), await schemaVersion()]).toEqual(before);
      expect(await databasesLeft()).toEqual([report.recovery.rollback?.failedDatabase]);
    },
    testTimeout,
  );

  test(
    'rolls back when the smoke tests fail, before the public can see it',
    async () => {
      const run = await runWindow({ migrations: 'migrations-breaking-checkout' });
      expectJobs(run, {
        preflight: 'success',
        approve: 'success',
        prepare: 'success',
        maintain: 'failure',
        rollback: 'success',
        report: 'success',
      });
      expect(run.exitCode).toBe(1);
      const report = await reportOf(run);
      expect([report.head.state, report.outcome.kind]).toEqual(['rolled-back', 'rolled-back']);
      expect(report.smokeTests.map(({ phase, passed }) => [phase, passed])).toEqual([
        ['preflight', true],
        ['smoke-test', false],
        ['rollback', true],
      ]);
      expectOneClosure(await expectWellServed(), report);
      expect(await schemaVersion()).toBe('1');
      expect(await databasesLeft()).toEqual([report.recovery.rollback?.failedDatabase]);
    },
    testTimeout,
  );

  test(
    'runs a good window, and reopens when it is signed off',
    async () => {
      const run = await runWindow({ with: { 'sign-off-environment': 'maintenance-sign-off' } });
      expectJobs(run, {
        preflight: 'success',
        approve: 'success',
        prepare: 'success',
        maintain: 'success',
        'sign-off': 'success',
        reopen: 'success',
        report: 'success',
      });
      expect(run.exitCode).toBe(0);
      const report = await reportOf(run);
      expect([report.head.state, report.outcome.kind]).toEqual(['reopened', 'completed']);
      expectOneClosure(await expectWellServed(), report);
      expect(await schemaVersion()).toBe('3');
      expect(await databasesLeft()).toEqual([]);
    },
    testTimeout,
  );

  test(
    'runs a good window with server tasks, and reopens in the job that closed the site',
    async () => {
      const marker = join(site.workFolder, 'cache-is-clear');
      const command = {
        task: 'command',
        command: ['touch', marker],
        verify: ['test', '-e', marker],
      };
      const tasks = [
        { ...command, id: 'warm-up', stage: 'online', blast: 'none' },
        { ...command, id: 'clear-cache' },
      ];
      const run = await runWindow({ changes: [{ path: ['update-server'], value: { tasks } }] });
      expectJobs(run, {
        preflight: 'success',
        approve: 'success',
        prepare: 'success',
        maintain: 'success',
        report: 'success',
      });
      expect(run.exitCode).toBe(0);
      const report = await reportOf(run);
      expect([report.head.state, report.outcome.kind]).toEqual(['reopened', 'completed']);
      expect(report.serverTasks.map(({ id, stage, outcome }) => [id, stage, outcome])).toEqual([
        ['warm-up', 'online', 'done'],
        ['clear-cache', 'closed', 'done'],
      ]);
      expectOneClosure(await expectWellServed(), report);
      expect(await databasesLeft()).toEqual([]);
      expect(asked()).toEqual([
        '/repos/shop/shop/environments/maintenance-approval',
        `/repos/shop/shop/actions/runs/${runNumber}/approvals`,
        `/repos/shop/shop/actions/runs/${runNumber}/jobs`,
      ]);

      // "Re-run failed jobs" would run `maintain` again, without preflight and without approval.
      const again = await runAction({
        entry: 'enable-maintenance',
        inputs: { plan: planFile, 'window-id': report.head.windowId },
        environment: secrets,
        runId: String(runNumber),
        attempt: 2,
      });
      expect(again.code).toBe(1);
      expect(again.log).toContain(`Window ${report.head.windowId} is not open here`);
      expect((await fetch(site.publicUrl)).status).toBe(200);
    },
    testTimeout,
  );
});
