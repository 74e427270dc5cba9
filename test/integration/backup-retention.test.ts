import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { folderDestination } from '../../src/destinations/folder.ts';
import { localHost } from '../../src/hosts/local.ts';
import { copyBackup, openPlaces } from '../../src/phases/backups/copies.ts';
import { pruneBackups } from '../../src/phases/backups/retention.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import type { BackupDestination } from '../../src/ports/backup-destination.ts';
import type { BackupReceipt, BackupRetention } from '../../src/record/backup-receipt.ts';
import {
  backupOnDisk,
  contextForCopies,
  earlierWindow,
  ownWindow,
} from '../fixtures/backup-on-disk.ts';
import { dyingHost, Killed } from '../fixtures/dying-host.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { MemoryDestination } from '../fixtures/memory-destination.ts';
import { at, statusOf } from '../fixtures/record-factory.ts';

const local = localHost({ environment: { PATH: process.env.PATH ?? '' } });
const own = `shop-${ownWindow}`;
const earlier = (days: number): string => `shop-${earlierWindow(days)}`;
let root: TemporaryFolder;
let count = 0;
let backups: string;
let world: FakeWorld;

beforeAll(async () => {
  root = await makeTemporaryFolder('retention');
});
afterAll(() => root.remove());
beforeEach(() => {
  count += 1;
  backups = join(root.path, `case-${count}`);
  world = new FakeWorld();
});

/** Verified backups of some days, the own one at last. */
async function backupsOfDays(...days: number[]): Promise<BackupReceipt> {
  for (const day of days) await backupOnDisk(backups, earlierWindow(day), { bytes: 2000 });
  return backupOnDisk(backups, ownWindow, { bytes: 2000 });
}

function contextWith(
  keep: Record<string, unknown> | undefined,
  change: {
    host?: typeof local;
    destination?: BackupDestination;
    copyKeep?: object;
    windowId?: string;
  } = {},
): Promise<PhaseContext> {
  const { destination, copyKeep, host, windowId = ownWindow } = change;
  const copy = { to: 'folder', id: 'nas', path: '/srv', plain: true, 'same-file-system': true };
  return contextForCopies(world, {
    settings: {
      ...(keep === undefined ? {} : { keep }),
      copies:
        destination === undefined
          ? []
          : [{ ...copy, ...(copyKeep === undefined ? {} : { keep: copyKeep }) }],
    },
    destinations: destination === undefined ? {} : { nas: destination },
    windowId,
    ...(host === undefined ? {} : { host }),
  });
}

async function prune(
  context: PhaseContext,
  receipt: BackupReceipt,
): Promise<readonly BackupRetention[]> {
  const places = await openPlaces(context);
  const copies = await copyBackup(context, receipt, places);
  return pruneBackups(
    context,
    receipt,
    copies.map(({ id }) => id),
    places,
  );
}

