import { fail } from '../../ports/failure.ts';
import { endOfLuaBlock } from './lua-block.ts';

/** A piece of an nginx configuration file; `start` and `end` are byte offsets, `end` exclusive. */
export type Token =
  | {
      readonly kind: 'space' | 'comment' | 'semicolon' | 'open' | 'close' | 'lua';
      readonly start: number;
      readonly end: number;
    }
  | {
      readonly kind: 'word';
      readonly start: number;
      readonly end: number;
      /** What nginx makes of it: quotes taken off, escapes resolved. */
      readonly text: string;
    };

const spaces = ' \t\r\n';
const byteOrderMark = '\u00ef\u00bb\u00bf';

/**
 * Splits an nginx configuration file into tokens by the rules of nginx's own reader: a quote counts only
 * at the beginning of a word, `}` and `#` only where a word could begin, `{` ends a word unless it follows
 * `$`, and a backslash keeps the next character from meaning anything. The tokens cover every byte.
 * @param bytes the file
 * @param path the file's name, for the failure
 * @throws FailureError `nginx-unreadable` where nginx would refuse the file as well
 */
export function tokenize(bytes: Uint8Array, path: string): readonly Token[] {
  // One character a byte, so that an index is a byte offset, whatever the file's encoding.
  const text = Buffer.from(bytes).toString('latin1');
  const tokens: Token[] = [];
  let at = text.startsWith(byteOrderMark) ? byteOrderMark.length : 0;
  if (at > 0) tokens.push({ kind: 'space', start: 0, end: at });
  let directive: string | undefined;

  while (at < text.length) {
    const start = at;
    const char = text.charAt(at);
    if (spaces.includes(char)) {
      while (at < text.length && spaces.includes(text.charAt(at))) at += 1;
      tokens.push({ kind: 'space', start, end: at });
    } else if (char === '#') {
      const lineFeed = text.indexOf('\n', at);
      at = lineFeed === -1 ? text.length : lineFeed;
      tokens.push({ kind: 'comment', start, end: at });
    } else if (char === ';' || char === '}') {
      at += 1;
      tokens.push({ kind: char === ';' ? 'semicolon' : 'close', start, end: at });
      directive = undefined;
    } else if (char === '{') {
      at += 1;
      tokens.push({ kind: 'open', start, end: at });
      if (directive?.endsWith('_by_lua_block') === true) {
        const end = endOfLuaBlock(text, at);
        if (end === undefined) return unreadable(text, path, start, 'this Lua block has no end');
        if (end > at) tokens.push({ kind: 'lua', start: at, end });
        at = end;
      }
      directive = undefined;
    } else {
      const end = char === '"' || char === "'" ? endOfQuoted(text, at, char) : endOfPlain(text, at);
      if (end === undefined) return unreadable(text, path, start, 'this quote has no end');
      at = end;
      const quoted = char === '"' || char === "'" ? 1 : 0;
      const word = meaning(text.slice(start + quoted, end - quoted));
      tokens.push({ kind: 'word', start, end, text: word });
      directive ??= word;
      if (quoted === 1 && !` \t\r\n;{)`.includes(text.charAt(at))) {
        return unreadable(text, path, at, 'nothing may follow a closing quote directly');
      }
    }
  }
  return tokens;
}

function endOfQuoted(text: string, from: number, quote: string): number | undefined {
  let at = from + 1;
  while (at < text.length) {
    const char = text[at];
    if (char === quote) return at + 1;
    at += char === '\\' ? 2 : 1;
  }
  return undefined;
}

function endOfPlain(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === '\\') {
      at += 2;
    } else if (char === '$' && text[at + 1] === '{') {
      // nginx takes as many braces as follow.
      at += 1;
      while (text[at] === '{') at += 1;
    } else if (spaces.includes(char) || char === ';' || char === '{') {
      return at;
    } else {
      at += 1;
    }
  }
  return Math.min(at, text.length);
}

const controls: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' };

function meaning(raw: string): string {
  const resolved = raw.replaceAll(
    /\\(["'\\trn])/g,
    (_, escaped: string) => controls[escaped] ?? escaped,
  );
  return Buffer.from(resolved, 'latin1').toString('utf8');
}

/** Line of a byte offset, counted from 1. */
export function lineOf(bytes: Uint8Array | string, offset: number): number {
  const text = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1');
  return text.slice(0, offset).split('\n').length;
}

function unreadable(text: string, path: string, offset: number, problem: string): never {
  return fail({
    code: 'nginx-unreadable',
    message: `${path} cannot be read as an nginx configuration: line ${lineOf(text, offset)}: ${problem}.`,
    state: 'The file was not touched.',
    next: 'Run `nginx -t`, repair what it names, then run the step again.',
  });
}
