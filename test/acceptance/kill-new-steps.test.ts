import { gunzipSync } from 'node:zlib';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import type { KillPoint } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import {
  maintainedMachine,
  type MachineState,
  type MaintainedMachine,
} from '../fixtures/maintained-machine.ts';
import { databaseClients } from '../fixtures/processes.ts';
import { databaseContents } from '../fixtures/system-state.ts';
import {
  readJournal,
  readStatus,
  runStep,
  temporaryDatabases,
  type WindowStep,
} from '../fixtures/window-run.ts';

/** SIGKILL at services, cron, code, server tasks and archives, beside what `kill.test.ts` kills at. */
let site: Site;
let machine: MaintainedMachine;
let machineBefore: MachineState;
let contentsBefore: string;
let siteFileBefore: Buffer;
let place: SitePlan;
let runNumber = 7000;
let runId: string;

const online: WindowStep = { entry: 'update-server', inputs: { stage: 'online' } };
const enable: WindowStep = { entry: 'enable-maintenance' };
const data: WindowStep = { entry: 'run-db-maintenance', inputs: { stage: 'closed' } };
const server: WindowStep = { entry: 'update-server', inputs: { stage: 'closed' } };
const backup: WindowStep = { entry: 'backup-db' };
const tests: WindowStep = { entry: 'smoke-test' };
const disable: WindowStep = { entry: 'disable-maintenance' };
const report: WindowStep = { entry: 'report' };

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  machine = await maintainedMachine(site);
  machineBefore = await machine.state();
  contentsBefore = await databaseContents(site);
  siteFileBefore = await readFile(site.webServer.siteFile);
}, 120_000);

afterAll(async () => {
  try {
    await machine.stop();
  } finally {
    await site.stop();
  }
});

beforeEach(async () => {
  runNumber += 1;
  runId = String(runNumber);
  await machine.reset();
});

const archives = (folder: string): readonly object[] => [
  {
    task: 'archive',
    id: 'into-table',
    table: 'public.events',
    where: 'id <= 300',
    into: 'public.events_archive',
    'batch-size': 100,
  },
  {
    task: 'archive',
    id: 'into-files',
    table: 'public.events',
    where: 'id <= 600',
    folder,
    'batch-size': 100,
  },
];

async function planWith(...more: readonly object[]): Promise<void> {
  const plan = await freshPlan(site, {
    changes: [
      ...machine.changes,
      {
        path: ['run-db-maintenance', 'tasks'],
        value: [...archives(join(site.workFolder, 'archive')), ...more],
      },
    ],
  });
  place = { ...plan, environment: { ...plan.environment, ...machine.environment } };
}

const line = (match: string): KillPoint => ({ moment: 'after-line', match: `^${match}$` });

/** Runs a step, killed at each of the points in turn, to its good end; or has another step end it. */
async function killAt(
  step: WindowStep & { readonly endedBy?: string },
  points: readonly KillPoint[],
): Promise<void> {
  for (const point of points) {
    const end = await runStep(place, step, { runId, killAt: point });
    if (end.signal !== 'SIGKILL') {
      throw new Error(`${step.entry} was not killed at ${JSON.stringify(point)}:\n${end.log}`);
    }
  }
  await run(step.endedBy === undefined ? step : { entry: step.endedBy });
}

async function run(step: WindowStep): Promise<void> {
  const end = await runStep(place, step, { runId });
  if (end.code !== 0) throw new Error(`${step.entry} failed:\n${end.log}`);
}

