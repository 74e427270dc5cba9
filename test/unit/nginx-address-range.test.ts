import { BlockList } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addressPattern, parseAddressRange } from '../../src/modes/nginx/address-range.ts';

/** The pattern as nginx uses it, on the bytes of an address as `$binary_remote_addr` holds them. */
function fits(range: string, address: string): boolean {
  const pattern = addressPattern(parseAddressRange(range)!);
  const bytes = Buffer.from(parseAddressRange(address)!.bytes);
  return new RegExp(`^(?:${pattern})$`, 's').test(bytes.toString('latin1'));
}

const ipv4 = fc.ipV4();
const ipv6 = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constant(0)), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'));

describe('address ranges', () => {
  test.each([
    ['192.0.2.7', [192, 0, 2, 7], 32],
    ['10.0.0.0/8', [10, 0, 0, 0], 8],
    ['0.0.0.0/0', [0, 0, 0, 0], 0],
    ['::1', [...Array<number>(15).fill(0), 1], 128],
    ['2001:db8::/32', [0x20, 1, 0x0d, 0xb8, ...Array<number>(12).fill(0)], 32],
    ['::ffff:192.0.2.7', [...Array<number>(10).fill(0), 255, 255, 192, 0, 2, 7], 128],
    ['fe80::1:2', [0xfe, 0x80, ...Array<number>(10).fill(0), 0, 1, 0, 2], 128],
  ])('%s is read', (text, bytes, prefixBits) => {
    expect(parseAddressRange(text)).toEqual({ bytes, prefixBits });
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.4/33',
    '1.2.3.4/',
    '1.2.3.4/08',
    '::1/129',
    '::1/8/8',
    'fe80::1%eth0',
    'a.b.c.d',
    '1.2.3.4/-1',
  ])('%j is refused', (text) => {
    expect(parseAddressRange(text)).toBeUndefined();
  });

  test('an IPv4 range fits IPv4-mapped addresses too, and bytes that mean something to regular expressions', () => {
    expect(fits('10.0.0.0/8', '::ffff:10.1.2.3')).toBe(true);
    expect(fits('10.0.0.0/8', '::ffff:11.1.2.3')).toBe(false);
    expect(fits('46.42.10.13', '46.42.10.13')).toBe(true);
    expect(fits('46.42.10.13', '47.42.10.13')).toBe(false);
    expect(fits('10.10.10.0/24', '10.10.10.10')).toBe(true);
  });

  test.each([
    ['IPv4', ipv4, 32],
    ['IPv6', ipv6, 128],
  ] as const)('fit the same %s addresses as the block list of Node', (family, address, bits) => {
    const type = family === 'IPv4' ? 'ipv4' : 'ipv6';
    let inside = 0;
    fc.assert(
      fc.property(
        address,
        fc.integer({ min: 0, max: bits }),
        address,
        fc.boolean(),
        (base, prefix, other, near) => {
          const list = new BlockList();
          list.addSubnet(base, prefix, type);
          const asked = near ? base : other;
          const expected = list.check(asked, type);
          if (expected) inside += 1;
          expect(fits(`${base}/${prefix}`, asked)).toBe(expected);
        },
      ),
      { numRuns: 500 },
    );
    expect(inside).toBeGreaterThan(100);
  });
});
