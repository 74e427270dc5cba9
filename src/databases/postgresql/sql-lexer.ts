import { fail } from '../../ports/failure.ts';

/** A piece of an SQL text that means something; comments and white space are none. */
export interface SqlToken {
  readonly kind: 'word' | 'quoted-name' | 'string' | 'number' | 'symbol';
  /** A word in lower case, a symbol or number as it stands, a string or quoted name with its quotes. */
  readonly text: string;
  /** Position of its first character, and of the one after its last. */
  readonly start: number;
  readonly end: number;
}

/** How plain strings are read; a text may change it on its way (`SET standard_conforming_strings`). */
export interface StringRules {
  /** Off: a backslash escapes in plain strings as well (manual, 4.1.2.2). */
  standardConforming: boolean;
}

// PostgreSQL takes every byte above ASCII for a letter: a no-break space is part of a name, not white space.
const word = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const dollarTag = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const positional = /\$[0-9]+/y;
const number = /[0-9]+/y;
const blank = /[ \t\n\r\f\v]+/y;
const lineEnd = /[\n\r]/g;
/** What may stand between the parts of one string constant: it has a line break in it. */
const continuation = /[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'/y;

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function lineAt(text: string, at: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < at; i = text.indexOf('\n', i + 1)) line += 1;
  return line;
}

function unterminated(what: string, text: string, at: number): never {
  fail({
    code: 'database-sql-unterminated',
    message: `The SQL has ${what} that begins on line ${String(lineAt(text, at))} and does not end.`,
    state: 'Nothing was sent to the database.',
    next: 'Close it in the SQL text.',
  });
}

/** Position after the quoted text that begins at `at`; the quote doubled stands for itself. */
function skipQuoted(text: string, at: number, quote: string, backslashes: boolean): number {
  for (let i = at + 1; i < text.length; i += 1) {
    const c = text[i];
    if (backslashes && c === '\\') i += 1;
    else if (c === quote) {
      if (text[i + 1] === quote) i += 1;
      else return i + 1;
    }
  }
  return unterminated(quote === '"' ? 'a quoted name' : 'a string', text, at);
}

/** A string with all its continuations, which are read by the rules of its first part. */
function skipString(text: string, at: number, backslashes: boolean): number {
  let end = skipQuoted(text, at, "'", backslashes);
  for (;;) {
    const between = matchAt(continuation, text, end);
    if (between === undefined) return end;
    end = skipQuoted(text, end + between.length - 1, "'", backslashes);
  }
}

/** Position after a block comment; PostgreSQL's nest (manual, 4.1.5). */
function skipBlockComment(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length;) {
    if (text.startsWith('/*', i)) {
      depth += 1;
      i += 2;
    } else if (text.startsWith('*/', i)) {
      depth -= 1;
      i += 2;
      if (depth === 0) return i;
    } else i += 1;
  }
  return unterminated('a comment', text, at);
}

function skipLineComment(text: string, at: number): number {
  lineEnd.lastIndex = at;
  const found = lineEnd.exec(text);
  return found === null ? text.length : found.index + 1;
}

/**
 * Reads an SQL text as PostgreSQL's lexer does: quotes, escape strings and their continuations, dollar quotes,
 * nested comments. Every token is where it stands in the text; what is between two of them is blank or a comment.
 * @throws FailureError `database-sql-unterminated`
 */
export function* sqlTokens(
  text: string,
  rules: StringRules = { standardConforming: true },
): Generator<SqlToken, void, undefined> {
  let i = 0;
  const upTo = (end: number, kind: SqlToken['kind'], shown?: string): SqlToken => {
    const token = { kind, text: shown ?? text.slice(i, end), start: i, end };
    i = end;
    return token;
  };
  while (i < text.length) {
    const c = text.charAt(i);
    const space = matchAt(blank, text, i);
    if (space !== undefined) i += space.length;
    else if (text.startsWith('--', i)) i = skipLineComment(text, i);
    else if (text.startsWith('/*', i)) i = skipBlockComment(text, i);
    else if (c === "'") yield upTo(skipString(text, i, !rules.standardConforming), 'string');
    else if (c === '"') yield upTo(skipQuoted(text, i, '"', false), 'quoted-name');
    else if (c === '$') {
      const tag = matchAt(dollarTag, text, i);
      if (tag === undefined) {
        const parameter = matchAt(positional, text, i);
        yield parameter === undefined
          ? upTo(i + 1, 'symbol')
          : upTo(i + parameter.length, 'number');
      } else {
        const end = text.indexOf(tag, i + tag.length);
        if (end === -1) unterminated(`a text in ${tag}`, text, i);
        yield upTo(end + tag.length, 'string');
      }
    } else {
      const name = matchAt(word, text, i);
      const digits = name === undefined ? matchAt(number, text, i) : undefined;
      if (name !== undefined) {
        // E'…' has escapes whatever the setting.
        if (/^e$/i.test(name) && text[i + 1] === "'")
          yield upTo(skipString(text, i + 1, true), 'string');
        else yield upTo(i + name.length, 'word', name.toLowerCase());
      } else if (digits !== undefined) yield upTo(i + digits.length, 'number');
      else yield upTo(i + 1, 'symbol');
    }
  }
}
