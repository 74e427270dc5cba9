import { HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { describe, expect, test } from '@jest/globals';
import { openBucket, type Bucket } from '../../src/destinations/s3/bucket.ts';
import { upload } from '../../src/destinations/s3/upload.ts';
import { failureOf, type Failure } from '../../src/ports/failure.ts';

type Input = { readonly IfNoneMatch?: string; readonly Metadata?: Record<string, string> };
type Sent = { readonly name: string; readonly input: Input };

const answer = (name: string, httpStatusCode: number) =>
  Object.assign(new Error('as the server says'), { name, $metadata: { httpStatusCode } });
const lost = () => Object.assign(new Error('gone'), { code: 'ECONNRESET' });
const gone = () => answer('NoSuchUpload', 404);
/** To whatever succeeds. */
const created = { UploadId: 'u1', ETag: 'e' };
const notThere = () => answer('NotFound', 404);

/**
 * What no server that the tests can start does: a bucket whose answers are made up, by the name of the command.
 * An answer that is an error is thrown.
 */
function bucketThat(reply: (sent: Sent, earlier: readonly Sent[]) => unknown) {
  const sent: Sent[] = [];
  const client = {
    send: async (command: { constructor: { name: string }; input: Input }) => {
      const request = {
        name: command.constructor.name.replace(/Command$/, ''),
        input: command.input,
      };
      const replied = reply(request, [...sent]);
      const given = request.name === 'ListParts' && replied === created ? gone() : replied;
      sent.push(request);
      if (given instanceof Error) throw given;
      return given ?? {};
    },
  } as unknown as Pick<S3Client, 'send'>;
  const real = openBucket(
    { region: 'us-east-1', bucket: 'backups', prefix: 'shop' },
    { accessKeyId: 'AK', secretAccessKey: 'SK' },
    { firstPartBytes: 10 },
  );
  const tryOut: Bucket['tryOut'] = (request, signal) =>
    request(client, { abortSignal: signal ?? new AbortController().signal });
  const bucket: Bucket = {
    ...real,
    tryOut,
    ask: (what, state, request) =>
      tryOut(request).catch((error: unknown) => {
        throw real.failureOf(error, what, state);
      }),
  };
  return { bucket, names: () => sent.map(({ name }) => name), sent };
}

async function* bytes(count: number): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(count);
}

async function failure(promise: Promise<unknown>): Promise<Failure> {
  return promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => failureOf(error),
  );
}

const ways = [
  ['in one request', 5, 'PutObject'],
  ['in parts', 25, 'CompleteMultipartUpload'],
] as const;

test('the commands have the names by which they are told here', () => {
  expect(HeadObjectCommand.name).toBe('HeadObjectCommand');
});

