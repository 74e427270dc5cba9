import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startSampler, startTraffic, type TrafficReport } from '../../rehearsal/public-traffic.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { unpackRecord } from '../../src/record/copy.ts';
import { checklist } from '../../src/report/checklist.ts';
import type { Report } from '../../src/report/report-model.ts';
import type { ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { databaseProperties } from '../fixtures/system-state.ts';
import { readStatus, runStep, temporaryDatabases, windowSteps } from '../fixtures/window-run.ts';
import { lostInEarnest } from '../fixtures/lost-requests.ts';

let site: Site;
let plan: SitePlan;
let siteFileBefore: Buffer;
let propertiesBefore: string;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  siteFileBefore = await readFile(site.webServer.siteFile);
  propertiesBefore = await databaseProperties(site, 'shop%');
  plan = await freshPlan(site);
}, 120_000);

afterAll(async () => {
  await site.stop();
});

/** A window as the reusable workflow runs it, with everybody watching. */
type ObservedWindow = {
  /** In the order of {@link windowSteps}. */
  readonly ends: readonly ActionEnd[];
  /** When a step was begun and had ended, in milliseconds since the epoch. */
  readonly times: readonly { readonly begun: number; readonly ended: number }[];
  readonly sampled: TrafficReport;
  readonly served: TrafficReport;
  readonly whileClosed: readonly Response[];
  readonly reportFolder: string;
};

const closing = 4;
const reopening = 7;
const bypass = () => ({
  'X-Maintenance-Bypass': plan.environment.MAINTENANCE_BYPASS_TOKEN ?? '',
});

async function runObserved(runId: string): Promise<ObservedWindow> {
  const sampler = startSampler({ url: site.publicUrl });
  const traffic = startTraffic({ url: site.publicUrl, clients: 2 });
  const ends: ActionEnd[] = [];
  const times: { begun: number; ended: number }[] = [];
  let whileClosed: readonly Response[] = [];
  const reportFolder = join(dirname(plan.path), `report-${runId}`);
  try {
    for (const [index, step] of windowSteps.entries()) {
      const inputs =
        step.entry === 'report'
          ? { ...step.inputs, 'output-directory': reportFolder }
          : (step.inputs ?? {});
      const begun = Date.now();
      const end = await runStep(plan, { ...step, inputs }, { runId });
      if (end.code !== 0) throw new Error(`${step.entry} ended with ${end.code}:\n${end.log}`);
      times.push({ begun, ended: Date.now() });
      ends.push(end);
      if (index === closing) whileClosed = await askWhileClosed();
    }
    await traffic.next(({ outcome }) => outcome.kind === 'answered' && outcome.status === 201);
  } finally {
    await Promise.all([sampler.stop(), traffic.stop()]);
  }
  const [sampled, served] = [sampler.report(), traffic.report()];
  return { ends, times, sampled, served, whileClosed, reportFolder };
}

function askWhileClosed(): Promise<readonly Response[]> {
  const ask = (path: string, init: RequestInit = {}) => fetch(`${site.publicUrl}${path}`, init);
  const json = { 'content-type': 'application/json', accept: 'application/json' };
  return Promise.all([
    ask('/', { headers: { accept: 'text/html' } }),
    ask('/products/1', { method: 'HEAD' }),
    ask('/orders', { method: 'POST', body: '{}', headers: json }),
    ask('/no/such/path', { method: 'DELETE', headers: json }),
    ask('/static/shop.css'),
    ask('/healthz'),
    ask('/', { headers: bypass() }),
  ]);
}

function outputsOf(window: ObservedWindow, entry: string): Readonly<Record<string, string>> {
  return window.ends[windowSteps.findIndex((step) => step.entry === entry)]?.outputs ?? {};
}

