import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { folderDestination } from '../../src/destinations/folder.ts';
import { localHost } from '../../src/hosts/local.ts';
import { refuseImpossibleCopies } from '../../src/phases/backups/copy-checks.ts';
import { copyBackup, openPlaces } from '../../src/phases/backups/copies.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import type { BackupDestination } from '../../src/ports/backup-destination.ts';
import { failureOf } from '../../src/ports/failure.ts';
import type { BackupCopy, BackupReceipt } from '../../src/record/backup-receipt.ts';
import { makeAgeKey, type AgeKey } from '../fixtures/age-keys.ts';
import {
  backupOnDisk,
  contextForCopies,
  earlierWindow,
  ownWindow,
} from '../fixtures/backup-on-disk.ts';
import { dyingHost, Killed } from '../fixtures/dying-host.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { MemoryDestination } from '../fixtures/memory-destination.ts';
import { processTable } from '../fixtures/process-table.ts';
import { tinyDisk } from '../fixtures/tiny-disk.ts';

const run = promisify(execFile);
const local = localHost({ environment: { PATH: process.env.PATH ?? '' } });
const archive = `shop-${ownWindow}.tar.age`;
const note = `shop-${ownWindow}.json`;
let root: TemporaryFolder;
let key: AgeKey;
let count = 0;
let folder: string;
let world: FakeWorld;
let receipt: BackupReceipt;

beforeAll(async () => {
  root = await makeTemporaryFolder('copies');
  key = await makeAgeKey();
});
afterAll(() => root.remove());
beforeEach(async () => {
  count += 1;
  folder = join(root.path, `case-${count}`);
  await mkdir(folder);
  world = new FakeWorld();
  receipt = await backupOnDisk(join(folder, 'backups'));
});

const vault = { to: 'ssh', id: 'vault', host: 'ssh://backup@vault.example.org', path: '/srv' };

/** The context of a plan with one copy, to a place of the test's. */
function contextTo(
  destination: BackupDestination,
  change: {
    identity?: string;
    required?: boolean;
    recipients?: string[];
    host?: typeof local;
  } = {},
): Promise<PhaseContext> {
  const { required = true, recipients = [key.recipient], ...rest } = change;
  return contextForCopies(world, {
    settings: { recipients, copies: [{ ...vault, required }] },
    destinations: { vault: destination },
    ...rest,
  });
}

async function copy(context: PhaseContext): Promise<readonly BackupCopy[]> {
  return copyBackup(context, receipt, await openPlaces(context));
}

async function failureOfCopy(context: PhaseContext) {
  return copy(context).then(
    () => {
      throw new Error('the copy did not fail');
    },
    (error: unknown) => failureOf(error),
  );
}

/** Decrypts and unpacks by the commands of the manual. */
async function unpacked(bytes: Buffer): Promise<string> {
  const place = join(folder, 'fetched');
  await mkdir(place, { recursive: true });
  await writeFile(join(place, 'copy.tar.age'), bytes);
  await writeFile(join(place, 'key.txt'), key.identity);
  await run('sh', ['-ec', 'age -d -i key.txt copy.tar.age | tar -xf -'], { cwd: place });
  return join(place, `shop-${ownWindow}`);
}

describe('a copy', () => {
  test('is encrypted, read back, and has its note last; the record tells', async () => {
    const destination = new MemoryDestination();
    const changes: string[] = [];
    destination.before = (change) => {
      changes.push(change);
    };
    const context = await contextTo(destination, { identity: key.identity });
    const [made] = await copy(context);
    const stored = destination.objects.get(archive) ?? Buffer.alloc(0);
    expect(changes).toEqual([`put ${archive}`, `put ${note}`]);
    expect(stored.subarray(0, 21).toString()).toBe('age-encryption.org/v1');
    expect(made).toEqual({
      id: 'vault',
      to: 'ssh',
      label: 'memory',
      objects: [archive, note],
      bytes: stored.length,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      encrypted: true,
      readBackAt: world.clock.now().toISOString(),
    });
    // The note tells what it is and no table of the database.
    const told = String(destination.objects.get(note));
    expect(JSON.parse(told)).toMatchObject({
      backup: `shop-${ownWindow}`,
      sha256: receipt.sha256,
      rows: receipt.totalRows,
      archive: { object: archive, bytes: made?.bytes, sha256: made?.sha256 },
    });
    expect(told).not.toContain('orders');
    const line = context.record.journal.at(-1);
    expect(line).toMatchObject({ step: 'copy-vault', event: 'done', data: made });
    expect(JSON.stringify(context.record.copy())).not.toContain(key.identity);
    expect(JSON.stringify(world.progress)).not.toContain(key.identity);

    const files = await unpacked(stored);
    for (const name of ['3001.dat', 'toc.dat', 'manifest.json']) {
      const original = await readFile(join(receipt.directory, name));
      expect((await readFile(join(files, name))).equals(original)).toBe(true);
    }
  });

  test('is found again, and made again when the backup is another one', async () => {
    const destination = new MemoryDestination();
    const [first] = await copy(await contextTo(destination));
    destination.before = (change) => {
      throw new Error(`nothing is to be changed, but ${change}`);
    };
    expect(await copy(await contextTo(destination))).toEqual([first]);
    destination.before = () => undefined;
    receipt = await backupOnDisk(join(folder, 'backups'), ownWindow, { bytes: 300_000 });
    const [second] = await copy(await contextTo(destination));
    expect(second?.bytes).toBeGreaterThan(300_000);
    expect(destination.names()).toEqual([note, archive]);
  });

  test('is held back by a slow place: nothing gathers in memory', async () => {
    receipt = await backupOnDisk(join(folder, 'backups'), ownWindow, { bytes: 48 * megabyte });
    let packed = 0;
    const destination = new MemoryDestination();
    const put = destination.put.bind(destination);
    destination.put = (name, content) =>
      put(
        name,
        (async function* slowly() {
          let taken = 0;
          for await (const chunk of content) {
            taken += chunk.length;
            yield chunk;
            if (packed === 0 && taken > megabyte) packed = await bytesReadByTar();
          }
        })(),
      );
    await copy(await contextTo(destination));
    expect(packed).toBeGreaterThan(megabyte);
    expect(packed).toBeLessThan(16 * megabyte);
  });
});

