import { byteOrderMark, lineOf } from './format.ts';

export interface PythonToken {
  readonly kind: 'name' | 'number' | 'string' | 'operator';
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** How many brackets are open around it. */
  readonly depth: number;
}

/** A simple statement of the module itself, outside of functions, classes and conditions. */
export type PythonStatement = readonly PythonToken[];

export type PythonReading =
  | { readonly kind: 'read'; readonly statements: readonly PythonStatement[] }
  | { readonly kind: 'problem'; readonly reason: string };

const blank = /[ \t\f]*(?:#[^\n]*)?\r?(?:\n|$)/y;
const between = /(?:[ \t\f]|\\\r?\n)+/y;
const comment = /#[^\n]*/y;
const lineBreak = /\r?\n/y;
const name = /[A-Za-z_\u0080-\u{10ffff}][A-Za-z0-9_\u0080-\u{10ffff}]*/uy;
const number = /(?:\d|\.\d)[A-Za-z0-9_.]*/y;
const operator = /(?:\*\*|\/\/|>>|<<)=|[-+*/%@&|^=!<>:]=|->|\*\*|\/\/|>>|<<|\.\.\.|[^\s]/uy;
const string =
  /(?:[rbuft]|br|rb|fr|rf|tr|rt)?(?:"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?!"")(?:\\(?:\r\n|[^])|[^"\\\r\n])*"|'(?!'')(?:\\(?:\r\n|[^])|[^'\\\r\n])*')/iy;
const openQuote = /[A-Za-z]{0,2}["']/y;

const blockWords = new Set(
  'if elif else for while with try except finally def class async match case @'.split(' '),
);

/** Cuts Python into the statements of its module level. Strings and comments are never looked into. */
export function readPython(text: string): PythonReading {
  const statements: PythonStatement[] = [];
  let at = text.startsWith(byteOrderMark) ? 1 : 0;
  while (at < text.length) {
    const end = endOf(blank, text, at);
    if (end !== undefined) {
      at = end;
      continue;
    }
    const line = readLine(text, at);
    if (line.kind === 'problem') return line;
    // What is indented belongs to a block.
    if (!/[ \t\f]/.test(text[at] ?? '')) statements.push(...simpleStatements(line.tokens));
    at = line.end;
  }
  return { kind: 'read', statements };
}

type Line =
  | { readonly kind: 'line'; readonly tokens: readonly PythonToken[]; readonly end: number }
  | { readonly kind: 'problem'; readonly reason: string };

/** A logical line: it goes on within brackets and after a backslash. */
function readLine(text: string, from: number): Line {
  const tokens: PythonToken[] = [];
  let at = from;
  let depth = 0;
  const problem = (what: string): Line => ({
    kind: 'problem',
    reason: `cannot be found: line ${lineOf(text, at)} is not Python (${what})`,
  });
  while (at < text.length) {
    const skipped = endOf(between, text, at) ?? endOf(comment, text, at);
    const broken = endOf(lineBreak, text, at);
    if (skipped !== undefined) {
      at = skipped;
    } else if (broken !== undefined) {
      at = broken;
      if (depth === 0) return { kind: 'line', tokens, end: at };
    } else {
      const token = tokenAt(text, at, depth);
      if (token === undefined) return problem('a quote is not closed');
      if (/^[)\]}]$/.test(token.text)) depth -= 1;
      if (depth < 0) return problem('a bracket is closed that is not open');
      tokens.push({ ...token, depth });
      if (/^[([{]$/.test(token.text)) depth += 1;
      at = token.end;
    }
  }
  if (depth > 0) return problem('a bracket is not closed');
  if (/\\\r?\n?$/.test(text)) return problem('it ends with a backslash');
  return { kind: 'line', tokens, end: at };
}

function tokenAt(text: string, start: number, depth: number): PythonToken | undefined {
  const token = (kind: PythonToken['kind'], end: number): PythonToken => ({
    kind,
    start,
    end,
    text: text.slice(start, end),
    depth,
  });
  const quoted = endOf(string, text, start);
  if (quoted !== undefined) return token('string', quoted);
  if (/["']/.test(text[start] ?? '')) return undefined;
  const word = endOf(name, text, start);
  if (word !== undefined) {
    const isOpenString =
      endOf(openQuote, text, start) === word + 1 &&
      /^(?:[rbuft]|br|rb|fr|rf|tr|rt)$/i.test(text.slice(start, word));
    return isOpenString ? undefined : token('name', word);
  }
  const digits = endOf(number, text, start);
  if (digits !== undefined) return token('number', digits);
  return token('operator', endOf(operator, text, start) ?? start + 1);
}

function simpleStatements(tokens: readonly PythonToken[]): readonly PythonStatement[] {
  const [first] = tokens;
  if (first === undefined || blockWords.has(first.text)) return [];
  const statements: PythonToken[][] = [[]];
  for (const token of tokens) {
    if (token.text === ';' && token.depth === 0) statements.push([]);
    else statements.at(-1)?.push(token);
  }
  return statements.filter(({ length }) => length > 0);
}

function endOf(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
