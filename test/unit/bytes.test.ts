import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatBytes, parseBytes } from '../../src/plan/bytes.ts';

describe('parseBytes', () => {
  test.each([
    ['0 B', 0],
    ['512 MiB', 536_870_912],
    ['2GiB', 2_147_483_648],
    ['1.5 KiB', 1536],
    ['1 TiB', 1_099_511_627_776],
  ])('reads %s', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test.each([
    '',
    '512',
    '512 MB',
    '512 mib',
    '-1 B',
    '1  GiB',
    '1e3 B',
    '.5 GiB',
    `${'9'.repeat(400)} B`,
  ])('refuses %j', (text) => {
    expect(parseBytes(text)).toBeUndefined();
  });
});

describe('formatBytes', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1_500_000_000, '1.4 GiB'],
    [1024 ** 2 - 1, '1 MiB'],
    [5 * 1024 ** 5, '5120 TiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test('can be read again, and is right to a twentieth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
        const again = parseBytes(formatBytes(bytes));
        expect(again).toBeDefined();
        expect(Math.abs((again ?? 0) - bytes)).toBeLessThanOrEqual(bytes / 20);
      }),
    );
  });

  test('never shows 1024 of a unit that has a larger one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (bytes) => {
        expect(formatBytes(bytes)).not.toMatch(/^1024 (?:B|KiB|MiB|GiB)$/);
      }),
    );
  });
});
