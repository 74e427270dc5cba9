import { describe, expect, test } from '@jest/globals';
import { restoreBackup } from '../../src/phases/backups/restoration.ts';
import { backupWorkers, workersFor } from '../../src/phases/backups/workers.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import type { CommandResult } from '../../src/ports/host.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { backup } from '../fixtures/record-factory.ts';

test.each([
  [1, 1, 1],
  [2, 1, 2],
  [3, 1, 3],
  [8, 4, 8],
  [16, 8, 16],
  [64, 8, 16],
])('of %i processors, a dump has %i beside the public and %i without', (processors, ...jobs) => {
  expect([workersFor(processors, 'online'), workersFor(processors, 'closed')]).toEqual(jobs);
});

/** A window whose host of the database answers so when it is asked for its processors. */
async function contextOf(
  world: FakeWorld,
  settings: Record<string, unknown>,
  answer: Partial<CommandResult>,
): Promise<PhaseContext> {
  const context = await world.contextOf({}, { plan: { 'backup-db': settings } });
  const run = () => Promise.resolve({ exitCode: 0, stdout: '', stderr: '', ...answer });
  const database = {
    ...context.fleet.database,
    name: 'db1',
    run,
  } as PhaseContext['fleet']['database'];
  return { ...context, fleet: { ...context.fleet, database } };
}

describe('the workers of a backup', () => {
  test.each([
    ['12\n', 'online', 6, 'workers: 6 while the public is served, for db1 has 12 processors'],
    ['12\n', 'closed', 12, 'workers: 12 while the site is closed, for db1 has 12 processors'],
    ['undefined\n', 'closed', 2, 'workers: 2, for db1 does not tell how many processors it has'],
  ] as const)('auto, of %j, %s', async (stdout, moment, jobs, told) => {
    const world = new FakeWorld();
    expect(await backupWorkers(await contextOf(world, { jobs: 'auto' }, { stdout }), moment)).toBe(
      jobs,
    );
    expect(world.progress.lines.join('\n')).toContain(told);
  });

  test('auto, on a host without that program', async () => {
    const world = new FakeWorld();
    const context = await contextOf(world, { jobs: 'auto' }, { exitCode: 127, stdout: '' });
    expect(await backupWorkers(context, 'online')).toBe(2);
  });

  test('of a stream are not told, for it has one', async () => {
    const world = new FakeWorld();
    const settings = { jobs: 'auto', 'stream-to': 'local' };
    await backupWorkers(await contextOf(world, settings, { stdout: '4\n' }), 'online');
    expect(world.progress.lines).toEqual([]);
  });

  test('by number are as the plan has them, and nobody is asked', async () => {
    const world = new FakeWorld();
    const context = await world.contextOf({}, { plan: { 'backup-db': { jobs: 3 } } });
    expect(await backupWorkers(context, 'online')).toBe(3);
    expect(await backupWorkers(context, 'closed')).toBe(3);
  });
});

test('a rollback to a backup restores it by all processors', async () => {
  const world = new FakeWorld();
  const asked: number[] = [];
  world.database.restore = ({ jobs }) => {
    asked.push(jobs);
    return Promise.resolve({ seconds: 1 });
  };
  const context = await contextOf(world, { jobs: 'auto' }, { stdout: '12\n' });
  for (const moment of ['online', 'closed'] as const) {
    await restoreBackup(context, backup, 'shop_mw_x_restored', moment);
  }
  expect(asked).toEqual([6, 12]);
});
