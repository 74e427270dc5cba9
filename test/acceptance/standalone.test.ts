import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import { runAction, type ActionCall, type ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { systemState } from '../fixtures/system-state.ts';
import { readStatus, temporaryDatabases } from '../fixtures/window-run.ts';

let site: Site;
let place: Awaited<ReturnType<typeof freshPlan>>;
let runNumber = 3000;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
}, 120_000);

afterAll(async () => {
  await site.stop();
});

beforeEach(async () => {
  // Of the plan only its folders are used: these actions are given inputs alone.
  place = await freshPlan(site);
});

function nextRun(): string {
  runNumber += 1;
  return String(runNumber);
}

function run(
  entry: string,
  inputs: Readonly<Record<string, string>>,
  rest: Pick<ActionCall, 'runId' | 'attempt' | 'environment'> = {},
): Promise<ActionEnd> {
  return runAction({
    runId: nextRun(),
    environment: place.environment,
    ...rest,
    entry,
    inputs: { name: 'shop', 'state-dir': place.stateDir, ...inputs },
  });
}

async function succeed(...call: Parameters<typeof run>): Promise<ActionEnd> {
  const end = await run(...call);
  if (end.code !== 0) throw new Error(`${call[0]} ended with ${end.code}:\n${end.log}`);
  return end;
}

const database = { 'database-url': '$DATABASE_URL' };
const closable = () => ({
  'public-url': `${site.publicUrl}/`,
  'site-files': site.webServer.siteFile,
  'nginx-command': site.webServer.command.join('\n'),
  'exempt-paths': '/healthz',
  'bypass-token': '$MAINTENANCE_BYPASS_TOKEN',
});

const publicStatus = async (path = '/') => {
  const answer = await fetch(`${site.publicUrl}${path}`);
  await answer.body?.cancel();
  return answer.status;
};

describe('backup-db, every night', () => {
  test('makes a verified backup each time, whoever ran before', async () => {
    const before = await systemState(site, place);
    const first = await succeed('backup-db', database);
    // The next night, and a re-run of that job by hand.
    const second = await succeed('backup-db', database, { runId: '9001' });
    const again = await succeed('backup-db', database, { runId: '9001', attempt: 2 });
    const directories = [first, second, again].map(({ outputs }) => outputs.directory ?? '');
    expect(new Set(directories).size).toBe(3);
    for (const directory of directories) {
      expect(await readdir(directory)).toEqual(
        expect.arrayContaining(['manifest.json', 'toc.dat']),
      );
    }
    const names = await readdir(join(place.stateDir, 'shop', 'backups'));
    // Each with its note.
    expect(names.filter((name) => !name.endsWith('.json'))).toHaveLength(3);
    expect(names).toHaveLength(6);
    const { stateFiles: _backups, ...rest } = before;
    expect(await systemState(site, place)).toMatchObject(rest);
    expect(await temporaryDatabases(site)).toEqual([]);
  });

  test('puts the backup where it is told to', async () => {
    const directory = join(place.stateDir, 'elsewhere');
    const end = await succeed('backup-db', { ...database, directory, jobs: '1' });
    const name = `shop-${end.outputs['window-id'] ?? ''}`;
    expect((await readdir(directory)).sort()).toEqual([name, `${name}.json`]);
  });

  test('needs the name and the database, and says so before anything else', async () => {
    const before = await systemState(site, place);
    const end = await run('backup-db', { name: '', 'database-url': '' });
    const { message } = failureTold(end);
    expect(message).toContain('name: missing; give it in the plan or as input `name`');
    expect(message).toContain(
      'database.url: missing; give it in the plan or as input `database-url`',
    );
    expect(await systemState(site, place)).toEqual(before);
  });
});

