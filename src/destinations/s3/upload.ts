import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import { FailureError } from '../../ports/failure.ts';
import { nameOf, statusOf, type Bucket } from './bucket.ts';
import { mostBytes, partBytes } from './part-size.ts';
import { partsOf, type Part, type Parts } from './parts.ts';
import { firstOf, sendAll, SourceError } from './sending.ts';

/** Metadata by which an upload knows its own object again, when the answer to its last request was lost. */
const marker = 'maintenance-window-upload';
/** Milliseconds for taking parts back, also when a cancelled run has ten seconds left. */
const takeBackMilliseconds = 4000;
/** Milliseconds that a part which was arriving may take to be stored. */
const settlingMilliseconds = 100;
const untouched = 'Nothing was written.';
const unknownEnd =
  'The server may have stored the object as its answer was lost; whole, if at all.';

/**
 * Writes an object whole or not at all; overwrites none.
 * @throws FailureError; what `content` throws
 */
export async function upload(
  bucket: Bucket,
  name: string,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const what = `write ${name} to ${bucket.label}`;
  await refuseExisting(bucket, name, what);
  const spare: Buffer[] = [];
  const sizeOf = (number: number) => partBytes(number, bucket.options.firstPartBytes);
  const parts = partsOf(content, sizeOf, spare);
  const first = await firstOf(
    parts,
    () => bucket.failureOf(undefined, what, untouched),
    bucket.options.signal,
  );
  if (first.isLast) await putWhole(bucket, name, first.bytes, what);
  else await putInParts(bucket, name, { first, parts, spare, what });
}

/** Properties of the new object. */
function propertiesOf({ place }: Bucket, id: string) {
  return {
    Metadata: { [marker]: id },
    ContentType: 'application/octet-stream',
    ...(place.storageClass === undefined ? {} : { StorageClass: place.storageClass as 'STANDARD' }),
    ...(place.serverSideEncryption === undefined
      ? {}
      : { ServerSideEncryption: place.serverSideEncryption }),
  };
}

/** Looks before anything is sent. The condition of the write itself decides, where the server knows it. */
async function refuseExisting(bucket: Bucket, name: string, what: string): Promise<void> {
  try {
    await bucket.tryOut(
      (client, options) =>
        client.send(
          new HeadObjectCommand({ Bucket: bucket.name, Key: bucket.keyOf(name) }),
          options,
        ),
      bucket.options.signal,
    );
  } catch (error) {
    // Without an answer the write would fail too. Whatever else it says (a key that may only write cannot look),
    // the write will say it in full: the answer to HEAD has no words.
    if (statusOf(error) === undefined) throw bucket.failureOf(error, what, untouched);
    return;
  }
  throw exists(bucket, name);
}

function exists({ label }: Bucket, name: string): FailureError {
  return new FailureError({
    code: 'copy-exists',
    message: `There is already an object ${name} in ${label}; it was not overwritten.`,
    state: 'The object that is there is as it was.',
    next: 'Find out what wrote it; remove it, or give this window a prefix of its own.',
  });
}

/** Whether the object that is there is the one that this upload has written. */
async function isOurs(bucket: Bucket, name: string, id: string): Promise<boolean> {
  try {
    const { Metadata } = await bucket.tryOut(
      (client, options) =>
        client.send(
          new HeadObjectCommand({ Bucket: bucket.name, Key: bucket.keyOf(name) }),
          options,
        ),
      AbortSignal.timeout(takeBackMilliseconds),
    );
    return Metadata?.[marker] === id;
  } catch {
    return false;
  }
}

/** Whether the server does not know conditional writes; it has written nothing then. */
function knowsNoCondition(error: unknown): boolean {
  return statusOf(error) === 501 || nameOf(error) === 'NotImplemented';
}

/**
 * The request that makes the object appear: on the condition that there is none, once more without the condition
 * where the server does not know it, and looked after when it is not certain what it did.
 */
async function makeAppear(
  bucket: Bucket,
  {
    name,
    id,
    what,
    send,
  }: {
    readonly name: string;
    readonly id: string;
    readonly what: string;
    readonly send: (condition: { IfNoneMatch?: '*' }) => Promise<unknown>;
  },
): Promise<void> {
  try {
    try {
      await send({ IfNoneMatch: '*' });
    } catch (error) {
      if (!knowsNoCondition(error)) throw error;
      await refuseExisting(bucket, name, what);
      await send({});
    }
  } catch (error) {
    const status = statusOf(error);
    const isCertain = status !== undefined && status < 500 && ![404, 409, 412].includes(status);
    if (!isCertain && (await isOurs(bucket, name, id))) return;
    if (status === 412 || status === 409) throw exists(bucket, name);
    throw bucket.failureOf(error, what, status === undefined ? unknownEnd : untouched);
  }
}

