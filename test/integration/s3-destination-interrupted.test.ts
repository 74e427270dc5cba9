import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { nodeProgram } from '../../rehearsal/node-program.ts';
import { startObjectStore, type ObjectStore } from '../../rehearsal/object-store.ts';
import type { BackupDestination } from '../../src/ports/backup-destination.ts';
import {
  chunkBytes,
  failure,
  mebibyte,
  nothing,
  partBytes,
  sha256Of,
  source,
  TestedBucket,
  type Given,
} from '../fixtures/tested-bucket.ts';
import { startTroubledProxy, type TroubledProxy } from '../fixtures/troubled-proxy.ts';

let store: ObjectStore;
let proxy: TroubledProxy;
let bucket: TestedBucket;

beforeAll(async () => {
  store = await startObjectStore();
  proxy = await startTroubledProxy(store.port);
  bucket = new TestedBucket(store);
});
afterEach(() => proxy.plan(undefined));
afterAll(async () => {
  await proxy.stop();
  await store.stop();
});

function throughProxy(given: Given = {}): BackupDestination {
  return bucket.destination({ endpoint: `http://127.0.0.1:${proxy.port}`, attempts: 1, ...given });
}

test('a run killed in the middle leaves no object, and the next put removes its parts', async () => {
  const copies = bucket.destination();
  const { accessKeyId, secretAccessKey } = store.keys;
  const child = spawn(
    nodeProgram(),
    ['--no-warnings', join(import.meta.dirname, 's3-uploader.ts'), 'a'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ENDPOINT: store.endpoint,
        REGION: store.region,
        BUCKET: 'backups',
        PREFIX: bucket.prefix,
        ID: accessKeyId,
        SECRET: secretAccessKey,
      },
    },
  );
  const ended = once(child, 'exit');
  for (let tries = 0; (await bucket.unfinished()).length === 0; tries += 1) {
    if (tries === 1000 || child.exitCode !== null) throw new Error('no upload was begun');
    await pause(20);
  }
  child.kill('SIGKILL');
  await ended;
  expect(await copies.list()).toEqual([]);
  expect(await bucket.unfinished()).toEqual([`${bucket.prefix}/a`]);

  await copies.put('b', source(1));
  expect(await bucket.unfinished()).toEqual([`${bucket.prefix}/a`]);
  const content = source(2);
  await copies.put('a', content);
  expect(await bucket.contents()).toEqual({ objects: ['a', 'b'], unfinished: [] });
  expect(await sha256Of(copies.read('a'))).toBe(content.sha256());
});

test('what is left of uploads that are ours is swept away, over several pages', async () => {
  const copies = bucket.destination({ pageSize: 1 });
  for (const name of ['a', 'b/c', 'd', 'theirs']) await bucket.beginUpload(name);
  const neighbours = new TestedBucket(store);
  neighbours.destination({ prefix: `${bucket.prefix}-2` });
  await neighbours.beginUpload('a');
  const names = await copies.sweep((name) => name !== 'theirs');
  expect([...names].sort()).toEqual(['a', 'b/c', 'd']);
  expect(await bucket.unfinished()).toEqual([`${bucket.prefix}/theirs`]);
  expect(await neighbours.unfinished()).toEqual([`${neighbours.prefix}/a`]);
  expect(await copies.sweep(() => false)).toEqual([]);
});

describe('when the network', () => {
  test('is cut in the middle of an upload, nothing stays', async () => {
    const copies = throughProxy();
    await copies.list();
    proxy.plan({ direction: 'up', after: 7 * mebibyte, kind: 'cut', once: true });
    const { code, state } = await failure(copies.put('a', source(4 * partBytes)));
    expect(code).toBe('copy-interrupted');
    expect(state).toBe('The object is not there, and the parts that were sent are removed.');
    expect(await bucket.contents()).toEqual(nothing);
  });

  test('is cut once, the part is sent again', async () => {
    const copies = throughProxy({ attempts: 3 });
    const content = source(3 * partBytes);
    proxy.plan({ direction: 'up', after: 7 * mebibyte, kind: 'cut', once: true });
    await copies.put('a', content);
    expect(await sha256Of(copies.read('a'))).toBe(content.sha256());
  });

  test('is cut and stays so, it says that parts may be left, and the next put removes them', async () => {
    const copies = throughProxy();
    proxy.plan({ direction: 'up', after: 7 * mebibyte, kind: 'cut' });
    const { code, state } = await failure(copies.put('a', source(4 * partBytes)));
    expect(code).toBe('copy-interrupted');
    expect(state).toContain('the next copy to this place removes them');
    expect(await bucket.again().list()).toEqual([]);
    await bucket.again().put('a', source(5));
    expect(await bucket.unfinished()).toEqual([]);
  });

  test('loses the answer to the last request, the object is known as ours', async () => {
    const copies = throughProxy();
    // Nothing but the object is sent after its bytes were asked for.
    const held = source(1000, () =>
      proxy.plan({ direction: 'down', after: 0, kind: 'cut', once: true }),
    );
    await copies.put('a', held);
    expect(await sha256Of(copies.read('a'))).toBe(held.sha256());
  });

  test('moves nothing any more, it is given up, and no more was read than is under way', async () => {
    const copies = throughProxy({ stallSeconds: 2 });
    proxy.plan({ direction: 'up', after: mebibyte, kind: 'stall' });
    const content = source(20 * partBytes);
    const { code, message } = await failure(copies.put('a', content));
    expect(code).toBe('copy-stalled');
    expect(message).toContain('for 2 s');
    // Two parts are under way, the third is filled, and one chunk tells that there is more.
    expect(content.pulledBytes()).toBeLessThanOrEqual(3 * partBytes + chunkBytes);
    expect(content.pulledBytes()).toBeGreaterThan(2 * partBytes);
    proxy.plan(undefined);
    expect(await bucket.again().list()).toEqual([]);
  });

  test('is slow but moves, it is waited for', async () => {
    // In one request that takes longer than the limit. The last megabytes are out of sight in the system's buffers.
    const copies = throughProxy({ stallSeconds: 3, firstPartBytes: 32 * mebibyte });
    const content = source(24 * mebibyte);
    proxy.plan({ direction: 'up', after: 0, kind: { bytesPerSecond: 6 * mebibyte } });
    await copies.put('a', content);
    expect(await sha256Of(copies.read('a'))).toBe(content.sha256());
  });

  test.each([
    ['is cut', 'cut', 'copy-interrupted'],
    ['moves nothing', 'stall', 'copy-stalled'],
  ] as const)('%s while an object is read, what came is no object', async (_, kind, code) => {
    const copies = throughProxy({ stallSeconds: 1 });
    await copies.put('a', source(3 * mebibyte));
    proxy.plan({ direction: 'down', after: 2 * mebibyte, kind });
    expect((await failure(sha256Of(copies.read('a')))).code).toBe(code);
  });
});

test('a server killed in the middle of an upload keeps no object', async () => {
  const copies = bucket.destination({ attempts: 1 });
  const dying = source(6 * partBytes, (pulled) =>
    pulled === 4 * partBytes ? store.kill() : undefined,
  );
  const { code, state } = await failure(copies.put('a', dying));
  expect(['copy-interrupted', 'copy-unreachable']).toContain(code);
  expect(state).toContain('the next copy to this place removes them');
  await store.restart();
  expect(await copies.list()).toEqual([]);
  const content = source(partBytes + 1);
  await bucket.again().put('a', content);
  expect(await sha256Of(copies.read('a'))).toBe(content.sha256());
  expect(await bucket.unfinished()).toEqual([]);
});
