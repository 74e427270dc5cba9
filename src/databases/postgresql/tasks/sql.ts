import { z } from 'zod';
import type { Database, StatementLimits, TaskResult } from '../../../ports/database.ts';
import { FailureError } from '../../../ports/failure.ts';
import { StatementError } from '../statement-failure.ts';
import type { Psql } from '../psql.ts';
import { limitSettings } from './limits.ts';
import { withSession, type TaskTools } from './task-session.ts';
import { checkUserQuery, checkUserSql } from './user-sql.ts';

type SqlOptions = Parameters<Database['runSql']>[1];

/** What a query returned: the first column of its first row. */
export type QueryAnswer =
  | { readonly kind: 'no-row' }
  | { readonly kind: 'null' }
  | { readonly kind: 'text'; readonly text: string };

const answer = z.object({ value: z.string().nullable() });

/**
 * Asks a query in a read-only session.
 * @param where how the reader finds the query, for messages
 * @throws FailureError `database-sql-refused`, StatementError
 */
export async function ask(
  psql: Psql,
  sql: string,
  where: string,
  limits: StatementLimits,
): Promise<QueryAnswer> {
  const query = checkUserQuery(sql, where);
  const session = await psql.start({
    settings: { ...limitSettings(limits), default_transaction_read_only: 'on' },
  });
  try {
    // JSON keeps NULL, empty and multi-line texts apart; the line break ends a comment at the query's end.
    const [line] = await session.query(
      `SELECT pg_catalog.json_build_object('value', mw_value::text) FROM (\n${query}\n) AS mw_query(mw_value) LIMIT 1`,
    );
    if (line === undefined) return { kind: 'no-row' };
    const { value } = answer.parse(JSON.parse(line));
    return value === null ? { kind: 'null' } : { kind: 'text', text: value };
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw new StatementError(
      {
        ...error.failure,
        message: `${where} failed: ${error.said ?? error.failure.message}.`,
        state: 'The query only reads; it changed nothing.',
      },
      { sqlState: error.sqlState, line: error.line, said: error.said },
    );
  } finally {
    await session.close();
  }
}

/** {@link Database.queryValue}; NULL is `undefined`, too. */
export async function queryValue(
  psql: Psql,
  sql: string,
  { timeoutSeconds }: { readonly timeoutSeconds: number },
): Promise<string | undefined> {
  const limits = { lockTimeoutSeconds: timeoutSeconds, statementTimeoutSeconds: timeoutSeconds };
  const found = await ask(psql, sql, 'The query', limits);
  return found.kind === 'text' ? found.text : undefined;
}

function describeAnswer(found: QueryAnswer): string {
  switch (found.kind) {
    case 'no-row':
      return 'no row';
    case 'null':
      return 'NULL';
    case 'text':
      return JSON.stringify(found.text.length > 100 ? `${found.text.slice(0, 100)}…` : found.text);
  }
}

/** {@link Database.runSql} */
export async function runSql(
  tools: TaskTools,
  sql: string,
  options: SqlOptions,
): Promise<TaskResult> {
  const { inTransaction, expect } = options;
  const count = checkUserSql(sql, 'The SQL', inTransaction).length;
  if (expect !== undefined) checkUserQuery(expect, 'The expectation');

  const state = inTransaction
    ? 'The transaction was rolled back; nothing was changed.'
    : 'Each statement was its own transaction: those before the failing one are done and stay.';
  await withSession(tools, options, async (session) => {
    if (inTransaction) await session.run('BEGIN', { what: 'BEGIN', state: 'Nothing was changed.' });
    await session.run(sql, {
      what: (line) => (line === undefined ? 'The SQL' : `The SQL, line ${line},`),
      state,
    });
    if (inTransaction) {
      await session.run('COMMIT', {
        what: 'COMMIT of the SQL',
        state:
          'When the server refused the COMMIT, nothing was changed; when the connection was lost, look whether it took effect.',
      });
    }
  });

  const done = `${count} ${count === 1 ? 'statement' : 'statements'} ${inTransaction ? 'committed in one transaction' : 'run'}`;
  const figures = { statements: count };
  if (expect === undefined) {
    return {
      summary: done,
      figures,
      proof: `the server accepted each statement${inTransaction ? ' and the COMMIT' : ''}; no expectation was given`,
    };
  }
  const found = await ask(tools.psql, expect, 'The expectation', options);
  if (found.kind !== 'text' || found.text !== 'true') {
    throw new FailureError({
      code: 'database-expectation-not-met',
      message: `After the SQL, the expectation \`${expect.trim()}\` returned ${describeAnswer(found)} instead of true.`,
      state: 'The SQL has run and its changes stay; it did not have the effect that was expected.',
      next: 'See what the SQL did, then correct it by another run, or roll back to the restore point.',
    });
  }
  return {
    summary: `${done}; the expectation is met`,
    figures,
    proof: `\`${expect.trim()}\` returned true`,
  };
}
