import { fail } from '../../../ports/failure.ts';
import {
  controlsTransaction,
  readsFromClient,
  splitStatements,
  type Statement,
} from '../statements.ts';

/** COPY … TO STDOUT would mix rows of the database into logs and reports. */
function writesToClient({ words }: Statement): boolean {
  const to = words.lastIndexOf('to');
  return words[0] === 'copy' && to !== -1 && words[to + 1] === 'stdout';
}

/**
 * SQL that a person wrote, checked before anything is sent: it holds a statement, and none that our sessions
 * cannot carry out as written.
 * @param where how the reader finds it, for instance `Migration "003_index.sql"`
 * @returns its statements
 * @throws FailureError `database-sql-refused`, `database-sql-unterminated`, with `where` in the message
 */
export function checkUserSql(
  sql: string,
  where: string,
  inTransaction: boolean,
): readonly Statement[] {
  const refuse = (line: number, problem: string): never =>
    fail({
      code: 'database-sql-refused',
      message: `${where}, line ${line}: ${problem}.`,
      state: 'Nothing of this step was sent to the database.',
      next: 'Change the SQL, then run the step again.',
    });
  if (sql.includes('\0')) refuse(1, 'there is a NUL character, which PostgreSQL cannot take');
  const statements = splitStatements(sql);
  const [first] = statements;
  if (first === undefined) return refuse(1, 'there is no SQL statement');
  for (const statement of statements) {
    const { line } = statement;
    if (readsFromClient(statement) || writesToClient(statement)) {
      refuse(
        line,
        'COPY cannot exchange data with the client here; use INSERT, or a file of the server',
      );
    }
    if (inTransaction && controlsTransaction(statement)) {
      const word = (statement.words[0] ?? '').toUpperCase();
      refuse(line, `${word} would break the transaction in which this SQL runs as a whole`);
    }
  }
  return statements;
}

/** A query that a person wrote: one statement, without its semicolon. */
export function checkUserQuery(sql: string, where: string): string {
  const [first, second] = checkUserSql(sql, where, true);
  if (first === undefined || second !== undefined) {
    return fail({
      code: 'database-sql-refused',
      message: `${where} holds more than one statement; accepted is one query.`,
      state: 'Nothing was sent to the database.',
      next: 'Leave one query, for instance a SELECT.',
    });
  }
  return first.text;
}
