import { beforeEach, describe, expect, test } from '@jest/globals';
import { dangerousStatements } from '../../src/databases/postgresql/dangerous-statements.ts';
import { preflight, type PreflightContext } from '../../src/phases/preflight.ts';
import type { MigrationFile } from '../../src/ports/database-tasks.ts';
import { fail } from '../../src/ports/failure.ts';
import type { HttpReply } from '../../src/ports/http.ts';
import { factsOf } from '../fixtures/database-facts.ts';
import { MemoryHost, ProgressLines, StillClock } from '../fixtures/memory-host.ts';
import { planOf, statusOf } from '../fixtures/record-factory.ts';

const good: HttpReply = { kind: 'answer', status: 200, headers: {}, body: '', seconds: 0.01 };
const broken = { code: 'x', message: 'It fell over.', state: 's', next: 'Pick it up.' };

let host: MemoryHost;
let progress: ProgressLines;

beforeEach(async () => {
  host = new MemoryHost();
  progress = new ProgressLines();
  await host.makeDirectory('/srv/shop/migrations', 0o755);
  await host.writeFile('/srv/shop/migrations/1.sql', 'create table a ()', { mode: 0o644 });
  host.changes.length = 0;
  const answer = { exitCode: 0, stdout: 'Linux 6.1\n', stderr: '', timedOut: false, seconds: 0 };
  Object.assign(host, { run: async () => answer });
});

/** All parts of the plan on one machine, which is the runner's too. */
const fleetOn = (machine: MemoryHost) => ({
  control: machine,
  web: [{ host: machine, address: undefined }],
  database: machine,
  workers: [],
  parallel: 8,
});

/** A world in which everything is as it should be, 5 s after the start of the window. */
function contextOf(change: Partial<PreflightContext> = {}): PreflightContext {
  return {
    plan: planOf(),
    workspace: '/work',
    clock: new StillClock('2026-11-22T01:00:05.000Z'),
    progress,
    host,
    runner: host,
    fleet: fleetOn(host),
    services: [],
    checkouts: [],
    http: { request: async () => good },
    database: {
      label: 'postgresql shop',
      name: 'shop',
      identify: async () => ({ oid: 16_400, name: 'shop', bytes: factsOf().bytes }),
      inspect: async () => factsOf(),
      reapplyObstacle: async () => undefined,
      queryValue: async () => '120000',
      pendingMigrations: async (files: readonly MigrationFile[]) => files,
      dangersIn: dangerousStatements,
    },
    mode: {
      check: async () => [
        { id: 'nginx', title: 'nginx', verdict: 'passed', value: 'accepted', limit: 'accepted' },
      ],
      bypassHeaders: () => ({}),
    },
    github: undefined,
    gated: true,
    existing: { kind: 'none' },
    run: { id: '7', attempt: 1 },
    ignoreWindow: false,
    ...change,
    // The parts have what preflight asks of them.
  } as unknown as PreflightContext;
}

async function checkOf(id: string, change: Partial<PreflightContext> = {}) {
  const { checks, passed } = await preflight(contextOf(change));
  return { ...checks.find((check) => check.id === id), isWindowRefused: !passed };
}

const everyCheck = [
  'time',
  'lock',
  'gates',
  'host',
  'public-url',
  'nginx',
  'database',
  'clients',
  'role',
  'long-transactions',
  'prepared-transactions',
  'subscriptions',
  'logical-slots',
  'invalid-indexes',
  'replication',
  'properties',
  'disk-backup',
  'consent',
  'restore-point',
  'smoke-tests',
];

describe('a good preflight', () => {
  test('looks at everything, tells it, and changes nothing', async () => {
    const { checks, passed, facts, smokeTests } = await preflight(contextOf());
    expect(checks.map(({ id }) => id)).toEqual(everyCheck);
    expect(checks.filter(({ verdict }) => verdict !== 'passed').map(({ id }) => id)).toEqual([
      'gates',
    ]);
    expect(passed).toBe(true);
    expect(facts).toEqual(factsOf());
    expect(smokeTests.map(({ id }) => id)).toEqual(['health', 'orders']);
    expect(progress.lines).toHaveLength(everyCheck.length);
    expect(progress.lines[2]).toMatch(/^skipped preflight gates: Gates: not run by GitHub/);
    expect(progress.lines[3]).toMatch(/^done preflight host: Host memory: Linux 6.1, /);
    expect(host.changes).toEqual([]);
  });
});

describe('the time', () => {
  const clockAt = (moment: string) => ({ clock: new StillClock(moment) });

  test('within the window passes, and tells how late it is', async () => {
    expect(await checkOf('time')).toMatchObject({
      verdict: 'passed',
      value: expect.stringMatching(/^5 s after 2026-11-22 02:00 /) as unknown,
      limit: 'begin within 30 min of the start',
      isWindowRefused: false,
    });
  });

  test.each([
    ['before', '2026-11-22T00:59:59.000Z', /; the next start is 2026-11-22 02:00 /],
    ['too late', '2026-11-22T01:30:01.000Z', /; the next start is 2026-11-29 02:00 /],
  ])('%s refuses the window', async (_, moment, value) => {
    expect(await checkOf('time', clockAt(moment))).toMatchObject({
      verdict: 'failed',
      value: expect.stringMatching(value) as unknown,
      next: expect.stringContaining('ignore-window') as unknown,
      isWindowRefused: true,
    });
  });

  test('outside, ignored on request, is a warning', async () => {
    const change = { ...clockAt('2026-11-22T00:59:59.000Z'), ignoreWindow: true };
    expect(await checkOf('time', change)).toMatchObject({
      verdict: 'warning',
      value: expect.stringMatching(/^outside the window, ignored on request; /) as unknown,
      isWindowRefused: false,
    });
  });

  test('of a single window that is over has no next start', async () => {
    const plan = planOf({ window: { start: '2026-11-20T02:00', 'time-zone': 'UTC' } });
    expect(await checkOf('time', { plan })).toMatchObject({
      verdict: 'failed',
      value: 'outside the window; there is no further start',
    });
  });

  test('is any when the plan names none', async () => {
    expect(await checkOf('time', { plan: planOf({ window: {} }) })).toMatchObject({
      verdict: 'passed',
      limit: 'any time',
    });
  });
});

