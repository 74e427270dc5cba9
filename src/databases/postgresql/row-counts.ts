import { z } from 'zod';
import type { RowCounts } from '../../ports/dump-manifest.ts';
import { fail } from '../../ports/failure.ts';
import { steadyWriting } from './beside-the-public.ts';
import type { Psql, PsqlSession } from './psql.ts';

/** Run-time parameters of a session that reads all tables. */
export const readerSettings = {
  // Without this a role under row-level security would count, and so vouch for, only what it sees.
  row_security: 'off',
  search_path: 'pg_catalog',
  // A count that waits would queue the application's own statements behind it.
  lock_timeout: '60s',
  // Whoever reads a row first notes in its page that it is committed, and so writes it again.
  ...steadyWriting,
} as const;

export const beginSnapshot = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/** A table whose rows are counted. */
export interface CountedTable {
  /** `schema.table`, quoted as SQL identifiers where needed. */
  readonly name: string;
}

const tableList = z.array(z.object({ name: z.string() }));

/**
 * Ordinary tables, with partitions, which hold the rows of partitioned ones. Left out: materialized views, which a
 * restore refreshes, so that a stale one comes back with other rows; temporary and foreign tables, and tables of extensions whose rows CREATE EXTENSION makes, because a dump
 * does not hold these (`pg_extension_config_dump` in the manual, 38.17.3).
 */
const tablesQuery = `SELECT coalesce(json_agg(json_build_object('name', format('%I.%I', n.nspname, c.relname))
    ORDER BY n.nspname, c.relname), '[]')
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (
      SELECT FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        AND coalesce((e.extcondition)[array_position(e.extconfig, c.oid)], 'not dumped') <> '')`;

/** Tables per query, so that no single one grows without bounds. */
const chunkSize = 200;

function unreadable(lines: readonly string[]): never {
  fail({
    code: 'database-answer-unexpected',
    message: `The server answered a row count with something unexpected: ${JSON.stringify(lines.slice(0, 3))}.`,
    state: 'The tables were only read; nothing was changed.',
    next: 'Report this with the server’s version; it may be a version that is not supported yet.',
  });
}

/** The tables of a session's database, by its snapshot. */
export async function listTables(session: PsqlSession): Promise<readonly CountedTable[]> {
  const lines = await session.query(tablesQuery);
  try {
    return tableList.parse(JSON.parse(lines.join('\n')));
  } catch {
    return unreadable(lines);
  }
}

/** Exact counts in the session's snapshot. */
export async function countTables(
  session: PsqlSession,
  tables: readonly CountedTable[],
): Promise<RowCounts> {
  const counts: [string, number][] = [];
  for (let start = 0; start < tables.length; start += chunkSize) {
    const chunk = tables.slice(start, start + chunkSize);
    // ONLY: an inheritance child is a table of its own and is counted there. Names come quoted from format('%I').
    const query = chunk
      .map(({ name }, i) => `SELECT ${String(i)} AS i, count(*) AS n FROM ONLY ${name}`)
      .join('\nUNION ALL ');
    const lines = await session.query(`${query}\nORDER BY i`);
    if (lines.length !== chunk.length) unreadable(lines);
    for (const [i, { name }] of chunk.entries()) {
      const match = /^(\d+)\|(\d+)$/.exec(lines[i] ?? '');
      if (match === null || Number(match[1]) !== i) unreadable(lines);
      counts.push([name, Number(match[2])]);
    }
  }
  return Object.fromEntries(counts);
}

/** Exact counts of all tables of a database in one snapshot. */
export async function countRows(psql: Psql, database: string): Promise<RowCounts> {
  const session = await psql.start({ database, settings: readerSettings });
  try {
    await session.query(beginSnapshot);
    return await countTables(session, await listTables(session));
  } finally {
    await session.close();
  }
}