describe.each(ways)('an upload %s', (_, size, last) => {
  test('is on the condition that there is nothing', async () => {
    const { bucket, sent } = bucketThat(({ name }) =>
      name === 'HeadObject' ? notThere() : created,
    );
    await upload(bucket, 'a', bytes(size));
    expect(sent.filter(({ input }) => input.IfNoneMatch === '*').map(({ name }) => name)).toEqual([
      last,
    ]);
  });

  test('is sent again without the condition where the server does not know it, after another look', async () => {
    const { bucket, names } = bucketThat(({ name, input }) => {
      if (name === 'HeadObject') return notThere();
      return name === last && input.IfNoneMatch !== undefined
        ? answer('NotImplemented', 501)
        : created;
    });
    await upload(bucket, 'a', bytes(size));
    expect(names().slice(-3)).toEqual([last, 'HeadObject', last]);
  });

  test('is not sent without the condition when something is there by now', async () => {
    const { bucket, names } = bucketThat(({ name }, earlier) => {
      if (name === last) return answer('NotImplemented', 501);
      return name === 'HeadObject' && earlier.length === 0 ? notThere() : created;
    });
    expect((await failure(upload(bucket, 'a', bytes(size)))).code).toBe('copy-exists');
    expect(names().filter((name) => name === last)).toHaveLength(1);
  });

  test.each([
    ['its answer is lost', lost],
    ['a second try finds the first', () => answer('PreconditionFailed', 412)],
    ['a second try finds no upload any more', () => answer('NoSuchUpload', 404)],
    ['the server fails after it', () => answer('InternalError', 500)],
  ])('is done when %s and the object that is there is its own', async (_case, error) => {
    const { bucket, names } = bucketThat(({ name }, earlier) => {
      if (name === last) return error();
      if (name !== 'HeadObject') return created;
      const marked = earlier.find(({ input }) => input.Metadata !== undefined);
      return marked === undefined ? notThere() : { Metadata: marked.input.Metadata };
    });
    await upload(bucket, 'a', bytes(size));
    expect(names()).not.toContain('AbortMultipartUpload');
  });

  test('fails when its answer is lost and it cannot be seen, without saying that nothing is there', async () => {
    const { bucket } = bucketThat(({ name }, earlier) => {
      if (name === 'HeadObject') return earlier.length === 0 ? notThere() : lost();
      return name === last ? lost() : created;
    });
    const { code, state } = await failure(upload(bucket, 'a', bytes(size)));
    expect(code).toBe('copy-interrupted');
    expect(state).toContain('may have stored');
  });

  test('fails when the object that is there is of somebody else', async () => {
    const { bucket } = bucketThat(({ name }, earlier) => {
      if (name === last) return answer('PreconditionFailed', 412);
      if (name !== 'HeadObject') return created;
      return earlier.length === 0 ? notThere() : { Metadata: { other: 'x' } };
    });
    expect((await failure(upload(bucket, 'a', bytes(size)))).code).toBe('copy-exists');
  });

  test('goes on when a key that may only write cannot look', async () => {
    const { bucket } = bucketThat(({ name }) =>
      name === 'HeadObject' ? answer('Unknown', 403) : created,
    );
    await upload(bucket, 'a', bytes(size));
  });
});

test.each([
  ['taken back', [undefined, gone()], 'are removed'],
  [
    'taken back as a part still arrived',
    [undefined, { Parts: [] }, undefined, gone()],
    'are removed',
  ],
  ['gone already', [gone()], 'are removed'],
  ['taken back where nobody may look', [undefined, answer('AccessDenied', 403)], 'are removed'],
  [
    'left, as the key may not',
    [answer('AccessDenied', 403)],
    'the next copy to this place removes',
  ],
  ['left, as nobody answers any more', [undefined, lost()], 'the next copy to this place removes'],
])('parts of a failed upload that are %s are told as such', async (_, answers, words) => {
  const left = [...answers];
  const { bucket, names } = bucketThat(({ name }) => {
    if (name === 'HeadObject') return notThere();
    if (name === 'UploadPart') return answer('QuotaExceeded', 403);
    return name === 'CreateMultipartUpload' ? { UploadId: 'u1' } : left.shift();
  });
  const { code, state } = await failure(upload(bucket, 'a', bytes(25)));
  expect(code).toBe('copy-full');
  expect(state).toContain(words);
  expect(left).toEqual([]);
  expect(names().filter((name) => name === 'AbortMultipartUpload')).toHaveLength(
    Math.ceil(answers.length / 2),
  );
});

test.each(ways)('properties of the object are asked for %s', async (_, size, last) => {
  const place = { storageClass: 'STANDARD_IA', serverSideEncryption: 'aws:kms' } as const;
  const { bucket, sent } = bucketThat(({ name }) =>
    name === 'HeadObject' ? notThere() : { UploadId: 'u1', ETag: 'e' },
  );
  await upload({ ...bucket, place: { ...bucket.place, ...place } }, 'a', bytes(size));
  const begins = last === 'PutObject' ? last : 'CreateMultipartUpload';
  expect(sent.find(({ name }) => name === begins)?.input).toMatchObject({
    Bucket: 'backups',
    Key: 'shop/a',
    StorageClass: 'STANDARD_IA',
    ServerSideEncryption: 'aws:kms',
  });
});
