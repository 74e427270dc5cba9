import { fail } from '../../ports/failure.ts';

/** One statement of an SQL text, without its semicolon. */
export interface Statement {
  readonly text: string;
  /** Line of its first word in the whole text, from 1. */
  readonly line: number;
  /** Line on which `text` begins, from 1 (comments before the first word belong to it). */
  readonly textLine: number;
  /** Its words outside quotes, comments and parentheses, in lower case. */
  readonly words: readonly string[];
}

const word = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const dollarTag = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const positional = /\$[0-9]+/y;

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

/** Whether the words begin a routine definition, the only statement that may hold `BEGIN ATOMIC … END`. */
function definesRoutine(words: readonly string[]): boolean {
  if (words[0] !== 'create') return false;
  const kind = words[1] === 'or' && words[2] === 'replace' ? words[3] : words[1];
  return kind === 'function' || kind === 'procedure';
}

/**
 * Splits an SQL text at its semicolons, as PostgreSQL's lexer reads it: quotes, escape strings, dollar quotes,
 * nested comments, parentheses and `BEGIN ATOMIC` bodies are kept whole. Statements without a word are left out.
 * It only cuts; the server alone decides what a statement means.
 * @throws FailureError `database-sql-unterminated`
 */
export function splitStatements(text: string): Statement[] {
  const statements: Statement[] = [];
  let start = 0;
  let firstToken = -1;
  let words: string[] = [];
  let parentheses = 0;
  let blocks = 0;

  // Counts on from the last position asked for, so that a long file is read once.
  let counted = 0;
  let line = 1;
  const lineUpTo = (at: number): number => {
    for (; counted < at; counted += 1) if (text[counted] === '\n') line += 1;
    return line;
  };

  const finish = (end: number): void => {
    if (firstToken !== -1) {
      const textLine = lineUpTo(start);
      statements.push({
        text: text.slice(start, end),
        line: lineUpTo(firstToken),
        textLine,
        words,
      });
    }
    start = end + 1;
    firstToken = -1;
    words = [];
    parentheses = 0;
    blocks = 0;
  };

  let i = 0;
  while (i < text.length) {
    const c = text.charAt(i);
    if (/\s/.test(c)) {
      i += 1;
      continue;
    }
    if (text.startsWith('--', i)) {
      const end = text.indexOf('\n', i);
      i = end === -1 ? text.length : end + 1;
      continue;
    }
    if (text.startsWith('/*', i)) {
      i = skipBlockComment(text, i);
      continue;
    }
    if (c === ';' && parentheses === 0 && blocks === 0) {
      finish(i);
      i += 1;
      continue;
    }
    if (firstToken === -1) firstToken = i;
    const name = matchAt(word, text, i);
    if (name !== undefined) {
      const lower = name.toLowerCase();
      if (lower === 'e' && text[i + 1] === "'") {
        i = skipQuoted(text, i + 1, "'", true);
        continue;
      }
      if (parentheses === 0) {
        const previous = words.at(-1);
        words.push(lower);
        if (blocks === 0 && lower === 'atomic' && previous === 'begin' && definesRoutine(words))
          blocks = 1;
        else if (blocks > 0 && lower === 'case') blocks += 1;
        else if (blocks > 0 && lower === 'end') blocks -= 1;
      }
      i += name.length;
    } else if (c === "'" || c === '"') {
      i = skipQuoted(text, i, c, false);
    } else if (c === '$') {
      const tag = matchAt(dollarTag, text, i);
      if (tag === undefined) i += matchAt(positional, text, i)?.length ?? 1;
      else {
        const end = text.indexOf(tag, i + tag.length);
        if (end === -1) unterminated(`a text in ${tag}`, text, i);
        i = end + tag.length;
      }
    } else {
      if (c === '(') parentheses += 1;
      else if (c === ')') parentheses = Math.max(0, parentheses - 1);
      i += 1;
    }
  }
  finish(text.length);
  return statements;
}

/** Whether a statement begins, ends or abandons a transaction (savepoints do not). */
export function controlsTransaction({ words }: Statement): boolean {
  switch (words[0]) {
    case 'begin':
    case 'commit':
    case 'end':
    case 'abort':
      return true;
    case 'start':
      return words[1] === 'transaction';
    case 'prepare':
      return words[1] === 'transaction';
    case 'rollback':
      return !words.includes('to');
    default:
      return false;
  }
}

/** Whether a statement would read its data from the client, of which we send none. */
export function readsFromClient({ words }: Statement): boolean {
  if (words[0] !== 'copy') return false;
  const from = words.indexOf('from');
  return from !== -1 && words[from + 1] === 'stdin';
}
