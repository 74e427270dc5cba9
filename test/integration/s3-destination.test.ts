import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { startObjectStore, type ObjectStore } from '../../rehearsal/object-store.ts';
import { makeTemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { failureOf } from '../../src/ports/failure.ts';
import { CertificateAuthority } from '../fixtures/certificates.ts';
import {
  failure,
  mebibyte,
  nothing,
  partBytes,
  sha256Of,
  source,
  TestedBucket,
  type Given,
} from '../fixtures/tested-bucket.ts';
import { tinyDisk } from '../fixtures/tiny-disk.ts';

let store: ObjectStore;
let bucket: TestedBucket;

beforeAll(async () => {
  store = await startObjectStore();
  bucket = new TestedBucket(store);
});
afterAll(() => store.stop());

describe('an object', () => {
  test.each([
    ['of no bytes', 0],
    ['of a few', 11],
    ['as long as a part', partBytes],
    ['longer by one byte', partBytes + 1],
    ['of several parts', 4 * partBytes + 12_345],
  ])('%s comes back as it was', async (_, bytes) => {
    const copies = bucket.destination();
    const content = source(bytes);
    await copies.put('window-1/shop.dump', content);
    expect(await copies.list()).toEqual([{ name: 'window-1/shop.dump', bytes }]);
    expect(await sha256Of(copies.read('window-1/shop.dump'))).toBe(content.sha256());
    expect(await bucket.unfinished()).toEqual([]);
  });

  test.each([
    ['in one request', 100],
    ['in parts', partBytes + 1],
  ])('is not overwritten %s', async (_, bytes) => {
    const copies = bucket.destination();
    const first = source(7);
    await copies.put('a', first);
    const { code, message } = await failure(copies.put('a', source(bytes)));
    expect(code).toBe('copy-exists');
    expect(message).toContain(`s3://backups/${bucket.prefix} at ${store.endpoint}`);
    expect(await sha256Of(copies.read('a'))).toBe(first.sha256());
    expect(await bucket.unfinished()).toEqual([]);
  });

  test.each([
    ['in one request', 100],
    ['in parts', partBytes + 1],
  ])('that two write at once %s is of one of them', async (_, bytes) => {
    const copies = bucket.destination();
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
    expect(await bucket.unfinished()).toEqual([]);
  });
  test('is removed, also when it is not there', async () => {
    const copies = bucket.destination();
    await copies.put('a', source(1));
    await copies.remove('a');
    await copies.remove('a');
    expect(await copies.list()).toEqual([]);
    expect((await failure(sha256Of(copies.read('a')))).code).toBe('copy-missing');
  });
});

test('a list goes over several pages and stays below the prefix', async () => {
  const copies = bucket.destination({ pageSize: 2 });
  const neighbour = bucket.destination({ prefix: `${bucket.prefix}-2` });
  const names = ['a', 'b/c', 'b/d', 'e', 'f'];
  for (const name of names) await copies.put(name, source(3));
  await neighbour.put('g', source(3));
  expect(await copies.list()).toEqual(names.map((name) => ({ name, bytes: 3 })));
});

describe('an upload is taken back', () => {
  test('when the run is cancelled', async () => {
    const cancel = new AbortController();
    const copies = bucket.destination({ signal: cancel.signal });
    const endless = source(100 * partBytes, (pulled) => {
      if (pulled > 3 * partBytes) cancel.abort();
    });
    expect((await failure(copies.put('a', endless))).code).toBe('cancelled');
    expect(endless.pulledBytes()).toBeLessThan(6 * partBytes);
    expect(await bucket.contents()).toEqual(nothing);
  });

  test('when the run is cancelled while its source says nothing', async () => {
    const cancel = new AbortController();
    const copies = bucket.destination({ signal: cancel.signal });
    const silent = source(100 * partBytes, (pulled) => {
      if (pulled <= 2 * partBytes) return undefined;
      cancel.abort();
      return new Promise<void>(() => undefined);
    });
    expect((await failure(copies.put('a', silent))).code).toBe('cancelled');
    expect(await bucket.contents()).toEqual(nothing);
  });

  test.each([
    ['at once', 0],
    ['after two parts', 2 * partBytes + 1],
  ])('when its source fails %s, with the error of the source', async (_, bytes) => {
    const copies = bucket.destination();
    const broken = source(bytes + 1, (pulled) => {
      if (pulled > bytes) throw new Error('pg_dump ended with 1');
    });
    await expect(copies.put('a', broken)).rejects.toThrow('pg_dump ended with 1');
    expect(await bucket.contents()).toEqual(nothing);
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
    const copies = bucket.destination({ ...given(), attempts: 1 });
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
    const copies = bucket.destination();
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
  const copies = bucket.destination();
  const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000);
  try {
    await copies.put('a', source(3));
  } finally {
    now.mockRestore();
  }
  expect(await bucket.again().list()).toEqual([{ name: 'a', bytes: 3 }]);
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
    const copies = bucket.destination({ endpoint: `http://127.0.0.1:${port}`, attempts: 1 });
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
    const copies = bucket.destination({ ...given, extraCa: authority.root });
    await copies.put('a', content);
    expect(await sha256Of(copies.read('a'))).toBe(content.sha256());
    const { code, message } = await failure(bucket.destination(given).list());
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
      const copies = bucket.destination({
        endpoint: small.endpoint,
        keys: small.keys,
        attempts: 1,
      });
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
