import { beforeEach, describe, expect, test } from '@jest/globals';
import { checkDoors, checkHealthPath, checkHosts, skewOf } from '../../src/phases/host-checks.ts';
import { checkDrainable } from '../../src/phases/load-balancer.ts';
import { fail } from '../../src/ports/failure.ts';
import type { Command, CommandResult } from '../../src/ports/host.ts';
import type { HttpReply } from '../../src/ports/http.ts';
import { MemoryHost, StillClock } from '../fixtures/memory-host.ts';
import { planOf } from '../fixtures/record-factory.ts';

const now = Date.parse('2026-11-22T01:00:05.500Z') / 1000;

/** A machine that answers the questions of preflight; `skew` is how far its clock is ahead, in seconds. */
class Machine extends MemoryHost {
  readonly asked: string[] = [];
  skew = 0;
  isAway = false;
  isWritable = true;
  date: string | undefined;

  constructor(name: string) {
    super();
    Object.assign(this, { name });
  }

  override readonly run = (async ({ argv }: Command): Promise<CommandResult> => {
    if (this.isAway) {
      fail({
        code: 'host-unreachable',
        message: `${this.name} is away.`,
        state: 's',
        next: 'Wait.',
      });
    }
    this.asked.push(argv.join(' '));
    const well = { exitCode: 0, stdout: '', stderr: '', timedOut: false, seconds: 0 };
    switch (argv[0]) {
      case 'uname':
        return { ...well, stdout: 'Linux 6.1\n' };
      case 'date':
        return { ...well, stdout: this.date ?? `${Math.floor(now + this.skew)}\n` };
      default:
        return { ...well, exitCode: this.isWritable ? 0 : 1 };
    }
  }) as never;
}

let runner: Machine, web1: Machine, web2: Machine, database: Machine, worker: Machine;

beforeEach(() => {
  runner = new Machine('local');
  [web1, web2, database, worker] = ['web1', 'web2', 'db1', 'worker1'].map(
    (name) => new Machine(name),
  ) as [Machine, Machine, Machine, Machine];
});

const good: HttpReply = { kind: 'answer', status: 200, headers: {}, body: '', seconds: 0 };

function contextOf(plan: Record<string, unknown> = {}) {
  return {
    plan: planOf(plan),
    clock: new StillClock(new Date(now * 1000).toISOString()),
    host: web1,
    runner,
    fleet: {
      control: web1,
      web: [
        { host: web1, address: { host: '192.0.2.11', port: 443 } },
        { host: web2, address: { host: '192.0.2.12', port: 443 } },
      ],
      database,
      workers: [worker, web2],
      parallel: 8,
    },
    http: { request: async () => good },
    mode: undefined,
  };
}

async function verdicts() {
  const checks = await checkHosts(contextOf());
  return Object.fromEntries(checks.map(({ id, verdict, value }) => [id, `${verdict}: ${value}`]));
}

describe('the machines of a plan', () => {
  test('are looked at once each, with their clocks', async () => {
    const room = 'Linux 6.1, 1 TiB free at /var/lib/maintenance-window';
    const same = 'the same time, to the second';
    expect(await verdicts()).toEqual({
      host: `passed: ${room}`,
      clock: `passed: ${same}`,
      'host-2': `passed: ${room}`,
      'clock-2': `passed: ${same}`,
      'host-3': 'passed: Linux 6.1',
      'clock-3': `passed: ${same}`,
      'host-4': 'passed: Linux 6.1',
      'clock-4': `passed: ${same}`,
    });
    expect(web2.asked).toEqual(['uname -sr', 'test -w /', 'date -u +%s']);
    // The database's host has no file of ours below the state folder.
    expect(database.asked).toEqual(['uname -sr', 'date -u +%s']);
    expect([web1, web2, database, worker].flatMap(({ changes }) => changes)).toEqual([]);
  });

  test('one that is away fails alone, and is named', async () => {
    web2.isAway = true;
    const found = await verdicts();
    expect(found['host-2']).toBe('failed: web2 is away.');
    expect(found).not.toHaveProperty('clock-2');
    expect(Object.values(found).filter((value) => value.startsWith('failed'))).toHaveLength(1);
  });

  test('must be writable where the state folder is, or where it will be made', async () => {
    web2.isWritable = false;
    await web2.makeDirectory('/var/lib', 0o755);
    expect((await verdicts())['host-2']).toBe('failed: /var/lib cannot be written');
  });
});

