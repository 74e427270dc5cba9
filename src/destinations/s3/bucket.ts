import type { S3Client } from '@aws-sdk/client-s3';
import { FailureError } from '../../ports/failure.ts';
import { s3Client } from './client.ts';
import { notS3Failure, s3Failure, type Attempt } from './failure.ts';
import { labelOf, serverOf, type S3Keys, type S3Options, type S3Place } from './place.ts';

/** How a request is made and what is said when it fails. */
export interface Bucket {
  readonly name: string;
  readonly place: S3Place;
  readonly label: string;
  readonly options: S3Options;
  /** Ends with a slash, or is empty. */
  readonly prefix: string;
  keyOf(name: string): string;
  /**
   * Makes requests.
   * @param what as it follows "Could not"
   * @param state one sentence: what is in the bucket after a failure
   * @throws FailureError `copy-…`, `cancelled`
   */
  ask<T>(what: string, state: string, request: Request<T>): Promise<T>;
  /** The same, without turning what is thrown into a failure; also when the run was cancelled. */
  tryOut<T>(request: Request<T>, signal?: AbortSignal): Promise<T>;
  failureOf(error: unknown, what: string, state: string): FailureError;
  /** For an answer without what every answer of S3 has. */
  notS3(what: string, state: string): FailureError;
}

export type Request<T> = (
  client: Pick<S3Client, 'send'>,
  options: { readonly abortSignal: AbortSignal },
) => Promise<T>;

/** HTTP status of the answer that an error of the client is about. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata } = Object(error) as { $metadata?: { httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}

/** The server's code of an error: `NoSuchKey`. */
export function nameOf(error: unknown): string {
  const { name } = Object(error) as { name?: unknown };
  return typeof name === 'string' ? name : '';
}

export function openBucket(place: S3Place, keys: S3Keys, options: S3Options): Bucket {
  const stallSeconds = options.stallSeconds ?? 60;
  const client = s3Client(place, keys, {
    stallSeconds,
    extraCa: options.extraCa,
    attempts: options.attempts ?? 3,
  });
  const label = labelOf(place);
  const prefix = place.prefix === undefined ? '' : `${place.prefix}/`;
  const never = new AbortController().signal;
  const attempt: Omit<Attempt, 'what' | 'state'> = {
    bucket: place.bucket,
    region: place.region,
    server: serverOf(place),
    stallSeconds,
    secrets: [keys.secretAccessKey, keys.sessionToken ?? ''],
  };
  const failureOf = (error: unknown, what: string, state: string): FailureError => {
    if (error instanceof FailureError) return error;
    if (options.signal?.aborted === true) {
      return new FailureError({
        code: 'cancelled',
        message: `The run was cancelled; it was given up to ${what}.`,
        state,
        next: 'Run the phase again.',
      });
    }
    // Without the error as cause: it carries the whole request.
    return new FailureError(s3Failure(error, { ...attempt, what, state }));
  };
  const tryOut = <T>(request: Request<T>, signal: AbortSignal = never): Promise<T> =>
    request(client, { abortSignal: signal });
  return {
    name: place.bucket,
    place,
    label,
    options,
    prefix,
    keyOf: (name) => `${prefix}${name}`,
    failureOf,
    notS3: (what, state) => new FailureError(notS3Failure({ ...attempt, what, state })),
    tryOut,
    ask: async (what, state, request) => {
      try {
        return await tryOut(request, options.signal);
      } catch (error) {
        throw failureOf(error, what, state);
      }
    },
  };
}