const megabyte = 1024 * 1024;

/** Bytes that the packing program has read when it goes no further. */
async function bytesReadByTar(): Promise<number> {
  const table = await processTable();
  const tar = table.find(({ command }) => command.startsWith(`tar -C ${folder}`));
  let before = -1;
  for (let look = 0; look < 200; look += 1) {
    const io = await readFile(`/proc/${tar?.pid ?? 0}/io`, 'utf8');
    const read = Number(/^rchar: (\d+)$/m.exec(io)?.[1]);
    if (read === before) return read;
    before = read;
    await pause(100);
  }
  throw new Error('it never stood still');
}

describe('a copy that does not come back as it was sent', () => {
  const flipped = (stored: Buffer): Buffer => {
    const bytes = Buffer.from(stored);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    return bytes;
  };

  test.each<[string, (name: string, stored: Buffer) => Buffer, RegExp]>([
    ['one bit is another', (_, stored) => flipped(stored), /with another content: sha256/],
    [
      'the end is missing',
      (_, stored) => stored.subarray(0, -1),
      /gave \d+ bytes of .* back instead/,
    ],
    ['nothing comes', () => Buffer.alloc(0), /gave 0 bytes/],
    [
      'the note is another',
      (name, stored) => (name.endsWith('.json') ? flipped(stored) : stored),
      /does not show the copy/,
    ],
  ])('%s: a failure, and nothing that counts', async (_, giveBack, message) => {
    const destination = new MemoryDestination();
    destination.giveBack = giveBack;
    const failure = await failureOfCopy(await contextTo(destination));
    expect(failure).toMatchObject({
      code: 'copy-differs',
      message: expect.stringMatching(message),
      state: expect.stringContaining('has no note, so it does not count'),
    });
    expect(destination.names().filter((name) => name.endsWith('.json'))).toEqual([]);
    // And the next run makes it good, whatever was left.
    destination.giveBack = (_name, stored) => stored;
    await copy(await contextTo(destination));
    expect(destination.names()).toEqual([note, archive]);
  });

  test('on a real disk', async () => {
    const place = join(folder, 'place');
    const real = folderDestination({ host: local, folder: place, label: 'a folder' });
    const destination: BackupDestination = {
      ...real,
      put: async (name, content) => {
        await real.put(name, content);
        if (name === archive) {
          await writeFile(join(place, name), flipped(await readFile(join(place, name))));
        }
      },
    };
    const failure = await failureOfCopy(await contextTo(destination));
    expect(failure).toMatchObject({
      code: 'copy-differs',
      state: expect.stringContaining(`${archive} was removed there again.`),
    });
    expect(await readdir(place)).toEqual([]);
  });

  test('with the private key, what cannot be decrypted is none', async () => {
    const other = await makeAgeKey();
    const destination = new MemoryDestination();
    const failure = await failureOfCopy(await contextTo(destination, { identity: other.identity }));
    expect(failure).toMatchObject({
      code: 'copy-differs',
      message: expect.stringMatching(/decrypted, is not the backup: age: .*no identity matched/),
    });
    expect(destination.names()).toEqual([]);
  });

  test('with the private key, a backup that changes meanwhile is found out', async () => {
    const destination = new MemoryDestination();
    destination.before = () => undefined;
    const original = destination.put.bind(destination);
    destination.put = async (name, content) => {
      await original(name, content);
      await writeFile(join(receipt.directory, '3002.dat'), 'late');
    };
    const failure = await failureOfCopy(await contextTo(destination, { identity: key.identity }));
    expect(failure.message).toMatch(/decrypted, (?:lacks the file 3002\.dat|is not the backup)/);
  });
});

