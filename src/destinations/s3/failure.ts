import { noAnswerReason, type Target } from '../../http/no-answer-reason.ts';
import type { Failure } from '../../ports/failure.ts';

/** What was being done, for the words of a failure. */
export interface Attempt {
  /** As it follows "Could not": `write shop/a.dump to s3://backups at https://…`. */
  readonly what: string;
  /** One sentence: what is in the bucket now. */
  readonly state: string;
  readonly bucket: string;
  readonly region: string;
  readonly server: Target;
  /** Seconds without progress after which a request is given up. */
  readonly stallSeconds: number;
  /** What must not be in any message. */
  readonly secrets: readonly string[];
}

/** As much of what the S3 client throws as a failure is told by. */
interface Thrown {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

interface Kind {
  readonly code: string;
  readonly reason: (attempt: Attempt) => string;
  readonly next: (attempt: Attempt) => string;
}

const credentials = (reason: string): Kind => ({
  code: 'copy-credentials',
  reason: () => reason,
  next: () =>
    'Check the variables that access-key-id, secret-access-key and session-token name, then run the phase again.',
});
const full: Kind = {
  code: 'copy-full',
  reason: () => 'there is no room left for it',
  next: () => 'Make room in the bucket, or raise its quota, then run the phase again.',
};
const denied: Kind = {
  code: 'copy-denied',
  reason: ({ bucket }) => `the key may not do that in the bucket ${bucket}`,
  next: ({ bucket }) =>
    `Let the key write, read, list and delete objects of the bucket ${bucket}, and list and abort its multipart uploads; then run the phase again.`,
};
const region: Kind = {
  code: 'copy-region',
  reason: (attempt) => `the bucket ${attempt.bucket} is not in the region ${attempt.region}`,
  next: () => 'Name the region of the bucket in `region`, then run the phase again.',
};
const corrupted: Kind = {
  code: 'copy-corrupted',
  reason: () => 'the bytes that arrived are not those that were sent',
  next: () => 'Run the phase again; when it repeats, look for what changes bytes on the way.',
};
const busy: Kind = {
  code: 'copy-server',
  reason: () => 'the server asked several times to come back later',
  next: () => 'Run the phase again when the server has less to do.',
};
const missing: Kind = {
  code: 'copy-missing',
  reason: () => 'there is no such object',
  next: () => 'List the bucket; the object was removed or never written.',
};

const notS3: Kind = {
  code: 'copy-not-s3',
  reason: ({ server }) =>
    `what answers at ${server.hostname}:${server.port} does not speak the protocol of S3`,
  next: () => 'Correct `endpoint`: the address of the S3 interface itself, not that of its pages.',
};

/** Whether an answer was none of the protocol: what the client says of XML that it cannot read. */
export function isNoS3(error: unknown): boolean {
  const { message } = Object(error) as Thrown;
  return typeof message === 'string' && /XML parse error|Deserialization error/.test(message);
}

/** Somebody who answers, and not as S3 does. */
export function notS3Failure(attempt: Attempt): Failure {
  return {
    code: notS3.code,
    message: `Could not ${attempt.what}: ${notS3.reason(attempt)}.`,
    state: attempt.state,
    next: notS3.next(attempt),
  };
}

/**
 * By the code in the server's answer: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and the
 * words of MinIO and Ceph for a full disk and a quota, which Amazon does not have.
 */
const kinds: Readonly<Record<string, Kind>> = {
  InvalidAccessKeyId: credentials('the server does not know the access key'),
  SignatureDoesNotMatch: credentials('the secret key is not that of the access key'),
  ExpiredToken: credentials('the session token has expired'),
  InvalidToken: credentials('the session token is not valid'),
  RequestTimeTooSkewed: {
    code: 'copy-clock',
    reason: () => 'the clock of this machine and that of the server are too far apart',
    next: () => 'Set the clock of the machine that runs this (NTP), then run the phase again.',
  },
  NoSuchBucket: {
    code: 'copy-no-bucket',
    reason: ({ bucket }) => `there is no bucket ${bucket}`,
    next: () => 'Create the bucket, or correct `bucket`, then run the phase again.',
  },
  AccessDenied: denied,
  AllAccessDisabled: denied,
  AccountProblem: denied,
  InvalidObjectState: {
    code: 'copy-denied',
    reason: () => 'the object lies in a storage class that does not give it back at once',
    next: () => 'Restore the object to a readable storage class first.',
  },
  AuthorizationHeaderMalformed: region,
  IllegalLocationConstraintException: region,
  PermanentRedirect: region,
  QuotaExceeded: full,
  InsufficientStorage: full,
  XMinioStorageFull: full,
  XMinioAdminBucketQuotaExceeded: full,
  BadDigest: corrupted,
  InvalidDigest: corrupted,
  XAmzContentSHA256Mismatch: corrupted,
  SlowDown: busy,
  ServiceUnavailable: busy,
  NoSuchKey: missing,
  EntityTooLarge: {
    code: 'copy-too-large',
    reason: () => 'the server takes no object, or no part of one, of that size',
    next: () =>
      'Use a backup of several smaller files (format directory), then run the phase again.',
  },
};
const kindsByStatus: Readonly<Record<number, Kind>> = {
  301: region,
  403: denied,
  429: busy,
  503: busy,
  507: full,
};

/** What a request to a bucket failed with, as people should read it. Pure. */
export function s3Failure(error: unknown, attempt: Attempt): Failure {
  const thrown = Object(error) as Thrown;
  const status = thrown.$metadata?.httpStatusCode;
  const name = typeof thrown.name === 'string' ? thrown.name : '';
  if (status === undefined) return withoutAnswer(error, name, attempt);
  const known = Object.hasOwn(kinds, name) ? kinds[name] : kindsByStatus[status];
  const kind = isNoS3(error) ? notS3 : known;
  const said = `[${[name, `HTTP ${status}`].filter((word) => !['', 'Unknown', 'Error'].includes(word)).join(', ')}]`;
  if (kind !== undefined) {
    return {
      code: kind.code,
      message: `Could not ${attempt.what}: ${kind.reason(attempt)} ${said}.`,
      state: attempt.state,
      next: kind.next(attempt),
    };
  }
  const isServers = status >= 500 || status < 300;
  return {
    code: isServers ? 'copy-server' : 'copy-refused',
    message: `Could not ${attempt.what}: the server ${isServers ? 'failed' : 'refused'} with "${told(thrown.message, attempt)}" ${said}.`,
    state: attempt.state,
    next: isServers
      ? 'Look at the server of the bucket (its log, its disk), then run the phase again.'
      : 'Correct what the server names, then run the phase again.',
  };
}

function withoutAnswer(error: unknown, name: string, attempt: Attempt): Failure {
  const cause = causeOf(error);
  const code = typeof cause.code === 'string' ? cause.code : '';
  const reason = noAnswerReason(cause, attempt.server);
  const failure = (kind: string, why: string, next: string): Failure => ({
    code: kind,
    message: `Could not ${attempt.what}: ${told(why, attempt)}.`,
    state: attempt.state,
    next,
  });
  if (/CERT|SIGNATURE|ISSUER|SSL|TLS|EPROTO/.test(code)) {
    return failure(
      'copy-tls',
      reason,
      'Correct the address of the server or its certificate; an authority of your own goes into NODE_EXTRA_CA_CERTS.',
    );
  }
  if (code === 'ETIMEDOUT' || name === 'TimeoutError') {
    const isReset = ['ECONNRESET', 'EPIPE'].includes(code);
    if (!isReset) {
      const place = `${attempt.server.hostname}:${attempt.server.port}`;
      return failure(
        'copy-stalled',
        `nothing moved between this machine and ${place} for ${attempt.stallSeconds} s`,
        'Look at the network and the server of the bucket, then run the phase again.',
      );
    }
  }
  if (
    ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code) ||
    code.startsWith('HPE_')
  ) {
    return failure(
      'copy-interrupted',
      reason,
      'Look at the network and the server of the bucket, then run the phase again.',
    );
  }
  if (code === '') {
    const said = typeof cause.message === 'string' ? cause.message : String(error);
    return failure(
      'copy-failed',
      `the S3 client failed with "${told(said, attempt)}"`,
      'Look whether what answers at `endpoint` is an S3 server; then run the phase again.',
    );
  }
  return failure(
    'copy-unreachable',
    reason,
    'Check `endpoint`, the name, the firewall and that the server runs; then run the phase again.',
  );
}

/** The error of the system, which the client wraps at times. */
function causeOf(error: unknown): Thrown {
  let thrown = Object(error) as Thrown;
  for (let depth = 0; depth < 5 && typeof thrown.code !== 'string'; depth += 1) {
    if (typeof thrown.cause !== 'object' || thrown.cause === null) break;
    thrown = thrown.cause;
  }
  return thrown;
}

/** What somebody else said, on one line, not long, and without secrets. */
function told(message: unknown, { secrets }: Attempt): string {
  let text = typeof message === 'string' ? message : '';
  for (const secret of secrets) if (secret !== '') text = text.replaceAll(secret, '***');
  return text
    .replace(/[\u0000-\u001f\u007f\s]+/g, ' ')
    .replace(/\.\s*$/, '')
    .trim()
    .slice(0, 300);
}
