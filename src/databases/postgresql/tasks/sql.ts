import { z } from 'zod';
import type { Database } from '../../../ports/database.ts';
import type { StatementLimits, TaskResult } from '../../../ports/database-tasks.ts';
import { FailureError } from '../../../ports/failure.ts';
import { inTurn } from '../../../ports/in-turn.ts';
import { StatementError } from '../statement-failure.ts';
import type { Psql } from '../psql.ts';
import { counted } from './counted.ts';
import { limitSettings } from './limits.ts';
import { withSession, type TaskSession, type TaskTools } from './task-session.ts';
import { checkUserQuery, checkUserSql } from './user-sql.ts';

type SqlOptions = Parameters<Database['runSql']>[1];

/** What a query returned: the first column of its first row. */
export type QueryAnswer =
  | { readonly kind: 'no-row' }
  | { readonly kind: 'null' }
  | { readonly kind: 'text'; readonly text: string };

/** The search_path that a session of the role begins with; `Psql.rows` has another one. */
const usualSearchPathSql = `SELECT FROM set_config('search_path', (SELECT reset_val FROM pg_settings WHERE name = 'search_path'), false)`;

const answer = z.object({ value: z.string().nullable() });

/**
 * Asks a query in a read-only transaction.
 * @param doing how it is spoken of when it fails
 * @throws FailureError `database-sql-refused`, StatementError
 */
export async function ask(
  psql: Psql,
  sql: string,
  limits: StatementLimits,
  doing: { readonly what: string; readonly state: string },
): Promise<QueryAnswer> {
  const query = checkUserQuery(sql, doing.what);
  const { statementTimeoutSeconds: seconds } = limits;
  // Ends the client too, when the server does not even keep its own time.
  const limit = seconds === 0 ? {} : { timeoutSeconds: seconds };
  const settings = limitSettings(limits);
  try {
    const [row] = await psql.rows(
      // The line break ends a comment at the query's end.
      `SELECT mw_value::text AS value FROM (\n${query}\n) AS mw_query(mw_value) LIMIT 1`,
      answer,
      {
        ...limit,
        settings: { ...settings, default_transaction_read_only: 'on' },
        first: [usualSearchPathSql],
      },
    );
    if (row === undefined) return { kind: 'no-row' };
    return row.value === null ? { kind: 'null' } : { kind: 'text', text: row.value };
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    const { failure, sqlState } = error;
    // Its line counts ours around the query.
    const said = error.said?.replace(/, line \d+/, '');
    throw new StatementError(
      {
        ...failure,
        message: `${doing.what} failed: ${said ?? failure.message}.`,
        state: doing.state,
      },
      { sqlState, said },
    );
  }
}

/** {@link Database.queryValue}; NULL is `undefined`, too. */
export async function queryValue(
  psql: Psql,
  sql: string,
  { timeoutSeconds }: { readonly timeoutSeconds: number },
): Promise<string | undefined> {
  const limits = { lockTimeoutSeconds: timeoutSeconds, statementTimeoutSeconds: timeoutSeconds };
  const found = await ask(psql, sql, limits, {
    what: 'The query',
    state: 'The query only reads; it changed nothing.',
  });
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

async function runStatements(
  session: TaskSession,
  sql: string,
  state: string,
  inTransaction: boolean,
): Promise<void> {
  const stopsOthers = inTransaction;
  if (inTransaction) {
    await session.run('BEGIN', { what: 'BEGIN', state: 'Nothing was changed.', stopsOthers });
  }
  await session.run(sql, {
    what: (line) => (line === undefined ? 'The SQL' : `The SQL, line ${line},`),
    state,
    stopsOthers,
  });
  if (!inTransaction) return;
  await session.run('COMMIT', {
    what: 'COMMIT of the SQL',
    state:
      'When the server refused the COMMIT, nothing was changed; when the connection was lost, look whether it took effect.',
    stopsOthers,
    isCommit: true,
  });
}

/** {@link DatabaseTasks.runSql} */
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
  await withSession(tools, options, (session) =>
    // What is not in one transaction may be done in part, and is not begun a second time.
    inTransaction
      ? inTurn(tools, 'The SQL', () => runStatements(session, sql, state, true))
      : runStatements(session, sql, state, false),
  );

  const done = `${counted(count, 'statement')} ${inTransaction ? 'committed in one transaction' : 'run'}`;
  const figures = { statements: count };
  if (expect === undefined) {
    return {
      summary: done,
      figures,
      proof: `the server accepted each statement${inTransaction ? ' and the COMMIT' : ''}; no expectation was given`,
    };
  }
  const found = await ask(tools.psql, expect, options, {
    what: 'The expectation',
    state: 'The SQL has run and its changes stay; whether they are as expected is not known.',
  });
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
