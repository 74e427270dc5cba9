import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { nodeProgram } from '../../rehearsal/node-program.ts';
import { startObjectStore, type ObjectStore } from '../../rehearsal/object-store.ts';
import { makeTemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { s3Destination } from '../../src/destinations/s3.ts';
import type { S3Keys, S3Options, S3Place } from '../../src/destinations/s3/place.ts';
import type { BackupDestination } from '../../src/ports/backup-destination.ts';
import { failureOf, type Failure } from '../../src/ports/failure.ts';
import { CertificateAuthority } from '../fixtures/certificates.ts';
import { tinyDisk } from '../fixtures/tiny-disk.ts';
import { startTroubledProxy, type TroubledProxy } from '../fixtures/troubled-proxy.ts';

const mebibyte = 1024 * 1024;
/** The smallest that S3 takes. */
const partBytes = 5 * mebibyte;
const chunkBytes = 64 * 1024;

let store: ObjectStore;
let proxy: TroubledProxy;
let wanted: string;

beforeAll(async () => {
  store = await startObjectStore();
  proxy = await startTroubledProxy(store.port);
});
afterEach(() => proxy.plan(undefined));
afterAll(async () => {
  await proxy.stop();
  await store.stop();
});

type Given = Partial<S3Place & S3Options> & { readonly keys?: Partial<S3Keys> };

/** A destination with a prefix of its own. */
function destination(given: Given = {}): BackupDestination {
  const { keys, ...rest } = given;
  wanted = rest.prefix ?? `test/${randomUUID()}`;
  const place = { endpoint: store.endpoint, region: store.region, bucket: 'backups' };
  return s3Destination(
    { ...place, prefix: wanted, ...rest },
    { ...store.keys, ...keys },
    { firstPartBytes: partBytes, stallSeconds: 20, ...rest },
  );
}

function throughProxy(given: Given = {}): BackupDestination {
  return destination({ endpoint: `http://127.0.0.1:${proxy.port}`, attempts: 1, ...given });
}

/** Random bytes that come in chunks, and what came of them so far. */
function source(
  bytes: number,
  onChunk: (pulled: number) => void | Promise<void> = () => undefined,
) {
  const hash = createHash('sha256');
  const state = { pulled: 0, sha256: () => hash.digest('hex') };
  async function* content(): AsyncGenerator<Uint8Array> {
    while (state.pulled < bytes) {
      const chunk = randomBytes(Math.min(chunkBytes, bytes - state.pulled));
      hash.update(chunk);
      state.pulled += chunk.length;
      await onChunk(state.pulled);
      yield chunk;
    }
  }
  return Object.assign(content(), state, {
    pulledBytes: () => state.pulled,
  });
}

async function sha256Of(content: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of content) hash.update(chunk);
  return hash.digest('hex');
}

async function failure(promise: Promise<unknown>): Promise<Failure> {
  return promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => failureOf(error),
  );
}

/** Keys of uploads that were begun and are not complete, as the server itself tells. */
async function unfinished(): Promise<readonly string[]> {
  const client = new S3Client({
    endpoint: store.endpoint,
    region: store.region,
    forcePathStyle: true,
    credentials: store.keys,
  });
  const command = new ListMultipartUploadsCommand({ Bucket: 'backups', Prefix: `${wanted}/` });
  const { Uploads = [] } = await client.send(command);
  client.destroy();
  return Uploads.map(({ Key = '' }) => Key);
}

async function expectNothingThere(): Promise<void> {
  expect(await destination({ prefix: wanted }).list()).toEqual([]);
  expect(await unfinished()).toEqual([]);
}

describe('an object', () => {
  test.each([
    ['of no bytes', 0],
    ['of a few', 11],
    ['as long as a part', partBytes],
    ['longer by one byte', partBytes + 1],
    ['of several parts', 4 * partBytes + 12_345],
  ])('%s comes back as it was', async (_, bytes) => {
    const copies = destination();
    const content = source(bytes);
    await copies.put('window-1/shop.dump', content);
    expect(await copies.list()).toEqual([{ name: 'window-1/shop.dump', bytes }]);
    expect(await sha256Of(copies.read('window-1/shop.dump'))).toBe(content.sha256());
    expect(await unfinished()).toEqual([]);
  });

  test.each([
    ['in one request', 100],
    ['in parts', partBytes + 1],
  ])('is not overwritten %s', async (_, bytes) => {
    const copies = destination();
    const first = source(7);
    await copies.put('a', first);
    const { code, message } = await failure(copies.put('a', source(bytes)));
    expect(code).toBe('copy-exists');
    expect(message).toContain(`s3://backups/${wanted} at ${store.endpoint}`);
    expect(await sha256Of(copies.read('a'))).toBe(first.sha256());
    expect(await unfinished()).toEqual([]);
  });

  test.each([
    ['in one request', 100],
    ['in parts', partBytes + 1],
  ])('that two write at once %s is of one of them', async (_, bytes) => {
    const copies = destination();
    // Both have looked, and found nothing, before either of them goes on.
    let waiting = 2;
    let open: () => void;
    const both = new Promise<void>((resolve) => {
      open = resolve;
    });
    const enter = (): Promise<void> => {
      waiting -= 1;
      if (waiting === 0) open();
      return both;
    };
    const contents = [source(bytes, enter), source(bytes, enter)];
    const ends = await Promise.allSettled(contents.map((content) => copies.put('a', content)));
    const lost = ends.flatMap((end) => (end.status === 'rejected' ? [failureOf(end.reason)] : []));
    expect(lost.map(({ code }) => code)).toEqual(['copy-exists']);
    const winner = contents[ends.findIndex(({ status }) => status === 'fulfilled')];
    expect(await sha256Of(copies.read('a'))).toBe(winner?.sha256());
    expect(await unfinished()).toEqual([]);
  });
  test('is removed, also when it is not there', async () => {
    const copies = destination();
    await copies.put('a', source(1));
    await copies.remove('a');
    await copies.remove('a');
    expect(await copies.list()).toEqual([]);
    expect((await failure(sha256Of(copies.read('a')))).code).toBe('copy-missing');
  });
});

