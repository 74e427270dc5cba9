/** What the supervisor says between what the command prints. */
export type Mark =
  /** The command begins. Its process group, and the boot of the machine that this group is of. */
  | { readonly kind: 'begin'; readonly group: number; readonly boot: string }
  /** The folder to run in cannot be entered. */
  | { readonly kind: 'folder'; readonly missing: boolean }
  /** The command has ended; 128 and the signal's number when a signal ended it, as shells tell it. */
  | { readonly kind: 'end'; readonly code: number };

/** Bytes before the command begins that are kept, for the message when it never does. */
const noiseLimit = 16 * 1024;
const closing: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' };

function parse(text: string): Mark | undefined {
  const [, group, boot] = /^\{(\d+) ([0-9a-f-]*)\}$/.exec(text) ?? [];
  if (group !== undefined && boot !== undefined) {
    return { kind: 'begin', group: Number(group), boot };
  }
  const code = /^\[(\d{1,3})\]$/.exec(text)?.[1];
  if (code !== undefined) return { kind: 'end', code: Number(code) };
  if (text === '(missing)' || text === '(refused)') {
    return { kind: 'folder', missing: text === '(missing)' };
  }
  return undefined;
}

/**
 * Takes the supervisor's marks out of one output of a far shell. What comes before the first one (a login
 * shell's start-up files may print anything) is no output of the command.
 */
export class MarkedStream {
  readonly #mark: Buffer;
  readonly #onMark: (mark: Mark) => void;
  #held: Buffer = Buffer.alloc(0);
  #begun = false;
  #ended = false;
  #noise = '';

  constructor(mark: string, onMark: (mark: Mark) => void) {
    this.#mark = Buffer.from(mark, 'latin1');
    this.#onMark = onMark;
  }

  /** The command ended, and all that it had printed was handed out. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What was printed before the command began. */
  get noise(): string {
    return this.#noise;
  }

  /** @returns what the command printed, without the marks */
  add(chunk: Buffer): Buffer {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const printed: Buffer[] = [];
    const keep = (bytes: Buffer): void => {
      if (this.#begun) printed.push(bytes);
      else this.#noise = `${this.#noise}${bytes.toString('utf8')}`.slice(0, noiseLimit);
    };
    for (;;) {
      const at = rest.indexOf(this.#mark);
      if (at < 0) break;
      const after = rest.subarray(at + this.#mark.length);
      const close = closing[String.fromCharCode(after[0] ?? 0)];
      const end = close === undefined ? -1 : after.indexOf(close);
      if (end < 0 && (close !== undefined || after.length === 0)) {
        keep(rest.subarray(0, at));
        this.#held = rest.subarray(at);
        return Buffer.concat(printed);
      }
      keep(rest.subarray(0, at));
      rest = after.subarray(end + 1);
      this.#take(parse(after.subarray(0, end + 1).toString('latin1')));
    }
    const possible = this.#possibleMark(rest);
    keep(rest.subarray(0, possible));
    this.#held = rest.subarray(possible);
    return Buffer.concat(printed);
  }

  #take(mark: Mark | undefined): void {
    if (mark === undefined) return;
    if (mark.kind === 'begin') this.#begun = true;
    if (mark.kind === 'end') this.#ended = true;
    this.#onMark(mark);
  }

  /** Where the beginning of a mark may stand at the end of what came so far; else its length. */
  #possibleMark(bytes: Buffer): number {
    const from = Math.max(0, bytes.length - this.#mark.length + 1);
    for (let at = from; at < bytes.length; at += 1) {
      const tail = bytes.subarray(at);
      if (this.#mark.subarray(0, tail.length).equals(tail)) return at;
    }
    return bytes.length;
  }
}
