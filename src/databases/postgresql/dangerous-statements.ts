import type { Danger, DangerousStatement } from '../../ports/dangerous-sql.ts';
import { sqlTokens, type SqlToken } from './sql-lexer.ts';

/** Words that make a text dangerous that we cannot read as SQL: the body of a DO block, a function, a procedure. */
const opaqueWords: readonly (readonly [word: RegExp, danger: Danger])[] = [
  [/\bdrop\b/i, 'drop'],
  [/\btruncate\b/i, 'truncate'],
  [/\bdelete\b/i, 'delete-all'],
  [/\bupdate\b/i, 'update-all'],
  [/\bvacuum\b/i, 'vacuum-full'],
  [/\bcluster\b/i, 'cluster'],
  [/\breindex\b/i, 'reindex'],
];

/** What `DROP` in an ALTER takes away without taking data: rules about a column, not the column. */
const harmlessDrops = ['constraint', 'default', 'not', 'identity', 'expression'];

/**
 * The statements of an SQL text that run only with consent. It decides on the words alone and asks rather too often:
 * what a function does that a SELECT calls is not in the text, and so not seen.
 * @throws FailureError `database-sql-unterminated`
 */
export function dangerousStatements(text: string): readonly DangerousStatement[] {
  // A byte order mark is no SQL, and is taken off before the text runs.
  const sql = text.replace(/^\uFEFF/, '');
  const found = classify(sql, true);
  // The server's lexer goes by this setting, and a text has many ways to change it: either reading may be the right one.
  if (!/standard_conforming_strings/i.test(sql)) return found;
  try {
    return distinct([...found, ...classify(sql, false)]);
  } catch {
    return found;
  }
}

function distinct(found: readonly DangerousStatement[]): readonly DangerousStatement[] {
  const key = ({ danger, line }: DangerousStatement): string => `${String(line)} ${danger}`;
  return [...new Map(found.map((entry) => [key(entry), entry])).values()];
}

function classify(sql: string, standardConforming: boolean): readonly DangerousStatement[] {
  // Counts on, so that a long file is read once.
  let counted = 0;
  let line = 1;
  const lineOf = (token: SqlToken): number => {
    for (; counted < token.start; counted += 1) if (sql[counted] === '\n') line += 1;
    return line;
  };
  const found: DangerousStatement[] = [];
  let part: SqlToken[] = [];
  const finish = (): void => {
    const [first] = part;
    if (first !== undefined) {
      const at = lineOf(first);
      found.push(...ofStatement(part).map((entry) => ({ ...entry, line: at })));
    }
    part = [];
  };
  for (const token of sqlTokens(sql, { standardConforming })) {
    // Within parentheses too: there it is an error or a rule, whose statements count like others.
    if (token.text === ';') finish();
    else part.push(token);
  }
  finish();
  return found;
}

type Finding = Omit<DangerousStatement, 'line'>;

function ofStatement(tokens: readonly SqlToken[]): readonly Finding[] {
  const found = [...ofHead(tokens), ...ofOpaqueTexts(tokens), ...ofRows(tokens)];
  return [...new Map(found.map((entry) => [entry.danger, entry])).values()];
}

function wordAt(tokens: readonly SqlToken[], at: number): string {
  const token = tokens[at];
  return token?.kind === 'word' ? token.text : '';
}

/** What the statement's own first words say. */
function ofHead(tokens: readonly SqlToken[]): readonly Finding[] {
  const words = tokens.filter(({ kind }) => kind === 'word').map(({ text }) => text);
  const first = wordAt(tokens, 0);
  switch (first) {
    case 'drop':
      return [{ danger: 'drop', what: `DROP ${(words[1] ?? '').toUpperCase()}`.trim() }];
    case 'truncate':
      return [{ danger: 'truncate', what: 'TRUNCATE' }];
    case 'cluster':
      return [{ danger: 'cluster', what: 'CLUSTER' }];
    case 'vacuum':
      return isOn(tokens, 'full') ? [{ danger: 'vacuum-full', what: 'VACUUM FULL' }] : [];
    case 'reindex':
      return isOn(tokens, 'concurrently')
        ? []
        : [{ danger: 'reindex', what: 'REINDEX without CONCURRENTLY' }];
    case 'alter':
      return dropsColumn(tokens) ? [{ danger: 'drop-column', what: 'ALTER … DROP COLUMN' }] : [];
    default:
      return [];
  }
}

