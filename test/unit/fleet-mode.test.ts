import { beforeEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { fleetMode, type FleetOptions } from '../../src/modes/fleet.ts';
import { failureOf, type Failure } from '../../src/ports/failure.ts';
import type { DoorState } from '../../src/ports/maintenance-mode.ts';
import { FakeDoor, type DoorOperation } from '../fixtures/fake-door.ts';

const windowId = 'mw-1';
const ours: DoorState = { kind: 'closed', windowId };
const theirs: DoorState = { kind: 'closed-by-another', holder: 'mw-2' };
const open: DoorState = { kind: 'open' };
const prior = {
  version: 1,
  kind: 'fleet',
  hosts: ['web1', 'web2', 'web3'].map((name) => ({ name, prior: { of: name } })),
};

let web1: FakeDoor, web2: FakeDoor, web3: FakeDoor, all: readonly FakeDoor[];

beforeEach(() => {
  all = ['web1', 'web2', 'web3'].map((name) => new FakeDoor(name, windowId));
  [web1, web2, web3] = all as [FakeDoor, FakeDoor, FakeDoor];
});

function fleet(doors: readonly FakeDoor[] = all, options: Partial<FleetOptions> = {}) {
  return fleetMode(
    doors.map(({ member }) => member),
    { parallel: 8, hostLimitSeconds: 0.02, ...options },
  );
}

function doorsOf(doors = all) {
  return doors.map(({ door }) => door.kind);
}

async function failure(work: Promise<unknown>): Promise<Failure> {
  return work.then(
    (value) => {
      throw new Error(`it did not fail: ${JSON.stringify(value)}`);
    },
    (error: unknown) => failureOf(error),
  );
}

/** Runs an operation with whatever it takes. */
function perform(operation: DoorOperation, mode = fleet()): Promise<unknown> {
  switch (operation) {
    case 'install':
    case 'installed':
    case 'restore':
      return mode[operation](prior);
    default:
      return mode[operation]();
  }
}

describe('several hosts, all well', () => {
  test('are planned, hooked, closed, opened and given back as one', async () => {
    const mode = fleet();
    expect(await mode.plan()).toEqual(prior);
    await mode.install(prior);
    expect(await mode.installed(prior)).toBe(true);
    expect(await mode.state()).toEqual(open);
    await mode.close();
    expect(await mode.state()).toEqual(ours);
    await mode.open();
    expect(await mode.state()).toEqual(open);
    expect(await mode.restore(prior)).toEqual({
      kind: 'restored',
      detail: 'web1: given back; web2: given back; web3: given back',
    });
    expect(await mode.restore(prior)).toEqual({ kind: 'nothing-to-do' });
    expect(await mode.installed(prior)).toBe(false);
  });

  test('are checked each under its own id and name', async () => {
    expect((await fleet().check()).map(({ id, title }) => [id, title])).toEqual([
      ['nginx-1', 'nginx (web1)'],
      ['nginx-2', 'nginx (web2)'],
      ['nginx-3', 'nginx (web3)'],
    ]);
  });

  test('are installed only when every one is', async () => {
    [web1.isHooked, web2.isHooked] = [true, true];
    expect(await fleet().installed(prior)).toBe(false);
  });
});

describe.each(['fails', 'hangs'] as const)('one of three hosts that %s', (bent) => {
  const reason = bent === 'fails' ? 'web2 does not answer.' : 'It did not come to an end within';

  beforeEach(() => {
    web2.bend = Object.fromEntries(
      (['check', 'plan', 'install', 'installed', 'close', 'state', 'open', 'restore'] as const).map(
        (operation) => [operation, bent],
      ),
    );
  });

  test('fails its own check alone', async () => {
    const checks = await fleet().check();
    expect(checks.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['nginx-1', 'passed'],
      ['mode-2', 'failed'],
      ['nginx-3', 'passed'],
    ]);
    expect(checks[1]).toMatchObject({ title: 'Maintenance mode (web2)' });
    expect(checks[1]?.value).toContain(reason);
  });

  test.each([
    ['plan', 'Nothing was touched.', [false, false, false]],
    [
      'install',
      'On web1, web3 it was taken back. No door was opened or closed by this step.',
      [false, false, false],
    ],
    ['installed', 'Looking changed nothing.', [false, false, false]],
    ['close', 'Nothing was closed by this step. Open: web1, web3.', [false, false, false]],
    ['state', 'Open: web1, web3.', [false, false, false]],
    ['open', 'Open: web1, web3.', [false, false, false]],
  ] as const)(
    'makes %s fail, and the failure says how the others stand',
    async (operation, state, hooks) => {
      const failed = await failure(perform(operation));
      expect(failed.message).toMatch(/^One web host could not .*: web2: /);
      expect(failed.message).toContain(reason);
      expect(failed.state).toBe(state);
      expect(failed.next).not.toBe('');
      expect(doorsOf()).toEqual(['open', 'open', 'open']);
      expect(all.map(({ isHooked }) => isHooked)).toEqual(hooks);
    },
  );

  test('does not keep the others from being given back', async () => {
    for (const door of all) door.isHooked = true;
    const failed = await failure(fleet().restore(prior));
    expect(failed.state).toBe('It was given back on web1, web3.');
    expect(all.map(({ isHooked }) => isHooked)).toEqual([false, true, false]);
  });

  test('does not keep the others from being opened', async () => {
    for (const door of all) door.door = ours;
    await failure(fleet().open());
    expect(doorsOf()).toEqual(['open', 'closed', 'open']);
  });

  test('shows as unknown among the doors, with the reason', async () => {
    const doors = await fleet().hostDoors?.();
    expect(doors).toMatchObject([
      { host: 'web1', door: 'open' },
      { host: 'web2', door: 'unknown' },
      { host: 'web3', door: 'open' },
    ]);
    expect(JSON.stringify(doors)).toContain(reason);
  });
});