describe('a place that does not take it', () => {
  test('a full disk: a failure that says so, and nothing is left there', async () => {
    const disk = await tinyDisk(join(folder, 'disk'), 100 * 1024);
    try {
      const place = join(disk.path, 'place');
      const destination = folderDestination({ host: local, folder: place, label: 'the disk' });
      const failure = await failureOfCopy(await contextTo(destination));
      expect(failure).toMatchObject({
        code: 'copy-not-written',
        message: expect.stringMatching(/^the disk did not take .*No space left on device\.$/),
      });
      expect(await readdir(place)).toEqual([]);
    } finally {
      await disk.remove();
    }
  });

  test('a copy that need not succeed is a warning', async () => {
    const destination = new MemoryDestination();
    destination.before = () => {
      throw Object.assign(new Error(), {});
    };
    destination.list = async () => {
      const { fail } = await import('../../src/ports/failure.ts');
      return fail({ code: 'copy-unreachable', message: 'Nobody there.', state: 's', next: 'n' });
    };
    const context = await contextTo(destination, { required: false });
    expect(await copy(context)).toEqual([]);
    expect(world.progress.lines.join('\n')).toContain('The copy vault was not made: Nobody there.');
    await expect(refuseImpossibleCopies(context)).resolves.toBeUndefined();
    await expect(
      refuseImpossibleCopies(await contextTo(destination, { required: true })),
    ).rejects.toMatchObject({
      failure: { code: 'copy-impossible', state: expect.stringContaining('Nothing was touched') },
    });
  });

  test.each<[string, boolean, string]>([
    ['fails when it is required', false, 'failed'],
    ['is left out when it need not succeed', true, 'skipped'],
  ])('a copy for which the window has no time left %s', async (_, isOptional, event) => {
    const destination = new MemoryDestination();
    destination.before = (change) => {
      throw new Error(`nothing is to be changed, but ${change}`);
    };
    const context = await contextTo(destination, { required: !isOptional });
    await context.record.update({
      deadline: new Date(world.clock.now().getTime() + 60_000).toISOString(),
      prediction: [
        {
          step: 'backup-db: copy-vault',
          seconds: 3600,
          closed: false,
          basis: 'slowest of 3 earlier',
        },
      ],
    });
    const outcome = await copy(context).then(
      (copies) => ({ copies, event: context.record.journal.at(-1)?.event }),
      (error: unknown) => ({ code: failureOf(error).code, event: 'failed' }),
    );
    expect(outcome).toEqual(isOptional ? { copies: [], event } : { code: 'time-budget', event });
  });

  test('an object of that name is never overwritten', async () => {
    const place = join(folder, 'place');
    const destination = folderDestination({ host: local, folder: place, label: 'a folder' });
    const bytes = async function* (text: string) {
      yield Buffer.from(text);
    };
    await destination.put('a.tar', bytes('first'));
    await expect(destination.put('a.tar', bytes('second'))).rejects.toMatchObject({
      failure: { code: 'copy-exists' },
    });
    expect(await readFile(join(place, 'a.tar'), 'utf8')).toBe('first');
    expect(await readdir(place)).toEqual(['a.tar']);
  });

  test('a program that fails in the middle stores nothing', async () => {
    const place = join(folder, 'place');
    const destination = folderDestination({ host: local, folder: place, label: 'a folder' });
    // tar goes on past a file that it cannot read, and says so at its end.
    receipt = { ...receipt, directory: join(folder, 'backups', 'gone') };
    const failure = await failureOfCopy(await contextTo(destination));
    expect(failure).toMatchObject({
      code: 'copy-not-packed',
      message: expect.stringContaining('tar: '),
    });
    expect(await readdir(place)).toEqual([]);
  });
});

test('killed after any number of effects, the next run has the copy and nothing else', async () => {
  let finished = false;
  for (let effects = 0; !finished && effects < 40; effects += 1) {
    world = new FakeWorld();
    const place = join(folder, `place-${effects}`);
    // Records of windows that are over; one of them left an upload, another's and a stranger's are not ours to touch.
    const [ours, foreign] = [earlierWindow(1), earlierWindow(2)];
    await world.host.makeDirectory(`/state/shop/history/${ours}`, 0o700);
    await mkdir(place);
    await writeFile(join(place, `shop-${ours}.tar.age`), 'cut off');
    await writeFile(join(place, `.part-shop-${ours}.tar.age`), 'cut off');
    const others = [`shop-${foreign}.tar.age`, `shop-eu-${ours}.tar.age`, 'README.txt', '.part-x'];
    for (const name of others) await writeFile(join(place, name), 'not ours');
    const dying = dyingHost(local, effects);
    const destination = folderDestination({ host: dying, folder: place, label: 'a folder' });
    try {
      await copy(await contextTo(destination, { host: dying }));
      finished = true;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    const alive = folderDestination({ host: local, folder: place, label: 'a folder' });
    const [made] = await copy(await contextTo(alive));
    expect(made?.objects).toEqual([archive, note]);
    expect((await readdir(place)).sort()).toEqual([...others, archive, note].sort());
  }
  expect(finished).toBe(true);
  expect((await processTable()).filter(({ command }) => command.includes(folder))).toEqual([]);
});