/** What holds at the end of every window, whatever became of it. */
async function expectOpenAndClean(): Promise<void> {
  const [health, home] = await Promise.all(
    ['/healthz', '/'].map((path) => fetch(`${site.publicUrl}${path}`)),
  );
  expect([health?.status, home?.status, home?.headers.get('x-maintenance')]).toEqual([
    200,
    200,
    null,
  ]);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
  expect(await temporaryDatabases(site)).toEqual([]);
  const files = await readdir(join(place.stateDir, place.name), { recursive: true });
  expect(
    files.filter((name) => /\.tmp$|\.partial(?:\/|$)|(?:^|\/)closed$|^services\//.test(name)),
  ).toEqual([]);
  expect(
    (await databaseClients(site)).filter(({ command }) => /psql|pg_dump/.test(command)),
  ).toEqual([]);
}

async function dropFailedDatabases(): Promise<void> {
  const names = await site.sql("select datname from pg_database where datname like '%\\_failed'");
  for (const name of names.split('\n').filter((entry) => entry !== '')) {
    await site.cluster.psql(`drop database "${name}"`);
  }
}

async function expectAsBefore(): Promise<void> {
  await expectOpenAndClean();
  expect(await databaseContents(site)).toBe(contentsBefore);
  const { oldFiles: _, ...before } = machineBefore;
  expect(await machine.state()).toMatchObject(before);
  expect(await readStatus(place)).toMatchObject({ state: 'rolled-back' });
  await dropFailedDatabases();
}

describe('kill -9 in a window with services, code, server tasks and archives', () => {
  test('rollback may be killed at every line', async () => {
    await planWith({ task: 'migrate', files: join(site.shopFolder, 'migrations-failing') });
    for (const step of [backup, online, enable, server]) await run(step);
    expect(await machine.state()).toMatchObject({
      services: { queue: 3, mailer: 3, importer: 3 },
      head: machine.commits.release,
    });
    const failing = await runStep(place, data, { runId });
    expect(failing.code).not.toBe(0);
    expect(failing.log).toContain('customers_email');
    expect((await readStatus(place))?.state).toBe('changing');
    const killedAfter = await killRollbackAtEveryLine();
    for (const step of [
      'put-code-back',
      'start-mailer',
      'start-queue',
      'services-up-before-tests',
      'start-cron',
      'services-up-when-open',
    ]) {
      expect(killedAfter).toEqual(expect.arrayContaining([`${step} intent`, `${step} done`]));
    }
    expect(await site.sql("delete from events where kind = 'written' returning kind")).toContain(
      'written',
    );
    await expectAsBefore();
    // Each attempt stops again what the one before has started; what is owed in the end runs once.
    expect((await machine.acts()).slice(-2)).toEqual(['start mailer', 'start queue']);
  }, 300_000);

  const before = {
    data: [backup, online, enable, data],
    all: [backup, online, enable, data, server],
  };
  test.each<[string, readonly WindowStep[], WindowStep, KillPoint]>([
    [
      'with a crontab saved and not yet paused',
      [backup],
      enable,
      { moment: 'after-rename', match: '/services/crontab-' },
    ],
    [
      'with one service stopped',
      [backup],
      enable,
      { moment: 'after-command', match: 'service.sh queue stop' },
    ],
    [
      'with a file written whose rows are not removed',
      [backup, enable],
      data,
      { moment: 'after-rename', match: 'batch-000002.json$' },
    ],
    [
      'with the code deployed',
      before.data,
      server,
      { moment: 'after-command', match: 'checkout --quiet release' },
    ],
    [
      'with one service running again',
      before.all,
      tests,
      { moment: 'after-command', match: 'service.sh mailer start' },
    ],
  ])('rollback makes the system safe %s', async (_, good, killed, point) => {
    await planWith();
    for (const step of good) await run(step);
    const end = await runStep(place, killed, { runId, killAt: point });
    expect(end.signal).toBe('SIGKILL');
    await run({ entry: 'rollback' });
    await expectAsBefore();
  });

  test('each phase goes on to a good end', async () => {
    await planWith();
    const moved = await site.sql(
      "copy (select * from events where id > 300 and id <= 600 order by id) to stdout with (format csv, force_quote *, encoding 'UTF8')",
    );
    const kept = await site.sql(
      'select md5(string_agg(e::text, chr(10) order by id)) from events e where id > 600 or id <= 300',
    );
    await killAt(backup, [
      line('tag-code intent'),
      { moment: 'before-command', match: ' push ' },
      { moment: 'after-command', match: ' push ' },
      line('tag-code done'),
    ]);
    await killAt(online, [
      line('task-clean-up intent'),
      { moment: 'after-command', match: 'old-exports.*-delete|-delete.*old-exports' },
      line('task-clean-up done'),
    ]);
    await killAt(enable, [
      line('stop-cron intent'),
      { moment: 'after-rename', match: '/services/crontab-' },
      { moment: 'after-command', match: '^crontab .*-$' },
      line('stop-cron done'),
      line('stop-queue intent'),
      { moment: 'after-command', match: 'service.sh queue stop' },
      line('stop-queue done'),
      { moment: 'after-command', match: 'service.sh mailer stop' },
      line('stop-importer skipped'),
    ]);
    await killAt(data, [
      line('task-into-table intent'),
      { moment: 'after-log', match: 'archive public.events: 100 of' },
      line('task-into-table done'),
      line('task-into-files intent'),
      { moment: 'after-rename', match: 'batch-000001.csv.gz$' },
      { moment: 'after-rename', match: 'batch-000001.json$' },
      { moment: 'before-rename', match: 'batch-000002.json$', count: 2 },
      { moment: 'after-rename', match: 'batch-000003.json$', count: 2 },
      line('task-into-files done'),
    ]);
    await killAt(server, [
      line('task-deploy intent'),
      { moment: 'after-command', match: 'checkout --quiet release' },
      line('task-deploy done'),
    ]);
    await killAt(tests, [
      line('start-mailer intent'),
      { moment: 'after-command', match: 'service.sh mailer start' },
      line('start-mailer done'),
      { moment: 'after-command', match: 'service.sh queue start' },
      line('services-up-before-tests intent'),
      line('services-up-before-tests done'),
    ]);
    await killAt({ ...disable, endedBy: 'report' }, [line('start-cron intent')]);
    // The report does not close the books on a window that owes something.
    expect((await readStatus(place))?.state).toBe('reopened');
    await killAt({ ...disable, endedBy: 'rollback' }, [
      { moment: 'after-command', match: '^crontab .*-$' },
      { moment: 'before-remove', match: '/services/crontab-' },
    ]);
    const status = await readStatus(place);
    const tag = status?.code?.[0]?.tag ?? '';
    expect(status?.state).toBe('reopened');
    expect(await machine.tagged(tag)).toEqual([machine.commits.before, machine.commits.before]);
    await run(report);
    expect(await readStatus(place)).toBeUndefined();
    await expectOpenAndClean();
    expect(await machine.state()).toEqual({
      ...machineBefore,
      head: machine.commits.release,
      branch: 'release',
      oldFiles: ['new', 'new'],
    });
    expect(await machine.acts()).toEqual([
      'stop queue',
      'stop mailer',
      'start mailer',
      'start queue',
    ]);
    expect(await filed(status?.windowId ?? '')).toBe(moved);
    expect(
      await site.sql(
        'select md5(string_agg(e::text, chr(10) order by id)) from (select * from events union all select * from events_archive) e',
      ),
    ).toBe(kept);
  }, 300_000);
});

/** The rows in the archive's files, in order. */
async function filed(windowId: string): Promise<string> {
  const folder = join(site.workFolder, 'archive', windowId, 'into-files');
  const names = (await readdir(folder)).sort();
  expect(names.map((name) => name.replace(/^batch-\d+/, ''))).toEqual(
    [1, 2, 3].flatMap(() => ['.csv.gz', '.json']),
  );
  const texts = names
    .filter((name) => name.endsWith('.gz'))
    .map(async (name) => gunzipSync(await readFile(join(folder, name))).toString());
  return (await Promise.all(texts))
    .flatMap((text) => text.trimEnd().split('\n').slice(1))
    .join('\n');
}

/** Runs the rollback again and again, killed after the first line that it was not killed after yet. */
async function killRollbackAtEveryLine(): Promise<readonly string[]> {
  const killedAfter: string[] = [];
  for (let tries = 0; tries < 80; tries += 1) {
    const known = killedAfter.length === 0 ? '' : `(?!(?:${killedAfter.join('|')})$)`;
    const end = await runStep(
      place,
      { entry: 'rollback' },
      { runId, killAt: { moment: 'after-line', match: `^${known}` } },
    );
    if (end.signal !== 'SIGKILL') {
      if (end.code !== 0)
        throw new Error(`rollback after ${killedAfter.length} kills:\n${end.log}`);
      return killedAfter;
    }
    const last = (await readJournal(place)).at(-1);
    const key = `${last?.step ?? ''} ${last?.event ?? ''}`;
    killedAfter.push(key);
    // The public is served again: what it writes from now on is not to be lost by the next attempt.
    if (key === 'lift-flag done') await site.sql("insert into events (kind) values ('written')");
  }
  throw new Error(`rollback does not come to an end: ${killedAfter.join(', ')}`);
}
