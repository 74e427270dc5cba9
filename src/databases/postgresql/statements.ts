import { sqlTokens, type StringRules } from './sql-lexer.ts';

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

/** Whether the words begin a routine definition, the only statement that may hold `BEGIN ATOMIC … END`. */
function definesRoutine(words: readonly string[]): boolean {
  if (words[0] !== 'create') return false;
  const kind = words[1] === 'or' && words[2] === 'replace' ? words[3] : words[1];
  return kind === 'function' || kind === 'procedure';
}

/** What `SET standard_conforming_strings` makes of the setting; `undefined` when the words are no such statement. */
function newStringRule(text: string, words: readonly string[]): boolean | undefined {
  if (words[0] !== 'set' || !words.includes('standard_conforming_strings')) return undefined;
  return !/(?:=|\bto\b)\s*'?(?:off|of|false|fals|fal|fa|f|no|n|0)'?\s*$/i.test(text);
}

/**
 * Splits an SQL text at its semicolons, as PostgreSQL's lexer reads it: quotes, escape strings, dollar quotes,
 * nested comments, parentheses and `BEGIN ATOMIC` bodies are kept whole. Statements without a word are left out.
 * It only cuts; the server alone decides what a statement means.
 * @throws FailureError `database-sql-unterminated`
 */
export function splitStatements(text: string): Statement[] {
  const statements: Statement[] = [];
  const rules: StringRules = { standardConforming: true };
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
      const statement = text.slice(start, end);
      statements.push({ text: statement, line: lineUpTo(firstToken), textLine, words });
      rules.standardConforming = newStringRule(statement, words) ?? rules.standardConforming;
    }
    start = end + 1;
    firstToken = -1;
    words = [];
    parentheses = 0;
    blocks = 0;
  };

  for (const token of sqlTokens(text, rules)) {
    if (token.text === ';' && parentheses === 0 && blocks === 0) {
      finish(token.start);
      continue;
    }
    if (firstToken === -1) firstToken = token.start;
    if (token.kind === 'word') {
      if (parentheses > 0) continue;
      const lower = token.text;
      const previous = words.at(-1);
      words.push(lower);
      if (blocks === 0 && lower === 'atomic' && previous === 'begin' && definesRoutine(words))
        blocks = 1;
      else if (blocks > 0 && lower === 'case') blocks += 1;
      else if (blocks > 0 && lower === 'end') blocks -= 1;
    } else if (token.text === '(') parentheses += 1;
    else if (token.text === ')') parentheses = Math.max(0, parentheses - 1);
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
