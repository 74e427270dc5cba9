import { beforeEach, describe, expect, test } from '@jest/globals';
import { prepareClosedTasks } from '../../src/phases/closing-preparation.ts';
import { takeRestorePoint } from '../../src/phases/restore-point.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import type { DatabaseFacts } from '../../src/ports/database.ts';
import { factsOf } from '../fixtures/database-facts.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';

let world: FakeWorld;
let asked: number;

beforeEach(() => {
  world = new FakeWorld();
  asked = 0;
});

function facts(change: Partial<DatabaseFacts>): void {
  world.database.inspect = () => {
    asked += 1;
    return Promise.resolve(factsOf(change));
  };
}

function contextOf(tasks: object[], restorePoint = 'auto'): Promise<PhaseContext> {
  return world.contextOf(
    { state: 'prepared' },
    { plan: { 'run-db-maintenance': { tasks, 'restore-point': restorePoint } } },
  );
}

const change = { task: 'sql', sql: 'UPDATE t SET a = 1 WHERE b = 2' };
const stepsOf = ({ record }: PhaseContext): string[] =>
  record.journal.filter(({ event }) => event === 'done').map(({ step }) => step);

describe('before the site is closed', () => {
  test('the SQL is read, the restore point chosen, and changed pages are written', async () => {
    facts({});
    const context = await contextOf([change]);
    await prepareClosedTasks(context);
    expect(stepsOf(context)).toEqual([
      'consent-closed',
      'choose-restore-point',
      'properties',
      'checkpoint',
    ]);
    expect(asked).toBe(1);
  });

  test('grants and settings that were changed since it was got ready are recorded anew', async () => {
    facts({});
    const context = await contextOf([change]);
    await prepareClosedTasks(context);
    const properties = await world.database.properties();
    world.database.properties = () => Promise.resolve({ ...properties, comment: 'changed since' });
    await prepareClosedTasks(context);
    await takeRestorePoint(context);
    expect(context.record.status.database?.comment).toBe('changed since');
    expect(stepsOf(context).filter((step) => step === 'properties')).toHaveLength(2);
  });

  test('the choice holds while it is closed: nobody is asked again', async () => {
    facts({});
    const context = await contextOf([change]);
    await prepareClosedTasks(context);
    await takeRestorePoint(context);
    expect(asked).toBe(1);
    expect(context.record.status.restorePoint?.kind).toBe('clone');
  });

  test('a plan that wishes something else by then is chosen for anew', async () => {
    facts({});
    const context = await contextOf([change], 'clone');
    await prepareClosedTasks(context);
    const { plan } = await contextOf([change], 'auto');
    await takeRestorePoint({ ...context, plan });
    expect(asked).toBe(2);
  });

  test('what no restore point is possible for is refused, with the site open', async () => {
    facts({ subscriptions: [{ name: 'prices', enabled: true }] });
    const context = await contextOf([change]);
    await expect(prepareClosedTasks(context)).rejects.toMatchObject({
      failure: {
        code: 'no-restore-point',
        message: expect.stringContaining('has its subscription prices') as unknown,
        state: expect.stringContaining('prepared') as unknown,
      },
    });
    expect(world.effects).toEqual([]);
  });

  test('SQL without consent is refused, with the site open', async () => {
    const context = await contextOf([{ task: 'sql', sql: 'DROP TABLE orders' }]);
    await expect(prepareClosedTasks(context)).rejects.toMatchObject({
      failure: { code: 'consent-missing' },
    });
  });

  test('nothing is done for tasks that change nothing', async () => {
    facts({});
    const context = await contextOf([{ task: 'vacuum', stage: 'closed' }]);
    await prepareClosedTasks(context);
    expect([stepsOf(context), asked]).toEqual([[], 0]);
  });

  test('a role that may not ask for a checkpoint does without', async () => {
    facts({});
    world.database.checkpoint = () => Promise.resolve('not-allowed');
    const context = await contextOf([change]);
    await prepareClosedTasks(context);
    expect(context.record.journal.at(-1)?.detail).toMatch(/pg_checkpoint/);
  });
});
