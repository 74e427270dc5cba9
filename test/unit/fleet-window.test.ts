import { beforeEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { disableMaintenance } from '../../src/phases/disable-maintenance.ts';
import { enableMaintenance } from '../../src/phases/enable-maintenance.ts';
import type { PhaseContext, PhaseOutcome } from '../../src/phases/phase.ts';
import { rollback } from '../../src/phases/rollback.ts';
import type { Failure } from '../../src/ports/failure.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { answer, FakeFleet } from '../fixtures/fake-fleet.ts';
import { properties } from '../fixtures/fake-world.ts';
import { at, statusOf } from '../fixtures/record-factory.ts';

const names = ['web1', 'web2', 'web3'];
const prior = {
  version: 1,
  kind: 'fleet',
  hosts: names.map((name) => ({ name, prior: { of: name } })),
};
const maintenance = { mode: 'fake', prior, closedAt: at(-60) };
const enable = (context: PhaseContext) => enableMaintenance(context, { prepareOnly: false });
const disable = (context: PhaseContext, reopenHeld = false) =>
  disableMaintenance(context, { reopenHeld });
const goBack = (context: PhaseContext, force = false) =>
  rollback(context, { force, acceptDataLoss: false, reason: 'a test asks for it' });

let fleet: FakeFleet;

beforeEach(() => {
  fleet = new FakeFleet();
});

const doors = () => fleet.doors.map(({ door }) => door.kind);
const hooks = () => fleet.doors.map(({ isHooked }) => isHooked);

/** All hosts are closed by this window, with the hook in. */
function close(): void {
  for (const door of fleet.doors) {
    door.door = { kind: 'closed', windowId: statusOf().windowId };
    door.isHooked = true;
  }
}

/** A window whose schema change is made and proved. */
const changed: Partial<WindowStatus> = {
  state: 'changed',
  blast: 'schema',
  maintenance,
  database: { ...properties, oid: 16_400 },
  restorePoint: {
    kind: 'clone',
    takenAt: at(-30),
    seconds: 1,
    database: 'shop_mw_20261122_010000_1a2b_restore_point',
    oid: 16_500,
    bytes: 1024,
  },
};

function failureIn(outcome: PhaseOutcome): Failure {
  if (outcome.kind !== 'failed') throw new Error(`it did not fail: ${JSON.stringify(outcome)}`);
  return outcome.failure;
}

describe('closing several hosts', () => {
  test('is proved at the public URL and at each host, and so are the ways in', async () => {
    const context = await fleet.contextOf(
      {},
      { plan: { 'load-balancer': { 'health-path': '/lb-health' } } },
    );
    const outcome = await enable(context);
    expect(outcome.kind).toBe('done');
    expect(doors()).toEqual(['closed', 'closed', 'closed']);
    expect(
      context.record.journal.find(({ step, event }) => step === 'flag' && event === 'done')?.detail,
    ).toMatch(
      /^the public sees 503 with X-Maintenance: \S+, also at 3 web hosts at their own addresses after/,
    );
  });

  test('is undone when one host is closed and does not show it', async () => {
    fleet.away.add('web2');
    const context = await fleet.contextOf();
    const failure = failureIn(await enable(context));
    expect(failure).toMatchObject({
      code: 'not-closed',
      message:
        'Web host web2 at web2:80 did not answer 503 with our header within 15 s; it answered no answer (timeout).',
      state: 'Everything was undone: the site is open, and what closes it is as it was before.',
    });
    expect(failure.next).toContain('load-balancer.health-path');
    expect([doors(), hooks()]).toEqual([
      ['open', 'open', 'open'],
      [false, false, false],
    ]);
    expect(context.record.status.state).toBe('rolled-back');
  });

  test('that cannot look at a host is a failed step in the journal, with no door touched', async () => {
    const context = await fleet.contextOf({
      state: 'prepared',
      maintenance: { mode: 'fake', prior },
    });
    for (const door of fleet.doors) door.isHooked = true;
    fleet.doors[1].bend = { state: 'fails', open: 'fails' };
    const failure = failureIn(await enable(context));
    expect(failure.message).toContain('One web host could not be looked at before closing: web2');
    expect(context.record.journal.at(-1)).toMatchObject({ step: 'flag', event: 'failed' });
    expect(fleet.doors.flatMap(({ calls }) => calls)).not.toContain('close');
    expect(context.record.status.state).toBe('closing');
  });

  test('is undone when a health path is not answered while closed', async () => {
    const plan = { 'load-balancer': { 'health-path': '/not-exempt-anywhere' } };
    const context = await fleet.contextOf({}, { plan });
    const failure = failureIn(await enable(context));
    expect(failure).toMatchObject({
      code: 'bypass-closed',
      message: expect.stringMatching(
        /^While closed, the exempt path \/not-exempt-anywhere does not reach the application/,
      ) as unknown,
    });
    expect(doors()).toEqual(['open', 'open', 'open']);
  });

  test('whatever one host does, the others are open after a failure, or named', async () => {
    const bends = fc.constantFrom(undefined, 'fails' as const, 'lost' as const);
    const host = fc.record({ close: bends, open: bends, restore: bends, away: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.tuple(host, host, host), async (hosts) => {
        fleet = new FakeFleet();
        for (const [index, { away, ...bend }] of hosts.entries()) {
          const door = fleet.doors[index]!;
          door.bend = Object.fromEntries(
            Object.entries(bend).filter(([, value]) => value !== undefined),
          );
          if (away) fleet.away.add(door.name);
        }
        const context = await fleet.contextOf();
        const outcome = await enable(context);
        const { state } = context.record.status;
        if (outcome.kind === 'done') {
          expect([state, ...doors()]).toEqual(['closed', 'closed', 'closed', 'closed']);
          return;
        }
        const { message, state: told } = failureIn(outcome);
        for (const { name, door } of fleet.doors) {
          if (door.kind === 'closed') expect(`${message} ${told}`).toContain(name);
        }
        // Only a window that owes nothing says that it does not.
        if (state === 'rolled-back') {
          expect([doors(), hooks()]).toEqual([
            ['open', 'open', 'open'],
            [false, false, false],
          ]);
        } else {
          expect(told).not.toContain('Everything was undone');
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('reopening several hosts', () => {
  beforeEach(close);

  test('is tried again until the time is over, and then done', async () => {
    const [, , web3] = fleet.doors;
    web3.bend = { open: 'fails' };
    const context = await fleet.contextOf({ ...changed, restorePoint: undefined });
    let waits = 0;
    const wait = async (seconds: number) => {
      fleet.world.clock.pass(seconds);
      if ((waits += 1) === 3) web3.bend = {};
    };
    const clock = Object.assign(Object.create(fleet.world.clock) as typeof fleet.world.clock, {
      wait,
    });
    expect(await disable({ ...context, clock })).toMatchObject({ kind: 'done' });
    expect(doors()).toEqual(['open', 'open', 'open']);
  });

  test.each([
    ['is away', () => fleet.setAway('web3', true), 'One web host could not open: web3: '],
    [
      'does not open',
      () => (fleet.doors[2].bend = { open: 'fails' }),
      'web3: web3 does not answer.',
    ],
    ['is broken', () => fleet.broken.add('web3'), 'Web host web3 at web3:80 did not answer'],
  ])(
    'closes the others again when one %s; rollback then holds what is good',
    async (_, happens, message) => {
      happens();
      const context = await fleet.contextOf(changed);
      const failure = failureIn(await disable(context));
      expect(failure.message).toContain(message);
      expect(failure.next).toContain('To go on without web3, take it out of the load balancer');
      expect(doors()).toEqual(['closed', 'closed', 'closed']);
      const { state, reopening } = context.record.status;
      expect(reopening).toMatchObject({ from: 'changed', blame: 'host', hosts: ['web3'] });
      // Of one that is away nobody can prove that it is closed.
      expect(state).toBe(fleet.away.size === 0 ? 'changed' : 'reopening');

      const held = failureIn(await goBack(context));
      expect(held).toMatchObject({
        code: 'held',
        message:
          'The window is held, because all changes were proved, and web3 could not be opened: going back would lose them and open nothing more.',
      });
      expect(fleet.world.effects).toEqual([]);
      expect(context.record.status.state).toBe('held');

      fleet.setAway('web3', false);
      fleet.broken.clear();
      expect(await disable(context, true)).toMatchObject({ kind: 'done' });
      expect([doors(), hooks()]).toEqual([
        ['open', 'open', 'open'],
        [false, false, false],
      ]);
    },
  );

  test('is for the rollback to take back when no host answers from the application', async () => {
    for (const name of names) fleet.broken.add(name);
    const context = await fleet.contextOf(changed);
    const failure = failureIn(await disable(context));
    expect(failure.next).toBe('Look at the application; `rollback` closes again and goes back.');
    expect(context.record.status).toMatchObject({
      state: 'changed',
      reopening: { blame: 'application' },
    });
    fleet.broken.clear();
    fleet.world.databases = [
      ...fleet.world.databases,
      {
        ...fleet.world.databases[0]!,
        name: 'shop_mw_20261122_010000_1a2b_restore_point',
        oid: 16_500,
        allowsConnections: false,
      },
    ];
    expect(await goBack(context)).toMatchObject({ kind: 'done', outputs: { outcome: 'restored' } });
  });

  test('blames what stands before the hosts when each of them is well', async () => {
    fleet.frontAnswer = answer(502);
    const context = await fleet.contextOf(changed);
    const failure = failureIn(await disable(context));
    expect(failure.message).toMatch(/^The public URL \S+ did not answer from the application/);
    expect(context.record.status.reopening).toMatchObject({ blame: 'front', hosts: [] });
    expect(failureIn(await goBack(context)).message).toContain(
      'what stands before the web hosts kept the public from it',
    );
  });

  test('of a window that changed nothing is for the rollback, as far as it goes', async () => {
    fleet.setAway('web3', true);
    const context = await fleet.contextOf({ state: 'closed', blast: 'app', maintenance });
    await disable(context);
    const held = failureIn(await goBack(context));
    expect(held.state).toContain('of the web hosts open: web1, web2; not to be seen: web3');
    expect(doors()).toEqual(['open', 'open', 'closed']);
    fleet.setAway('web3', false);
    expect(await goBack(context, true)).toMatchObject({ kind: 'done' });
    expect([doors(), hooks()]).toEqual([
      ['open', 'open', 'open'],
      [false, false, false],
    ]);
  });

  test('keeps the count of writes from before the first door opened', async () => {
    fleet.broken.add('web3');
    const before = { 'public.orders': { inserted: 1, updated: 0, deleted: 0 } };
    fleet.world.writes = before;
    const context = await fleet.contextOf(changed);
    await disable(context);
    // Users wrote on the hosts that were open for a moment.
    fleet.world.writes = { 'public.orders': { inserted: 4, updated: 0, deleted: 0 } };
    await disable(context);
    expect(context.record.status.writesAtReopening).toEqual(before);
    const failure = failureIn(await goBack(context, true));
    expect(failure).toMatchObject({ code: 'writes-would-be-lost' });
    expect(failure.message).toContain('3 inserted');
    expect(fleet.world.effects.filter((effect) => effect.startsWith('rename'))).toEqual([]);
  });

  test('failing again leaves a held window held', async () => {
    fleet.broken.add('web1');
    const context = await fleet.contextOf({ ...changed, state: 'held' });
    const failure = failureIn(await disable(context, true));
    expect(failure.state).toContain('the window is held as before');
    expect(context.record.status.state).toBe('held');
    expect(doors()).toEqual(['closed', 'closed', 'closed']);
  });

  test('goes on without a host that an operator took out of the plan', async () => {
    fleet.setAway('web3', true);
    const context = await fleet.contextOf(
      { ...changed, state: 'held' },
      {
        doors: fleet.doors.slice(0, 2),
        mayLeaveOut: true,
      },
    );
    expect(await disable(context, true)).toMatchObject({ kind: 'done' });
    expect(context.record.status.maintenance?.restoration).toContain(
      'web3: not given back, because an operator took it out of the plan',
    );
    expect(fleet.world.progress.lines.join('\n')).toContain('warning web1: given back');
    expect(doors()).toEqual(['open', 'open', 'closed']);
  });
});

describe('a rollback that must go back, with one host away', () => {
  beforeEach(close);

  test('touches no database, keeps the others closed, and holds', async () => {
    fleet.setAway('web2', true);
    const context = await fleet.contextOf({ ...changed, state: 'changing' });
    const failure = failureIn(await goBack(context));
    expect(failure.message).toContain('web2');
    expect(failure.state).toContain('closed: web1, web3; not to be seen: web2');
    expect(doors()).toEqual(['closed', 'closed', 'closed']);
    expect(fleet.world.effects).toEqual([]);
    expect(context.record.status.state).toBe('held');
  });

  test('closes the others when a killed reopening had opened some', async () => {
    fleet.doors[0].door = { kind: 'open' };
    fleet.setAway('web2', true);
    const context = await fleet.contextOf({ ...changed, state: 'reopening' });
    const failure = failureIn(await goBack(context));
    expect(failure.state).toContain('closed: web1, web3; not to be seen: web2');
    expect(fleet.world.effects).toEqual([]);
  });
});

describe('draining through the load balancer', () => {
  const plan = {
    'load-balancer': { 'health-path': '/lb-health', 'when-closed': 'drain', 'drain-timeout': '5s' },
  };

  test('is waited for, while each host is proved closed by itself', async () => {
    fleet.drains = true;
    const context = await fleet.contextOf({}, { plan });
    expect(await enable(context)).toMatchObject({ kind: 'done' });
    expect(context.record.journal.map(({ step, event }) => `${step} ${event}`)).toContain(
      'load-balancer done',
    );
    expect(await disable(context)).toMatchObject({ kind: 'done' });
  });

  test('that does not come undoes the closing', async () => {
    const context = await fleet.contextOf({}, { plan });
    expect(failureIn(await enable(context))).toMatchObject({
      code: 'load-balancer-not-drained',
      message: expect.stringContaining('After 5 s the public URL') as unknown,
      state: 'Everything was undone: the site is open, and what closes it is as it was before.',
    });
    expect(doors()).toEqual(['open', 'open', 'open']);
  });

  test('is refused before anything is touched when a host has no address', async () => {
    const context = await fleet.contextOf({}, { plan, withoutAddress: true });
    expect(failureIn(await enable(context))).toMatchObject({ code: 'load-balancer-setting' });
    expect(fleet.doors.flatMap(({ calls }) => calls)).toEqual([]);
  });
});