test('a list goes over several pages and stays below the prefix', async () => {
  const copies = destination({ pageSize: 2 });
  const neighbour = destination({ prefix: `${wanted}-2` });
  const names = ['a', 'b/c', 'b/d', 'e', 'f'];
  for (const name of names) await copies.put(name, source(3));
  await neighbour.put('g', source(3));
  expect(await copies.list()).toEqual(names.map((name) => ({ name, bytes: 3 })));
});

test('a run killed in the middle leaves no object, and the next put removes its parts', async () => {
  const copies = destination();
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
        PREFIX: wanted,
        ID: accessKeyId,
        SECRET: secretAccessKey,
      },
    },
  );
  const ended = once(child, 'exit');
  for (let tries = 0; (await unfinished()).length === 0; tries += 1) {
    if (tries === 1000 || child.exitCode !== null) throw new Error('no upload was begun');
    await pause(20);
  }
  child.kill('SIGKILL');
  await ended;
  expect(await copies.list()).toEqual([]);
  expect(await unfinished()).toEqual([`${wanted}/a`]);

  await copies.put('b', source(1));
  // It could be of another run that is still at it.
  expect(await unfinished()).toEqual([`${wanted}/a`]);
  await copies.put('a', source(2));
  expect(await unfinished()).toEqual([]);
  expect(await copies.list()).toEqual([
    { name: 'a', bytes: 2 },
    { name: 'b', bytes: 1 },
  ]);
});

