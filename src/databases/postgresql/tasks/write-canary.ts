import { z } from 'zod';
import type { Database, WriteCanary } from '../../../ports/database.ts';
import { fail, FailureError } from '../../../ports/failure.ts';
import type { Psql, PsqlSession } from '../psql.ts';
import { quoteIdentifier, quoteLiteral } from '../quoting.ts';
import { StatementError } from '../statement-failure.ts';
import type { Statement } from '../statements.ts';
import { checkUserQuery, checkUserSql } from './user-sql.ts';

type CanaryOptions = Parameters<Database['writeCanary']>[0];

/** Statements that a transaction takes back as a whole; anything else could reach beyond it. */
const writing = new Set(['insert', 'update', 'delete', 'merge', 'with', 'select', 'values']);

const sequenceRows = z.array(z.object({ name: z.string(), value: z.string().nullable() }));
const status = z.object({ status: z.string().nullable() });

/** {@link Database.writeCanary} */
export async function writeCanary(psql: Psql, options: CanaryOptions): Promise<WriteCanary> {
  const { insert, read, role, timeoutSeconds } = options;
  checkUserSql(insert, 'The canary’s SQL', true).forEach(refuseOthers);
  const query = read === undefined ? undefined : checkUserQuery(read, 'The canary’s query');
  const found = await inTransaction(psql, timeoutSeconds, async (session) => {
    const before = await sequences(session);
    if (role !== undefined) await session.query(`SET LOCAL ROLE ${quoteIdentifier(role)}`);
    await session.query(insert);
    // What is checked at COMMIT is checked now; there will be none.
    await session.query('SET CONSTRAINTS ALL IMMEDIATE');
    const value = query === undefined ? undefined : await firstValue(session, query);
    const [transaction = ''] = await session.query(
      "SELECT coalesce(pg_catalog.pg_current_xact_id_if_assigned()::text, '')",
    );
    // As at the first look: another role may not see them all.
    if (role !== undefined) await session.query('RESET ROLE');
    const after = await sequences(session);
    return { before, after, transaction, read: query === undefined ? undefined : { value } };
  });
  const { before, after, transaction } = found;
  return {
    wrote: transaction !== '',
    transaction,
    rolledBack: transaction === '' || (await isAborted(psql, transaction, timeoutSeconds)),
    read: found.read,
    sequences: [...after]
      .filter(([name, value]) => before.get(name) !== value)
      .map(([name, value]) => ({ name, before: before.get(name) ?? null, after: value })),
    role,
  };
}

function refuseOthers({ words, line }: Statement): void {
  const [word = ''] = words;
  if (writing.has(word)) return;
  fail({
    code: 'database-sql-refused',
    message: `The canary’s SQL, line ${line}: ${word.toUpperCase()} is no statement that writes rows; accepted are INSERT, UPDATE, DELETE, MERGE, and SELECT.`,
    state: 'Nothing was sent to the database.',
    next: 'Correct `insert` of the check.',
  });
}

/** Runs work in a transaction that is never committed. */
async function inTransaction<T>(
  psql: Psql,
  timeoutSeconds: number,
  work: (session: PsqlSession) => Promise<T>,
): Promise<T> {
  const lock = `${String(Math.ceil(timeoutSeconds * 1000))}ms`;
  const session = await psql.start({ timeoutSeconds, settings: { lock_timeout: lock } });
  try {
    await session.query('BEGIN');
    const result = await work(session);
    await session.query('ROLLBACK');
    return result;
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    const { failure, said } = error;
    throw new FailureError({
      ...failure,
      message: `The write was refused: ${said ?? failure.message}.`,
      state: 'The transaction was rolled back; no row was left.',
    });
  } finally {
    // Without a COMMIT the server takes back what is open.
    await session.close();
  }
}

async function sequences(session: PsqlSession): Promise<ReadonlyMap<string, string | null>> {
  // Those of other sessions’ temporary tables are none of the application's.
  const [line = '[]'] = await session.query(
    `SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
       'name', pg_catalog.format('%I.%I', schemaname, sequencename), 'value', last_value::text)), '[]')
     FROM pg_catalog.pg_sequences WHERE schemaname !~ '^pg_(toast_)?temp_'`,
  );
  const rows = sequenceRows.parse(JSON.parse(line));
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/** First column of the first row as text; `undefined` for no row and for NULL. */
async function firstValue(session: PsqlSession, query: string): Promise<string | undefined> {
  const [line = '[]'] = await session.query(
    `SELECT coalesce(pg_catalog.jsonb_agg(mw_value::text), '[]')
     FROM (SELECT * FROM (\n${query}\n) AS mw_query(mw_value) LIMIT 1) AS mw_first`,
  );
  const [value] = z.array(z.string().nullable()).parse(JSON.parse(line));
  return value ?? undefined;
}

/** What the server says of a transaction that is over, asked by another session. */
async function isAborted(
  psql: Psql,
  transaction: string,
  timeoutSeconds: number,
): Promise<boolean> {
  const [row] = await psql.rows(
    `SELECT pg_catalog.pg_xact_status(${quoteLiteral(transaction)}::pg_catalog.xid8) AS status`,
    status,
    { timeoutSeconds },
  );
  return row?.status === 'aborted';
}
