import type { Psql, PsqlSession } from '../psql.ts';
import { quoteLiteral } from '../quoting.ts';
import { beginSnapshot, readerSettings } from '../row-counts.ts';

/** So that a value is written the same way whatever a role or a database has set. */
const writtenAlike = {
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmlbinary: 'base64',
  // The public is served meanwhile: as many processes as there are sessions, and no more.
  max_parallel_workers_per_gather: '0',
} as const;

export interface ReaderOptions {
  readonly database: string;
  /** Told to the server, so that whoever watches knows the sessions. */
  readonly application?: string | undefined;
}

/**
 * Opens a session that reads everything in one snapshot: its own, or one that another session has exported and keeps.
 */
export async function startReader(
  psql: Psql,
  options: ReaderOptions,
  snapshot?: string,
): Promise<PsqlSession> {
  const { database, application } = options;
  const session = await psql.start({
    database,
    settings: {
      ...readerSettings,
      ...writtenAlike,
      ...(application === undefined ? {} : { application_name: application }),
    },
  });
  // A snapshot can only be taken over before the first query, and psql's own `SELECT … \\gexec` is one.
  const takeOver =
    snapshot === undefined ? '' : `; SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`;
  await session.query(`${beginSnapshot}${takeOver}`, { inOneMessage: true });
  return session;
}
