import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  logKeeper,
  otherReceivers,
  standbyObstacle,
  synchronousCount,
} from '../../src/phases/restore-points/standby-obstacles.ts';
import { fleetOf } from '../../src/plan/fleet.ts';
import { resolveSettings } from '../../src/plan/resolve.ts';
import type { PrimaryFacts, ReplicaFacts, StandbyFacts } from '../../src/ports/standby.ts';

const mebi = 1024 * 1024;
const primary: PrimaryFacts = {
  role: 'shop',
  seesAll: true,
  mayCreateSlots: true,
  systemIdentifier: '7',
  timeline: 3,
  isInRecovery: false,
  position: '1/4000000',
  dataDirectory: '/var/lib/postgresql/15/main',
  port: 5432,
  listenAddresses: '*',
  socketFolders: '/run/postgresql',
  keptBytes: 0,
  slotLimitBytes: undefined,
  freeSlots: 9,
  synchronousNames: '',
  senders: [{ pid: 41, name: 'db2', state: 'streaming', sync: 'async' }],
  slots: [],
  otherDatabases: [],
  tablespaces: {},
};
const receiver = {
  status: 'streaming',
  timeline: 3,
  slot: undefined,
  sender: 'db1:5432',
  senderIsReplica: false,
};
const replica: ReplicaFacts = {
  role: 'shop',
  seesAll: true,
  systemIdentifier: '7',
  isInRecovery: true,
  position: '1/3FFFF00',
  isPaused: false,
  delayMilliseconds: 0,
  targets: [],
  port: 5433,
  dataDirectory: '/var/lib/postgresql/15/replica',
  receiver,
  cascaded: [],
  tablespaces: {},
};
const limits = { maxLag: 64 * mebi, keepLog: 1024 * mebi, otherDatabases: 'refuse' } as const;
const reach = { reachedBy: 'port', hosts: { primary: 'local', replica: 'local' } } as const;
const factsWith = (
  ofPrimary: Partial<PrimaryFacts>,
  ofReplica: Partial<ReplicaFacts> = {},
): StandbyFacts => ({
  primary: { ...primary, ...ofPrimary },
  replica: { ...replica, ...ofReplica },
});
const two = [
  { pid: 41, name: 'db2', state: 'streaming', sync: 'sync' },
  { pid: 42, name: 'db3', state: 'streaming', sync: 'potential' },
];

describe('a replica that nothing speaks against', () => {
  test.each<[string, StandbyFacts]>([
    ['streams beside it', factsWith({})],
    ['is ahead of the position that was asked first', factsWith({}, { position: '1/4000100' })],
    ['is one of two synchronous standbys', factsWith({ synchronousNames: '*', senders: two })],
    [
      'is not one that the primary waits for',
      factsWith({ synchronousNames: 'db3', senders: primary.senders }),
    ],
    [
      'cannot say who its sender is',
      factsWith({}, { receiver: { ...receiver, senderIsReplica: undefined } }),
    ],
    [
      'is kept log for without a slot',
      factsWith({ mayCreateSlots: false, keptBytes: 1024 * mebi }),
    ],
  ])('%s', (_what, facts) => {
    expect(standbyObstacle(facts, limits, reach)).toBeUndefined();
  });
});