describe('older backups on the host', () => {
  test('go by the rules, each with its note; what is none of ours stays', async () => {
    const receipt = await backupsOfDays(1, 2, 3);
    // Never verified, of another name, of another database, damaged, unknown: not ours to count or to remove.
    await backupOnDisk(backups, earlierWindow(10), { noted: false });
    await backupOnDisk(backups, earlierWindow(11));
    const strange = join(backups, `${earlier(11)}.json`);
    await writeFile(
      strange,
      (await readFile(strange, 'utf8')).replace('"database": "shop"', '"database": "other"'),
    );
    await writeFile(join(backups, `shop-eu-${earlierWindow(12)}.json`), '{}');
    await writeFile(join(backups, `${earlier(13)}.json`), 'no note');
    await mkdir(join(backups, `${earlier(14)}.unverified`));
    await writeFile(join(backups, 'keep-me.sql'), 'precious');
    const before = await readdir(backups);
    const context = await contextWith({ last: 2 });
    const result = await prune(context, receipt);
    expect(result).toEqual([
      {
        id: 'host',
        label: `${backups} on local`,
        kept: 2,
        removed: [earlier(2), earlier(3)],
      },
    ]);
    const gone = [earlier(2), earlier(3)].flatMap((name) => [name, `${name}.json`]);
    expect(await readdir(backups)).toEqual(before.filter((name) => !gone.includes(name)));
    expect(context.record.journal.map(({ step, event }) => `${step} ${event}`)).toEqual([
      'retention-host intent',
      'retention-host done',
      'remove-host intent',
      'remove-host done',
    ]);
    expect(context.record.journal[1]).toMatchObject({
      detail: `of 4 verified 2 stay; no rule keeps ${earlier(2)}, ${earlier(3)}`,
      data: {
        fates: expect.arrayContaining([
          { name: earlier(1), keep: true, reason: '2 of the last 2' },
        ]),
      },
    });
  });

  test('stay without rules', async () => {
    const receipt = await backupsOfDays(1, 2);
    const context = await contextWith(undefined);
    expect(await prune(context, receipt)).toEqual([]);
    expect(await readdir(backups)).toHaveLength(6);
    expect(context.record.journal).toEqual([]);
  });

  test('stay when the new one is suspiciously small, and the record says so', async () => {
    await backupsOfDays(1, 2);
    const receipt = await backupOnDisk(backups, ownWindow, { bytes: 900 });
    const context = await contextWith({ last: 1 });
    expect(await prune(context, receipt)).toMatchObject([
      { id: 'host', removed: [], held: expect.stringContaining('the new backup has 900 B') },
    ]);
    expect(await readdir(backups)).toHaveLength(6);
    expect(world.progress.lines.join('\n')).toContain('Nothing is removed from');
  });

  test('stay when the new one has no note: it was not verified', async () => {
    await backupsOfDays(1, 2);
    const receipt = await backupOnDisk(backups, ownWindow, { noted: false });
    await local.remove(join(backups, `${own}.json`));
    expect(await prune(await contextWith({ last: 1 }), receipt)).toMatchObject([
      { removed: [], held: expect.stringContaining('is not among those of this place') },
    ]);
    expect(await readdir(backups)).toHaveLength(5);
  });

  test('stay when a restore point refers to them, of this window or of the one before', async () => {
    const receipt = await backupsOfDays(1, 2, 3);
    const pointTo = (name: string) => ({
      kind: 'dump' as const,
      takenAt: at(0),
      seconds: 1,
      backup: { ...receipt, directory: join(backups, name) },
    });
    const folder = `/state/shop/history/${earlierWindow(1)}`;
    await world.host.makeDirectory(folder, 0o700);
    const archived = statusOf({
      windowId: earlierWindow(1),
      state: 'reopened',
      restorePoint: pointTo(earlier(3)),
    });
    await world.host.writeFile(`${folder}/window.json`, JSON.stringify(archived), { mode: 0o600 });
    const context = await contextWith({ last: 1 });
    await context.record.update({ restorePoint: pointTo(earlier(2)) });
    expect(await prune(context, receipt)).toMatchObject([{ kept: 3, removed: [earlier(1)] }]);
    expect((await readdir(backups)).sort()).toEqual(
      [own, earlier(2), earlier(3)].flatMap((name) => [name, `${name}.json`]).sort(),
    );
  });

  test('killed after any number of effects: the same ones are gone in the end', async () => {
    let finished = false;
    for (let effects = 0; !finished && effects < 20; effects += 1) {
      backups = join(root.path, `killed-${effects}`);
      world = new FakeWorld();
      const receipt = await backupsOfDays(1, 2);
      try {
        await prune(await contextWith({ last: 1 }, { host: dyingHost(local, effects) }), receipt);
        finished = true;
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
      }
      // Another process, which knows only what is in the record and on the disk.
      const journal = (await world.recordOf()).journal;
      expect(journal.at(-1)?.event).toBe(finished ? 'done' : 'failed');
      const again = await contextWith({ last: 1 });
      expect(await prune(again, receipt)).toMatchObject([{ removed: [earlier(1), earlier(2)] }]);
      expect(await readdir(backups)).toEqual([own, `${own}.json`]);
    }
    expect(finished).toBe(true);
  });
});