/** Whether an option is given and not switched off, which it can be only in a list in parentheses. */
function isOn(tokens: readonly SqlToken[], option: string): boolean {
  let depth = 0;
  return tokens.some((token, at) => {
    if (token.text === '(') depth += 1;
    if (token.text === ')') depth -= 1;
    if (token.kind !== 'word' || token.text !== option) return false;
    if (depth === 0) return true;
    const value = tokens[at + 1]?.text.replace(/^e?'|'$/gi, '').toLowerCase() ?? '';
    return !/^(?:f|fa|fal|fals|false|of|off|n|no|0)$/.test(value);
  });
}

function dropsColumn(tokens: readonly SqlToken[]): boolean {
  const kind = wordAt(tokens, 1) === 'foreign' ? wordAt(tokens, 2) : wordAt(tokens, 1);
  if (kind !== 'table' && kind !== 'type') return false;
  return tokens.some(
    (token, at) =>
      at > 1 &&
      token.kind === 'word' &&
      token.text === 'drop' &&
      !harmlessDrops.includes(wordAt(tokens, at + 1)),
  );
}

/** Code in strings that the statement runs, or that whoever calls it runs. */
function ofOpaqueTexts(tokens: readonly SqlToken[]): readonly Finding[] {
  const first = wordAt(tokens, 0);
  const head = [1, 2, 3].map((at) => wordAt(tokens, at));
  const kind =
    first === 'do'
      ? 'a DO block'
      : first === 'create' && head.includes('function')
        ? 'a function'
        : first === 'create' && head.includes('procedure')
          ? 'a procedure'
          : undefined;
  if (kind === undefined) return [];
  const strings = tokens.filter((token) => token.kind === 'string').map((token) => token.text);
  if (strings.some((text) => /^e'/i.test(text) && text.includes('\\'))) {
    return [{ danger: 'drop', what: `${kind} whose text is written with escapes` }];
  }
  // A string may go on on the next line (manual, 4.1.2.1), in the middle of a word too.
  const text = strings.join('\n').replaceAll(/'[ \t\f\v]*[\n\r]\s*'/g, '');
  return opaqueWords
    .filter(([word]) => word.test(text))
    .map(([word, danger]) => ({
      danger,
      what: `${kind} whose text holds the word ${word.source.replaceAll('\\b', '').toUpperCase()}`,
    }));
}

/** DELETE and UPDATE of all rows, wherever in the statement: after WITH, EXPLAIN, PREPARE, in a rule, in a body. */
function ofRows(tokens: readonly SqlToken[]): readonly Finding[] {
  return tokens.flatMap((token, at): Finding[] => {
    if (token.kind !== 'word') return [];
    if (token.text === 'delete' && wordAt(tokens, at + 1) === 'from') {
      return choosesRows(level(tokens, at))
        ? []
        : [{ danger: 'delete-all', what: 'DELETE without WHERE' }];
    }
    if (token.text === 'update' && isUpdate(tokens, at)) {
      return choosesRows(level(tokens, at))
        ? []
        : [{ danger: 'update-all', what: 'UPDATE without WHERE' }];
    }
    return [];
  });
}

/** Not the privilege, the lock, the event or the action of that name: a table follows, then SET. */
function isUpdate(tokens: readonly SqlToken[], at: number): boolean {
  if (['for', 'key', 'on'].includes(wordAt(tokens, at - 1))) return false;
  const rest = level(tokens, at);
  const set = rest.findIndex((token) => token.kind === 'word' && token.text === 'set');
  return set > 1;
}

/** The tokens from `at` to the end of its query, without those in parentheses within it. */
function level(tokens: readonly SqlToken[], at: number): readonly SqlToken[] {
  const found: SqlToken[] = [];
  let depth = 0;
  for (const token of tokens.slice(at)) {
    if (token.text === ')') depth -= 1;
    if (depth < 0) break;
    if (depth === 0) found.push(token);
    if (token.text === '(') depth += 1;
  }
  return found;
}

/** Whether there is a WHERE that can be false; what is in parentheses is believed. */
function choosesRows(tokens: readonly SqlToken[]): boolean {
  const where = tokens.findIndex((token) => token.kind === 'word' && token.text === 'where');
  if (where === -1) return false;
  const returning = tokens.findIndex(
    (token, at) => at > where && token.kind === 'word' && token.text === 'returning',
  );
  const condition = tokens
    .slice(where + 1, returning === -1 ? undefined : returning)
    .map(({ text }) => text);
  if (condition.length === 0 || (condition.length === 1 && condition[0] === 'true')) return false;
  return !(condition.length === 3 && condition[1] === '=' && condition[0] === condition[2]);
}
