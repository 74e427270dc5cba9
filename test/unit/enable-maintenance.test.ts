import { beforeEach, describe, expect, test } from '@jest/globals';
import { enableMaintenance } from '../../src/phases/enable-maintenance.ts';
import { fail } from '../../src/ports/failure.ts';
import type { HttpReply } from '../../src/ports/http.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { at, statusOf } from '../fixtures/record-factory.ts';

const { windowId } = statusOf();
const page: HttpReply = { kind: 'answer', status: 200, headers: {}, body: '', seconds: 0 };
const closing = { prepareOnly: false };

let world: FakeWorld;

beforeEach(() => {
  world = new FakeWorld();
});

async function enable(status: Partial<WindowStatus> = {}, prepareOnly = false) {
  const context = await world.contextOf(status);
  const outcome = await enableMaintenance(context, { prepareOnly });
  return { outcome, status: context.record.status, journal: context.record.journal };
}

describe('closing the site', () => {
  test('installs, closes, proves and drains, in this order', async () => {
    const { outcome, status, journal } = await enable();
    expect(world.effects).toEqual(['install', 'close']);
    expect(outcome.kind).toBe('done');
    expect(outcome.outputs['closed-at']).toBe(status.maintenance?.closedAt);
    expect(status).toMatchObject({
      state: 'closed',
      blast: 'app',
      maintenance: { mode: 'fake', prior: { file: 'as it was' } },
    });
    expect(journal.map(({ step, event }) => `${step} ${event}`)).toEqual([
      'hook intent',
      'hook done',
      // What the closed tasks need and the public need not wait for.
      'consent-closed intent',
      'consent-closed done',
      'choose-restore-point intent',
      'choose-restore-point done',
      'properties intent',
      'properties done',
      'checkpoint intent',
      'checkpoint done',
      'flag intent',
      'flag done',
      'drain intent',
      'drain done',
    ]);
  });

  test('records the state before, ahead of the first change', async () => {
    world.bend.before = (effect) => {
      const text = world.host.text('/state/shop/window.json');
      expect([effect, JSON.parse(text ?? '{}')]).toMatchObject([
        'install',
        { state: 'prepared', maintenance: { prior: { file: 'as it was' } } },
      ]);
      fail({ code: 'x', message: 'Killed here.', state: 's', next: 'n' });
    };
    const { outcome } = await enable();
    expect(outcome).toMatchObject({ kind: 'failed', failure: { message: 'Killed here.' } });
  });

  test('ahead of time puts the hook in place and leaves the site open', async () => {
    const { outcome, status } = await enable({}, true);
    expect(outcome.kind).toBe('done');
    expect(world.effects).toEqual(['install']);
    expect(status.state).toBe('prepared');
    expect(status.maintenance).not.toHaveProperty('closedAt');
  });

  test('again, when it is closed already, changes nothing', async () => {
    const context = await world.contextOf();
    await enableMaintenance(context, closing);
    const { closedAt } = context.record.status.maintenance ?? {};
    world.clock.pass(60);
    const outcome = await enableMaintenance(context, closing);
    expect(outcome).toMatchObject({ kind: 'done', outputs: { 'closed-at': closedAt } });
    expect(world.effects).toEqual(['install', 'close']);
  });

  test.each(['changing', 'changed'] as const)('is done in a window that is %s', async (state) => {
    const maintenance = { mode: 'fake', prior: null, closedAt: at(40) };
    const { outcome } = await enable({ state, maintenance });
    expect(outcome).toMatchObject({ kind: 'done', outputs: { 'closed-at': at(40) } });
    expect(world.effects).toEqual([]);
  });

  test.each(['reopening', 'reopened', 'rolling-back', 'rolled-back', 'held'] as const)(
    'is refused in a window that is %s',
    async (state) => {
      const { outcome, status } = await enable({ state });
      expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'window-state' } });
      expect([world.effects, status.state]).toEqual([[], state]);
    },
  );
});

describe('after the end of the window', () => {
  const over = { deadline: at(0) };

  test.each(['planned', 'prepared'] as const)('one that is %s is not closed', async (state) => {
    const { outcome } = await enable({ ...over, state });
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'window-over' } });
    expect(world.effects).toEqual([]);
  });

  test('one that began to close is: whether the door is shut must be known', async () => {
    const { outcome, status } = await enable({ ...over, state: 'closing' });
    expect([outcome.kind, status.state]).toEqual(['done', 'closed']);
  });
});