describe('enable-maintenance and disable-maintenance alone', () => {
  test('close the site without a plan or a database, and open it again', async () => {
    const before = await systemState(site, place);
    const runId = nextRun();
    const closed = await succeed('enable-maintenance', closable(), { runId });
    expect(closed.outputs.state).toBe('closed');
    expect([await publicStatus(), await publicStatus('/healthz')]).toEqual([503, 200]);
    expect(closed.log).toContain('no database to see them by');

    // The record knows how the site was closed; only the secret has to come again.
    const opened = await succeed('disable-maintenance', {}, { runId });
    expect(opened.outputs.state).toBe('reopened');
    expect(Number(opened.outputs['downtime-seconds'])).toBeGreaterThan(0);
    const { stateFiles: _record, ...rest } = before;
    expect(await systemState(site, place)).toMatchObject(rest);
  });

  test('a second closing in the same run finds it closed', async () => {
    const runId = nextRun();
    const first = await succeed('enable-maintenance', closable(), { runId });
    const second = await succeed('enable-maintenance', closable(), { runId });
    expect(second.outputs['closed-at']).toBe(first.outputs['closed-at']);
    await succeed('disable-maintenance', {}, { runId });
    const third = await succeed('disable-maintenance', {}, { runId });
    expect([third.outputs.state, await publicStatus()]).toEqual(['reopened', 200]);
  });

  test('disable-maintenance lifts nothing that was not set here', async () => {
    const before = await systemState(site, place);
    const end = await succeed('disable-maintenance', closable());
    expect(end.log).toContain('nothing is lifted that it did not set');
    const { stateFiles: _record, ...rest } = before;
    expect(await systemState(site, place)).toMatchObject(rest);
  });
});

describe('smoke-test alone', () => {
  const checks = (status: number) => `
- id: health
  kind: http
  url: /healthz
- id: absent
  kind: http
  url: /no/such/product
  expect: { status: ${status} }
- id: orders
  kind: sql
  query: select count(*) from orders
  at-least: 1`;
  const given = (status: number) => ({
    ...database,
    'public-url': `${site.publicUrl}/`,
    checks: checks(status),
    deadline: '300ms',
  });

  test('passes on a healthy site', async () => {
    const end = await succeed('smoke-test', given(404));
    expect(end.outputs).toMatchObject({ passed: '3', failed: '0' });
  });

  test('tells what a failing check observed and expected, and how many failed', async () => {
    const end = await run('smoke-test', given(200));
    const { message, next } = failureTold(end);
    expect(message).toMatch(
      /1 of 3 smoke tests failed: absent observed status 404 .*, expected status 200/,
    );
    expect(next).not.toBe('');
    expect(end.outputs).toMatchObject({ passed: '2', failed: '1' });
  });
});

describe('run-db-maintenance alone', () => {
  test('vacuums while the public is served', async () => {
    const end = await succeed('run-db-maintenance', {
      ...database,
      tasks: '- task: vacuum\n  tables: [public.orders]',
    });
    expect(end.log).toContain('1 table vacuumed and analyzed');
    expect(await publicStatus()).toBe(200);
  });

  test.each(['closed', 'all'])(
    'refuses to change the schema of an open site (stage %s), before any other task',
    async (stage) => {
      const before = await systemState(site, place);
      const vacuumed = () =>
        site.sql("select vacuum_count from pg_stat_all_tables where relname = 'customers'");
      const vacuumedBefore = await vacuumed();
      const end = await run('run-db-maintenance', {
        ...database,
        stage,
        tasks: `- task: vacuum\n- task: migrate\n  files: ${join(site.shopFolder, 'migrations')}`,
      });
      const { message, state, next } = failureTold(end);
      expect(message).toContain('does not belong to a window that is planned');
      expect(state).toContain('nothing was done');
      expect(next).toContain('`enable-maintenance`');
      const { stateFiles: _record, ...rest } = before;
      expect(await systemState(site, place)).toMatchObject(rest);
      expect(await vacuumed()).toBe(vacuumedBefore);
      expect((await readStatus(place))?.blast).toBe('none');
    },
  );
});

describe('what has nothing to do says so', () => {
  test('rollback without an open window', async () => {
    const before = await systemState(site, place);
    const end = await succeed('rollback', { name: 'shop' });
    expect(end.log).toContain(`there is no open window of the name shop under ${place.stateDir}`);
    expect(end.outputs).toEqual({ outcome: 'nothing' });
    expect(await systemState(site, place)).toEqual(before);
  });

  test('report without a record', async () => {
    const before = await systemState(site, place);
    const { message, next } = failureTold(await run('report', {}));
    expect(message).toContain('There is no record of a window "shop"');
    expect(next).toContain('output `record` of an earlier job');
    expect(await systemState(site, place)).toEqual(before);
  });
});

test('report tells of a nightly backup from the copy of its record alone', async () => {
  const backup = await succeed('backup-db', database);
  const reports = join(place.stateDir, 'reports');
  const end = await run('report', {
    name: '',
    'state-dir': join(place.stateDir, 'another-host'),
    record: backup.outputs.record ?? '',
    'output-directory': reports,
  });
  expect([end.code, end.outputs['window-id']]).toEqual([0, backup.outputs['window-id']]);
  expect(await readFile(join(reports, 'report.md'), 'utf8')).toContain(
    backup.outputs.sha256 ?? 'no checksum',
  );
});
