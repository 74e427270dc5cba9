import { isIPv4, isIPv6 } from 'node:net';

/** An IPv4 (4 bytes) or IPv6 (16 bytes) range: addresses whose first `prefixBits` bits are those of `bytes`. */
export interface AddressRange {
  readonly bytes: readonly number[];
  readonly prefixBits: number;
}

/** Reads `192.0.2.0/24`, `2001:db8::/32` or a single address; `undefined` when it is none of these. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  if (more.length > 0) return undefined;
  const bytes = addressBytes(address);
  if (bytes === undefined) return undefined;
  const all = bytes.length * 8;
  if (prefix === undefined) return { bytes, prefixBits: all };
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > all) return undefined;
  return { bytes, prefixBits: Number(prefix) };
}

function addressBytes(address: string): readonly number[] | undefined {
  if (isIPv4(address)) return address.split('.').map(Number);
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const [left = '', right] = address.split('::');
  const head = groupBytes(left);
  if (right === undefined) return head;
  const tail = groupBytes(right);
  return [...head, ...Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

function groupBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/**
 * A regular expression for nginx's `$binary_remote_addr` (4 bytes for IPv4, 16 for IPv6), without anchors;
 * to be used with `(?s)`. An IPv4 range also fits the IPv4-mapped addresses that a socket for both kinds reports.
 */
export function addressPattern({ bytes, prefixBits }: AddressRange): string {
  const wholeBytes = Math.floor(prefixBits / 8);
  const parts = bytes.slice(0, wholeBytes).map(hexByte);
  const bits = prefixBits % 8;
  if (bits > 0) {
    const span = 0xff >> bits;
    const low = (bytes[wholeBytes] ?? 0) & ~span & 0xff;
    parts.push(`[${hexByte(low)}-${hexByte(low | span)}]`);
  }
  const free = bytes.length - parts.length;
  if (free > 0) parts.push(`.{${free}}`);
  const pattern = parts.join('');
  return bytes.length === 4 ? `(?:${hexByte(0)}{10}${hexByte(0xff)}{2})?${pattern}` : pattern;
}

function hexByte(byte: number): string {
  return String.raw`\x${byte.toString(16).padStart(2, '0')}`;
}
