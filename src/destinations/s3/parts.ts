/** A piece of an object, as large as asked for unless it is the last. */
export interface Part {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer;
  readonly isLast: boolean;
}

/** Parts in their order; `undefined` at the end when there would be too many. */
export type Parts = AsyncGenerator<Part | undefined, undefined>;

/**
 * Cuts bytes of unknown length into parts; there is always one, and each but the last is full. Holds one part, and
 * pulls no more of `content` than fills it, but for the one chunk that shows whether there is more.
 * @param sizeOf bytes of the part with this number; undefined when there may be no such part
 * @param spare where the bytes of full parts that are done with are put back, to be filled again: what is left to
 * the garbage collector stays for long, since it is outside of the heap
 */
export async function* partsOf(
  content: AsyncIterable<Uint8Array>,
  sizeOf: (number: number) => number | undefined,
  spare: Buffer[] = [],
): Parts {
  let number = 1;
  let filling = new Filling(sizeOf(number) ?? 0, spare);
  for await (let chunk of content) {
    while (chunk.length > 0) {
      if (filling.isFull) {
        yield { number, bytes: filling.bytes, isLast: false };
        number += 1;
        const size = sizeOf(number);
        if (size === undefined) {
          yield undefined;
          return undefined;
        }
        filling = new Filling(size, spare);
      }
      chunk = filling.add(chunk);
    }
  }
  yield { number, bytes: filling.bytes, isLast: true };
  return undefined;
}

/** A part that is being filled. */
class Filling {
  readonly #size: number;
  #buffer: Buffer;
  #length = 0;

  constructor(size: number, spare: Buffer[]) {
    this.#size = size;
    const used = spare.pop();
    // Most objects are small; a part that goes on is given its full size at its first growth.
    this.#buffer = used?.length === size ? used : Buffer.allocUnsafeSlow(Math.min(size, 64 * 1024));
  }

  get isFull(): boolean {
    return this.#length === this.#size;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Takes what fits, and gives the rest back. */
  add(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, this.#size - this.#length);
    if (this.#length + taken.length > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(this.#size);
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#buffer.set(taken, this.#length);
    this.#length += taken.length;
    return chunk.subarray(taken.length);
  }
}