describe('closing', () => {
  test.each(['fails', 'hangs', 'lost'] as const)(
    'opens the rest again when one %s',
    async (bent) => {
      web3.bend = { close: bent };
      const failed = await failure(fleet().close());
      expect(doorsOf()).toEqual(['open', 'open', 'open']);
      expect(failed.message).toContain('One web host could not close: web3: ');
      expect(failed.state).toBe('Opened again: web1, web2, web3.');
    },
  );

  test('names who could not be opened again', async () => {
    web3.bend = { close: 'fails' };
    web1.bend = { open: 'fails' };
    const failed = await failure(fleet().close());
    expect(doorsOf()).toEqual(['closed', 'open', 'open']);
    expect(failed.state).toBe(
      'Opened again: web2, web3. Not opened again, and perhaps closed: web1 (web1 does not answer.).',
    );
  });

  test('leaves closed what was closed before: there may be half a change behind it', async () => {
    [web1.door, web2.door] = [ours, ours];
    web3.bend = { close: 'fails' };
    await failure(fleet().close());
    expect(doorsOf()).toEqual(['closed', 'closed', 'open']);
    web3.bend = { state: 'fails' };
    await failure(fleet().close());
    expect(doorsOf()).toEqual(['closed', 'closed', 'open']);
  });

  test('touches no door when somebody else has closed one', async () => {
    web2.door = theirs;
    const failed = await failure(fleet().close());
    expect(failed).toMatchObject({
      code: 'closed-by-another',
      message: 'One web host could not close: web2: The site is closed by mw-2.',
      state: 'No other host was closed. Open: web1, web3. Closed by somebody else: web2.',
    });
    expect([web1.calls, web3.calls].flat()).not.toContain('close');
    expect(doorsOf()).toEqual(['open', 'closed-by-another', 'open']);
  });

  test('goes on where a killed run had closed some', async () => {
    web2.door = ours;
    await fleet().close();
    expect(doorsOf()).toEqual(['closed', 'closed', 'closed']);
  });

  test('is told as cancelled when it was', async () => {
    web1.bend = { close: 'fails' };
    web2.bend = { close: 'cancelled' };
    expect((await failure(fleet().close())).code).toBe('cancelled');
  });

  test('each by itself closes what can be closed, and names the rest', async () => {
    web2.bend = { close: 'fails' };
    const failed = await failure(fleet().closeEach?.() ?? Promise.resolve());
    expect(doorsOf()).toEqual(['closed', 'open', 'closed']);
    expect(failed).toMatchObject({ state: 'Closed: web1, web3.' });
  });
});

describe('the state of several doors', () => {
  test.each<[string, readonly DoorState[], object]>([
    ['all open', [open, open, open], open],
    ['all closed by this window', [ours, ours, ours], ours],
    ['one closed by another', [ours, theirs, open], theirs],
    [
      'some closed',
      [ours, open, ours],
      { kind: 'partly-closed', detail: 'Closed: web1, web3. Open: web2.' },
    ],
  ])('%s', async (_, doors, expected) => {
    for (const [index, door] of doors.entries()) all[index]!.door = door;
    expect(await fleet().state()).toEqual(expected);
  });
});

describe('putting in place', () => {
  test('is taken back where a door is open, and left where it is closed', async () => {
    [web1.door, web1.isHooked] = [ours, true];
    web3.bend = { install: 'fails' };
    const failed = await failure(fleet().install(prior));
    expect(failed.state).toBe(
      'On web2 it was taken back. On web1, which is closed, it was left in place. No door was opened or closed by this step.',
    );
    expect(all.map(({ isHooked }) => isHooked)).toEqual([true, false, false]);
  });

  test('says where it could not be taken back', async () => {
    web1.bend = { restore: 'fails' };
    web3.bend = { install: 'fails' };
    const failed = await failure(fleet().install(prior));
    expect(failed.state).toContain(
      'On web2 it was taken back. On web1 it could not be taken back.',
    );
  });
});

