import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PlanChange, SitePlan } from '../../rehearsal/plan.ts';
import { findFreePort } from '../../rehearsal/free-port.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { failureTold, type ToldFailure } from '../fixtures/action-failure.ts';
import type { ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { systemState } from '../fixtures/system-state.ts';
import { tinyDisk } from '../fixtures/tiny-disk.ts';
import { readStatus, runStep } from '../fixtures/window-run.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
}, 120_000);

afterAll(async () => {
  await site.stop();
});

type Trial = {
  readonly plan: SitePlan;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
};

/** Runs preflight, which must leave the system as it was. */
async function look(trial: Trial): Promise<ActionEnd> {
  const { plan, inputs = {}, environment = {} } = trial;
  const before = await systemState(site, plan);
  const end = await runStep(plan, { entry: 'preflight', inputs }, { environment });
  expect(await systemState(site, plan)).toEqual(before);
  return end;
}

async function refused(trial: Trial): Promise<ToldFailure & { readonly end: ActionEnd }> {
  const end = await look(trial);
  const told = failureTold(end);
  expect(told.state).toBe('Nothing was touched.');
  // The approver reads why, too.
  expect(end.summary).toContain('✗ failed');
  return { ...told, end };
}

/** A plan whose smoke tests give up soon: some of these systems never answer. */
const changed = (...changes: readonly PlanChange[]) =>
  freshPlan(site, {
    changes: [{ path: ['smoke-test', 'deadline'], value: '200ms' }, ...changes],
  });
/** A login as another user or to another database, or with another password. */
const login = (given: { user?: string; password?: string; database?: string }) => ({
  DATABASE_URL: site.cluster.url({
    user: site.databaseUser,
    password: site.databasePassword,
    database: site.databaseName,
    ...given,
  }),
});

describe('a system that is broken already is not maintained', () => {
  test('the application answers errors', async () => {
    await site.sql('alter table products rename to products_gone');
    try {
      const { message, next } = await refused({ plan: await changed() });
      expect(message).toContain('500 without X-Maintenance');
      expect(message).toContain('catalogue: status 500');
      expect(next).toContain('A broken or closed site is not maintained: mend it first.');
    } finally {
      await site.sql('alter table products_gone rename to products');
    }
  });

  test('nothing listens at the public URL', async () => {
    const url = `http://127.0.0.1:${await findFreePort()}/`;
    const { message } = await refused({
      plan: await changed({ path: ['public-url'], value: url }),
    });
    expect(message).toContain(`Public URL ${url}: no answer`);
  });

  test('nginx refuses its configuration', async () => {
    const extra = join(dirname(site.webServer.siteFile), 'mistake.conf');
    await writeFile(extra, 'sever { listen 127.0.0.1:1; }\n');
    try {
      const { message } = await refused({ plan: await changed() });
      expect(message).toContain('nginx accepts its configuration:');
      expect(message).toContain('unknown directive "sever"');
    } finally {
      await rm(extra);
    }
  });

  test('the site is closed by somebody else', async () => {
    const plan = await changed();
    const folder = join(plan.stateDir, plan.name, 'mode');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'closed'), 'ben, by hand\n');
    const { message, next } = await refused({ plan });
    expect(message).toContain('closed by ben, by hand');
    expect(next).toContain('Ask ben, by hand to open it');
  });
});

