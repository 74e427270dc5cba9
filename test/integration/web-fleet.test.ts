import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startWebFleet, type WebFleet, type WebMachine } from '../../rehearsal/web-fleet.ts';
import { nodeHttp } from '../../src/http/node-http.ts';
import { disableMaintenance } from '../../src/phases/disable-maintenance.ts';
import { enableMaintenance } from '../../src/phases/enable-maintenance.ts';
import { checkDoors, checkHosts } from '../../src/phases/host-checks.ts';
import type { PhaseContext, PhaseOutcome } from '../../src/phases/phase.ts';
import { viewOf } from '../../src/phases/public-view.ts';
import { rollback } from '../../src/phases/rollback.ts';
import { runChecks } from '../../src/phases/smoke-test.ts';
import type { Failure } from '../../src/ports/failure.ts';
import { FleetWindow, interrupted } from '../fixtures/fleet-window.ts';

let fleet: WebFleet;
let web1: WebMachine, web2: WebMachine, web3: WebMachine;
let siteBefore: readonly Buffer[];
let window: FleetWindow;

beforeAll(async () => {
  fleet = await startWebFleet({ size: 3 });
  [web1, web2, web3] = fleet.machines as [WebMachine, WebMachine, WebMachine];
  siteBefore = await siteFiles();
}, 60_000);

afterAll(async () => {
  await fleet.stop();
});

beforeEach(() => {
  window = FleetWindow.begin(fleet);
});

async function siteFiles(): Promise<Buffer[]> {
  return Promise.all(
    fleet.machines.map(
      async (machine) => (await machine.readFile(fleet.siteFile)) ?? Buffer.from(''),
    ),
  );
}

/** `closed`, `open` or `away`, as each machine answers the public itself. */
async function doors(): Promise<readonly string[]> {
  return Promise.all(fleet.machines.map(({ address }) => doorAt(`http://${address}/`)));
}

async function doorAt(url: string): Promise<string> {
  const view = viewOf(await nodeHttp().request({ url, timeoutSeconds: 1 }));
  if (view.kind === 'application') return 'open';
  return view.kind === 'closed' ? 'closed' : view.observed;
}

/** Whether each machine has our include line and our flag. */
async function traces(): Promise<readonly string[]> {
  const flag = `${window.stateDir}/shop/mode/closed`;
  return Promise.all(
    fleet.machines.map(async (machine, index) => {
      const site = await machine.readFile(fleet.siteFile);
      const hook = site?.equals(siteBefore[index]!) === true ? '' : 'hook';
      return [hook, (await machine.readFile(flag)) === undefined ? '' : 'flag']
        .filter((part) => part !== '')
        .join('+');
    }),
  );
}

const enable = (context: PhaseContext) => enableMaintenance(context, { prepareOnly: false });
const disable = (context: PhaseContext) => disableMaintenance(context, { reopenHeld: false });
const undo = (context: PhaseContext) =>
  rollback(context, { force: false, acceptDataLoss: false, reason: 'a test asks for it' });

function failureIn(outcome: PhaseOutcome): Failure {
  if (outcome.kind !== 'failed') throw new Error(`it did not fail: ${JSON.stringify(outcome)}`);
  return outcome.failure;
}

async function stateOf(): Promise<string> {
  return window.during(async ({ record }) => record.status.state);
}

async function expectAsBefore(): Promise<void> {
  expect(await siteFiles()).toEqual(siteBefore);
  expect(await traces()).toEqual(['', '', '']);
  expect(await doors()).toEqual(['open', 'open', 'open']);
  expect(await doorAt(fleet.balancer.url)).toBe('open');
}