describe('a good window, step by step as the workflow runs it', () => {
  let window: ObservedWindow;
  let id: string;

  beforeAll(async () => {
    window = await runObserved('2001');
    id = window.ends[0]?.outputs['window-id'] ?? '';
  }, 120_000);

  test('each step tells the same window and how far it is', () => {
    expect(id).toMatch(/^mw-\d{8}-\d{6}-[0-9a-f]{4}$/);
    expect(window.ends.map(({ outputs }) => outputs['window-id'])).toEqual(
      windowSteps.map(() => id),
    );
    expect(window.ends.map(({ outputs }) => outputs.state)).toEqual([
      'planned',
      'planned',
      'planned',
      'prepared',
      'closed',
      'changed',
      'changed',
      'reopened',
      'reopened',
    ]);
  });

  test('the outputs are those of the contract, with what was observed', async () => {
    expect(Number(outputsOf(window, 'preflight')['predicted-downtime'])).toBeGreaterThan(0);
    const backup = outputsOf(window, 'backup-db');
    expect(backup.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(Number(backup.bytes)).toBeGreaterThan(1000);
    expect(Number(backup['restore-seconds'])).toBeGreaterThan(0);
    expect(await readdir(backup.directory ?? '')).toEqual(
      expect.arrayContaining(['manifest.json', 'toc.dat']),
    );
    const closedAt = Date.parse(window.ends[closing]?.outputs['closed-at'] ?? '');
    const downtime = Number(outputsOf(window, 'disable-maintenance')['downtime-seconds']);
    const { begun } = window.times[closing]!;
    const { ended } = window.times[reopening]!;
    expect(closedAt).toBeGreaterThanOrEqual(begun);
    expect(closedAt + downtime * 1000).toBeLessThanOrEqual(ended);
    expect(window.ends[5]?.outputs['restore-point']).toBe('clone');
    expect(outputsOf(window, 'smoke-test')).toMatchObject({ passed: '3', failed: '0' });
  });

  test('the copy of the record that travels with the run follows it', () => {
    const copies = window.ends
      .slice(0, -1)
      .map(({ outputs }) => unpackRecord(outputs.record ?? ''));
    expect(copies.map(({ status }) => status.windowId)).toEqual(copies.map(() => id));
    expect(copies.at(-1)?.status.state).toBe('reopened');
    const lengths = copies.map(({ journal }) => journal.length);
    expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
  });

  test('the summaries are for the approver and for everybody afterwards', () => {
    expect(window.ends[0]?.summary).toContain('Ready: no check failed.');
    expect(window.ends[0]?.summary).toContain('Predicted timeline');
    expect(window.ends.at(-1)?.summary).toContain('Maintenance report: shop');
    expect(window.ends.at(-1)?.summary).toContain(id);
  });

  test('the public sees 503 between closing and reopening only, and never anything else', () => {
    const { sampled } = window;
    expect(Object.keys(sampled.byStatus)).toEqual(['200', '503']);
    expect(lostInEarnest(sampled, { clients: 1, reloads: 2 })).toEqual([]);
    expect(sampled.unexpected).toEqual([]);
    expect(sampled.closures.map(({ windows }) => windows)).toEqual([[id]]);
    expect(sampled.closures[0]?.from).toBeGreaterThan(window.times[closing]!.begun);
    expect(sampled.closures[0]?.to).toBeLessThan(window.times[reopening]!.ended);
    expect(sampled.closures[0]?.firstSuccessAfter).toBeDefined();
  });

  test('no request is lost, and no order that was acknowledged', async () => {
    const { served } = window;
    expect(lostInEarnest(served, { clients: 2, reloads: 2 })).toEqual([]);
    expect(served.unexpected).toEqual([]);
    expect(served.orders.length).toBeGreaterThan(0);
    expect(await site.missingOrders(served.orders.map(({ reference }) => reference))).toEqual([]);
  });

  test('while closed, every method and path is told 503, when to come back, and not to keep it', async () => {
    const [page, head, post, remove, asset] = window.whileClosed;
    for (const answer of [page, head, post, remove, asset]) {
      expect(answer?.status).toBe(503);
      expect(answer?.headers.get('retry-after')).toBe('30');
      expect(answer?.headers.get('cache-control')).toContain('no-store');
      expect(answer?.headers.get('x-maintenance')).toBe(id);
    }
    expect(page?.headers.get('content-type')).toMatch(/^text\/html/);
    const html = (await page?.text()) ?? '';
    expect(html).toContain('The shop is closed for a moment');
    expect(html).not.toMatch(/\b(?:src|href)\s*=|url\(|@import/i);
    expect(post?.headers.get('content-type')).toMatch(/^application\/json/);
    for (const answer of [post, remove]) {
      expect(await answer?.json()).toMatchObject({ retry_after: 30, window: id });
    }
  });

  test('while closed, the exempt health path and the bypass reach the application', async () => {
    const [, , , , , health, home] = window.whileClosed;
    for (const answer of [health, home]) {
      expect([answer?.status, answer?.headers.get('x-maintenance')]).toEqual([200, null]);
    }
    expect(await health?.json()).toMatchObject({ database: 'ok' });
  });

  test('the changes are there, and everything else is as it was', async () => {
    expect(await site.sql('select version from shop_schema')).toBe('3');
    expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
    expect(await databaseProperties(site, 'shop%')).toBe(propertiesBefore);
    expect(await temporaryDatabases(site)).toEqual([]);
  });

  test('the record is in the history, and nothing of the window is left open', async () => {
    const folder = join(plan.stateDir, plan.name);
    expect(await readStatus(plan)).toBeUndefined();
    expect((await readdir(folder)).sort()).toEqual(['backups', 'history']);
    expect(await readdir(join(folder, 'history'))).toEqual([id]);
    expect((await readdir(join(folder, 'history', id))).sort()).toEqual([
      'journal.ndjson',
      'window.json',
    ]);
    const status = JSON.parse(
      await readFile(join(folder, 'history', id, 'window.json'), 'utf8'),
    ) as { state: string };
    expect(status.state).toBe('reopened');
  });

  test('the report has all 15 sections of the checklist, in all three forms', async () => {
    expect((await readdir(window.reportFolder)).sort()).toEqual([
      'report.html',
      'report.json',
      'report.junit.xml',
      'report.md',
    ]);
    const read = (name: string) => readFile(join(window.reportFolder, name), 'utf8');
    const report = JSON.parse(await read('report.json')) as Report;
    const [html, markdown] = [await read('report.html'), await read('report.md')];
    const titles = report.checklist.map(({ number, title }) => `${number}. ${title}`);
    expect(titles).toEqual(checklist.map(({ number, title }) => `${number}. ${title}`));
    expect(titles).toHaveLength(15);
    for (const title of titles) {
      expect(markdown).toContain(`<b>${title}</b>`);
      expect(html).toContain(`<h3>${title}</h3>`);
    }
    expect(html).not.toMatch(/<(?:script|link|img)\b|@import|url\(/i);
    expect(report).toMatchObject({
      head: { windowId: id, state: 'reopened' },
      outcome: { kind: 'completed' },
      downtime: { kind: 'reopened' },
      issues: [],
    });
    expect(report.tasks.map(({ id: task, outcome }) => `${task} ${outcome}`)).toEqual([
      'vacuum done',
      'reindex done',
      'migrate done',
    ]);
  });
});

test('a second window right after the first is as good, and predicted from it', async () => {
  const history = join(plan.stateDir, plan.name, 'history');
  const [first] = await readdir(history);
  const window = await runObserved('2002');
  const id = window.ends[0]?.outputs['window-id'];
  expect(id).not.toBe(first);
  expect(window.ends[0]?.summary).toContain('slowest of 1 earlier');
  expect(window.sampled.closures.map(({ windows }) => windows)).toEqual([[id]]);
  for (const report of [window.sampled, window.served]) {
    expect(lostInEarnest(report, { clients: 2, reloads: 2 })).toEqual([]);
    expect(report.unexpected).toEqual([]);
  }
  const orders = window.served.orders.map(({ reference }) => reference);
  expect(await site.missingOrders(orders)).toEqual([]);
  expect(await readdir(history)).toEqual([first, id]);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
  expect(await databaseProperties(site, 'shop%')).toBe(propertiesBefore);
  expect(await temporaryDatabases(site)).toEqual([]);
  expect((await readdir(join(plan.stateDir, plan.name, 'backups'))).sort()).toEqual(
    [first, id].flatMap((windowId) => [`shop-${windowId}`, `shop-${windowId}.json`]),
  );
}, 120_000);
