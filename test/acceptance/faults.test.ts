import { kill } from 'node:process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { PlanChange, SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { failureTold, type ToldFailure } from '../fixtures/action-failure.ts';
import { startAction, type ActionEnd, type KillPoint } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { databaseOnSmallDisk, type DatabaseDisk } from '../fixtures/full-disk.ts';
import { holdSession } from '../fixtures/held-session.ts';
import { until } from '../fixtures/postgresql-bench.ts';
import { systemState, type SystemState } from '../fixtures/system-state.ts';
import {
  readJournal,
  readStatus,
  runStep,
  runSteps,
  temporaryDatabases,
  type WindowStep,
} from '../fixtures/window-run.ts';

let site: Site;
let disk: DatabaseDisk & { remove(): Promise<void> };
let plan: SitePlan;
let before: SystemState;

/** Sleeps in databases that a window restores into, so that a restore is met in the middle. */
const slowRestore = `
  CREATE FUNCTION slow_where_restored() RETURNS boolean LANGUAGE plpgsql AS $$
  BEGIN
    IF current_database() ~ '_(scratch|restored)$' AND current_setting('mw.fast', true) IS DISTINCT FROM 'on' THEN
      PERFORM pg_sleep(120);
    END IF;
    RETURN true;
  END $$;
  CREATE TABLE slow (n int CHECK (slow_where_restored()));
  INSERT INTO slow VALUES (1);`;

beforeAll(async () => {
  site = await startSite({ megabytes: 2, durable: true });
  disk = await databaseOnSmallDisk(site, 96 * 1024 * 1024);
}, 120_000);

afterAll(async () => {
  await site.cluster.halt();
  await disk.remove();
  await site.stop();
}, 60_000);

beforeEach(async () => {
  plan = await planWith();
  before = await systemState(site, plan);
});

/** No row lost, nothing left behind, the site in its declared state: open, as it was before the window. */
afterEach(async () => {
  const { stateFiles: _record, ...rest } = before;
  expect(await systemState(site, plan)).toMatchObject(rest);
  expect(await temporaryDatabases(site)).toEqual([]);
});

const backUp: WindowStep = { entry: 'backup-db' };
const close: WindowStep = { entry: 'enable-maintenance' };
const change: WindowStep = { entry: 'run-db-maintenance', inputs: { stage: 'closed' } };

function planWith(...changes: readonly PlanChange[]): Promise<SitePlan> {
  return freshPlan(site, {
    changes: [{ path: ['rollback', 'session-timeout'], value: '2s' }, ...changes],
  });
}

async function failed(step: WindowStep): Promise<ToldFailure> {
  return failureTold(await runStep(plan, step));
}

/** Runs a step up to a moment, where it is killed; a repetition goes on from there. */
async function killedAt(step: WindowStep, point: KillPoint): Promise<void> {
  const end = await runStep(plan, step, { killAt: point });
  if (end.signal !== 'SIGKILL') throw new Error(`${step.entry} was not killed:\n${end.log}`);
}

const afterLine = (match: string): KillPoint => ({ moment: 'after-line', match: `^${match}$` });

/** Runs SQL as the application's role on its database. */
function asOwner(sql: string): Promise<string> {
  const { databaseName: database, databaseUser: user, databasePassword: password } = site;
  return site.cluster.psql(sql, { database, user, password });
}

/** Makes it safe, and says what was done. */
async function rollBack(): Promise<ActionEnd> {
  const end = await runStep(plan, { entry: 'rollback' });
  if (end.code !== 0) throw new Error(`rollback ended with ${end.code}:\n${end.log}`);
  return end;
}

/** What a window keeps for study is looked at and dropped. */
async function dropFailed(end: ActionEnd): Promise<void> {
  const name = end.outputs['failed-database'] ?? '';
  expect(name).toMatch(/_failed$/);
  await site.cluster.psql(`DROP DATABASE "${name}"`);
}

/** Resolves when the server shows what a query asks for. */
function seen(sql: string): Promise<void> {
  return until(async () => (await site.cluster.psql(`SELECT EXISTS (${sql})`)) === 't', sql);
}

/** A step in another process, the server's power cut when it shows this, and the step's failure. */
async function crashedIn(step: WindowStep, activity: string): Promise<ToldFailure> {
  const running = await startAction({
    entry: step.entry,
    inputs: { plan: plan.path, ...step.inputs },
    environment: plan.environment,
  });
  await seen(activity);
  await site.cluster.crash();
  const end = await running.ended;
  await site.cluster.resume();
  return failureTold(end);
}

async function state(): Promise<string | undefined> {
  return (await readStatus(plan))?.state;
}

describe('the database’s disk is full', () => {
  afterEach(() => disk.empty());

  test('in the restore test', async () => {
    await disk.fill(1024 * 1024);
    const { message, state: now, next } = await failed(backUp);
    expect(message).toContain('No space left on device');
    expect(now).not.toBe('');
    expect(next).toContain('Free disk space');
    await disk.empty();
    await rollBack();
  });

  test('in the clone', async () => {
    await runSteps(plan, [backUp, close]);
    await killedAt(change, afterLine('seal done'));
    await disk.fill(4 * 1024 * 1024);
    const { message, next } = await failed(change);
    expect(message).toContain('No space left on device');
    expect(next).toContain('Free disk space');
    expect(await state()).toBe('closed');
    await disk.empty();
    expect((await rollBack()).outputs.outcome).toBe('reopened');
  });

  test('in the restore of a rollback: held, and gone on with when there is room', async () => {
    plan = await freshPlan(site, {
      migrations: 'migrations-failing',
      changes: [{ path: ['run-db-maintenance', 'restore-point'], value: 'dump' }],
    });
    await runSteps(plan, [backUp, close]);
    failureTold(await runStep(plan, change));
    await disk.fill(4 * 1024 * 1024);
    const { message, state: now } = await failed({ entry: 'rollback' });
    expect(message).toContain('No space left on device');
    expect(now).toContain('held');
    expect(await state()).toBe('held');
    await disk.empty();
    const end = await runStep(plan, { entry: 'rollback', inputs: { force: 'true' } });
    expect(end.outputs.outcome).toBe('restored');
    await dropFailed(end);
  });
});