describe('when the network', () => {
  test('is cut in the middle of an upload, nothing stays', async () => {
    const copies = throughProxy();
    await copies.list();
    proxy.plan({ direction: 'up', after: 7 * mebibyte, kind: 'cut', once: true });
    const { code, state } = await failure(copies.put('a', source(4 * partBytes)));
    expect(code).toBe('copy-interrupted');
    expect(state).toBe('The object is not there, and the parts that were sent are removed.');
    await expectNothingThere();
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
    expect(await destination({ prefix: wanted }).list()).toEqual([]);
    await destination({ prefix: wanted }).put('a', source(5));
    expect(await unfinished()).toEqual([]);
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
    expect(await destination({ prefix: wanted }).list()).toEqual([]);
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
  const copies = destination({ attempts: 1 });
  const dying = source(6 * partBytes, (pulled) =>
    pulled === 4 * partBytes ? store.kill() : undefined,
  );
  const { code, state } = await failure(copies.put('a', dying));
  expect(['copy-interrupted', 'copy-unreachable']).toContain(code);
  expect(state).toContain('the next copy to this place removes them');
  await store.restart();
  expect(await copies.list()).toEqual([]);
  const content = source(partBytes + 1);
  await destination({ prefix: wanted }).put('a', content);
  expect(await sha256Of(copies.read('a'))).toBe(content.sha256());
  expect(await unfinished()).toEqual([]);
});

describe('an upload is taken back', () => {
  test('when the run is cancelled', async () => {
    const cancel = new AbortController();
    const copies = destination({ signal: cancel.signal });
    const endless = source(100 * partBytes, (pulled) => {
      if (pulled > 3 * partBytes) cancel.abort();
    });
    expect((await failure(copies.put('a', endless))).code).toBe('cancelled');
    expect(endless.pulledBytes()).toBeLessThan(6 * partBytes);
    await expectNothingThere();
  });

  test('when the run is cancelled while its source says nothing', async () => {
    const cancel = new AbortController();
    const copies = destination({ signal: cancel.signal });
    const silent = source(100 * partBytes, (pulled) => {
      if (pulled <= 2 * partBytes) return undefined;
      cancel.abort();
      return new Promise<void>(() => undefined);
    });
    expect((await failure(copies.put('a', silent))).code).toBe('cancelled');
    await expectNothingThere();
  });

  test.each([
    ['at once', 0],
    ['after two parts', 2 * partBytes + 1],
  ])('when its source fails %s, with the error of the source', async (_, bytes) => {
    const copies = destination();
    const broken = source(bytes + 1, (pulled) => {
      if (pulled > bytes) throw new Error('pg_dump ended with 1');
    });
    await expect(copies.put('a', broken)).rejects.toThrow('pg_dump ended with 1');
    await expectNothingThere();
  });
});

describe('what the server refuses', () => {
  const cases: readonly [what: string, given: () => Given, code: string, words: string][] = [
    ['a key', () => ({ keys: { accessKeyId: 'AKNOBODY' } }), 'copy-credentials', 'access key'],
    ['a secret', () => ({ keys: { secretAccessKey: 'T0pS3cret' } }), 'copy-credentials', 'secret'],
    ['a bucket', () => ({ bucket: 'nowhere' }), 'copy-no-bucket', 'no bucket nowhere'],
    ['a region', () => ({ region: 'eu-west-3' }), 'copy-region', 'region eu-west-3'],
    ['a port', () => ({ endpoint: 'http://127.0.0.1:1' }), 'copy-unreachable', 'refused'],
    [
      'TLS',
      () => ({ endpoint: store.endpoint.replace('http:', 'https:') }),
      'copy-tls',
      '127.0.0.1:',
    ],
  ];
  test.each(cases)('%s is told', async (_, given, code, words) => {
    const copies = destination({ ...given(), attempts: 1 });
    const attempts = {
      put: () => copies.put('a', source(9)),
      parts: () => copies.put('a', source(partBytes + 1)),
      read: () => sha256Of(copies.read('a')),
      list: () => copies.list(),
      remove: () => copies.remove('a'),
    };
    for (const attempt of Object.values(attempts)) {
      const failed = await failure(attempt());
      expect(failed.code).toBe(code);
      expect(failed.message).toContain(words);
      expect(JSON.stringify(failed)).not.toMatch(
        new RegExp(`T0pS3cret|${store.keys.secretAccessKey}`),
      );
    }
  });

  test('writing: nothing is there, and what was there stays', async () => {
    const copies = destination();
    await copies.put('kept', source(3));
    await store.restart({ readOnly: true });
    try {
      for (const bytes of [9, partBytes + 1]) {
        const { code, state } = await failure(copies.put('a', source(bytes)));
        expect([code, state]).toEqual(['copy-denied', 'Nothing was written.']);
      }
      expect((await failure(copies.remove('kept'))).code).toBe('copy-denied');
    } finally {
      await store.restart();
    }
    expect(await copies.list()).toEqual([{ name: 'kept', bytes: 3 }]);
  });
});

test('a clock that is an hour off is set right by the answer of the server', async () => {
  const copies = destination();
  const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000);
  try {
    await copies.put('a', source(3));
  } finally {
    now.mockRestore();
  }
  expect(await destination({ prefix: wanted }).list()).toEqual([{ name: 'a', bytes: 3 }]);
});

test.each([
  ['a page', 200, '<html><body>Hello<br></html>'],
  ['nothing', 200, ''],
  ['a page of an error', 404, '<html><body>Not found<br></html>'],
])('what answers with %s is not taken for a bucket', async (_, status, body) => {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'text/html' });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const copies = destination({ endpoint: `http://127.0.0.1:${port}`, attempts: 1 });
    for (const attempt of [copies.list(), copies.put('a', source(3))]) {
      const { code, message } = await failure(attempt);
      expect(code).toBe('copy-not-s3');
      expect(message).toContain(`127.0.0.1:${port} does not speak`);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('an authority of the own house is trusted when it is named', async () => {
  const authority = await CertificateAuthority.create();
  const secure = await startObjectStore({ tls: await authority.leaf({ names: 'IP:127.0.0.1' }) });
  try {
    const given = { endpoint: secure.endpoint, keys: secure.keys };
    const content = source(partBytes + 1);
    const copies = destination({ ...given, extraCa: authority.root });
    await copies.put('a', content);
    expect(await sha256Of(copies.read('a'))).toBe(content.sha256());
    const { code, message } = await failure(destination(given).list());
    expect(code).toBe('copy-tls');
    expect(message).toContain('not trusted');
  } finally {
    await secure.stop();
  }
});

test('a server without room says so, and no object is there', async () => {
  const folder = await makeTemporaryFolder('s3-full');
  const disk = await tinyDisk(join(folder.path, 'disk'), 12 * mebibyte);
  try {
    const small = await startObjectStore({ dataFolder: disk.path });
    try {
      const copies = destination({ endpoint: small.endpoint, keys: small.keys, attempts: 1 });
      const { code, message } = await failure(copies.put('a', source(6 * partBytes)));
      expect([code, message]).toEqual(['copy-full', expect.stringContaining('no room')]);
      expect(await copies.list()).toEqual([]);
      await copies.put('b', source(partBytes));
    } finally {
      await small.stop();
    }
  } finally {
    await disk.remove();
    await folder.remove();
  }
});
