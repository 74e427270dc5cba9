import { describe, expect, test } from '@jest/globals';
import { checkDatabase, checkDisk, checkProperties } from '../../src/phases/database-checks.ts';
import type { PreflightContext } from '../../src/phases/preflight.ts';
import type { Database, DatabaseFacts } from '../../src/ports/database.ts';
import type { Check } from '../../src/ports/maintenance-mode.ts';
import { factsOf } from '../fixtures/database-facts.ts';
import { MemoryHost } from '../fixtures/memory-host.ts';
import { planOf } from '../fixtures/record-factory.ts';

const ids = [
  'database',
  'clients',
  'role',
  'long-transactions',
  'prepared-transactions',
  'subscriptions',
  'logical-slots',
  'invalid-indexes',
  'replication',
];
const online = { 'run-db-maintenance': { tasks: [{ task: 'vacuum' }] } };

function checksOf(facts: Partial<DatabaseFacts>, plan: Record<string, unknown> = {}) {
  const context = { plan: planOf(plan), database: undefined };
  return checkDatabase(context, factsOf(facts));
}

/** The checks that did not pass, by id. */
function troubles(facts: Partial<DatabaseFacts>, plan: Record<string, unknown> = {}) {
  const found = checksOf(facts, plan).filter(({ verdict }) => verdict !== 'passed');
  return Object.fromEntries(found.map(({ id, verdict }) => [id, verdict]));
}

function valueOf(id: string, facts: Partial<DatabaseFacts>): string | undefined {
  return checksOf(facts).find((check) => check.id === id)?.value;
}

const long = { pid: 4711, user: 'report', seconds: 720, state: 'idle in transaction', query: '' };

describe('the facts of a database', () => {
  test('of a good one all pass, and there is nothing to do', () => {
    const checks = checksOf({});
    expect(checks.map(({ id }) => id)).toEqual(ids);
    expect(checks.map(({ verdict }) => verdict)).toEqual(ids.map(() => 'passed'));
    expect(checks.every((check) => !('next' in check))).toBe(true);
  });

  test.each<[string, Partial<DatabaseFacts>, Record<string, Check['verdict']>]>([
    ['a standby', { isInRecovery: true }, { database: 'failed' }],
    ['a read-only database', { isReadOnly: true }, { database: 'failed' }],
    ['old clients', { clientsAreNewEnough: false }, { clients: 'failed' }],
    ['a role without CREATEDB', { canCreateDatabase: false }, { role: 'failed' }],
    ['a role that does not own it', { ownsDatabase: false }, { role: 'failed' }],
    ['a role that may not end sessions', { canEndSessions: false }, { role: 'failed' }],
    ['a long transaction', { longTransactions: [long] }, { 'long-transactions': 'warning' }],
    [
      'a prepared transaction',
      { preparedTransactions: [{ id: 'tx1', seconds: 5 }] },
      { 'prepared-transactions': 'failed' },
    ],
    [
      'a subscription that takes in rows',
      { subscriptions: [{ name: 'prices', enabled: true }] },
      { subscriptions: 'failed' },
    ],
    ['one that does not', { subscriptions: [{ name: 'prices', enabled: false }] }, {}],
    ['a logical slot', { logicalSlots: ['feed'] }, { 'logical-slots': 'warning' }],
    ['an invalid index', { invalidIndexes: ['public.i'] }, { 'invalid-indexes': 'warning' }],
    [
      'a standby that catches up',
      { standbys: [{ name: 's1', state: 'catchup', lagSeconds: 3 }] },
      { replication: 'warning' },
    ],
    [
      'a standby that streams',
      { standbys: [{ name: 's1', state: 'streaming', lagSeconds: undefined }] },
      {},
    ],
  ])('%s', (_, facts, expected) => {
    expect(troubles(facts)).toEqual(expected);
    const told = checksOf(facts).filter(({ verdict }) => verdict !== 'passed');
    expect(told.every(({ next }) => next !== undefined && next !== '')).toBe(true);
  });

  test('a superuser lacks nothing', () => {
    const powers = { canCreateDatabase: false, ownsDatabase: false, canEndSessions: false };
    expect(troubles({ isSuperuser: true, ...powers })).toEqual({});
  });

  test('every power that a role lacks is named', () => {
    const powers = { canCreateDatabase: false, ownsDatabase: false, canEndSessions: false };
    expect(valueOf('role', powers)).toBe(
      'shop_owner lacks CREATEDB (scratch database, restore point), ownership of shop (clone, swap), pg_signal_backend (restore point)',
    );
  });

  test('sessions need not be ended when no task changes anything', () => {
    expect(troubles({ canEndSessions: false }, online)).toEqual({});
    const harmful = { tasks: [{ task: 'sql', sql: 'select 1', blast: 'schema' }] };
    expect(troubles({ canEndSessions: false }, { 'run-db-maintenance': harmful })).toEqual({
      role: 'failed',
    });
  });

  test('an invalid index is fatal when the plan does not accept it', () => {
    const strict = { preflight: { 'accept-invalid-indexes': false } };
    expect(troubles({ invalidIndexes: ['public.i'] }, strict)).toEqual({
      'invalid-indexes': 'failed',
    });
    expect(troubles({}, strict)).toEqual({});
  });

  test('are told in words', () => {
    expect(valueOf('database', { isInRecovery: true, isReadOnly: true })).toBe(
      'shop, PostgreSQL 15.18, 100 MiB, a standby, read-only',
    );
    expect(valueOf('clients', {})).toBe('psql 15.18, pg_dump 15.18, pg_restore 15.18');
    expect(valueOf('long-transactions', { longTransactions: [long] })).toBe(
      'pid 4711 of report, idle in transaction, for 12 min',
    );
    expect(
      valueOf('prepared-transactions', {
        preparedTransactions: [
          { id: 'tx1', seconds: 5 },
          { id: 'tx2', seconds: 6 },
        ],
      }),
    ).toBe('tx1, tx2');
    expect(valueOf('replication', {})).toBe('no standbys');
    expect(
      valueOf('replication', {
        standbys: [
          { name: 's1', state: 'catchup', lagSeconds: 3 },
          { name: 's2', state: 'streaming', lagSeconds: undefined },
        ],
      }),
    ).toBe('s1 catchup, 3 s behind; s2 streaming');
  });
});

