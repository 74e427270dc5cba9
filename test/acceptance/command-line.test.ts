import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { databaseClients, until } from '../fixtures/processes.ts';
import { databaseContents, systemState } from '../fixtures/system-state.ts';
import { readStatus, runSteps, temporaryDatabases } from '../fixtures/window-run.ts';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

let site: Site;
let siteFileBefore: Buffer;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  siteFileBefore = await readFile(site.webServer.siteFile);
}, 120_000);

afterAll(async () => {
  await site.stop();
});

type Typed = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Starts the command line as on a terminal far from any runner. */
function start(plan: SitePlan, args: readonly string[], environment = plan.environment) {
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: dirname(plan.path),
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '/',
      TMPDIR: dirname(plan.path),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, 'close').then(([code]): Typed => {
    for (const text of [stdout, stderr]) {
      expect(text).not.toContain(site.databasePassword);
      expect(text).not.toContain(plan.environment.MAINTENANCE_BYPASS_TOKEN);
    }
    return { code: code as number | null, stdout, stderr };
  });
  return { child, ended };
}

const type = (plan: SitePlan, ...args: readonly string[]) => start(plan, args).ended;

async function publicStatus(): Promise<number> {
  const answer = await fetch(`${site.publicUrl}/`);
  await answer.body?.cancel();
  return answer.status;
}

describe('usage', () => {
  let plan: SitePlan;
  beforeAll(async () => {
    plan = await freshPlan(site);
  });

  test.each([[[]], [['help']], [['--help']], [['-h']]])('%j lists the commands', async (args) => {
    const { code, stdout, stderr } = await type(plan, ...args);
    expect([code, stderr]).toEqual([0, '']);
    for (const command of ['run', 'status', 'rollback', 'report']) {
      expect(stdout).toMatch(new RegExp(`^  ${command} +[A-Z].*\\.$`, 'm'));
    }
  });

  test.each([
    ['run', '--reason VALUE'],
    ['rollback', '--accept-data-loss\n'],
    ['report', '--output-directory VALUE'],
    ['status', '--state-dir VALUE'],
  ])('%s --help lists its flags', async (command, flag) => {
    const { code, stdout } = await type(plan, command, '--help');
    expect(code).toBe(0);
    expect(stdout).toContain(`  --${flag.replace(/^--/, '')}`);
    expect(stdout).toContain('  --plan VALUE');
  });

  test.each([
    [['runn'], 'There is no command "runn"'],
    [['constructor'], 'There is no command "constructor"'],
    [['run', '--resaon', 'x'], 'unknown flag --resaon; did you mean --reason?'],
    [['rollback', '--reason=x'], 'unknown flag --reason'],
    [['run', '--plan'], '--plan'],
    [['status', 'shop'], 'shop'],
    [['rollback', '--force=maybe'], '--force'],
  ])('%j is wrong usage', async (args, said) => {
    const before = await systemState(site, plan);
    const { code, stdout, stderr } = await type(plan, ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(said);
    expect(await systemState(site, plan)).toEqual(before);
  });
});

test.each([
  [
    'a plan that is not there',
    ['--plan', 'no-such-plan.yml'],
    {},
    'no-such-plan.yml cannot be read',
  ],
  ['no plan at all', [], {}, 'public-url: missing'],
  ['a secret that is not set', ['--plan', 'maintenance.yml'], { DATABASE_URL: '' }, 'DATABASE_URL'],
])('run refuses %s before anything is touched', async (_name, args, environment, said) => {
  const plan = await freshPlan(site);
  const before = await systemState(site, plan);
  const { code, stderr } = await start(plan, ['run', ...args], {
    ...plan.environment,
    ...environment,
  }).ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^Failed \([a-z-]+\): /);
  expect(stderr).toContain(said);
  expect(stderr).toMatch(/\nState now: Nothing was touched\.\nNext: .+/);
  expect(await systemState(site, plan)).toEqual(before);
});

test('run: a failing migration is rolled back and reported', async () => {
  const contents = await databaseContents(site);
  const plan = await freshPlan(site, { migrations: 'migrations-failing' });
  const reports = join(dirname(plan.path), 'reports');
  const { code, stdout, stderr } = await type(
    plan,
    ...['run', '--plan', plan.path, '--output-directory', reports],
  );
  expect(code).toBe(1);
  expect(stderr).toContain('0002-one-account-per-address.sql');
  expect(stderr).toMatch(/\nState now: Rolled back: .+\nNext: .+/);
  expect(stdout).toContain('state: rolled-back');
  expect(await readdir(reports)).toContain('report.html');
  expect([await publicStatus(), await databaseContents(site)]).toEqual([200, contents]);
  expect(await temporaryDatabases(site)).toEqual([]);

  const status = await type(plan, 'status', '--plan', plan.path);
  expect(status.code).toBe(0);
  expect(status.stdout).toContain('is rolled-back since');
  expect(status.stdout).toContain('nothing is left to do');
}, 60_000);

