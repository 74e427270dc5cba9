import { beforeEach, describe, expect, test } from '@jest/globals';
import { checkTasks } from '../../src/phases/task-checks.ts';
import type { Database } from '../../src/ports/database.ts';
import { fail } from '../../src/ports/failure.ts';
import type { Check } from '../../src/ports/maintenance-mode.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';

let world: FakeWorld;
beforeEach(() => {
  world = new FakeWorld();
});

async function checksOf(
  tasks: object[],
  change: Partial<Database> = {},
): Promise<readonly Check[]> {
  const context = await world.contextOf({}, { plan: { 'run-db-maintenance': { tasks } } });
  return checkTasks({ ...context, database: { ...world.database, ...change } });
}

const archive = { task: 'archive', table: 'orders', where: 'a', folder: '/srv/old' };

describe('what preflight knows of the tasks', () => {
  test('is nothing where nothing can be known', async () => {
    expect(await checksOf([{ task: 'vacuum' }, { task: 'migrate', command: ['rake'] }])).toEqual(
      [],
    );
  });

  test('tells that a migration command is for a host that the plan does not have', async () => {
    const task = { task: 'migrate', command: ['rake'], on: 'ssh://elsewhere.example.org' };
    expect(await checksOf([task])).toMatchObject([
      { verdict: 'failed', value: expect.stringContaining('no host ssh://elsewhere.example.org') },
    ]);
  });

  test('names file, line, statement and the key that would allow it', async () => {
    await world.host.makeDirectory('/m', 0o755);
    await world.host.writeFile('/m/1.sql', 'create table a ();\ntruncate log;', { mode: 0o644 });
    const checks = await checksOf([
      { task: 'migrate', files: '/m', consent: ['drop'] },
      { task: 'sql', id: 'tidy', sql: 'delete from log; drop table log' },
    ]);
    expect(checks).toEqual([
      {
        id: 'consent',
        title: 'SQL of the tasks',
        limit: 'does nothing that needs consent, or the plan consents to it by name',
        verdict: 'failed',
        value:
          'task migrate, file 1.sql, line 2: TRUNCATE; task tidy, sql, line 1: DELETE without WHERE; task tidy, sql, line 1: DROP TABLE',
        next: 'When that is meant, add consent: [truncate] to task migrate, consent: [delete-all, drop] to task tidy; else correct the SQL.',
      },
    ]);
  });

  test('passes what the plan consents to', async () => {
    const tasks = [{ task: 'sql', sql: 'truncate log', consent: ['truncate'] }];
    expect(await checksOf(tasks)).toMatchObject([{ verdict: 'passed', value: 'tasks read: 1' }]);
  });

  test('tells why SQL or files cannot be read', async () => {
    expect(await checksOf([{ task: 'sql', sql: "select 'open" }])).toMatchObject([
      { verdict: 'failed', value: expect.stringContaining('does not end') },
    ]);
    expect(await checksOf([{ task: 'migrate', files: '/nowhere' }])).toMatchObject([
      { verdict: 'failed', value: 'The folder /nowhere (on memory) has no .sql files.' },
    ]);
  });

  test('asks the database what archive, refresh and repack would refuse', async () => {
    const asked: unknown[] = [];
    const checks = await checksOf(
      [archive, { task: 'refresh' }, { task: 'repack', tables: ['t'] }],
      {
        previewArchive: async (options) => {
          asked.push(options);
          return [];
        },
        previewRefresh: async () => ['public.v not concurrently'],
        previewRepack: async () =>
          fail({ code: 'x', message: 'pg_repack is not there.', state: 's', next: 'Install it.' }),
      },
    );
    expect(asked).toMatchObject([
      { target: { kind: 'folder', path: '/srv/old/preflight/archive' }, batchSize: 10_000 },
    ]);
    expect(checks).toMatchObject([
      { id: 'task-archive', verdict: 'passed' },
      { id: 'task-refresh', verdict: 'warning', value: 'public.v not concurrently' },
      {
        id: 'task-repack',
        verdict: 'failed',
        value: 'pg_repack is not there.',
        next: 'Install it.',
      },
    ]);
  });

  test('is asked of no database where the plan names none', async () => {
    const context = await world.contextOf(
      {},
      { plan: { 'run-db-maintenance': { tasks: [archive] } } },
    );
    expect(await checkTasks({ ...context, database: undefined })).toEqual([]);
  });
});
