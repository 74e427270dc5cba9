import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  mostBytes,
  mostParts,
  partBytes,
  partsUnderWay,
} from '../../src/destinations/s3/part-size.ts';
import { partsOf, type Part } from '../../src/destinations/s3/parts.ts';
import { firstOf, sendAll, SourceError } from '../../src/destinations/s3/sending.ts';
import { FailureError } from '../../src/ports/failure.ts';

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

describe('the sizes of parts', () => {
  const numbers = Array.from({ length: mostParts }, (_, index) => index + 1);

  test('are within what S3 takes, and never shrink', () => {
    const sizes = numbers.map((number) => partBytes(number) ?? 0);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(5 * mebibyte);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(5 * gibibyte);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    expect(partBytes(mostParts + 1)).toBeUndefined();
  });

  test('are the same for the first 125 GiB, and enough for 2 TiB', () => {
    expect(partBytes(1)).toBe(32 * mebibyte);
    expect(partBytes(4000)).toBe(32 * mebibyte);
    expect((4000 * 32 * mebibyte) / gibibyte).toBe(125);
    expect(mostBytes()).toBe((125 + 375 + 1500) * gibibyte);
  });

  test.each([
    [4000, 96],
    [7000, 256],
    [mostParts, 1024],
  ])('up to part %i hold at most %i MiB of memory', (last, most) => {
    const held = numbers
      .slice(0, last)
      .map((number) => (partsUnderWay(number) + 1) * (partBytes(number) ?? 0));
    expect(Math.max(...held) / mebibyte).toBe(most);
  });
});

async function* chunksOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function cut(chunks: readonly Uint8Array[], sizes: (number: number) => number | undefined) {
  const parts: (Part | undefined)[] = [];
  for await (const part of partsOf(chunksOf(chunks), sizes)) parts.push(part);
  return parts;
}

describe('cutting', () => {
  test('keeps every byte, in full parts, of which the last alone is marked', async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.integer({ min: 1, max: 400 }), async (given, size) => {
        const parts = (await cut(given, (number) => size + number)) as Part[];
        expect(Buffer.concat(parts.map(({ bytes }) => bytes))).toEqual(Buffer.concat(given));
        expect(parts.map(({ number }) => number)).toEqual(parts.map((_, index) => index + 1));
        expect(parts.map(({ isLast }) => isLast)).toEqual(
          parts.map((_, index) => index === parts.length - 1),
        );
        for (const { number, bytes, isLast } of parts) {
          if (!isLast) expect(bytes.length).toBe(size + number);
        }
        if (parts.length > 1) expect(parts.at(-1)?.bytes.length).toBeGreaterThan(0);
      }),
    );
  });

  test('of large chunks fills parts that grow beyond their first buffer', async () => {
    const given = [Buffer.alloc(100_000, 'a'), Buffer.alloc(200_000, 'b')];
    const parts = (await cut(given, () => 150_000)) as Part[];
    expect(parts.map(({ bytes }) => bytes.length)).toEqual([150_000, 150_000]);
    expect(Buffer.concat(parts.map(({ bytes }) => bytes)).equals(Buffer.concat(given))).toBe(true);
  });

  test('fills the bytes of parts that are done with again', async () => {
    const spare: Buffer[] = [];
    const buffers = new Set<ArrayBufferLike>();
    const seen: number[] = [];
    const given = Array.from({ length: 20 }, (_, index) => Buffer.alloc(100, index));
    for await (const part of partsOf(chunksOf(given), () => 100, spare)) {
      const { bytes } = part!;
      buffers.add(bytes.buffer);
      seen.push(...new Set(bytes));
      spare.push(bytes);
    }
    expect(seen).toEqual(given.map((_, index) => index));
    expect(buffers.size).toBe(1);
  });

  test('says when there is more than all parts hold', async () => {
    const sizes = (number: number) => (number <= 2 ? 10 : undefined);
    expect((await cut([Buffer.alloc(20)], sizes)).map((part) => part?.isLast)).toEqual([
      false,
      true,
    ]);
    expect(await cut([Buffer.alloc(21)], sizes)).toEqual([
      expect.objectContaining({ number: 1 }),
      expect.objectContaining({ number: 2, isLast: false }),
      undefined,
    ]);
  });
});

const tooLong = () =>
  new FailureError({ code: 'copy-too-large', message: 'm', state: 's', next: 'n' });

