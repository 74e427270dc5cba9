import { fail } from '../../ports/failure.ts';
import { lineOf, tokenize } from './tokenizer.ts';

/** A directive of an nginx configuration file; offsets are bytes, ends exclusive. */
export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly start: number;
  /** Right after its `;` or closing brace. */
  readonly end: number;
  readonly line: number;
  readonly body?: {
    /** Right after the opening brace. */
    readonly start: number;
    /** At the closing brace. */
    readonly end: number;
    readonly directives: readonly Directive[];
  };
}

interface Head {
  readonly words: readonly string[];
  readonly start: number;
  readonly line: number;
}

interface OpenBlock {
  readonly head: Head;
  readonly bodyStart: number;
  readonly directives: Directive[];
}

/** Deeper than anybody writes, and shallow enough for functions that call themselves for each level. */
const deepestBlock = 200;

/**
 * Reads the directives of one file (includes are not followed).
 * @throws FailureError `nginx-unreadable` where nginx would refuse the file as well, and where blocks nest
 *   deeper than {@link deepestBlock}
 */
export function parseConfig(bytes: Uint8Array, path: string): readonly Directive[] {
  const top: Directive[] = [];
  const open: OpenBlock[] = [];
  const lineAt = lineCounter(bytes);
  let words: string[] = [];
  let start = 0;
  let line = 1;
  const refuse = (offset: number, problem: string): never =>
    fail({
      code: 'nginx-unreadable',
      message: `${path} cannot be read as an nginx configuration: line ${lineOf(bytes, offset)}: ${problem}.`,
      state: 'The file was not touched.',
      next: 'Run `nginx -t`, repair what it names, then run the step again.',
    });
  const add = (head: Head, end: number, body: Directive['body'] | undefined, into: Directive[]) => {
    const {
      words: [name = '', ...args],
      start: from,
      line: at,
    } = head;
    into.push({
      name,
      args,
      start: from,
      end,
      line: at,
      ...(body === undefined ? {} : { body }),
    });
  };

  for (const token of tokenize(bytes, path)) {
    const into = open.at(-1)?.directives ?? top;
    switch (token.kind) {
      case 'word':
        if (words.length === 0) {
          start = token.start;
          line = lineAt(start);
        }
        words.push(token.text);
        break;
      case 'semicolon':
        if (words.length === 0) refuse(token.start, 'a `;` ends no directive');
        add({ words, start, line }, token.end, undefined, into);
        words = [];
        break;
      case 'open':
        if (words.length === 0) refuse(token.start, 'a `{` follows no directive');
        if (open.length === deepestBlock) {
          refuse(token.start, `blocks nest deeper than ${deepestBlock}`);
        }
        open.push({ head: { words, start, line }, bodyStart: token.end, directives: [] });
        words = [];
        break;
      case 'close': {
        if (words.length > 0) refuse(token.start, 'a directive before `}` has no `;`');
        const block = open.pop();
        if (block === undefined) return refuse(token.start, 'a `}` closes nothing');
        const { head, bodyStart, directives } = block;
        const body = { start: bodyStart, end: token.start, directives };
        add(head, token.end, body, open.at(-1)?.directives ?? top);
        break;
      }
      case 'space':
      case 'comment':
      case 'lua':
        break;
    }
  }
  if (words.length > 0) refuse(start, 'this directive has no `;`');
  const unclosed = open.at(-1);
  if (unclosed !== undefined) refuse(unclosed.head.start, 'this block has no `}`');
  return top;
}

/** Line of a byte offset, counted from 1; to be asked for growing offsets, so that a file is gone through once. */
function lineCounter(bytes: Uint8Array): (offset: number) => number {
  let at = 0;
  let line = 1;
  return (offset) => {
    for (; at < offset; at += 1) if (bytes[at] === 10) line += 1;
    return line;
  };
}