describe('the server is killed', () => {
  test('in the dump', async () => {
    const held = await holdSession(site, 'BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE;');
    const { message, state: now } = await crashedIn(
      backUp,
      "SELECT FROM pg_stat_activity WHERE application_name LIKE 'maintenance-window dump%' AND wait_event_type = 'Lock'",
    );
    await held.release().catch(() => undefined);
    expect(message).toMatch(/terminat|closed|connection/);
    expect(now).toContain('Nothing of the dump is left on disk');
    expect(await readdir(join(plan.stateDir, plan.name, 'backups'))).toEqual([]);
    await rollBack();
  });

  test('in the restore test', async () => {
    await asOwner(slowRestore);
    try {
      await crashedIn(
        backUp,
        "SELECT FROM pg_stat_activity WHERE datname ~ '_scratch$' AND wait_event = 'PgSleep'",
      );
      await rollBack();
    } finally {
      await asOwner('DROP TABLE slow; DROP FUNCTION slow_where_restored');
    }
  });

  test('in the clone', async () => {
    await runSteps(plan, [backUp, close]);
    await killedAt(change, afterLine('seal done'));
    // A file copy begins and ends with a checkpoint, which does not come now.
    const checkpointer = Number(
      await site.cluster.psql(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
      ),
    );
    kill(checkpointer, 'SIGSTOP');
    await crashedIn(
      change,
      "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'CREATE DATABASE%TEMPLATE%'",
    );
    expect(await state()).toBe('closed');
    expect((await rollBack()).outputs.outcome).toBe('reopened');
  });

  test('between the two renames of a rollback', async () => {
    plan = await freshPlan(site, { migrations: 'migrations-failing' });
    await runSteps(plan, [backUp, close]);
    failureTold(await runStep(plan, change));
    await killedAt({ entry: 'rollback' }, afterLine('keep-failed done'));
    await site.cluster.crash();
    const { state: now } = await failed({ entry: 'rollback' });
    expect(now).not.toBe('');
    await site.cluster.resume();
    const end = await runStep(plan, { entry: 'rollback', inputs: { force: 'true' } });
    expect(end.outputs.outcome).toBe('restored');
    await dropFailed(end);
  });

  test('in the restore of a rollback', async () => {
    plan = await freshPlan(site, {
      migrations: 'migrations-failing',
      changes: [{ path: ['run-db-maintenance', 'restore-point'], value: 'dump' }],
    });
    await asOwner(slowRestore.replace('scratch|', ''));
    try {
      await runSteps(plan, [backUp, close]);
      failureTold(await runStep(plan, change));
      await crashedIn(
        { entry: 'rollback' },
        "SELECT FROM pg_stat_activity WHERE datname ~ '_restored$' AND wait_event = 'PgSleep'",
      );
      expect(await state()).toBe('held');
      // What stood in the way of a quick restore is gone now.
      await site.cluster.psql(`ALTER ROLE ${site.databaseUser} SET mw.fast = 'on'`);
      const end = await runStep(plan, { entry: 'rollback', inputs: { force: 'true' } });
      expect(end.outputs.outcome).toBe('restored');
      await dropFailed(end);
    } finally {
      await site.cluster.psql(`ALTER ROLE ${site.databaseUser} RESET mw.fast`);
      await asOwner('DROP TABLE slow; DROP FUNCTION slow_where_restored');
    }
  });
});

describe('somebody is in the way', () => {
  test('a session that does not die', async () => {
    await runSteps(plan, [backUp, close]);
    const held = await holdSession(site, 'SELECT 1;');
    const pid = Number(
      await site.cluster.psql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'held-session'",
      ),
    );
    kill(pid, 'SIGSTOP');
    try {
      const { message, next } = await failed(change);
      expect(message).toContain(String(pid));
      expect(message).toContain('held-session');
      expect(next).not.toBe('');
      expect(await state()).toBe('closed');
      expect((await rollBack()).outputs.outcome).toBe('reopened');
    } finally {
      kill(pid, 'SIGCONT');
      await held.release().catch(() => undefined);
    }
  });

  test('a lock held by a long transaction', async () => {
    plan = await planWith({ path: ['run-db-maintenance', 'lock-timeout'], value: '1s' });
    await runSteps(plan, [backUp, close]);
    await killedAt(change, afterLine('unseal done'));
    const held = await holdSession(site, 'BEGIN; SELECT * FROM orders LIMIT 1;');
    try {
      const { message } = await failed(change);
      expect(message).toContain('waiting 1 seconds for a lock');
      expect(message).toContain('held-session');
    } finally {
      await held.release();
    }
    expect((await readJournal(plan)).at(-1)).toMatchObject({ event: 'failed' });
    const end = await rollBack();
    expect(end.outputs.outcome).toBe('restored');
    await dropFailed(end);
  });
});
