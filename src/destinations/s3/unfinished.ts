import { ListMultipartUploadsCommand, type MultipartUpload } from '@aws-sdk/client-s3';
import { nameOf, statusOf, type Bucket } from './bucket.ts';
import { isNoS3 } from './failure.ts';
import { takeBack } from './upload.ts';

/** An upload that was begun and neither completed nor given up. */
export interface UnfinishedUpload {
  readonly key: string;
  readonly uploadId: string;
  /** When it was begun, milliseconds since 1970; undefined when the server does not say. */
  readonly begunAt: number | undefined;
}

/** Hours after which nobody is still uploading. */
const longestUploadHours = 24;
const nothingWritten = 'Nothing was written.';

/**
 * Which uploads of a run that was killed are to be removed: those of the very object that is to be written, at
 * once, since nobody else writes it; others below the prefix when they are older than any upload. Pure.
 */
export function abandonedUploads(
  uploads: readonly UnfinishedUpload[],
  { key, now }: { readonly key: string; readonly now: number },
): readonly UnfinishedUpload[] {
  const before = now - longestUploadHours * 3_600_000;
  return uploads.filter(
    (upload) => upload.key === key || (upload.begunAt !== undefined && upload.begunAt < before),
  );
}

/**
 * Unfinished uploads below the prefix; none where the server cannot tell.
 * @throws FailureError when there is no answer, or none of S3
 */
export async function unfinishedUploads(
  bucket: Bucket,
  what: string,
): Promise<readonly UnfinishedUpload[]> {
  const found: UnfinishedUpload[] = [];
  let next: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
  try {
    for (;;) {
      const page = await bucket.tryOut(
        (client, options) =>
          client.send(
            new ListMultipartUploadsCommand({
              Bucket: bucket.name,
              Prefix: bucket.prefix,
              MaxUploads: bucket.options.pageSize ?? 1000,
              ...next,
            }),
            options,
          ),
        bucket.options.signal,
      );
      if (page.Bucket === undefined && page.IsTruncated === undefined) {
        throw bucket.notS3(what, nothingWritten);
      }
      found.push(...(page.Uploads ?? []).flatMap((upload) => unfinished(upload)));
      const isStuck =
        page.NextKeyMarker === next.KeyMarker && page.NextUploadIdMarker === next.UploadIdMarker;
      if (page.IsTruncated !== true || isStuck) return found;
      next = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    }
  } catch (error) {
    if (statusOf(error) === undefined || isNoS3(error)) {
      throw bucket.failureOf(error, what, nothingWritten);
    }
    bucket.options.note?.(
      `Unfinished uploads of earlier runs could not be looked for in ${bucket.label} (${nameOf(error)}); a lifecycle rule of the bucket can remove them.`,
    );
    return found;
  }
}

function unfinished({ Key, UploadId, Initiated }: MultipartUpload): readonly UnfinishedUpload[] {
  if (Key === undefined || UploadId === undefined) return [];
  return [{ key: Key, uploadId: UploadId, begunAt: Initiated?.getTime() }];
}

/** Removes the parts of uploads; tells of those that stay. */
export async function removeUploads(
  bucket: Bucket,
  uploads: readonly UnfinishedUpload[],
): Promise<void> {
  for (const { key, uploadId } of uploads) {
    if (await takeBack(bucket, { key, uploadId })) continue;
    bucket.options.note?.(
      `The parts of an unfinished upload of ${key} in ${bucket.label} could not be removed; a lifecycle rule of the bucket can.`,
    );
  }
}
