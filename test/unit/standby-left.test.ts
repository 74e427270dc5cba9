import { describe, expect, test } from '@jest/globals';
import { standbyLeft } from '../../src/report/standby-left.ts';
import type { BorrowedStandby } from '../../src/record/standby.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { at, statusOf } from '../fixtures/record-factory.ts';

const place = {
  host: 'ssh://db2',
  dataDirectory: '/var/lib/postgresql/15/replica',
  programs: '/usr/lib/postgresql/15/bin',
  owner: 'postgres',
  port: 5433,
  systemIdentifier: '7',
  control: { kind: 'unit', unit: 'postgresql@15-replica.service' },
} as const;
const standby: BorrowedStandby = {
  borrowedAt: at(-60),
  replica: place,
  primary: {
    ...place,
    host: 'ssh://db1',
    dataDirectory: '/var/lib/postgresql/15/main',
    port: 5432,
    control: { kind: 'unit', unit: 'postgresql@15-main.service' },
  },
  timeline: 1,
  reachedBy: 'port',
  taken: { port: 5432 },
  slot: 'mw_20261122_010000_1a2b_standby',
  otherReceivers: ['db3', 'logical slot search'],
  synchronousNames: 'db3',
};
const point = {
  kind: 'standby',
  takenAt: at(-50),
  seconds: 1,
  host: 'ssh://db2',
  dataDirectory: place.dataDirectory,
  position: '0/3000060',
  until: '0/3000060',
  systemIdentifier: '7',
  timeline: 1,
} as const;

function told(change: Partial<WindowStatus>): readonly string[] {
  return standbyLeft(statusOf(change)).map(({ urgent, text }) => `${urgent ? '! ' : ''}${text}`);
}

describe('what a replica leaves to people', () => {
  test.each<[string, Partial<WindowStatus>]>([
    ['there is none', { state: 'reopened' }],
    ['it follows again', { state: 'reopened', standby: { ...standby, resumedAt: at(1) } }],
    ['it was only prepared', { state: 'prepared', standby }],
  ])('is nothing when %s', (_what, change) => {
    expect(told(change)).toEqual([]);
  });

  test('is told of a held window, which needs it', () => {
    expect(told({ state: 'held', standby, restorePoint: point })).toEqual([
      expect.stringMatching(/is stopped as restore point, and protects nobody meanwhile/),
    ]);
  });

  test('is urgent when it does not follow again: how to start it, and the slot that fills the disk', () => {
    const [text] = told({ state: 'reopened', standby, restorePoint: point });
    expect(text).toMatch(/^! The replica \(\/var\/lib\/postgresql\/15\/replica on ssh:\/\/db2\)/);
    expect(text).toContain('start it by the unit postgresql@15-replica.service');
    expect(text).toContain("pg_drop_replication_slot('mw_20261122_010000_1a2b_standby')");
  });

  test('of one that was promoted begins with what must not be started', () => {
    const change = { state: 'rolled-back', standby: { ...standby, promotedAt: at(1) } } as const;
    expect(told(change)).toEqual([
      expect.stringMatching(
        /^! Keep the failed primary stopped: .* take port 5432 .*`systemctl disable postgresql@15-main\.service` on ssh:\/\/db1/,
      ),
      expect.stringMatching(/^! The promoted server .* has no replica now/),
      expect.stringMatching(/^! What received .*: db3, logical slot search\./),
      expect.stringMatching(/synchronous_standby_names empty instead of "db3"/),
    ]);
  });
});
