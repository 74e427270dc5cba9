import * as z from 'zod';
import { httpUrl, secretReference } from '../setting-types.ts';

/** What S3 gives back only after hours: a copy counts when it was read back. */
const coldClasses = ['GLACIER', 'DEEP_ARCHIVE'];

const bucketMessage =
  'is the name of a bucket: 3 to 63 small letters, digits, dots and hyphens, such as shop-backups';
const prefixMessage =
  'is a path in the bucket such as backups/shop, of letters, digits and ._- between slashes';

/** The settings of a copy in a bucket of S3 or of what speaks its protocol. */
export const s3CopyShape = {
  endpoint: httpUrl()
    .refine(
      (text) => !URL.canParse(text) || /^\/?$/.test(new URL(text).pathname),
      'is an address without a path, such as https://s3.example.org',
    )
    .refine((text) => !/[?#]/.test(text), 'is an address without "?" and "#"')
    .optional()
    .describe(
      'Address of the server, for instance `https://s3.example.org`; by default that of Amazon S3 in the region.',
    ),
  region: z
    .string('is a region such as eu-central-1')
    .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'is a region such as eu-central-1')
    .max(40, 'has at most 40 characters')
    .prefault('us-east-1')
    .describe('The region; what other servers than Amazon want here is in their manual.'),
  bucket: z
    .string(bucketMessage)
    .regex(/^(?=.{3,63}$)[a-z0-9]+(?:[.-]+[a-z0-9]+)*$/, bucketMessage)
    .describe('The bucket, which is there already.'),
  prefix: z
    .string(prefixMessage)
    .regex(/^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/, prefixMessage)
    .max(200, 'has at most 200 characters')
    .optional()
    .describe('Path in the bucket that belongs to this window alone; by default the whole bucket.'),
  'access-key-id': secretReference().describe('Environment variable with the access key.'),
  'secret-access-key': secretReference().describe('Environment variable with the secret key.'),
  'session-token': secretReference()
    .optional()
    .describe('Environment variable with the token of a temporary key.'),
  'path-style': z
    .boolean('is true or false')
    .optional()
    .describe(
      'Whether the bucket is named in the path (`https://server/bucket`) or in the host name; by default in the path when there is an `endpoint`.',
    ),
  'storage-class': z
    .string('is a storage class such as STANDARD_IA')
    .regex(/^[A-Z][A-Z0-9_]*$/, 'is a storage class such as STANDARD_IA')
    .max(40, 'has at most 40 characters')
    .refine(
      (name) => !coldClasses.includes(name),
      'is a storage class that gives objects back at once, such as STANDARD_IA or GLACIER_IR: copies are read back',
    )
    .optional()
    .describe("Storage class of the objects; by default the bucket's."),
  'server-side-encryption': z
    .enum(['AES256', 'aws:kms'], 'is AES256 or aws:kms')
    .optional()
    .describe("How the server encrypts at rest, besides `recipients`; by default the bucket's."),
};
