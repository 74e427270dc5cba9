import {
  ListMultipartUploadsCommand,
  type ListMultipartUploadsOutput,
  type MultipartUpload,
} from '@aws-sdk/client-s3';
import { nameOf, statusOf, type Bucket } from './bucket.ts';
import { isNoS3 } from './failure.ts';
import { takeBack } from './upload.ts';

/** An upload that was begun and neither completed nor given up. */
export interface UnfinishedUpload {
  /** Of the object, below the prefix. */
  readonly name: string;
  readonly uploadId: string;
}

const nothingChanged = 'Nothing was changed there.';

/**
 * Unfinished uploads below the prefix; none where the server cannot tell.
 * @throws FailureError when there is no answer, or none of S3
 */
export async function unfinishedUploads(
  bucket: Bucket,
  what: string,
): Promise<readonly UnfinishedUpload[]> {
  const found: UnfinishedUpload[] = [];
  let next: Marker = {};
  try {
    for (;;) {
      const page = await pageAfter(bucket, next);
      if (page.Bucket === undefined && page.IsTruncated === undefined) {
        throw bucket.notS3(what, nothingChanged);
      }
      found.push(...(page.Uploads ?? []).flatMap((upload) => unfinished(bucket, upload)));
      const isStuck =
        page.NextKeyMarker === next.KeyMarker && page.NextUploadIdMarker === next.UploadIdMarker;
      if (page.IsTruncated !== true || isStuck) return found;
      next = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    }
  } catch (error) {
    if (statusOf(error) === undefined || isNoS3(error)) {
      throw bucket.failureOf(error, what, nothingChanged);
    }
    bucket.options.note?.(
      `Unfinished uploads of earlier runs could not be looked for in ${bucket.label} (${nameOf(error)}); a lifecycle rule of the bucket can remove them.`,
    );
    return found;
  }
}

interface Marker {
  readonly KeyMarker?: string | undefined;
  readonly UploadIdMarker?: string | undefined;
}

async function pageAfter(bucket: Bucket, marker: Marker): Promise<ListMultipartUploadsOutput> {
  const { signal, pageSize = 1000 } = bucket.options;
  const asked = { Bucket: bucket.name, Prefix: bucket.prefix, MaxUploads: pageSize };
  const ask = (after: Marker) =>
    bucket.tryOut(
      (client, options) =>
        client.send(new ListMultipartUploadsCommand({ ...asked, ...after }), options),
      signal,
    );
  try {
    return await ask(marker);
  } catch (error) {
    const { KeyMarker, UploadIdMarker } = marker;
    if (nameOf(error) !== 'InvalidArgument' || UploadIdMarker === undefined) throw error;
    // versitygw 1.8 does not take the second marker back that it gave. The first alone passes over further uploads
    // of the same object; they are found when these are gone.
    return ask({ KeyMarker });
  }
}

function unfinished(
  { prefix }: Bucket,
  { Key, UploadId }: MultipartUpload,
): readonly UnfinishedUpload[] {
  if (Key === undefined || UploadId === undefined) return [];
  return [{ name: Key.slice(prefix.length), uploadId: UploadId }];
}

/** Removes the parts of uploads, and gives back which; tells of those that stay. */
export async function removeUploads(
  bucket: Bucket,
  uploads: readonly UnfinishedUpload[],
): Promise<readonly UnfinishedUpload[]> {
  const removed: UnfinishedUpload[] = [];
  for (const upload of uploads) {
    const { name, uploadId } = upload;
    if (await takeBack(bucket, { key: bucket.keyOf(name), uploadId })) removed.push(upload);
    else {
      bucket.options.note?.(
        `The parts of an unfinished upload of ${name} in ${bucket.label} could not be removed; a lifecycle rule of the bucket can.`,
      );
    }
  }
  return removed;
}