describe('older copies', () => {
  /** A place with whole copies of the own and of earlier windows. */
  async function placeWith(
    ...days: number[]
  ): Promise<{ destination: MemoryDestination; receipt: BackupReceipt }> {
    const destination = new MemoryDestination();
    for (const day of days) {
      const receipt = await backupOnDisk(backups, earlierWindow(day), { bytes: 2000 });
      world = new FakeWorld();
      const context = await contextWith(undefined, { destination, windowId: earlierWindow(day) });
      await copyBackup(context, receipt, await openPlaces(context));
    }
    world = new FakeWorld();
    return { destination, receipt: await backupOnDisk(backups, ownWindow, { bytes: 2000 }) };
  }

  test('go by the rules of the place, the note before the archive', async () => {
    const { destination, receipt } = await placeWith(1, 2, 3);
    destination.objects.set('unknown.bin', Buffer.from('not ours'));
    const changes: string[] = [];
    destination.before = (change) => {
      changes.push(change);
    };
    const context = await contextWith({ last: 3 }, { destination, copyKeep: { last: 1 } });
    expect(await prune(context, receipt)).toMatchObject([
      { id: 'host', kept: 3, removed: [earlier(3)] },
      { id: 'nas', kept: 1, removed: [earlier(1), earlier(2), earlier(3)] },
    ]);
    expect(changes).toEqual([
      `put ${own}.tar`,
      `put ${own}.json`,
      ...[1, 2, 3].flatMap((day) => [`remove ${earlier(day)}.json`, `remove ${earlier(day)}.tar`]),
    ]);
    expect(destination.names()).toEqual([`${own}.json`, `${own}.tar`, 'unknown.bin']);
  });

  test('a copy whose archive is missing or cut counts for nothing, and is not touched', async () => {
    const { destination, receipt } = await placeWith(1, 2, 3);
    destination.objects.delete(`${earlier(1)}.tar`);
    destination.objects.set(`${earlier(2)}.tar`, Buffer.alloc(10));
    const context = await contextWith(undefined, { destination, copyKeep: { last: 2 } });
    expect(await prune(context, receipt)).toMatchObject([{ id: 'nas', kept: 2, removed: [] }]);
    expect(destination.names()).toContain(`${earlier(3)}.tar`);
    expect(destination.names()).toContain(`${earlier(1)}.json`);
  });

  test('nothing goes where the new copy was not made', async () => {
    const { destination, receipt } = await placeWith(1, 2);
    destination.giveBack = (name, stored) => (name === `${own}.tar` ? stored.subarray(1) : stored);
    const context = await contextWith({ last: 1 }, { destination });
    await expect(prune(context, receipt)).rejects.toMatchObject({
      failure: { code: 'copy-differs' },
    });
    expect(destination.names()).toHaveLength(4);
    expect(await readdir(backups)).toHaveLength(6);
  });

  test.each<[string, (destination: MemoryDestination) => void, string]>([
    [
      'a removal that does nothing',
      (destination) => {
        destination.remove = async () => undefined;
      },
      'is still in memory after it was removed',
    ],
    [
      'a removal that is refused',
      (destination) => {
        destination.remove = async () => {
          const { fail } = await import('../../src/ports/failure.ts');
          return fail({ code: 'copy-denied', message: 'You may not.', state: 's', next: 'n' });
        };
      },
      'You may not.',
    ],
  ])('%s is told, and the backup is still good', async (_, bend, reason) => {
    const { destination, receipt } = await placeWith(1, 2);
    bend(destination);
    const context = await contextWith(undefined, { destination, copyKeep: { last: 1 } });
    expect(await prune(context, receipt)).toMatchObject([
      { id: 'nas', removed: [], failed: expect.stringContaining(reason) },
    ]);
    expect(context.record.journal.at(-1)).toMatchObject({ step: 'remove-nas', event: 'failed' });
    expect(world.progress.lines.join('\n')).toContain('were not all removed');
  });

  test('in a real folder', async () => {
    const place = join(root.path, `place-${count}`);
    const destination = folderDestination({ host: local, folder: place, label: 'a folder' });
    const memory = await placeWith(1, 2, 3);
    await mkdir(place);
    for (const [name, bytes] of memory.destination.objects)
      await writeFile(join(place, name), bytes);
    const context = await contextWith(undefined, { destination, copyKeep: { daily: 2 } });
    expect(await prune(context, memory.receipt)).toMatchObject([
      { id: 'nas', kept: 2, removed: [earlier(2), earlier(3)] },
    ]);
    expect((await readdir(place)).sort()).toEqual(
      [own, earlier(1)].flatMap((name) => [`${name}.json`, `${name}.tar`]).sort(),
    );
  });
});
