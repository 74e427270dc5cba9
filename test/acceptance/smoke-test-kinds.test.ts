import { appendFile, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startSite, type Site } from '../../rehearsal/site.ts';
import type { Report } from '../../src/report/report-model.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { readStatus, runStep, runSteps } from '../fixtures/window-run.ts';

let site: Site;
let log: string;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  log = join(site.workFolder, 'shop.log');
  await appendFile(log, 'ERROR of yesterday\n');
}, 120_000);

afterAll(async () => {
  await site.stop();
});

const kinds = (): readonly Record<string, unknown>[] => [
  { id: 'front-page', kind: 'browser', url: '/', title: 'Shop', selector: 'body > h1' },
  { id: 'every-address', kind: 'routing', url: '/', expect: { 'body-contains': '<html' } },
  {
    id: 'takes-orders',
    kind: 'write-canary',
    insert: `insert into orders (id, reference, customer_id, total_cents) overriding system value
      values (-1, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 1, 100)`,
    read: 'select total_cents = 100 from orders where id = -1',
  },
  {
    id: 'web-server',
    kind: 'tcp',
    host: '127.0.0.1',
    port: Number(new URL(site.publicUrl).port),
    from: 'web',
    proves: ['6.1'],
  },
  {
    id: 'free-memory',
    kind: 'command',
    command: ['cat', '/proc/meminfo'],
    'stdout-matches': '^MemTotal: ',
  },
  { id: 'no-errors', kind: 'log', file: log, pattern: 'ERROR' },
];

test('checks of many kinds prove a whole window, behind the closed door', async () => {
  const contents = 'select count(*), max(id), min(id) from orders';
  const changes = [{ path: ['smoke-test', 'checks'], value: kinds() }];
  const plan = await freshPlan(site, { changes });
  const run = { runId: '9901' };
  const closing = [{ entry: 'preflight' }, { entry: 'enable-maintenance' }];
  await runSteps(plan, closing, run);
  expect((await fetch(site.publicUrl)).status).toBe(503);

  const before = await site.sql(contents);
  const junit = join(site.workFolder, 'results', 'junit.xml');
  await appendFile(log, 'ERROR while closed\n');
  const failed = await runStep(
    plan,
    { entry: 'smoke-test', inputs: { deadline: '1ms', 'junit-file': junit } },
    run,
  );
  expect(failed.code).toBe(1);
  expect(failed.log).toContain('no-errors observed 1 new line matches, since ');
  expect(failed.outputs).toMatchObject({ passed: '5', failed: '1', junit });
  expect(await readFile(junit, 'utf8')).toContain('tests="6" failures="1"');

  // Closed anew, lines count from then on; what the canary wrote is nowhere.
  const reports = join(dirname(plan.path), 'reports');
  await runSteps(plan, [{ entry: 'rollback' }], run);
  await runSteps(plan, [...closing, { entry: 'smoke-test' }], { runId: '9902' });
  expect(await site.sql(contents)).toBe(before);
  const status = await readStatus(plan);
  const results = status?.smokeTests?.at(-1)?.results ?? [];
  expect(results.map(({ id, passed }) => [id, passed])).toEqual(
    kinds().map(({ id }) => [id, true]),
  );
  expect(status?.logMarks?.map(({ since }) => since)).toEqual(['window', 'closed']);

  const last = [
    { entry: 'disable-maintenance' },
    { entry: 'report', inputs: { 'output-directory': reports } },
  ];
  await runSteps(plan, last, { runId: '9902' });
  expect((await readdir(reports)).sort()).toEqual([
    'report.html',
    'report.json',
    'report.junit.xml',
    'report.md',
    'screenshot-2-front-page.png',
  ]);
  const report = JSON.parse(await readFile(join(reports, 'report.json'), 'utf8')) as Report;
  const lines = report.checklist.flatMap((section) => section.lines);
  const proved = ['5.1', '5.2', '5.3', '5.4', '6.1', '7.1', '7.4'];
  expect(
    lines.filter(({ id }) => proved.includes(id)).map(({ id, result }) => [id, result.verdict]),
  ).toEqual(proved.map((id) => [id, 'proved']));
});
