import { describe, expect, test } from '@jest/globals';
import { s3CopyShape } from '../../src/plan/settings/backup-copy-s3.ts';
import { group } from '../../src/plan/setting-types.ts';

const schema = group(s3CopyShape);
const least = {
  bucket: 'shop-backups',
  'access-key-id': '$S3_KEY',
  'secret-access-key': '$S3_SECRET',
};

describe('the settings of a bucket', () => {
  test('have defaults for all but the bucket and its keys', () => {
    expect(schema.parse(least)).toEqual({
      bucket: 'shop-backups',
      region: 'us-east-1',
      accessKeyId: '$S3_KEY',
      secretAccessKey: '$S3_SECRET',
    });
  });

  test.each([
    ['endpoint', 'https://s3.example.org'],
    ['endpoint', 'http://127.0.0.1:9000/'],
    ['region', 'auto'],
    ['bucket', 'a.b-c'],
    ['bucket', 'b'.repeat(63)],
    ['prefix', 'backups/Shop_1.x'],
    ['path-style', false],
    ['storage-class', 'GLACIER_IR'],
    ['server-side-encryption', 'aws:kms'],
    ['session-token', '$S3_TOKEN'],
  ])('take %s %p', (name, value) => {
    expect(schema.safeParse({ ...least, [name]: value }).success).toBe(true);
  });

  test.each([
    ['endpoint', 's3.example.org', 'is an http or https URL'],
    ['endpoint', 'https://key:secret@s3.example.org', 'without user and password'],
    ['endpoint', 'https://s3.example.org/bucket', 'without a path'],
    ['endpoint', 'https://s3.example.org?x', 'without "?"'],
    ['region', 'EU Central', 'is a region such as'],
    ['bucket', 'ab', '3 to 63'],
    ['bucket', 'Shop', 'small letters'],
    ['bucket', 'b'.repeat(64), '3 to 63'],
    ['bucket', 'a/b', 'is the name of a bucket'],
    ['prefix', '/shop', 'is a path in the bucket'],
    ['prefix', 'shop/', 'is a path in the bucket'],
    ['prefix', 'a//b', 'is a path in the bucket'],
    ['prefix', 'a/../b', 'is a path in the bucket'],
    ['prefix', '', 'is a path in the bucket'],
    ['access-key-id', 'AKIA123', 'names an environment variable'],
    ['secret-access-key', 'abc', 'names an environment variable'],
    ['session-token', 'abc', 'names an environment variable'],
    ['path-style', 'yes', 'is true or false'],
    ['storage-class', 'DEEP_ARCHIVE', 'gives objects back at once'],
    ['storage-class', 'standard', 'is a storage class such as'],
    ['server-side-encryption', 'AES', 'is AES256 or aws:kms'],
  ])('refuse %s %p', (name, value, words) => {
    const { error } = schema.safeParse({ ...least, [name]: value });
    expect(error?.issues.map(({ message }) => message).join()).toContain(words);
    expect(error?.issues[0]?.path).toEqual([name]);
  });

  test.each(Object.keys(least))('need %s', (name) => {
    const { [name as keyof typeof least]: _, ...rest } = least;
    expect(schema.safeParse(rest).success).toBe(false);
  });
});
