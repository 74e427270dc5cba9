import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writePlan, type PlanChange } from '../../rehearsal/plan.ts';
import { startReplica, type Replica } from '../../rehearsal/replica.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { actions } from '../../src/actions/catalogue.ts';
import { wholeWindowSession } from '../../src/assembly/whole-window-session.ts';
import type { JournalLine } from '../../src/record/journal.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { ProgressLines } from '../fixtures/memory-host.ts';

/** Whole windows over a real site whose database has a replica, from plan and environment to the report. */
let site: Site;
let replica: Replica;

beforeAll(async () => {
  site = await startSite({ megabytes: 1 });
  // The shop's role may not make slots.
  replica = await startReplica(site.cluster, { slot: 'replica' });
}, 60_000);
afterAll(async () => {
  await replica.stop();
  await site.stop();
});

async function run(runId: string, changes: readonly PlanChange[] = []) {
  const stateDir = join(site.workFolder, runId);
  const plan = await writePlan(site, {
    changes: [
      { path: ['state-dir'], value: stateDir },
      { path: ['standby'], value: { url: '$STANDBY_URL' } },
      { path: ['run-db-maintenance', 'restore-point'], value: 'standby' },
      ...changes,
    ],
  });
  const login = { user: site.databaseUser, password: site.databasePassword, database: 'shop' };
  const surroundings = {
    inputs: { plan: plan.path },
    environment: { ...process.env, ...plan.environment, STANDBY_URL: replica.url(login) },
    workspace: site.workFolder,
    run: { id: runId, attempt: 1 },
    progress: new ProgressLines(),
    signal: new AbortController().signal,
    mask: () => undefined,
    github: undefined,
  };
  const result = await wholeWindowSession(surroundings);
  if (result.outputs.state === undefined) throw new Error(JSON.stringify(result.outcome));
  const read = (name: string) => readFile(join(stateDir, plan.name, name), 'utf8');
  const status = JSON.parse(await read('window.json')) as WindowStatus;
  const journal = (await read('journal.ndjson'))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JournalLine);
  return { result, status, journal, surroundings };
}

/** Steps that were done between the closing of the site and the first change. */
function takenWhileClosed(journal: readonly JournalLine[]): readonly string[] {
  const done = journal.filter(({ event }) => event === 'done').map(({ step }) => step);
  return done.slice(
    done.indexOf('drain') + 1,
    done.findIndex((step) => step.startsWith('task-migrate')),
  );
}

const harm = {
  task: 'sql',
  transaction: false,
  blast: 'data',
  sql: 'CREATE TABLE harm AS SELECT * FROM orders; SELECT 1/0',
};

describe('a whole window with a replica as restore point', () => {
  test('ends well, and its report lets the replica follow again', async () => {
    const { result, status, journal, surroundings } = await run('good');
    expect(result.outcome).toMatchObject({ kind: 'done' });
    expect(status).toMatchObject({ state: 'reopened', restorePoint: { kind: 'standby' } });
    const taken = takenWhileClosed(journal);
    expect(taken).toEqual(expect.arrayContaining(['stop-standby', 'cut-off-standby']));
    // Nothing is copied while closed, nor found out that could be known before.
    for (const step of ['clone', 'dump-closed', 'find-standby', 'flush-standby']) {
      expect(taken).not.toContain(step);
    }
    const output = join(site.workFolder, 'report');
    const report = await actions.report({
      ...surroundings,
      inputs: { ...surroundings.inputs, 'output-directory': output },
    });
    expect(report.outcome).toMatchObject({ kind: 'done' });
    expect(await replica.isRunning()).toBe(true);
    expect(await replica.psql('SELECT status FROM pg_stat_wal_receiver')).toBe('streaming');
    expect(await readFile(join(output, 'report.md'), 'utf8')).toMatch(
      /\| Restore point \| standby /,
    );
  }, 90_000);

  test('that fails is rolled back by promotion, and the site is open on it', async () => {
    const count = 'SELECT count(*), max(id) FROM orders';
    const before = await site.sql(count);
    const { result, status } = await run('failing', [
      { path: ['run-db-maintenance', 'tasks'], value: [harm] },
    ]);
    expect(result.outcome).toMatchObject({
      kind: 'failed',
      failure: { state: expect.stringMatching(/^Rolled back/) as unknown },
    });
    expect(status.state).toBe('rolled-back');
    expect(await site.sql(count)).toBe(before);
    expect(await site.sql("SELECT to_regclass('harm') IS NULL")).toBe('t');
    expect(await site.sql('SELECT timeline_id > 1 FROM pg_control_checkpoint()')).toBe('t');
    const answer = await fetch(`${site.publicUrl}/healthz`);
    expect(answer.status).toBe(200);
  }, 90_000);
});
