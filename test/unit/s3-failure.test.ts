import { describe, expect, test } from '@jest/globals';
import { s3Failure, type Attempt } from '../../src/destinations/s3/failure.ts';

const attempt: Attempt = {
  what: 'write shop.dump to s3://backups at https://s3.example.org',
  state: 'Nothing was written.',
  bucket: 'backups',
  region: 'eu-central-1',
  server: { hostname: 's3.example.org', port: 443 },
  stallSeconds: 60,
  secrets: ['T0pS3cret', ''],
};

/** As the client throws what a server has answered. */
const answer = (name: string, httpStatusCode: number, message = 'as the server says') =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });
/** As it throws what has happened to the connection. */
const broken = (code: string, name = 'Error') => Object.assign(new Error('broken'), { code, name });

describe('s3Failure', () => {
  test.each([
    ['InvalidAccessKeyId', 403, 'copy-credentials', 'access key'],
    ['SignatureDoesNotMatch', 403, 'copy-credentials', 'secret key'],
    ['ExpiredToken', 400, 'copy-credentials', 'expired'],
    ['RequestTimeTooSkewed', 403, 'copy-clock', 'clock'],
    ['NoSuchBucket', 404, 'copy-no-bucket', 'no bucket backups'],
    ['AccessDenied', 403, 'copy-denied', 'may not'],
    ['InvalidObjectState', 403, 'copy-denied', 'storage class'],
    ['Unknown', 403, 'copy-denied', 'may not'],
    ['AuthorizationHeaderMalformed', 400, 'copy-region', 'eu-central-1'],
    ['PermanentRedirect', 301, 'copy-region', 'eu-central-1'],
    ['QuotaExceeded', 403, 'copy-full', 'no room'],
    ['XMinioStorageFull', 507, 'copy-full', 'no room'],
    ['Unknown', 507, 'copy-full', 'no room'],
    ['XAmzContentSHA256Mismatch', 400, 'copy-corrupted', 'not those'],
    ['SlowDown', 503, 'copy-server', 'come back'],
    ['EntityTooLarge', 400, 'copy-too-large', 'size'],
    ['NoSuchKey', 404, 'copy-missing', 'no such object'],
    ['NoSuchUpload', 404, 'copy-refused', 'as the server says'],
    ['InternalError', 500, 'copy-server', 'as the server says'],
    // An answer of status 200 can end with an error.
    ['InternalError', 200, 'copy-server', 'as the server says'],
    ['toString', 400, 'copy-refused', 'as the server says'],
  ])('tells %s (%i) as %s', (name, status, code, words) => {
    const failure = s3Failure(answer(name, status), attempt);
    expect(failure).toMatchObject({ code, state: attempt.state });
    expect(failure.message).toContain(`Could not ${attempt.what}: `);
    expect(failure.message).toContain(words);
    expect(failure.message).toContain(`HTTP ${status}`);
  });

  test.each([
    ['ECONNREFUSED', 'copy-unreachable', 'connection refused by s3.example.org:443'],
    ['ENOTFOUND', 'copy-unreachable', 'the name s3.example.org was not found'],
    ['ECONNRESET', 'copy-interrupted', 'closed the connection'],
    ['EPIPE', 'copy-interrupted', 'closed the connection'],
    ['HPE_INVALID_CONSTANT', 'copy-interrupted', 'other than HTTP'],
    ['CERT_HAS_EXPIRED', 'copy-tls', 'expired'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'copy-tls', 'not trusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'copy-tls', 'cannot be verified'],
    ['EPROTO', 'copy-tls', 'no TLS connection'],
    ['ETIMEDOUT', 'copy-stalled', 'for 60 s'],
  ])('tells %s as %s', (code, kind, words) => {
    const failure = s3Failure(broken(code), attempt);
    expect(failure.code).toBe(kind);
    expect(failure.message).toContain(words);
  });

  test("tells the client's own limit as a stall, and a reset under its name as what it is", () => {
    const limit = Object.assign(new Error('the socket timed out'), { name: 'TimeoutError' });
    expect(s3Failure(limit, attempt).code).toBe('copy-stalled');
    expect(s3Failure(broken('ECONNRESET', 'TimeoutError'), attempt).code).toBe('copy-interrupted');
  });

  test('finds the reason below a wrapper', () => {
    const wrapped = new Error('fetch failed', { cause: broken('ECONNREFUSED') });
    expect(s3Failure(wrapped, attempt).message).toContain('[ECONNREFUSED]');
  });

  test.each([
    [answer('Odd', 418, 'you sent\n  T0pS3cret\u001b[2J ' + 'x'.repeat(1000))],
    [new Error('T0pS3cret')],
  ])('says what others said without secrets, on one line, not at length', (error) => {
    const { message } = s3Failure(error, attempt);
    expect(message).not.toContain('T0pS3cret');
    expect(message).toContain('***');
    expect(message).toMatch(/^[\x20-\x7e]{1,500}$/);
  });

  test.each([[undefined], [null], ['text'], [{}]])('takes anything thrown: %p', (thrown) => {
    expect(s3Failure(thrown, attempt).code).toBe('copy-failed');
  });
});