describe('the lock', () => {
  const heldBy = (id: string, state: 'closed' | 'reopened') => ({
    existing: { kind: 'status', status: statusOf({ state, run: { id, attempt: 1 } }) } as const,
  });

  test('held by a window that owes the site its end refuses this one', async () => {
    expect(await checkOf('lock', heldBy('8', 'closed'))).toMatchObject({
      verdict: 'failed',
      value:
        'window mw-20261122-010000-1a2b (run 8): that window is closed and owes the site its end',
      isWindowRefused: true,
    });
  });

  test('held by this run, or by a window that is over, passes', async () => {
    expect(await checkOf('lock', heldBy('7', 'closed'))).toMatchObject({
      verdict: 'passed',
      value: 'this run holds the record',
    });
    expect(await checkOf('lock', heldBy('8', 'reopened'))).toMatchObject({
      verdict: 'passed',
      value: 'none',
    });
  });
});

describe('the host', () => {
  test('with less than 16 MiB in the state folder fails', async () => {
    host.freeBytes = async () => 16 * 1024 ** 2 - 1;
    expect(await checkOf('host')).toMatchObject({ verdict: 'failed', isWindowRefused: true });
    host.freeBytes = async () => 16 * 1024 ** 2;
    expect(await checkOf('host')).toMatchObject({ verdict: 'passed' });
  });

  test('that runs no command fails', async () => {
    const answer = { exitCode: 127, stdout: '', stderr: '', timedOut: false, seconds: 0 };
    Object.assign(host, { run: async () => answer });
    expect(await checkOf('host')).toMatchObject({
      verdict: 'failed',
      value: 'uname: exit code 127',
    });
  });
});

describe('the site', () => {
  test.each<[string, HttpReply]>([
    ['broken', { ...good, status: 502 }],
    ['closed', { ...good, status: 503, headers: { 'x-maintenance': 'mw-0', 'retry-after': '1' } }],
    ['silent', { kind: 'no-answer', reason: 'connection refused', seconds: 0 }],
  ])('that is %s already is not maintained', async (_, reply) => {
    const http = { request: async () => reply };
    expect(await checkOf('public-url', { http })).toMatchObject({
      verdict: 'failed',
      isWindowRefused: true,
    });
  });
});

describe('the smoke tests', () => {
  test('that fail now refuse the window, and say what was seen', async () => {
    const http = { request: async () => ({ ...good, status: 404 }) };
    expect(await checkOf('smoke-tests', { http })).toMatchObject({
      verdict: 'failed',
      value: 'health: status 404 in 10 ms, expected status 200',
      isWindowRefused: true,
    });
  });

  test('that there are none of are a warning', async () => {
    const plan = planOf({ 'smoke-test': {} });
    expect(await checkOf('smoke-tests', { plan })).toMatchObject({
      verdict: 'warning',
      isWindowRefused: false,
    });
  });
});

describe('what falls over while it is looked at', () => {
  const refusal = async () => fail(broken);
  /** The folder of the backups cannot be looked into. */
  const onlyState = async (path: string) => (path.endsWith('/backups') ? fail(broken) : 2 ** 40);

  test.each<[string, string, () => Partial<PreflightContext>]>([
    ['the host', 'host', () => (Object.assign(host, { run: refusal }), {})],
    ['the disk', 'disk', () => (Object.assign(host, { freeBytes: onlyState }), {})],
    [
      'the maintenance mode',
      'mode',
      () => ({ mode: { check: refusal, bypassHeaders: () => ({}) } as never }),
    ],
    [
      'the database',
      'database',
      () => ({
        database: { label: 'db', inspect: refusal, queryValue: async () => '120000' } as never,
      }),
    ],
  ])('%s is a failed check with what to do, and all others are reported', async (_, id, change) => {
    const { checks, passed } = await preflight(contextOf(change()));
    expect(passed).toBe(false);
    const failed = checks.filter(({ verdict }) => verdict === 'failed');
    expect(failed).toMatchObject([{ id, value: 'It fell over.', next: 'Pick it up.' }]);
    for (const other of ['time', 'lock', 'gates', 'host', 'public-url', 'database', 'smoke-tests'])
      expect(checks.map((check) => check.id)).toContain(other);
  });
});

test('a plan without database and site files is checked without them', async () => {
  const plan = planOf({ 'smoke-test': {} });
  const { checks } = await preflight(contextOf({ plan, database: undefined, mode: undefined }));
  expect(checks.map(({ id }) => id)).toEqual([
    'time',
    'lock',
    'gates',
    'host',
    'public-url',
    'smoke-tests',
  ]);
});
