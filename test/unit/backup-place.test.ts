import { expect, test } from '@jest/globals';
import { backupDb } from '../../src/phases/backup-db.ts';
import type { DumpManifest } from '../../src/ports/database.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { MemoryHost } from '../fixtures/memory-host.ts';

const dumped = {
  bytes: 10,
  seconds: 1,
  sha256: 'a'.repeat(64),
  rows: { 'public.orders': 3 },
  startedAt: '2026-11-22T01:00:00.000Z',
  serverVersion: '15.8',
  dumpVersion: '15.8',
  tocEntries: 1,
  database: {},
} as unknown as DumpManifest;

test('a backup is kept where the client programs of the database run, not where the record is', async () => {
  const world = new FakeWorld();
  const databaseHost = new MemoryHost();
  const database = {
    ...world.database,
    createEmpty: async () => undefined,
    restore: async () => ({ seconds: 1 }),
    dump: async ({ directory }: { directory: string }) => {
      await databaseHost.makeDirectory(directory, 0o700);
      return dumped;
    },
    countRows: async () => ({ 'public.orders': 2 }),
  } as unknown as typeof world.database;
  const context = await world.contextOf({});
  const fleet = { ...context.fleet, database: databaseHost };
  const looked: string[] = [];
  databaseHost.before = (change) => {
    looked.push(change);
  };
  // The counts differ, so that the backup is set aside as well: by the same host.
  databaseHost.rename = async (from) => {
    looked.push(`rename ${from}`);
  };
  const outcome = await backupDb({ ...context, database, fleet });
  expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'backup-differs' } });
  expect(looked[0]).toBe('directory /state/shop/backups');
  expect(looked.at(-1)).toMatch(/^rename \/state\/shop\/backups\/shop-mw-/);
  expect(world.host.changes.filter((change) => change.includes('/backups'))).toEqual([]);
});