/** Sends zeros, cut into parts. */
async function send(
  content: AsyncIterable<Uint8Array>,
  sendPart: (part: Part, ending: AbortController) => Promise<void>,
  { size = 10, cancel = new AbortController(), most = 100 } = {},
): Promise<void> {
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, cancel.signal]);
  const parts = partsOf(content, (number) => (number <= most ? size : undefined));
  const first = await firstOf(parts, tooLong, signal);
  await sendAll(first, parts, {
    sendPart: (part) => sendPart(part, ending),
    signal,
    ending,
    tooLong,
  });
}

async function* zeros(bytes: number, onChunk: (sent: number) => void = () => undefined) {
  for (let sent = 0; sent < bytes; sent += 5) {
    onChunk(sent);
    yield new Uint8Array(5);
  }
}

describe('sending', () => {
  test('has at most two parts under way, and begins the next when one has arrived', async () => {
    let underWay = 0;
    let most = 0;
    const arrived: number[] = [];
    await send(zeros(100), async ({ number }) => {
      underWay += 1;
      most = Math.max(most, underWay);
      // The later one of two arrives first.
      for (let turn = 0; turn < (number % 2) * 20; turn += 1) await Promise.resolve();
      underWay -= 1;
      arrived.push(number);
    });
    expect(most).toBe(2);
    expect([...arrived].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('reads on only as parts arrive', async () => {
    let read = 0;
    const content = zeros(100, (sent) => (read = sent));
    const stuck: (() => void)[] = [];
    const sending = send(content, () => new Promise((resolve) => stuck.push(resolve)));
    for (let turn = 0; turn < 1000; turn += 1) await Promise.resolve();
    expect(stuck).toHaveLength(2);
    expect(read).toBe(30);
    for (let turn = 0; turn < 10_000 && stuck.length > 0; turn += 1) {
      if (turn % 50 === 0) stuck.shift()?.();
      await Promise.resolve();
    }
    await sending;
    expect(read).toBe(95);
  });

  test('keeps no part that has arrived', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const kept: WeakRef<Buffer>[] = [];
    let alive = 0;
    await send(
      zeros(40 * 10_000),
      async ({ number, bytes }) => {
        kept.push(new WeakRef(bytes));
        // A new reference holds until the current job of the event loop is done.
        await new Promise((resolve) => setImmediate(resolve));
        if (number !== 40) return;
        collect();
        alive = kept.filter((reference) => reference.deref() !== undefined).length;
      },
      { size: 10_000 },
    );
    expect(kept).toHaveLength(40);
    expect(alive).toBeLessThan(10);
  });

  test('ends what is under way when a part fails, and the source', async () => {
    let isEnded = false;
    const content = (async function* () {
      try {
        yield* zeros(1000);
      } finally {
        isEnded = true;
      }
    })();
    const ended: number[] = [];
    const sending = send(content, ({ number }, { signal }) => {
      if (number === 3) return Promise.reject(new Error('part 3'));
      if (number === 1) return Promise.resolve();
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          ended.push(number);
          reject(new Error('aborted'));
        });
      });
    });
    await expect(sending).rejects.toThrow('part 3');
    expect(ended).toEqual([2]);
    expect(isEnded).toBe(true);
  });

  test('fails with a part although the source says nothing', async () => {
    const content = (async function* () {
      yield* zeros(15);
      await new Promise(() => undefined);
    })();
    await expect(send(content, () => Promise.reject(new Error('part 1')))).rejects.toThrow(
      'part 1',
    );
  });

  test.each([5, 25])('is cancelled while the source says nothing after %i bytes', async (bytes) => {
    const cancel = new AbortController();
    const content = (async function* () {
      yield* zeros(bytes);
      cancel.abort(new Error('cancelled'));
      await new Promise(() => undefined);
    })();
    await expect(send(content, () => Promise.resolve(), { cancel })).rejects.toThrow();
  });

  test('tells the failure of the source from that of a part', async () => {
    const content = (async function* () {
      yield* zeros(25);
      throw new Error('pg_dump ended with 1');
    })();
    await expect(send(content, () => Promise.resolve())).rejects.toMatchObject({
      constructor: SourceError,
      cause: new Error('pg_dump ended with 1'),
    });
  });

  test('refuses what is too long', async () => {
    await expect(send(zeros(35), () => Promise.resolve(), { most: 3 })).rejects.toMatchObject({
      failure: { code: 'copy-too-large' },
    });
  });
});
