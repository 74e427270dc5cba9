import { describe, expect, test } from '@jest/globals';
import {
  describeWait,
  type LockHolder,
} from '../../src/databases/postgresql/tasks/lock-holders.ts';
import {
  progressLine,
  type ServerProgress,
} from '../../src/databases/postgresql/tasks/progress.ts';

describe('progressLine', () => {
  const vacuum = {
    command: 'vacuum',
    relation: 'public.orders',
    blocks: 2650,
    blocksDone: 1200,
    blocksVacuumed: 0,
  } as const;
  const index = {
    command: 'index',
    relation: 'public.orders',
    index: 'public.by_customer_ccnew',
    blocks: 0,
    blocksDone: 0,
    tuples: 0,
    tuplesDone: 0,
    lockers: 0,
    lockersDone: 0,
  } as const;
  test.each<[string, ServerProgress]>([
    [
      'vacuum public.orders: heap 45 % (1,200 of 2,650 blocks)',
      { ...vacuum, phase: 'scanning heap' },
    ],
    [
      'vacuum public.orders: dead rows 0 % (0 of 2,650 blocks)',
      { ...vacuum, phase: 'vacuuming heap' },
    ],
    ['vacuum public.orders: vacuuming indexes', { ...vacuum, phase: 'vacuuming indexes' }],
    ['vacuum public.orders: initializing', { ...vacuum, blocks: 0, phase: 'initializing' }],
    [
      'analyze public.orders: sample 50 % (1 of 2 blocks)',
      {
        command: 'analyze',
        relation: 'public.orders',
        phase: 'acquiring sample rows',
        blocks: 2,
        blocksDone: 1,
      },
    ],
    [
      'analyze public.orders: computing statistics',
      {
        command: 'analyze',
        relation: 'public.orders',
        phase: 'computing statistics',
        blocks: 2,
        blocksDone: 2,
      },
    ],
    [
      'index public.by_customer_ccnew: building index: scanning table, 10 % (1 of 10 blocks)',
      { ...index, phase: 'building index: scanning table', blocks: 10, blocksDone: 1 },
    ],
    [
      'index public.by_customer_ccnew: building index: loading tuples in tree, 25 % (1,000 of 4,000 rows)',
      { ...index, phase: 'building index: loading tuples in tree', tuples: 4000, tuplesDone: 1000 },
    ],
    [
      'index of public.orders: waiting for old snapshots, 0 % (0 of 1 transactions)',
      { ...index, index: null, phase: 'waiting for old snapshots', lockers: 1 },
    ],
    ['index of public.orders: initializing', { ...index, index: null, phase: 'initializing' }],
  ])('%s', (line, progress) => {
    expect(progressLine(progress)).toBe(line);
  });
});

describe('describeWait', () => {
  const holder: LockHolder = {
    pid: 4711,
    user: 'app',
    application: 'shop',
    state: 'active',
    stateSeconds: 3.4,
    querySeconds: 3.4,
    transactionSeconds: 10,
    keyword: 'UPDATE',
  };
  const lock = { kind: 'relation', mode: 'AccessExclusiveLock', relation: 'public.orders' };

  test('tells the lock and its holders', () => {
    expect(describeWait({ lock, holders: [holder] })).toBe(
      'It waited for AccessExclusiveLock on public.orders, held by pid 4711 (user app, application shop, active for 3 s, in its transaction for 10 s, its current statement, UPDATE, began 3 s ago).',
    );
  });

  test('tells what it may see of another role’s session and of prepared transactions', () => {
    const unseen: LockHolder = {
      pid: 12,
      user: null,
      application: null,
      state: null,
      stateSeconds: null,
      querySeconds: null,
      transactionSeconds: null,
      keyword: null,
    };
    expect(describeWait({ lock: undefined, holders: [unseen, { ...unseen, pid: 0 }] })).toBe(
      'It waited for a lock, held by pid 12 and a prepared transaction (see pg_prepared_xacts).',
    );
    expect(
      describeWait({
        lock: { kind: 'virtualxid', mode: 'ShareLock', relation: null },
        holders: [unseen],
      }),
    ).toBe('It waited for the end of a transaction, held by pid 12.');
    expect(describeWait({ lock, holders: [] })).toBe('');
  });
});