describe('what a rollback would have to give back', () => {
  const harmless = { 'run-db-maintenance': { tasks: [{ task: 'vacuum' }] } };

  function propertiesOf(
    obstacle: string | undefined,
    facts: Partial<DatabaseFacts> = {},
    plan = {},
  ) {
    const database = { reapplyObstacle: async () => obstacle } as unknown as Database;
    return checkProperties({ plan: planOf(plan), database }, factsOf(facts));
  }

  test('passes when nothing is in the way, else tells what is', async () => {
    expect(await propertiesOf(undefined)).toMatchObject([{ id: 'properties', verdict: 'passed' }]);
    expect(await propertiesOf('log_statement is for superusers')).toMatchObject([
      {
        id: 'properties',
        verdict: 'failed',
        value: 'shop_owner may not: log_statement is for superusers',
      },
    ]);
  });

  test.each<[string, Partial<DatabaseFacts>, object]>([
    ['no task changes anything', {}, harmless],
    ['the role does not own the database', { ownsDatabase: false }, {}],
    ['the database is read-only', { isReadOnly: true }, {}],
    ['the database is a standby', { isInRecovery: true }, {}],
  ])('is not tried when %s', async (_, facts, plan) => {
    expect(await propertiesOf('whatever', facts, plan)).toEqual([]);
  });
});

describe('disk space', () => {
  const mebibyte = 1024 ** 2;

  /** The verdicts with so many MiB free on each path. */
  async function diskOf(facts: Partial<DatabaseFacts>, free: (path: string) => number, plan = {}) {
    const host = new MemoryHost();
    const asked: string[] = [];
    await host.makeDirectory('/var/lib/postgresql/15/main', 0o700);
    host.freeBytes = async (path = '') => {
      asked.push(path);
      return free(path) * mebibyte;
    };
    const fleet = { database: host };
    const context = { fleet, plan: planOf(plan) } as unknown as PreflightContext;
    return { checks: await checkDisk(context, factsOf(facts)), asked };
  }

  test('must hold the database and the reserve, to the byte', async () => {
    const enough = await diskOf({}, () => 100 + 256);
    expect(enough.checks).toMatchObject([{ id: 'disk-backup', verdict: 'passed' }]);
    const short = await diskOf({}, () => 100 + 256 - 1 / mebibyte);
    expect(short.checks).toMatchObject([{ id: 'disk-backup', verdict: 'failed' }]);
    expect(short.checks[0]?.limit).toContain('at least 356 MiB');
  });

  test('is looked at where the backup goes and where the database is', async () => {
    const data = '/var/lib/postgresql/15/main';
    const { checks, asked } = await diskOf({ dataDirectory: data }, (path) =>
      path === data ? 1 : 9999,
    );
    expect([...new Set(asked)]).toEqual([data, '/var/lib/maintenance-window/shop/backups']);
    expect(checks.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['disk-backup', 'passed'],
      ['disk-database', 'failed'],
    ]);
  });

  test('follows the folder and the reserve of the plan', async () => {
    const plan = { 'backup-db': { directory: '/backup' }, preflight: { 'free-disk': '1 MiB' } };
    const { checks, asked } = await diskOf({}, () => 101, plan);
    expect(asked).toEqual(['/backup']);
    expect(checks[0]?.verdict).toBe('passed');
  });
});