describe('the clock of a host', () => {
  test.each([
    [0, 'passed: the same time, to the second'],
    [5, "passed: 4.5 s ahead of the runner's"],
    [6, "warning: 5.5 s ahead of the runner's"],
    [-7, "warning: 6.5 s behind the runner's"],
    [60, "warning: 1 min ahead of the runner's"],
    [62, "failed: 1 min 2 s ahead of the runner's"],
    [-90, "failed: 1 min 30 s behind the runner's"],
  ])('that is %i s off', async (skew, expected) => {
    web2.skew = skew;
    expect((await verdicts())['clock-2']).toBe(expected);
  });

  test('that cannot be read is a warning', async () => {
    web2.date = 'Sun Nov 22';
    expect((await verdicts())['clock-2']).toBe('warning: `date` answered "Sun Nov 22"');
  });

  test.each([
    ['in the second of the question', 100, 100.2, 100.3, 0],
    ['anywhere between question and answer', 105, 100, 110, 0],
    ['in the second before the question, which may be the same moment', 99, 99.9, 100.2, 0],
    ['after the answer', 112, 100, 110, 2],
    ['before the question', 90, 100, 110, -9],
  ])('is told %s', (_, told, before, after, expected) => {
    expect(skewOf(told, before, after)).toBe(expected);
  });
});

describe('the doors', () => {
  test('are the public URL and each web host by itself', async () => {
    const context = contextOf();
    const asked: unknown[] = [];
    const http = {
      request: async ({ connectTo }: { connectTo?: { host: string } }) => {
        asked.push(connectTo?.host);
        return connectTo?.host === '192.0.2.12' ? { ...good, status: 502 } : good;
      },
    };
    const checks = await checkDoors({ ...context, http });
    expect(asked).toEqual([undefined, '192.0.2.11', '192.0.2.12']);
    expect(checks.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['public-url', 'passed'],
      ['public-url-1', 'passed'],
      ['public-url-2', 'failed'],
    ]);
    expect(checks[2]?.title).toBe('Public URL, asked of web host web2 at 192.0.2.12:443');
  });
});

describe("the load balancer's health path", () => {
  const health = { 'load-balancer': { 'health-path': '/lb-health' } };

  test('is no check where the plan names none', async () => {
    expect(await checkHealthPath(contextOf())).toEqual([]);
  });

  test('is asked of each web host by itself', async () => {
    const asked: unknown[] = [];
    const http = {
      request: async ({ url, connectTo }: { url: string; connectTo?: { host: string } }) => {
        asked.push([connectTo?.host, url]);
        return connectTo?.host === '192.0.2.12' ? { ...good, status: 404 } : good;
      },
    };
    const checks = await checkHealthPath({ ...contextOf(health), http });
    expect(asked).toEqual([
      ['192.0.2.11', 'https://shop.example.org/lb-health'],
      ['192.0.2.12', 'https://shop.example.org/lb-health'],
    ]);
    expect(checks).toMatchObject([
      { id: 'load-balancer-health', verdict: 'passed', value: 'status 200' },
      { id: 'load-balancer-health-2', verdict: 'failed', value: 'status 404' },
    ]);
    const silent = { request: async () => ({ kind: 'no-answer', reason: 'refused' }) as never };
    expect(await checkHealthPath({ ...contextOf(health), http: silent })).toMatchObject([
      { verdict: 'failed', value: 'no answer (refused)' },
      { verdict: 'failed' },
    ]);
  });
});

describe('draining through the load balancer', () => {
  const drain = { 'load-balancer': { 'when-closed': 'drain', 'health-path': '/lb' } };

  test('is no check where the plan does not drain', () => {
    expect(checkDrainable(contextOf())).toEqual([]);
  });

  test('needs an address of each host', () => {
    expect(checkDrainable(contextOf(drain))).toMatchObject([{ verdict: 'passed' }]);
    const context = contextOf(drain);
    const web = [context.fleet.web[0]!, { host: web2, address: undefined }];
    expect(checkDrainable({ ...context, fleet: { ...context.fleet, web } })).toMatchObject([
      { verdict: 'failed', value: expect.stringMatching(/^web2 has no address/) as unknown },
    ]);
  });

  test('needs a door that shows more than a status', () => {
    const mode = { kind: 'app', shows: 'status' } as never;
    expect(checkDrainable({ ...contextOf(drain), mode })).toMatchObject([{ verdict: 'failed' }]);
  });
});