describe('the database', () => {
  test.each([
    ['a wrong password', { password: 'not-the-password' }, 'password authentication failed'],
    ['a missing database', { database: 'shopp' }, 'database "shopp" does not exist'],
    ['an unknown role', { user: 'nobody-here' }, 'password authentication failed'],
  ])('%s', async (_name, given, said) => {
    const { message, next, end } = await refused({
      plan: await changed(),
      environment: login(given),
    });
    expect(message).toContain(said);
    expect(next).toContain('database URL');
    const shown = end.log.split('\n').filter((line) => !line.startsWith('::add-mask::'));
    expect(shown.join('\n')).not.toMatch(/not-the-password/);
  });

  test('a server that is not there', async () => {
    const port = await findFreePort();
    const { message, next } = await refused({
      plan: await changed(),
      environment: { DATABASE_URL: `postgresql://shop:secret@127.0.0.1:${port}/shop` },
    });
    expect(message).toContain(`postgresql shop on 127.0.0.1:${port}`);
    expect(next).toContain('Check host and port in the database URL');
  });

  test('a role that only reads, and lacks all rights', async () => {
    await site.cluster.psql(
      `create role reader login password 'reader' in role pg_read_all_data;
       alter role reader set default_transaction_read_only = on;
       grant connect on database ${site.databaseName} to reader`,
    );
    try {
      const { message, next } = await refused({
        plan: await changed(),
        environment: login({ user: 'reader', password: 'reader' }),
      });
      expect(message).toContain(', read-only');
      expect(message).toContain('reader lacks CREATEDB');
      expect(message).toContain('ownership of shop');
      expect(message).toContain('pg_signal_backend');
      expect(next).toContain('ALTER ROLE');
    } finally {
      await site.cluster.psql(
        `revoke connect on database ${site.databaseName} from reader; drop role reader`,
      );
    }
  });

  test('a setting that a rollback could not give back', async () => {
    await site.cluster.psql(`create role auditor; grant connect on database shop to auditor;
      alter role auditor in database shop set work_mem to '7MB'`);
    try {
      const { message, next } = await refused({ plan: await changed() });
      expect(message).toContain(
        'shop may not: ALTER ROLE "auditor" IN DATABASE "shop" SET "work_mem": permission denied',
      );
      expect(next).toContain('superuser');
      const superuser = login({
        user: site.cluster.superuser,
        password: site.cluster.superuserPassword,
      });
      const end = await look({
        plan: await changed(),
        environment: superuser,
        inputs: { 'dry-run': 'true' },
      });
      expect([end.code, end.log.includes('postgres may (tried, and taken back)')]).toEqual([
        0,
        true,
      ]);
    } finally {
      await site.cluster.psql(
        'revoke connect on database shop from auditor; drop owned by auditor; drop role auditor',
      );
    }
  });

  test('the owner without CREATEDB', async () => {
    await site.cluster.psql(`alter role ${site.databaseUser} nocreatedb`);
    try {
      const { message } = await refused({ plan: await changed() });
      expect(message).toContain('shop lacks CREATEDB (scratch database, restore point)');
      expect(message).not.toContain('ownership');
    } finally {
      await site.cluster.psql(`alter role ${site.databaseUser} createdb`);
    }
  });
});

test('a disk too small for the backup', async () => {
  const disk = await tinyDisk(join(site.workFolder, 'disk'), 1024 * 1024);
  try {
    const directory = join(disk.path, 'backups');
    const plan = await changed({ path: ['backup-db', 'directory'], value: directory });
    const { message, next } = await refused({ plan });
    expect(message).toContain(`Disk for the backup (${directory})`);
    expect(next).toContain('Free disk space, or name another folder in backup-db.directory.');
  } finally {
    await disk.remove();
  }
});

describe('time', () => {
  const time = (minutesAgo: number) =>
    new Date(Date.now() - minutesAgo * 60_000).toISOString().slice(11, 16);
  const window = (start: string): PlanChange => ({
    path: ['window'],
    value: { start, 'time-zone': 'UTC', duration: '60m', 'start-tolerance': '30m' },
  });

  test('outside the window is refused, and told when the next one begins', async () => {
    const { message, next } = await refused({ plan: await changed(window('2036-01-05T02:00')) });
    expect(message).toContain('outside the window; the next start is 2036-01-05 02:00');
    expect(next).toContain('ignore-window');
  });

  test('within the duration, but later than the tolerance, is outside', async () => {
    const { message } = await refused({ plan: await changed(window(time(40))) });
    expect(message).toContain('outside the window');
  });

  test('within the tolerance is inside', async () => {
    const plan = await changed(window(time(10)));
    const end = await runStep(plan, { entry: 'preflight' });
    expect(end.log).toMatch(/Within the window: 1[01] min/);
    const status = await readStatus(plan);
    expect([end.code, status?.ignoredWindow]).toEqual([0, undefined]);
  });

  test('ignore-window goes on, and the record and the approver know why', async () => {
    const plan = await changed(window('2036-01-05T02:00'));
    const inputs = { 'ignore-window': 'true', reason: 'the disk fills up' };
    const end = await runStep(plan, { entry: 'preflight', inputs });
    expect(end.code).toBe(0);
    expect(end.summary).toContain('outside the window, ignored on request');
    expect(end.summary).toContain('the disk fills up');
    expect(await readStatus(plan)).toMatchObject({
      state: 'planned',
      ignoredWindow: 'the disk fills up',
      run: { reason: 'the disk fills up' },
    });
  });
});

test('a dry run shows everything and leaves nothing', async () => {
  const plan = await changed();
  const end = await look({ plan, inputs: { 'dry-run': 'true' } });
  expect(end.code).toBe(0);
  expect(end.log).toContain('Nothing to do: dry run');
  expect(Object.keys(end.outputs).sort()).toEqual(['predicted-downtime', 'server-tasks']);
  expect(end.summary).toContain('Predicted timeline');
  expect(end.summary).toContain('| Dry run | nothing is touched');
});
