/** A file's bytes as text, in a way that no byte is lost. */
export type SourceReading =
  | { readonly kind: 'text'; readonly text: string; readonly encoding: 'utf8' | 'latin1' }
  | { readonly kind: 'unreadable'; readonly reason: string };

/**
 * Decodes a settings file: UTF-8, or else one character a byte, so that files in Latin-1 and its like can be edited
 * as well. UTF-16 and binary files are refused.
 */
export function readSource(bytes: Uint8Array): SourceReading {
  const buffer = Buffer.from(bytes);
  if (buffer.includes(0)) {
    return { kind: 'unreadable', reason: 'holds zero bytes (it may be UTF-16 or binary)' };
  }
  const text = buffer.toString('utf8');
  return Buffer.from(text, 'utf8').equals(buffer)
    ? { kind: 'text', text, encoding: 'utf8' }
    : { kind: 'text', text: buffer.toString('latin1'), encoding: 'latin1' };
}

/** Replaces a part of the text in the bytes; every other byte stays where and what it is. */
export function splice(
  bytes: Uint8Array,
  { text, encoding }: { readonly text: string; readonly encoding: 'utf8' | 'latin1' },
  part: { readonly start: number; readonly end: number; readonly by: string },
): { readonly bytes: Buffer; readonly offset: number } {
  const offset = Buffer.byteLength(text.slice(0, part.start), encoding);
  const end = offset + Buffer.byteLength(text.slice(part.start, part.end), encoding);
  return {
    bytes: Buffer.concat([
      bytes.subarray(0, offset),
      Buffer.from(part.by, encoding),
      bytes.subarray(end),
    ]),
    offset,
  };
}
