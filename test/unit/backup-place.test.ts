import { expect, test } from '@jest/globals';
import { backupDb } from '../../src/phases/backup-db.ts';
import { keeperOf } from '../../src/phases/backups/keeper.ts';
import type { DumpManifest } from '../../src/ports/dump-manifest.ts';
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
  compression: { chosen: 'gzip:1', reason: 'as the plan has it' },
  encrypted: false,
  notes: ['A restore leaves out the subscriptions a.'],
  database: {},
} as unknown as DumpManifest;

/** A backup whose counts differ, so that it is set aside as well: by the same host. Tells what that host did. */
async function backUp(part: 'database' | 'backups') {
  const world = new FakeWorld();
  const keeper = Object.assign(new MemoryHost(), { name: 'ssh://vault' });
  const looked: string[] = [];
  keeper.before = (change) => {
    looked.push(change);
  };
  keeper.rename = async (from) => {
    looked.push(`rename ${from}`);
  };
  const asked: Record<string, unknown>[] = [];
  const database = {
    ...world.database,
    createScratch: async () => undefined,
    dropScratch: async () => undefined,
    restore: async (options: Record<string, unknown>) => {
      asked.push(options);
      return { seconds: 1 };
    },
    dump: async (options: Record<string, unknown> & { directory: string }) => {
      asked.push(options);
      await keeper.makeDirectory(options.directory, 0o700);
      return dumped;
    },
    countRows: async () => ({ 'public.orders': 2 }),
  } as unknown as typeof world.database;
  const context = await world.contextOf({});
  const fleet = { ...context.fleet, [part]: keeper };
  const outcome = await backupDb({ ...context, database, fleet });
  expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'backup-differs' } });
  expect(looked[0]).toBe('directory /state/shop/backups');
  expect(looked.at(-1)).toMatch(/^rename \/state\/shop\/backups\/shop-mw-/);
  expect(world.host.changes.filter((change) => change.includes('/backups'))).toEqual([]);
  return { keeper, asked, lines: world.progress.lines };
}

test('a backup is kept where the client programs of the database run, not where the record is', async () => {
  const { keeper, asked } = await backUp('database');
  const [dump, restore] = asked;
  expect(dump).toMatchObject({ compression: 'auto', keeper: undefined, encryption: undefined });
  expect(restore?.keeper).toBe(keeper);
});

test('or where the plan has it streamed, and comes back from there', async () => {
  const { keeper, asked, lines } = await backUp('backups');
  expect(asked.map((options) => options.keeper)).toEqual([keeper, keeper]);
  expect(lines).toContain('info A restore leaves out the subscriptions a.');
  expect(lines.join('\n')).toContain('gzip:1 (as the plan has it)');
});

test('a backup on a host that the plan does not name is not looked for elsewhere', () => {
  const fleet = { database: Object.assign(new MemoryHost(), { name: 'local' }) };
  const context = { fleet } as unknown as Parameters<typeof keeperOf>[0];
  expect(keeperOf(context, { host: 'local' })).toBe(fleet.database);
  expect(() => keeperOf(context, { host: 'ssh://vault' })).toThrow('kept on ssh://vault');
});