test('status and rollback at night: for a window that a run on GitHub left closed', async () => {
  const plan = await freshPlan(site);
  const nothing = await type(plan, 'status', '--plan', plan.path);
  expect([nothing.code, nothing.stdout]).toEqual([
    0,
    `Nothing to do: there is no window of the name shop under ${plan.stateDir}\n`,
  ]);

  await runSteps(plan, [{ entry: 'enable-maintenance' }], { runId: '42' });
  // By name and folder alone: the repository with the plan may be out of reach, too.
  const place = ['--name', plan.name, '--state-dir', plan.stateDir];
  const before = await systemState(site, plan);
  const status = await start(plan, ['status', ...place], {}).ended;
  expect(status.code).toBe(0);
  expect(status.stdout).toContain('state: closed');
  expect(status.stdout).toContain(
    'https://github.example/shop/shop/actions/runs/42, started by ada',
  );
  expect(status.stdout).toContain('left to do: `maintenance-window rollback` makes it safe');
  expect(await systemState(site, plan)).toEqual(before);

  const refused = await type(plan, 'run', '--plan', plan.path);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('runs/42');
  expect(await systemState(site, plan)).toEqual(before);

  const rolledBack = await type(plan, 'rollback', ...place);
  expect([rolledBack.code, rolledBack.stderr]).toEqual([0, '']);
  expect(rolledBack.stdout).toContain('outcome: reopened');
  expect(await publicStatus()).toBe(200);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);

  const reports = join(plan.stateDir, 'reports');
  const report = await type(plan, 'report', ...place, `--output-directory=${reports}`);
  expect(report.code).toBe(0);
  expect((await readdir(reports)).sort()).toEqual([
    'report.html',
    'report.json',
    'report.junit.xml',
    'report.md',
  ]);
  expect(await readStatus(plan)).toBeUndefined();
}, 60_000);

test('run: Ctrl-C takes back what was begun', async () => {
  const contents = await databaseContents(site);
  const files = join(site.workFolder, 'slow');
  await mkdir(files);
  await writeFile(
    join(files, '1.sql'),
    'update products set stock = 0 where id > 0; select pg_sleep(300);\n',
  );
  const plan = await freshPlan(site, {
    changes: [{ path: ['run-db-maintenance', 'tasks', 2, 'files'], value: files }],
  });
  const { child, ended } = start(plan, ['run', '--plan', plan.path]);
  try {
    await until('the migration is at work', async () => {
      const query =
        "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and query like '%pg_sleep(300)%'";
      return (await site.cluster.psql(query)) === '1';
    });
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('cancelled');
    expect(stderr).toContain('State now: What the window had begun was taken back');
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  expect(await databaseClients(site)).toEqual([]);
  expect([await publicStatus(), await databaseContents(site)]).toEqual([200, contents]);
  expect(await readFile(site.webServer.siteFile)).toEqual(siteFileBefore);
  expect(await temporaryDatabases(site)).toEqual([]);
}, 60_000);

test('run: a good window, with its way on the terminal', async () => {
  const plan = await freshPlan(site);
  const { code, stdout, stderr } = await type(
    plan,
    ...['run', '--plan', plan.path, '--reason', 'Tables are bloated'],
  );
  expect([code, stderr]).toEqual([0, '']);
  for (const line of [
    /^\d\d:\d\d:\d\d ✔ backup-db restore-test-online: /m,
    /^\d\d:\d\d:\d\d ✔ enable-maintenance flag: the public sees 503/m,
    /^\d\d:\d\d:\d\d ✔ run-db-maintenance task-migrate: /m,
    /^\d\d:\d\d:\d\d ✔ disable-maintenance lift-flag: /m,
    /^state: reopened$/m,
    /^downtime-seconds: [\d.]+$/m,
    /^directory: \/.+$/m,
    /^Done: the report is in /m,
  ]) {
    expect(stdout).toMatch(line);
  }
  expect(stdout).not.toContain('record: ');
  const [, directory = ''] = /^directory: (.+)$/m.exec(stdout) ?? [];
  expect(await readFile(join(directory, 'report.md'), 'utf8')).toContain('Tables are bloated');
  expect(await site.sql('select version from shop_schema')).toBe('3');
  expect(await publicStatus()).toBe(200);
}, 60_000);
