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

interface OpenBlock {
  readonly head: { readonly words: readonly string[]; readonly start: number };
  readonly bodyStart: number;
  readonly directives: Directive[];
}

/**
 * Reads the directives of one file (includes are not followed).
 * @throws FailureError `nginx-unreadable` where nginx would refuse the file as well
 */
export function parseConfig(bytes: Uint8Array, path: string): readonly Directive[] {
  const top: Directive[] = [];
  const open: OpenBlock[] = [];
  let words: string[] = [];
  let start = 0;
  const refuse = (offset: number, problem: string): never =>
    fail({
      code: 'nginx-unreadable',
      message: `${path} cannot be read as an nginx configuration: line ${lineOf(bytes, offset)}: ${problem}.`,
      state: 'The file was not touched.',
      next: 'Run `nginx -t`, repair what it names, then run the step again.',
    });
  const add = (
    head: OpenBlock['head'],
    end: number,
    body: Directive['body'] | undefined,
    into: Directive[],
  ) => {
    const [name = '', ...args] = head.words;
    const line = lineOf(bytes, head.start);
    into.push({
      name,
      args,
      start: head.start,
      end,
      line,
      ...(body === undefined ? {} : { body }),
    });
  };

  for (const token of tokenize(bytes, path)) {
    const into = open.at(-1)?.directives ?? top;
    switch (token.kind) {
      case 'word':
        if (words.length === 0) start = token.start;
        words.push(token.text);
        break;
      case 'semicolon':
        if (words.length === 0) refuse(token.start, 'a `;` ends no directive');
        add({ words, start }, token.end, undefined, into);
        words = [];
        break;
      case 'open':
        if (words.length === 0) refuse(token.start, 'a `{` follows no directive');
        open.push({ head: { words, start }, bodyStart: token.end, directives: [] });
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
