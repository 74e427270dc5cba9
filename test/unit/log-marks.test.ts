import { describe, expect, test } from '@jest/globals';
import { enableMaintenance } from '../../src/phases/enable-maintenance.ts';
import { provenChecks, smokeTest } from '../../src/phases/smoke-test.ts';
import type { Command, CommandResult } from '../../src/ports/host.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';

const log = { id: 'no-errors', kind: 'log', file: '/var/log/shop.log', pattern: 'ERROR' };
const plan = { 'smoke-test': { checks: [log], deadline: '1ms' } };

/** A world whose log has so many bytes, as `stat`, `head` and `date` tell. */
function worldWith(bytes: () => number): FakeWorld {
  const world = new FakeWorld();
  const run = async ({ argv }: Command): Promise<CommandResult> => {
    const stdout =
      argv[0] === 'date'
        ? '1000\n'
        : argv[0] === 'stat'
          ? `1:5 ${bytes()} 999 /var/log/shop.log\n`
          : `${'0'.repeat(64)}  -\n`;
    return { exitCode: 0, stdout, stderr: '', timedOut: false, seconds: 0 };
  };
  Object.assign(world.host, { run });
  return world;
}

describe('the ends of logs', () => {
  test('are recorded before the hook and before each closing', async () => {
    let size = 100;
    const world = worldWith(() => size);
    world.bend.before = (effect) => {
      if (effect === 'install') size = 200;
    };
    const context = await world.contextOf({}, { plan });
    const outcome = await enableMaintenance(context, { prepareOnly: false });
    expect(outcome.kind).toBe('done');
    const marks = context.record.status.logMarks?.map(({ since, position }) => [since, position]);
    const end = { kind: 'end', id: '1:5', headBytes: 100, head: '0'.repeat(64) };
    expect(marks).toEqual([
      ['window', { ...end, bytes: 100 }],
      ['closed', { ...end, bytes: 200, headBytes: 200 }],
    ]);
  });

  test('that cannot be looked at keep no window from closing, and let no check pass', async () => {
    // This host runs no commands at all.
    const world = new FakeWorld();
    const context = await world.contextOf({}, { plan });
    expect((await enableMaintenance(context, { prepareOnly: false })).kind).toBe('done');
    expect(context.record.status.state).toBe('closed');
    const [mark] = context.record.status.logMarks ?? [];
    expect(mark?.position).toEqual({
      kind: 'unknown',
      reason: 'a host in memory runs no commands',
    });
    const tested = await smokeTest(context);
    expect(tested).toMatchObject({ kind: 'failed', outputs: { passed: '0', failed: '1' } });
  });

  test('are set anew for the checks of a rollback and after failed ones, which told what came before', async () => {
    let size = 100;
    const world = worldWith(() => size);
    const context = await world.contextOf({}, { plan });
    await enableMaintenance(context, { prepareOnly: false });
    const judged = (): unknown =>
      context.record.status.logMarks?.find(({ since }) => since === 'judged')?.position;
    expect(judged()).toBeUndefined();
    size = 300;
    // The answers of this world to a search are none.
    expect((await smokeTest(context)).kind).toBe('failed');
    expect(judged()).toMatchObject({ bytes: 300 });
    size = 400;
    await provenChecks(context, 'rollback').catch(() => undefined);
    expect(judged()).toMatchObject({ bytes: 400 });
  });

  test('are nobody’s business without a check of kind log', async () => {
    const world = new FakeWorld();
    const context = await world.contextOf();
    await enableMaintenance(context, { prepareOnly: false });
    expect(context.record.status.logMarks).toBeUndefined();
  });
});