/** Asks a door again and again; what it saw, in the order of the answers, each change once. */
function sample(url: string): { stop(): Promise<readonly string[]> } {
  const seen: string[] = [];
  const stopping = new AbortController();
  const asking = (async () => {
    while (!stopping.signal.aborted) {
      const view = await doorAt(url);
      if (seen.at(-1) !== view) seen.push(view);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await asking;
      return seen;
    },
  };
}

const addresses = () => fleet.machines.map(({ address }) => `http://${address}/`);

describe('a window over three web hosts', () => {
  test('passes preflight, closes every door, and opens all of them again', async () => {
    const checks = await window.during(async (context) => [
      ...(await checkHosts(context)),
      ...(await checkDoors(context)),
    ]);
    expect(checks.map(({ id, verdict }) => `${id} ${verdict}`)).toEqual([
      'host passed',
      'host-2 passed',
      'clock-2 passed',
      'host-3 passed',
      'clock-3 passed',
      'host-4 passed',
      'clock-4 passed',
      'public-url passed',
      'public-url-1 passed',
      'public-url-2 passed',
      'public-url-3 passed',
    ]);
    const samples = [...addresses(), `${fleet.balancer.url}/`].map(sample);
    // So that each door was seen open first.
    await doors();
    const closed = await window.during(enable);
    expect(closed).toMatchObject({ kind: 'done' });
    expect(await doors()).toEqual(['closed', 'closed', 'closed']);
    expect(await doorAt(fleet.balancer.url)).toBe('closed');
    // The load balancer goes on finding them well.
    expect(await doorAt(fleet.balancer.url + fleet.healthPath)).toBe('open');
    expect(await window.during(disable)).toMatchObject({ kind: 'done' });
    await expectAsBefore();
    const seen = await Promise.all(samples.map(({ stop }) => stop()));
    // Each host was open, closed once and opened once, with no other answer between.
    expect(seen.slice(0, 3)).toEqual(addresses().map(() => ['open', 'closed', 'open']));
    expect(new Set(seen[3])).toEqual(new Set(['open', 'closed']));
  });
});

describe('one of three hosts that is cut off', () => {
  test('before planning, installing or closing: nobody is kept out, and nothing is left half done', async () => {
    const rows = [
      { step: 'plan', state: 'planned', left: ['', '', ''] },
      { step: 'install', state: 'prepared', left: ['', '', ''] },
      { step: 'close', state: 'closing', left: ['hook', 'hook', 'hook'] },
    ] as const;
    const samples = addresses().slice(0, 2).map(sample);
    for (const { step, state, left } of rows) {
      const bend = interrupted(step, 'before', () => web3.cutOff());
      const failure = failureIn(await window.during(enable, { bend }));
      expect([step, failure.message]).toEqual([step, expect.stringContaining(web3.url)]);
      expect([step, failure.state]).not.toEqual([step, expect.stringContaining('as before')]);
      expect([step, await stateOf()]).toEqual([step, state]);
      expect([step, await traces()]).toEqual([step, left]);
      expect((await doors()).slice(0, 2)).toEqual(['open', 'open']);
      await web3.reconnect();
      expect(await doors()).toEqual(['open', 'open', 'open']);
    }
    expect(await window.during(undo)).toMatchObject({ kind: 'done' });
    expect(await stateOf()).toBe('rolled-back');
    const seen = await Promise.all(samples.map(({ stop }) => stop()));
    expect(seen).toEqual([['open'], ['open']]);
    await expectAsBefore();
  });

  test('before the proof: the others are opened again, and the failure says who is closed', async () => {
    const bend = interrupted('close', 'after', () => web3.cutOff());
    const failure = failureIn(await window.during(enable, { bend }));
    expect(failure).toMatchObject({ code: 'not-closed' });
    expect(failure.message).toContain(`Web host ${web3.url} at ${web3.address} did not answer`);
    expect(failure.message).toContain('Undoing it did not succeed');
    expect(failure.state).toContain(`open: ${web1.url}, ${web2.url}; not to be seen: ${web3.url}`);
    expect(await stateOf()).toBe('closing');
    expect(await traces()).toEqual(['hook', 'hook', 'hook+flag']);
    // Rolling back while it is away does what it can, and holds.
    const held = failureIn(await window.during(undo));
    expect(held.state).toContain('The rollback did not succeed and is held');
    expect(held.state).toContain(`open: ${web1.url}, ${web2.url}; not to be seen: ${web3.url}`);
    expect(await stateOf()).toBe('held');
    expect((await doors()).slice(0, 2)).toEqual(['open', 'open']);
    await web3.reconnect();
    expect(await doors()).toEqual(['open', 'open', 'closed']);
    const forced = (context: PhaseContext) =>
      rollback(context, { force: true, acceptDataLoss: false, reason: 'it is back' });
    expect(await window.during(forced)).toMatchObject({ kind: 'done' });
    await expectAsBefore();
  });

  test('before opening or giving back: all stay closed, then all are open, and it can be gone on with', async () => {
    expect(await window.during(enable)).toMatchObject({ kind: 'done' });
    const failure = failureIn(
      await window.during(disable, { bend: interrupted('open', 'before', () => web3.cutOff()) }),
    );
    expect(failure.message).toContain(`One web host could not open: ${web3.url}`);
    expect(failure.state).toContain(
      `closed: ${web1.url}, ${web2.url}; not to be seen: ${web3.url}`,
    );
    expect(failure.next).toContain('reopen-held');
    expect(await doors()).toMatchObject(['closed', 'closed', expect.stringMatching('no answer')]);
    expect(await stateOf()).toBe('reopening');
    await web3.reconnect();
    expect(await doors()).toEqual(['closed', 'closed', 'closed']);

    const second = failureIn(
      await window.during(disable, { bend: interrupted('restore', 'before', () => web3.cutOff()) }),
    );
    expect(second.message).toContain(
      `One web host could not give back what was there: ${web3.url}`,
    );
    expect(second.state).toBe(`It was given back on ${web1.url}, ${web2.url}.`);
    expect(await stateOf()).toBe('reopened');
    expect(await traces()).toEqual(['', '', 'hook']);
    await web3.reconnect();
    expect(await doors()).toEqual(['open', 'open', 'open']);
    expect(await window.during(disable)).toMatchObject({ kind: 'done' });
    await expectAsBefore();
  });
});

describe('one of three hosts whose application is broken', () => {
  test('keeps all closed, until an operator takes it out of the plan', async () => {
    expect(await window.during(enable)).toMatchObject({ kind: 'done' });
    await web2.breakApplication(true);
    const failure = failureIn(await window.during(disable));
    expect(failure).toMatchObject({ code: 'not-open' });
    expect(failure.message).toContain(`Web host ${web2.url} at ${web2.address} did not answer`);
    expect(failure.state).toContain('All web hosts were closed again and are proved closed');
    expect(await stateOf()).toBe('closed');
    expect(await doors()).toEqual(['closed', 'closed', 'closed']);

    const machines = [web1, web3];
    // A plan that just lacks it is refused; to leave it out is an operator's word.
    const refused = failureIn(await window.during(undo, { machines }));
    expect(refused.message).toContain(`gone: ${web2.url}`);
    await web2.cutOff();
    const reopenHeld = (context: PhaseContext) => disableMaintenance(context, { reopenHeld: true });
    const invocation = { 'reopen-held': true };
    const outcome = await window.during(reopenHeld, { machines, invocation });
    expect(outcome).toMatchObject({ kind: 'done' });
    const restoration = await window.during(
      async ({ record }) => record.status.maintenance?.restoration,
    );
    expect(restoration).toContain(`${web2.url}: not given back, because an operator took it out`);
    expect(await doorAt(fleet.balancer.url)).toBe('open');
    expect(await traces()).toEqual(['', 'hook+flag', '']);

    // By hand, as the documentation says.
    await web2.breakApplication(false);
    await web2.reconnect();
    await window.during(async ({ fleet: { web } }) => {
      const { host } = web[1]!;
      await host.remove(`${window.stateDir}/shop/mode/closed`);
      await host.writeFile(fleet.siteFile, siteBefore[1]!, { mode: 0o644 });
      const [nginx = '', ...args] = fleet.nginxCommand;
      await host.run({ argv: [nginx, ...args, '-s', 'reload'] });
    });
    await expectAsBefore();
  });
});

describe('a load balancer that is drained', () => {
  const drain = () => ({
    'load-balancer': {
      'health-path': fleet.healthPath,
      'when-closed': 'drain',
      'drain-timeout': '2s',
    },
  });

  test('takes the hosts out, answers itself, and takes them in again', async () => {
    window = FleetWindow.begin(fleet, {
      ...drain(),
      'smoke-test': { checks: [{ id: 'home', kind: 'http', url: '/' }] },
    });
    expect(await window.during(enable)).toMatchObject({ kind: 'done' });
    // Smoke tests get past the load balancer as well.
    expect(await window.during(runChecks)).toMatchObject([{ id: 'home', passed: true }]);
    expect(await doors()).toEqual(['closed', 'closed', 'closed']);
    expect(await doorAt(fleet.balancer.url)).toBe('503 without X-Maintenance');
    expect(window.progress.lines.join('\n')).toContain(
      'done enable-maintenance load-balancer: the public sees 503 without X-Maintenance',
    );
    expect(await window.during(disable)).toMatchObject({ kind: 'done' });
    await expectAsBefore();
  });
});
