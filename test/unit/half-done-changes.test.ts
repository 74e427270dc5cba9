import { beforeEach, describe, expect, test } from '@jest/globals';
import { runDbMaintenance } from '../../src/phases/run-db-maintenance.ts';
import { updateServer } from '../../src/phases/update-server.ts';
import type { JournalLine } from '../../src/record/journal.ts';
import type { WindowState } from '../../src/record/life.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { at } from '../fixtures/record-factory.ts';

/** Two phases change a closed system, each with tasks of its own; what one left half done, the other does not cover. */
const plan = {
  'run-db-maintenance': {
    tasks: ['one', 'two'].map((id) => ({ task: 'vacuum', id, stage: 'closed' })),
  },
  'update-server': {
    tasks: ['one', 'two'].map((id) => ({ task: 'command', id, command: ['true'] })),
  },
};
type Line = Pick<JournalLine, 'step' | 'event'>;
const phases = {
  'run-db-maintenance': runDbMaintenance,
  'update-server': updateServer,
} as const;

let world: FakeWorld;

beforeEach(() => {
  world = new FakeWorld();
});

async function run(
  phase: keyof typeof phases,
  lines: readonly Line[],
  state: WindowState = 'changing',
) {
  const server = () => ({
    run: () =>
      Promise.resolve({ exitCode: 0, stdout: '', stderr: '', timedOut: false, seconds: 0 }),
  });
  const context = await world.contextOf(
    { state, maintenance: { mode: 'fake', prior: null, closedAt: at(-60) } },
    { plan, parts: { server: server as never } },
  );
  const other = phase === 'update-server' ? 'run-db-maintenance' : 'update-server';
  for (const line of lines) {
    await context.record.append({ phase: other, title: 'A task', blast: 'app', ...line });
  }
  const outcome = await phases[phase](context, { stage: 'closed' });
  return { outcome, state: context.record.status.state };
}

describe.each(['run-db-maintenance', 'update-server'] as const)('%s', (phase) => {
  test.each<[string, readonly Line[]]>([
    ['was killed in a task', [{ step: 'task-one', event: 'intent' }]],
    [
      'was killed between two tasks',
      [
        { step: 'task-one', event: 'intent' },
        { step: 'task-one', event: 'done' },
      ],
    ],
    [
      'failed in a task',
      [
        { step: 'task-one', event: 'done' },
        { step: 'task-two', event: 'intent' },
        { step: 'task-two', event: 'failed' },
      ],
    ],
  ])('begins nothing after the other %s', async (_, lines) => {
    const { outcome, state } = await run(phase, lines);
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'changes-unfinished' } });
    expect([state, world.effects]).toEqual(['changing', []]);
  });

  test.each<[string, readonly Line[], WindowState]>([
    ['has not begun', [], 'closed'],
    [
      'has done all',
      [
        { step: 'task-one', event: 'done' },
        { step: 'task-two', event: 'skipped' },
      ],
      'changed',
    ],
  ])('goes on when the other %s', async (_, lines, before) => {
    const { outcome, state } = await run(phase, lines, before);
    expect([outcome.kind, state]).toEqual(['done', 'changed']);
  });
});

test('a task of the database that fails leaves no window that is changed, whatever was proved before', async () => {
  world.bend.before = (effect) => {
    if (effect === 'vacuum') throw new Error('no such table');
  };
  const lines: readonly Line[] = ['task-one', 'task-two'].map((step) => ({ step, event: 'done' }));
  const { outcome, state } = await run('run-db-maintenance', lines, 'changed');
  expect([outcome.kind, state]).toEqual(['failed', 'changing']);
});
