import { fail } from '../../../ports/failure.ts';
import { sqlTokens } from '../sql-lexer.ts';

/**
 * An SQL condition that a person wrote, fit to stand in parentheses in a statement of ours: it cannot end them.
 * @param where how the reader finds it, for instance `The condition of the archive`
 * @throws FailureError `database-sql-refused`, `database-sql-unterminated`
 */
export function checkCondition(sql: string, where: string): string {
  const refuse = (problem: string): never =>
    fail({
      code: 'database-sql-refused',
      message: `${where} ${JSON.stringify(sql)} ${problem}.`,
      state: 'Nothing was sent to the database.',
      next: "Give a condition as it would stand after WHERE, for instance placed_at < '2023-01-01'.",
    });
  if (sql.includes('\0')) refuse('has a NUL character in it');
  let depth = 0;
  let first: string | undefined;
  for (const { kind, text } of sqlTokens(sql)) {
    first ??= text;
    if (kind !== 'symbol') continue;
    if (text === ';') refuse('has a semicolon in it');
    if (text === '(') depth += 1;
    if (text === ')') depth -= 1;
    if (depth < 0) refuse('closes a parenthesis that it did not open');
  }
  if (depth > 0) refuse('opens a parenthesis that it does not close');
  if (first === undefined) refuse('is empty');
  if (first === 'where') refuse('begins with the word WHERE');
  return sql;
}
