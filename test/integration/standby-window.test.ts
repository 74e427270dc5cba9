import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dropRestorePoint } from '../../src/phases/close-books.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { rollback } from '../../src/phases/rollback.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { until } from '../fixtures/postgresql-bench.ts';
import {
  goBack,
  improvement,
  maintain,
  mortal,
  readAgain,
  StandbyBench,
} from '../fixtures/standby-bench.ts';

let bench: StandbyBench;

beforeEach(async () => {
  bench = await StandbyBench.start();
}, 60_000);
afterEach(() => bench.stop());

/**
 * Runs that are killed one after the other, each as early as it gets further than the one before, until one lives to
 * its end: so that each change, of the record or of the servers, is once the last before a kill.
 * @returns how often it was killed
 */
async function killedAtEach(
  world: FakeWorld,
  run: (context: PhaseContext) => Promise<unknown>,
): Promise<number> {
  const seen = new Set<string>();
  let changes = 0;
  for (let kills = 0; kills < 150; kills += 1) {
    const { wrap, end, done } = mortal(world, changes);
    const record = await readAgain(world);
    await run(await bench.context({ world, record, wrap }));
    if (end()) return kills;
    const { journal } = await readAgain(world);
    const size = seen.size;
    for (const { phase, step, event } of journal) seen.add(`${phase} ${step} ${event}`);
    for (const change of done) seen.add(change);
    if (seen.size === size) changes += 1;
  }
  throw new Error('it does not come to its end');
}

describe('a window with a replica as restore point', () => {
  test('that fails goes back to it, with nothing of the failed changes', async () => {
    const before = await bench.contents();
    const context = await bench.context();
    expect(await maintain(context)).toMatchObject({ kind: 'failed' });
    expect(context.record.status.restorePoint).toMatchObject({ kind: 'standby', timeline: 1 });
    expect(await bench.replica.isRunning()).toBe(false);
    expect(await bench.sql('SELECT count(*) FROM orders')).toBe('10');
    expect(await goBack(context)).toMatchObject({
      kind: 'done',
      outputs: {
        outcome: 'restored',
        'failed-database': `the data directory ${bench.primary.dataFolder} on local, whose server is stopped`,
      },
    });
    // It takes as long whatever is in the database: nothing of it was read since the replica was started.
    const reads = `SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'orders'`;
    expect(await bench.sql(reads)).toBe('0');
    expect(await bench.contents()).toBe(before);
    await until(async () => (await bench.sql(reads)) !== '0', 'what is read is counted');
    expect(context.record.status.state).toBe('rolled-back');
    // The replica's own file has the password of the primary; nothing else has.
    expect(JSON.stringify(context.record.copy())).not.toContain(bench.primary.superuserPassword);
    // It is the primary, and takes writes.
    await bench.sql('INSERT INTO orders SELECT 1001');
  }, 60_000);

  test('goes back also when somebody started the replica meanwhile, at its own port', async () => {
    const before = await bench.contents();
    const context = await bench.context({
      wrap: (standby) => ({
        ...standby,
        writeOwnSettings: async (...args) => {
          if (args[2] === 'promotion') await bench.replica.start();
          await standby.writeOwnSettings(...args);
        },
      }),
    });
    await maintain(context);
    expect(await goBack(context)).toMatchObject({ kind: 'done' });
    expect(await bench.contents()).toBe(before);
  }, 60_000);

  test('that ends well lets the replica follow again', async () => {
    const context = await bench.context({ tasks: improvement });
    expect(await maintain(context)).toMatchObject({ kind: 'done' });
    await context.record.become('reopening');
    await context.record.become('reopened');
    await dropRestorePoint(context);
    const count = 'SELECT count(*) FROM orders';
    expect(await bench.replica.psql(count, { database: 'shop' })).toBe('1001');
    expect(await bench.primary.psql('SELECT count(*) FROM pg_replication_slots')).toBe('0');
  }, 60_000);

  test('goes back after it reopened, killed at each change, unless users have written since', async () => {
    const before = await bench.contents();
    const world = new FakeWorld();
    const context = await bench.context({ world, tasks: improvement });
    expect(await maintain(context)).toMatchObject({ kind: 'done' });
    const { record, database } = context;
    await record.update({ writesAtReopening: (await database?.writeCounters()) ?? {} });
    await record.become('reopening');
    await record.become('reopened');
    world.door = { kind: 'open' };

    await bench.sql("INSERT INTO orders VALUES (1002, 'of a customer')");
    const asked = { force: true, acceptDataLoss: false, reason: 'a test' };
    expect(await rollback(context, asked)).toMatchObject({
      kind: 'failed',
      failure: { code: 'writes-would-be-lost' },
    });
    expect(record.status.state).toBe('reopened');

    await record.update({ writesAtReopening: (await database?.writeCounters()) ?? {} });
    const run = (again: PhaseContext) => rollback(again, asked);
    expect(await killedAtEach(world, run)).toBeGreaterThan(15);
    expect((await readAgain(world)).status).toMatchObject({
      state: 'rolled-back',
      rollback: { from: 'reopened' },
      standby: { promotedAt: expect.any(String) as unknown },
    });
    expect(await bench.contents()).toBe(before);
  }, 200_000);

  test('that is killed at each change goes on and comes to its end', async () => {
    const before = await bench.contents();
    const world = new FakeWorld();
    await bench.context({ world });
    expect(await killedAtEach(world, maintain)).toBeGreaterThan(15);
    expect(await killedAtEach(world, goBack)).toBeGreaterThan(15);
    expect((await readAgain(world)).status.state).toBe('rolled-back');
    expect(await bench.contents()).toBe(before);
  }, 200_000);
});
