import { createHash } from 'node:crypto';

/** Size and checksum of bytes that went by. */
export interface ByteDigest {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** Counts and hashes bytes on their way; `digest` is that of all that went by so far. */
export function measured(content: AsyncIterable<Uint8Array>): {
  readonly content: AsyncIterable<Uint8Array>;
  digest(): ByteDigest;
} {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    content: (async function* through() {
      for await (const chunk of content) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    })(),
    digest: () => ({ bytes, sha256: hash.copy().digest('hex') }),
  };
}

/** Reads to the end and keeps nothing but size and checksum. */
export async function digestOf(content: AsyncIterable<Uint8Array>): Promise<ByteDigest> {
  const passing = measured(content);
  const iterator = passing.content[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
  return passing.digest();
}

/**
 * Reads a text to its end.
 * @returns `undefined` when it has more bytes than this
 */
export async function textOf(
  content: AsyncIterable<Uint8Array>,
  limitBytes: number,
): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > limitBytes) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** A text as content. */
export async function* contentOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