describe('what speaks against a replica', () => {
  test.each<[string, StandbyFacts, RegExp]>([
    ['the URL of a replica', factsWith({ isInRecovery: true }), /leads to a replica, not/],
    ['another cluster', factsWith({}, { systemIdentifier: '8' }), /is 8, that of the primary 7/],
    ['no replica', factsWith({}, { isInRecovery: false }), /no replica$/],
    ['no right to look at the primary', factsWith({ seesAll: false }), /GRANT pg_monitor/],
    ['no right to look at it', factsWith({}, { seesAll: false }), /how the replica receives/],
    ['no receiver', factsWith({}, { receiver: undefined }), /from no server now/],
    [
      'a receiver that waits',
      factsWith({}, { receiver: { ...receiver, status: 'waiting' } }),
      /is waiting/,
    ],
    [
      'another timeline',
      factsWith({}, { receiver: { ...receiver, timeline: 2 } }),
      /on timeline 2, the primary on 3/,
    ],
    [
      'a cascade',
      factsWith({}, { receiver: { ...receiver, senderIsReplica: true } }),
      /another replica \(db1:5432\)/,
    ],
    ['a primary that sends to nobody', factsWith({ senders: [] }), /streams to nobody/],
    ['a pause', factsWith({}, { isPaused: true }), /paused/],
    [
      'a delay',
      factsWith({}, { delayMilliseconds: 3_600_000 }),
      /recovery_min_apply_delay 3600000 ms/,
    ],
    ['a target', factsWith({}, { targets: ['recovery_target_time'] }), /recovery_target_time/],
    ['a lag', factsWith({ position: '1/9000000' }), /is 80 MiB of log behind \(at most 64 MiB\)/],
    ['no position', factsWith({}, { position: undefined }), /an unknown amount/],
    ['others behind it', factsWith({}, { cascaded: ['db4'] }), /\(db4\), and would stand still/],
    [
      'a primary that waits for it',
      factsWith({ synchronousNames: 'FIRST 2 (*)', senders: two }),
      /hang every writer/,
    ],
    [
      'a primary that may wait for it',
      factsWith({
        synchronousNames: 'ANY 1 (db2)',
        senders: [{ pid: 41, name: 'db2', state: 'streaming', sync: 'quorum' }],
      }),
      /hang every writer/,
    ],
    [
      'a slot limit',
      factsWith({ slotLimitBytes: 64 * mebi }),
      /keep 1 GiB .* max_slot_wal_keep_size is 64 MiB/,
    ],
    [
      'no right to a slot',
      factsWith({ mayCreateSlots: false }),
      /may not create one \(REPLICATION\)/,
    ],
    ['no slot left', factsWith({ freeSlots: 0 }), /all replication slots/],
    [
      'a shared tablespace',
      factsWith({ tablespaces: { fast: '/ssd' } }, { tablespaces: { fast: '/ssd' } }),
      /tablespace fast .* \/ssd/,
    ],
    ['other databases', factsWith({ otherDatabases: ['wiki', 'blog'] }), /\(wiki, blog\)/],
  ])('%s', (_what, facts, says) => {
    expect(standbyObstacle(facts, limits, reach)).toMatch(says);
  });

  test('another host, when nothing leads there', () => {
    const hosts = { primary: 'local', replica: 'ssh://db2' };
    expect(standbyObstacle(factsWith({}), limits, { reachedBy: 'port', hosts })).toMatch(
      /switch-command/,
    );
    expect(standbyObstacle(factsWith({}), limits, { reachedBy: 'command', hosts })).toBeUndefined();
  });
});

test('the example plan is valid', () => {
  const path = new URL('../../examples/plans/standby.yml', import.meta.url);
  const text = readFileSync(path, 'utf8');
  const { plan } = resolveSettings('maintenance-window', { inputs: {}, plan: { path: 'x', text } });
  expect(plan.standby).toMatchObject({ url: '$STANDBY_URL', otherDatabases: 'refuse' });
  expect(fleetOf(plan).standby).toEqual({
    replica: 'ssh://deploy@db2.example.org',
    primary: 'ssh://deploy@db1.example.org',
    switch: 'ssh://deploy@db2.example.org',
  });
});

test.each([
  ['', 0],
  ['  ', 0],
  ['db2', 1],
  ['*', 1],
  ['db2, db3', 1],
  ['2 (db2, db3)', 2],
  ['FIRST 3 (*)', 3],
  ['any 2(a,b,c)', 2],
])('synchronous_standby_names %j waits for %i', (names, count) => {
  expect(synchronousCount(names)).toBe(count);
});

test('the log is kept by its slot, by ours, or by size, in this order', () => {
  const own = { name: 'db2', isLogical: false, pid: 41, state: 'reserved' };
  const slotted = factsWith({ slots: [own] }, { receiver: { ...receiver, slot: 'db2' } });
  expect(logKeeper(slotted, mebi)).toEqual({ kind: 'its-slot' });
  expect(logKeeper(factsWith({}), mebi)).toEqual({ kind: 'our-slot' });
  expect(logKeeper(factsWith({ freeSlots: 0, keptBytes: mebi }), mebi)).toEqual({
    kind: 'kept-size',
  });
  expect(logKeeper(factsWith({ slotLimitBytes: 1, keptBytes: mebi }), mebi)).toEqual({
    kind: 'kept-size',
  });
});

test('what else receives from the primary is named, logical slots too', () => {
  const slots = [
    { name: 'db2', isLogical: false, pid: 41, state: 'reserved' },
    { name: 'search', isLogical: true, pid: 43, state: 'reserved' },
  ];
  const senders = [...two, { pid: 43, name: 'search', state: 'streaming', sync: 'async' }];
  const facts = factsWith({ slots, senders }, { receiver: { ...receiver, slot: 'db2' } });
  expect(otherReceivers(facts)).toEqual(['db3', 'logical slot search']);
  expect(otherReceivers(factsWith({}))).toEqual([]);
});
