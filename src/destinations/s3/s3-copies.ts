import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import type { BackupDestination, StoredObject } from '../../ports/backup-destination.ts';
import { FailureError } from '../../ports/failure.ts';
import { nameOf, openBucket, type Bucket } from './bucket.ts';
import type { S3Keys, S3Options, S3Place } from './place.ts';
import { removeUploads, unfinishedUploads, type UnfinishedUpload } from './unfinished.ts';
import { upload } from './upload.ts';

const nothingChanged = 'Nothing was changed there.';

export type Copies = Required<Omit<BackupDestination, 'label'>>;

/** What is done with copies in a bucket. Loaded when the first of them is made, because of the client's size. */
export function s3Copies(place: S3Place, keys: S3Keys, options: S3Options): Copies {
  const bucket = openBucket(place, keys, options);
  let left: Promise<readonly UnfinishedUpload[]> | undefined;
  return {
    put: async (name, content) => {
      // Looked for once, before anything of this run is there. Nobody but us writes an object of that name.
      left ??= unfinishedUploads(bucket, `write ${name} to ${bucket.label}`);
      const earlier = await left.catch((error: unknown) => {
        left = undefined;
        throw error;
      });
      const ours = earlier.filter((unfinished) => unfinished.name === name);
      left = Promise.resolve(earlier.filter((unfinished) => !ours.includes(unfinished)));
      await removeUploads(bucket, ours);
      await upload(bucket, name, content);
    },
    sweep: async (isOurs) => {
      const found = await unfinishedUploads(bucket, `list ${bucket.label}`);
      const removed = await removeUploads(
        bucket,
        found.filter(({ name }) => isOurs(name)),
      );
      return [...new Set(removed.map(({ name }) => name))];
    },
    read: (name) => read(bucket, name),
    list: () => list(bucket),
    remove: (name) => remove(bucket, name),
  };
}

async function* read(bucket: Bucket, name: string): AsyncGenerator<Uint8Array> {
  const what = `read ${name} from ${bucket.label}`;
  const { Body, ContentLength } = await bucket.ask(what, nothingChanged, (client, options) =>
    client.send(new GetObjectCommand({ Bucket: bucket.name, Key: bucket.keyOf(name) }), options),
  );
  let bytes = 0;
  try {
    for await (const chunk of Body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw bucket.failureOf(error, what, nothingChanged);
  }
  if (ContentLength === undefined || bytes === ContentLength) return;
  throw new FailureError({
    code: 'copy-interrupted',
    message: `Could not ${what}: ${bytes} of ${ContentLength} bytes arrived.`,
    state: nothingChanged,
    next: 'Look at the network and the server of the bucket, then run the phase again.',
  });
}

async function list(bucket: Bucket): Promise<readonly StoredObject[]> {
  const what = `list ${bucket.label}`;
  const found: StoredObject[] = [];
  let token: string | undefined;
  do {
    const page: ListObjectsV2CommandOutput = await bucket.ask(
      what,
      nothingChanged,
      (client, options) =>
        client.send(
          new ListObjectsV2Command({
            Bucket: bucket.name,
            Prefix: bucket.prefix,
            MaxKeys: bucket.options.pageSize ?? 1000,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          options,
        ),
    );
    if (page.Name === undefined && page.IsTruncated === undefined) {
      throw bucket.notS3(what, nothingChanged);
    }
    for (const { Key, Size } of page.Contents ?? []) {
      // A key that ends with a slash is what other programs keep as a folder.
      if (Key === undefined || Key.endsWith('/')) continue;
      found.push({ name: Key.slice(bucket.prefix.length), bytes: Size ?? 0 });
    }
    const next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    if (page.IsTruncated === true && (next === undefined || next === token)) {
      throw new FailureError({
        code: 'copy-server',
        message: `Could not ${what}: the server says that there are more objects, and not how to ask for them.`,
        state: nothingChanged,
        next: 'Look at the server of the bucket; it does not list as S3 does.',
      });
    }
    token = next;
  } while (token !== undefined);
  return found;
}

async function remove(bucket: Bucket, name: string): Promise<void> {
  await bucket.ask(
    `remove ${name} from ${bucket.label}`,
    'The object may still be there; a list tells.',
    async (client, options) => {
      try {
        await client.send(
          new DeleteObjectCommand({ Bucket: bucket.name, Key: bucket.keyOf(name) }),
          options,
        );
      } catch (error) {
        if (nameOf(error) !== 'NoSuchKey') throw error;
      }
    },
  );
}