describe('other web hosts than the window began with', () => {
  test('are refused when they are new', async () => {
    const web4 = new FakeDoor('web4', windowId);
    const failed = await failure(fleet([...all, web4], { mayLeaveOut: true }).restore(prior));
    expect(failed).toMatchObject({ code: 'prior-unreadable' });
    expect(failed.message).toContain('(new: web4; gone: none)');
    expect([...all, web4].flatMap(({ calls }) => calls)).toEqual([]);
  });

  test('are refused when one is gone, unless an operator consents', async () => {
    for (const door of all) door.isHooked = true;
    const failed = await failure(fleet([web1, web2]).restore(prior));
    expect(failed).toMatchObject({ code: 'prior-unreadable' });
    expect(failed.next).toContain('reopen-held');
    expect(await fleet([web1, web2], { mayLeaveOut: true }).restore(prior)).toEqual({
      kind: 'partly-restored',
      detail:
        'web1: given back; web2: given back; web3: not given back, because an operator took it out of the plan',
    });
    expect(all.map(({ isHooked }) => isHooked)).toEqual([false, false, true]);
  });

  test('may be all gone but one', async () => {
    web1.isHooked = true;
    expect((await failure(fleet([web1]).installed(prior))).code).toBe('prior-unreadable');
    const alone = fleet([web1], { mayLeaveOut: true });
    expect(await alone.installed(prior)).toBe(true);
    await alone.install(prior);
    expect(await alone.restore(prior)).toMatchObject({
      kind: 'partly-restored',
      detail: expect.stringContaining('web2: not given back') as unknown,
    });
  });

  test('are refused where the window began with one host alone', async () => {
    expect(await failure(fleet().installed({ of: 'web1' }))).toMatchObject({
      code: 'prior-unreadable',
      message: 'The prior state in the record is not that of several web hosts.',
    });
  });
});

test('one host is what its mode is by itself', async () => {
  const mode = fleet([web1]);
  const own = (await mode.plan()) as object;
  expect(own).toEqual({ of: 'web1' });
  await mode.install(own);
  expect(await mode.installed(own)).toBe(true);
  await mode.close();
  expect(await mode.state()).toEqual(ours);
  await mode.open();
  expect(await mode.restore(own)).toEqual({ kind: 'restored', detail: 'given back' });
  expect(mode).not.toHaveProperty('closeEach');
  expect((await mode.check()).map(({ id }) => id)).toEqual(['nginx']);
});

test('no more hosts are worked on at once than the plan allows', async () => {
  let now = 0;
  let most = 0;
  const doors = Array.from({ length: 7 }, (_, index) => new FakeDoor(`web${index}`, windowId));
  const members = doors.map(({ name, mode }) => ({
    name,
    mode: {
      ...mode,
      close: async () => {
        now += 1;
        most = Math.max(most, now);
        await new Promise(setImmediate);
        now -= 1;
        await mode.close();
      },
    },
  }));
  await fleetMode(members, { parallel: 3 }).close();
  expect(most).toBe(3);
  expect(doorsOf(doors)).toEqual(Array.from({ length: 7 }, () => 'closed'));
});

test('after a closing that failed, every host is as before, or its name is in the failure', async () => {
  const bends = fc.constantFrom(undefined, 'fails' as const, 'lost' as const);
  const host = fc.record({
    door: fc.constantFrom<DoorState>(open, open, ours, theirs),
    close: bends,
    open: bends,
    state: fc.constantFrom(undefined, undefined, undefined, 'fails' as const),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(host, { minLength: 2, maxLength: 6 }), async (hosts) => {
      const doors = hosts.map((bent, index) => {
        const door = new FakeDoor(`host-${index}`, windowId);
        door.door = bent.door;
        const given = Object.entries({ close: bent.close, open: bent.open, state: bent.state });
        door.bend = Object.fromEntries(given.filter(([, value]) => value !== undefined));
        return door;
      });
      const outcome = await fleet(doors, { hostLimitSeconds: 5 })
        .close()
        .then(() => undefined, failureOf);
      if (outcome === undefined) {
        expect(doorsOf(doors)).toEqual(doors.map(() => 'closed'));
        return;
      }
      for (const [index, door] of doors.entries()) {
        const before = hosts[index]!.door.kind;
        if (door.door.kind === before) continue;
        expect([before, door.door.kind]).toEqual(['open', 'closed']);
        expect(outcome.state).toMatch(
          new RegExp(`Not opened again, and perhaps closed: .*\\b${door.name} \\(`),
        );
        expect(door.bend.open).toBe('fails');
      }
    }),
    { numRuns: 2000 },
  );
});
