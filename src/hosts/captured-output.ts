import { StringDecoder } from 'node:string_decoder';

/** Bytes of a command's output that are kept, each of standard output and standard error. */
export const captureLimitBytes = 8 * 1024 * 1024;

/** Keeps the beginning and the end of a stream of bytes; what is between is counted and left out. */
export class CapturedOutput {
  readonly #half: number;
  #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #omitted = 0;

  constructor(limitBytes: number = captureLimitBytes) {
    this.#half = Math.floor(limitBytes / 2);
  }

  /** Whether something had to be left out. */
  get truncated(): boolean {
    return this.#omitted > 0;
  }

  add(chunk: Buffer): void {
    const toHead = chunk.subarray(0, Math.max(0, this.#half - this.#headBytes));
    if (toHead.length > 0) {
      this.#head.push(toHead);
      this.#headBytes += toHead.length;
    }
    const rest = chunk.subarray(toHead.length);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailBytes += rest.length;
    // Whole chunks fall off the front; the exact cut waits until the text is asked for.
    for (let first = this.#tail[0]; first !== undefined; first = this.#tail[0]) {
      if (this.#tailBytes - first.length < this.#half) break;
      this.#tail.shift();
      this.#tailBytes -= first.length;
      this.#omitted += first.length;
    }
    const overflow = this.#tailBytes - this.#half;
    const first = this.#tail[0];
    if (overflow > 0 && first !== undefined) {
      this.#tail[0] = first.subarray(overflow);
      this.#tailBytes -= overflow;
      this.#omitted += overflow;
    }
  }

  /** What was kept, as UTF-8, with a line that says how much is missing. */
  text(): string {
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail);
    if (this.#omitted === 0) return Buffer.concat([head, tail]).toString('utf8');
    return `${head.toString('utf8')}\n[${this.#omitted} bytes left out]\n${tail.toString('utf8')}`;
  }
}

/** Cuts a stream of bytes into lines; a line longer than `limit` characters comes in pieces. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  readonly #limit: number;
  #rest = '';

  constructor(onLine: (line: string) => void, limit: number = captureLimitBytes) {
    this.#onLine = onLine;
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
    if (this.#rest.length > this.#limit) {
      const piece = this.#rest;
      this.#rest = '';
      this.#onLine(piece);
    }
  }

  /** A last line without a line feed counts as a line. */
  end(): void {
    const last = this.#rest + this.#decoder.end();
    this.#rest = '';
    if (last !== '') this.#onLine(last);
  }
}