async function putWhole(bucket: Bucket, name: string, bytes: Buffer, what: string): Promise<void> {
  const id = randomUUID();
  await makeAppear(bucket, {
    name,
    id,
    what,
    send: (condition) =>
      bucket.tryOut(
        (client, options) =>
          client.send(
            new PutObjectCommand({
              Bucket: bucket.name,
              Key: bucket.keyOf(name),
              Body: bytes,
              ...propertiesOf(bucket, id),
              ...condition,
            }),
            options,
          ),
        bucket.options.signal,
      ),
  });
}

async function putInParts(
  bucket: Bucket,
  name: string,
  {
    first,
    parts,
    spare,
    what,
  }: {
    readonly first: Part;
    readonly parts: Parts;
    readonly spare: Buffer[];
    readonly what: string;
  },
): Promise<void> {
  const target = { Bucket: bucket.name, Key: bucket.keyOf(name) };
  const id = randomUUID();
  const { UploadId } = await bucket.ask(what, untouched, (client, options) =>
    client.send(
      new CreateMultipartUploadCommand({ ...target, ...propertiesOf(bucket, id) }),
      options,
    ),
  );
  const ending = new AbortController();
  const { signal: cancel } = bucket.options;
  const signal = cancel === undefined ? ending.signal : AbortSignal.any([cancel, ending.signal]);
  const sent: CompletedPart[] = [];
  const sendPart = async ({ number, bytes }: Part): Promise<void> => {
    const part = { ...target, UploadId, PartNumber: number };
    const { ETag } = await bucket.tryOut(
      (client, options) => client.send(new UploadPartCommand({ ...part, Body: bytes }), options),
      signal,
    );
    sent.push({ ETag, PartNumber: number });
    spare.push(bytes);
  };
  try {
    await sendAll(first, parts, { sendPart, signal, ending, tooLong: () => tooLong(bucket, name) });
    sent.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    await makeAppear(bucket, {
      name,
      id,
      what,
      send: (condition) =>
        bucket.tryOut(
          (client, options) =>
            client.send(
              new CompleteMultipartUploadCommand({
                ...target,
                ...condition,
                UploadId,
                MultipartUpload: { Parts: sent },
              }),
              options,
            ),
          cancel,
        ),
    });
  } catch (error) {
    const isTakenBack = await takeBack(bucket, { key: target.Key, uploadId: UploadId ?? '' });
    if (error instanceof SourceError) throw error.cause;
    const state = isTakenBack
      ? 'The object is not there, and the parts that were sent are removed.'
      : 'The object is not there. Parts that were sent are kept by the server, in no list of objects; the next copy to this place removes them.';
    if (error instanceof FailureError) {
      const { failure } = error;
      throw new FailureError(failure.state === untouched ? { ...failure, state } : failure);
    }
    throw bucket.failureOf(error, what, state);
  }
}

function tooLong(bucket: Bucket, name: string): FailureError {
  const gibibytes = Math.floor(mostBytes(bucket.options.firstPartBytes) / 2 ** 30);
  return new FailureError({
    code: 'copy-too-large',
    message: `Could not write ${name} to ${bucket.label}: it has more than the ${gibibytes} GiB that an object can have.`,
    state: untouched,
    next: 'Use a backup of several smaller files (format directory), then run the phase again.',
  });
}

/** Removes the parts of an unfinished upload. Whether they are gone. */
export async function takeBack(
  bucket: Bucket,
  { key, uploadId }: { readonly key: string; readonly uploadId: string },
): Promise<boolean> {
  const upload = { Bucket: bucket.name, Key: key, UploadId: uploadId };
  const timeIsUp = AbortSignal.timeout(takeBackMilliseconds);
  try {
    // A part that was arriving when the upload was given up can still be stored; "it might be necessary to abort a
    // given multipart upload multiple times" (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html).
    for (;;) {
      await bucket.tryOut(
        (client, options) => client.send(new AbortMultipartUploadCommand(upload), options),
        timeIsUp,
      );
      await pause(settlingMilliseconds, undefined, { signal: timeIsUp });
      if (!(await isUnfinished(bucket, upload, timeIsUp))) return true;
    }
  } catch (error) {
    return nameOf(error) === 'NoSuchUpload';
  }
}

async function isUnfinished(
  bucket: Bucket,
  upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await bucket.tryOut(
      (client, options) => client.send(new ListPartsCommand(upload), options),
      signal,
    );
    return true;
  } catch (error) {
    if (statusOf(error) === undefined) throw error;
    // That there is none; or that the key may not look, or the server cannot: its word that it is gone counts.
    return false;
  }
}
