import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { startObjectStore, type ObjectStore } from '../../rehearsal/object-store.ts';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { artifactDestination } from '../../src/destinations/artifact.ts';
import { folderDestination } from '../../src/destinations/folder.ts';
import { s3Destination } from '../../src/destinations/s3.ts';
import { sshDestination } from '../../src/destinations/ssh.ts';
import { githubRunArtifacts } from '../../src/github/run-artifacts.ts';
import { localHost } from '../../src/hosts/local.ts';
import { sshConnections, type SshConnections } from '../../src/hosts/ssh.ts';
import type { BackupDestination } from '../../src/ports/backup-destination.ts';
import { FailureError, failureOf } from '../../src/ports/failure.ts';
import { startArtifactService, type ArtifactService } from '../fixtures/artifact-service.ts';

const environment = { PATH: process.env.PATH ?? '' };
const administrator = { name: 'administrator', uid: 0, shell: '/bin/sh', sudo: false } as const;
const before = { ...process.env };

let folder: TemporaryFolder;
let server: SshServer;
let pool: SshConnections;
let store: ObjectStore;
let service: ArtifactService;
let count = 0;

beforeAll(async () => {
  folder = await makeTemporaryFolder('destinations');
  server = await startSshServer({ accounts: [administrator] });
  pool = sshConnections({ signal: new AbortController().signal, environment });
  store = await startObjectStore({ buckets: ['backups'] });
  service = await startArtifactService();
  // Where the artifact client itself looks.
  Object.assign(process.env, service.environment);
});
afterAll(async () => {
  process.env = before;
  await service.stop();
  await store.stop();
  await pool.close();
  await server.stop();
  await folder.remove();
});

/** An empty place of each kind. */
const kinds: readonly { name: string; open: (place: string) => BackupDestination }[] = [
  {
    name: 'folder',
    open: (place) =>
      folderDestination({
        host: localHost({ environment }),
        folder: join(folder.path, place),
        label: 'a folder',
      }),
  },
  {
    name: 'another host over SSH',
    open: (place) =>
      sshDestination(
        pool.host({
          url: server.url,
          privateKey: server.privateKey,
          knownHosts: server.knownHosts,
          sudo: false,
          connectTimeoutSeconds: 10,
        }),
        join(folder.path, place),
      ),
  },
  {
    name: 'bucket',
    open: (place) =>
      s3Destination(
        { endpoint: store.endpoint, region: store.region, bucket: 'backups', prefix: place },
        store.keys,
      ),
  },
  {
    name: 'artifacts',
    open: () =>
      artifactDestination({
        artifacts: githubRunArtifacts(service.environment),
        temporaryFolder: join(folder.path, 'runner-temp'),
        days: 3,
      }),
  },
];

async function* sending(...parts: readonly (string | Buffer)[]) {
  for (const part of parts) yield Buffer.from(part);
}

async function bytesOf(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk.slice());
  return Buffer.concat(chunks);
}

/** Two and a half blocks of a pipe's and a client's buffers, no two bytes of which are alike for long. */
const much = Buffer.from(
  Array.from({ length: 3_000_000 }, (_, index) => (index * 31 + (index >> 9)) & 255),
);

describe.each(kinds)('a destination: $name', ({ name: kind, open }) => {
  let destination: BackupDestination;
  const names = async (): Promise<string[]> =>
    (await destination.list()).map(({ name }) => name).sort();

  beforeEach(async () => {
    // The client's own commands to the runner go to standard output; they are no business of the test's.
    jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    await mkdir(join(folder.path, 'runner-temp'), { recursive: true });
    count += 1;
    destination = open(`place-${count}`);
    for (const { name } of await destination.list()) await destination.remove(name);
  });

  test('is empty at first, gives back what it got, and forgets what is removed', async () => {
    expect(await destination.list()).toEqual([]);
    await destination.put('shop-1.tar.age', sending(much, 'end'));
    await destination.put('shop-1.json', sending('{}'));
    expect(await names()).toEqual(['shop-1.json', 'shop-1.tar.age']);
    expect(
      (await bytesOf(destination.read('shop-1.tar.age'))).equals(
        Buffer.concat([much, Buffer.from('end')]),
      ),
    ).toBe(true);
    for (const { name, bytes } of await destination.list()) {
      const size = name.endsWith('.json') ? 2 : much.length + 3;
      // An artifact is listed with its packing.
      if (kind === 'artifacts') expect(bytes).toBeGreaterThanOrEqual(size);
      else expect(bytes).toBe(size);
    }
    await destination.remove('shop-1.json');
    await destination.remove('shop-1.json');
    expect(await names()).toEqual(['shop-1.tar.age']);
  });

  test('overwrites nothing', async () => {
    await destination.put('shop-1.tar', sending('first'));
    const failure = failureOf(
      await destination.put('shop-1.tar', sending('second')).catch((e: unknown) => e),
    );
    expect(failure.code).toMatch(/^copy-/);
    expect(String(await bytesOf(destination.read('shop-1.tar')))).toBe('first');
  });

  test('stores nothing of a content that breaks off, and passes its error on', async () => {
    // Of the host that has the backup; this place must not be blamed for it.
    const broken = new FailureError({
      code: 'host-unreachable',
      message: 'The host of the database was lost.',
      state: 's',
      next: 'n',
    });
    const content = (async function* breaking() {
      yield much;
      throw broken;
    })();
    await expect(destination.put('shop-1.tar', content)).rejects.toBe(broken);
    expect(await names()).toEqual([]);
    await destination.put('shop-1.tar', sending('whole'));
    expect(String(await bytesOf(destination.read('shop-1.tar')))).toBe('whole');
  });

  test('has no object of that name: that is a failure, not an empty one', async () => {
    await destination.put('shop-1.tar', sending('x'));
    const failure = failureOf(
      await bytesOf(destination.read('shop-2.tar')).catch((e: unknown) => e),
    );
    expect(failure.code).toMatch(/^copy-/);
    expect(failure.message).toContain('shop-2.tar');
  });

  test('lets go of an object that is not read to its end', async () => {
    await destination.put('shop-1.tar', sending(much));
    for await (const chunk of destination.read('shop-1.tar')) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    await destination.remove('shop-1.tar');
    expect(await names()).toEqual([]);
    expect(await readdir(join(folder.path, 'runner-temp'))).toEqual([]);
  });
});

describe('artifacts', () => {
  beforeEach(() => {
    jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  });

  test('are kept for the days that the plan says, and leave no file on the runner', async () => {
    const destination = kinds.find(({ name }) => name === 'artifacts')?.open('');
    await destination?.put('shop-9.tar.age', sending('x'));
    expect(service.names()).toContain('shop-9.tar.age');
    const days = (Date.parse(service.lastExpiry() ?? '') - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(3);
    expect(await readdir(join(folder.path, 'runner-temp'))).toEqual([]);
  });

  test('are refused in plain words where there is no service for them', async () => {
    const destination = artifactDestination({
      artifacts: githubRunArtifacts({}),
      temporaryFolder: folder.path,
      days: undefined,
    });
    const refused = {
      failure: {
        code: 'copy-no-artifacts',
        message: 'A copy is to become an artifact, and there is no artifact service here.',
        state: 'Nothing was touched.',
      },
    };
    await expect(destination.list()).rejects.toMatchObject(refused);
    await expect(destination.put('shop-1.tar.age', sending('x'))).rejects.toMatchObject(refused);
    await expect(bytesOf(destination.read('shop-1.tar.age'))).rejects.toMatchObject(refused);
  });
});