describe('draining', () => {
  test('waits until no session is at work at two looks in a row', async () => {
    world.bend.busy = (look) => [2, 0, 1, 0, 0][look - 1] ?? 9;
    expect((await enable()).outcome.kind).toBe('done');
    expect(world.looks).toBe(5);
  });

  test('is skipped, and says so, without a database to see sessions by', async () => {
    const context = await world.contextOf({}, { parts: { database: undefined } });
    expect((await enableMaintenance(context, closing)).kind).toBe('done');
    expect(context.record.journal.at(-1)).toMatchObject({ step: 'drain', event: 'skipped' });
  });

  test('that does not end undoes everything', async () => {
    world.bend.busy = () => 3;
    const { outcome, status } = await enable();
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'not-drained',
        message: 'After 30 s 3 database session(s) are still at work.',
        state: 'Everything was undone: the site is open, and what closes it is as it was before.',
      },
    });
    expectUndone(status);
  });
});

function expectUndone(status: WindowStatus): void {
  expect(world.effects).toEqual(['install', 'close', 'open', 'restore']);
  expect([world.door.kind, world.isHooked]).toEqual(['open', false]);
  expect(status).toMatchObject({
    state: 'rolled-back',
    maintenance: { restoration: '1 file given back', reopenedAt: world.clock.now().toISOString() },
  });
}

describe('a proof that fails undoes everything', () => {
  test('when the public goes on to see the application', async () => {
    world.bend.answer = () => page;
    const { outcome, status } = await enable();
    expect(outcome).toMatchObject({
      failure: {
        code: 'not-closed',
        message:
          'The public URL https://shop.example.org/ did not answer 503 with our header within 15 s; it answered 200 without X-Maintenance.',
        state: 'Everything was undone: the site is open, and what closes it is as it was before.',
      },
    });
    expectUndone(status);
    expect(status.maintenance).not.toHaveProperty('closedAt');
  });

  test.each([
    ['nginx', 'server blocks of site-files'],
    ['app', 'when app-key is set and app-reload-command has run'],
    ['command', 'after close-command'],
  ])('and says what to look at in the mode %s', async (mode, advice) => {
    world.bend.answer = () => page;
    const context = await world.contextOf({}, { plan: { 'enable-maintenance': { mode } } });
    const outcome = await enableMaintenance(context, closing);
    expect(outcome).toMatchObject({ failure: { next: expect.stringContaining(advice) } });
  });

  test("when the door is somebody else's", async () => {
    const headers = { 'x-maintenance': 'mw-other', 'retry-after': '1' };
    world.bend.answer = () =>
      world.door.kind === 'open' ? undefined : { ...page, status: 503, headers };
    const { outcome, status } = await enable();
    expect(outcome).toMatchObject({ failure: { code: 'not-closed' } });
    expectUndone(status);
  });

  test('when the bypass header does not lead to the application', async () => {
    const headers = { 'x-maintenance': windowId, 'retry-after': '1' };
    world.bend.answer = (request) =>
      request.headers === undefined || world.door.kind === 'open'
        ? undefined
        : { ...page, status: 503, headers };
    const { outcome, status } = await enable();
    expect(outcome).toMatchObject({ failure: { code: 'bypass-closed' } });
    expect(outcome).toMatchObject({
      failure: { message: expect.stringContaining('the bypass header does not reach') as unknown },
    });
    expectUndone(status);
  });

  test('when an exempt path does not answer from the application', async () => {
    world.bend.answer = ({ url }) =>
      url.endsWith('/healthz') ? { ...page, status: 500 } : undefined;
    const { outcome, status } = await enable();
    expect(outcome).toMatchObject({ failure: { code: 'bypass-closed' } });
    expect(outcome).toMatchObject({
      failure: { message: expect.stringContaining('the exempt path /healthz') as unknown },
    });
    expectUndone(status);
  });
});

test('an undoing that is not proved says so, and the window owes its end', async () => {
  const headers = { 'x-maintenance': windowId, 'retry-after': '1' };
  world.bend.busy = () => 1;
  // The door seems to be shut for ever.
  world.bend.answer = ({ url, headers: sent }) =>
    sent === undefined && !url.endsWith('/healthz') ? { ...page, status: 503, headers } : undefined;
  const { outcome, status } = await enable();
  expect(outcome).toMatchObject({
    kind: 'failed',
    failure: {
      code: 'not-drained',
      message: expect.stringContaining('Undoing it did not succeed: The flag is lifted') as unknown,
      state: expect.stringContaining('it is not proved that the public is served') as unknown,
    },
  });
  expect(world.effects).toEqual(['install', 'close', 'open']);
  expect(status.state).toBe('closing');
});

describe('a window that is closed already, whose proof does not hold any more', () => {
  test('is left as it is for the rollback, which knows what else was done behind the door', async () => {
    const context = await world.contextOf();
    await enableMaintenance(context, closing);
    world.bend.answer = () => page;
    const outcome = await enableMaintenance(context, closing);
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'not-closed',
        state: 'The window is closed, but the public is not proved to be kept out.',
      },
    });
    expect(world.effects).toEqual(['install', 'close', 'close']);
    expect(context.record.status.state).toBe('closed');
  });
});
