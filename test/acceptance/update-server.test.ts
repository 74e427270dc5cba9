import { access, mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { runAction, type ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { makePrivateApt, type PrivateApt } from '../fixtures/private-apt.ts';
import { readStatus } from '../fixtures/window-run.ts';

let site: Site;
let apt: PrivateApt;
let place: Awaited<ReturnType<typeof freshPlan>>;
/** A folder with an old file. */
let old: string;
let runNumber = 9000;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  apt = await makePrivateApt(join(site.workFolder, 'apt'));
  await apt.install({ name: 'shop-web', version: '1.0' });
  await apt.publish({
    suite: 'stable-security',
    label: 'Debian-Security',
    packages: [{ name: 'shop-web', version: '1.1' }],
  });
  await apt.run('apt-get', 'update');
}, 120_000);

afterAll(async () => {
  await site.stop();
});

beforeEach(() => {
  runNumber += 1;
  old = join(site.workFolder, `old-${runNumber}`);
});

async function planWith(...closed: object[]): Promise<void> {
  await mkdir(old);
  const file = join(old, 'export.csv');
  await writeFile(file, 'old');
  await utimes(file, 1, 1);
  const tasks = [
    { task: 'clean-up', folders: [{ path: old, 'older-than': '30d' }] },
    { task: 'packages' },
    ...closed,
  ];
  // Without tasks of the database: what follows a failure is then the server tasks' own doing.
  place = await freshPlan(site, {
    changes: [
      { path: ['update-server'], value: { tasks } },
      { path: ['run-db-maintenance', 'tasks'], value: [] },
    ],
  });
}

function run(entry: string, inputs: Readonly<Record<string, string>> = {}): Promise<ActionEnd> {
  const path = `${apt.programs}:${process.env.PATH ?? ''}`;
  return runAction({
    entry,
    runId: String(runNumber),
    environment: { ...place.environment, PATH: path },
    inputs: { plan: place.path, ...inputs },
  });
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe('server tasks', () => {
  test('are shown in a dry run, which leaves no record', async () => {
    await planWith();
    const end = await run('update-server', { 'dry-run': 'true' });
    expect(end.code).toBe(0);
    expect(end.summary).toContain('# Dry run of server tasks: shop');
    expect(end.summary).toContain('shop-web 1.0 → 1.1');
    expect(end.summary).toContain('export.csv');
    expect(await isThere(join(old, 'export.csv'))).toBe(true);
    expect(await isThere(join(place.stateDir, 'shop'))).toBe(false);
    const looked = await run('preflight', { 'dry-run': 'true' });
    expect(looked.summary).toContain('## Server tasks');
    expect(looked.outputs['server-tasks']).toBe('online closed');
  });

  test('are part of a whole window, and of its report', async () => {
    const marker = join(site.workFolder, 'cache-is-clear');
    await planWith({
      task: 'command',
      id: 'clear-cache',
      command: ['touch', marker],
      verify: ['test', '-e', marker],
    });
    const end = await run('maintenance-window');
    expect([end.code, end.outputs.state]).toEqual([0, 'reopened']);
    expect(end.outputs.updated).toBe('1');
    expect(await apt.version('shop-web')).toBe('1.1');
    expect(await isThere(join(old, 'export.csv'))).toBe(false);
    const status = await readStatus(place);
    expect(
      status?.serverTasks?.map(({ id, stage, outcome }) => `${id} ${stage} ${outcome}`),
    ).toEqual(['clean-up online done', 'packages closed done', 'clear-cache closed done']);
    expect(status?.prediction?.map(({ step }) => step)).toContain('update-server: task-packages');
    const report = await run('report', { 'output-directory': join(old, 'report') });
    expect(report.summary).toContain('## Servers');
    const html = await readFile(join(report.outputs.directory ?? '', 'report.html'), 'utf8');
    expect(html).toContain('shop-web');
  });

  test('that fail while closed are below schema: the smoke tests pass, and the site reopens', async () => {
    await planWith({ task: 'command', id: 'clear-cache', command: ['false'] });
    const end = await run('maintenance-window');
    expect(end.code).not.toBe(0);
    expect(end.outputs.state).toBe('rolled-back');
    expect((await readStatus(place))?.blast).toBe('app');
    expect(end.log).toContain('rollback decides: reopen');
    expect(end.log).toContain('Task clear-cache: `false` on local ended with exit code 1');
    expect((await fetch(`${site.publicUrl}/`)).status).toBe(200);
  });

  test('that the machine of the run could not survive are refused by preflight', async () => {
    await planWith({ task: 'reboot' });
    const end = await run('preflight');
    expect(end.code).not.toBe(0);
    expect(end.log).toContain('a reboot would end it in the middle of the window');
    expect(await isThere(join(place.stateDir, 'shop'))).toBe(false);
  });
});
