import { z } from 'zod';
import type { Database } from '../../../ports/database.ts';
import type { TaskResult } from '../../../ports/database-tasks.ts';
import { fail } from '../../../ports/failure.ts';
import { chooseTables } from './chosen-tables.ts';
import { counted } from './counted.ts';
import { withObserver, withSession, type TaskSession, type TaskTools } from './task-session.ts';

type VacuumOptions = Parameters<Database['vacuum']>[1];

/** The file that holds a table: whoever writes it anew gives it another one. */
export const tableFile = z.object({
  oid: z.string(),
  name: z.string(),
  fileNode: z.string().nullable(),
  /** With indexes and TOAST table. */
  bytes: z.number(),
});
export type TableFile = z.infer<typeof tableFile>;

/** Files and sizes of relations, by oid. */
export async function readFiles(
  session: TaskSession,
  oids: readonly string[],
  state: string,
): Promise<TableFile[]> {
  if (oids.length === 0) return [];
  return session.rows(
    `SELECT c.oid::text AS oid, format('%I.%I', n.nspname, c.relname) AS name,
       pg_relation_filenode(c.oid)::text AS "fileNode", pg_total_relation_size(c.oid) AS bytes
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid IN (${oids.join(', ')}) ORDER BY 2`,
    tableFile,
    { what: 'Reading the files of the tables', state },
  );
}

/** Names of those that are still in their old file. */
export function inOldFile(
  before: readonly TableFile[],
  after: readonly TableFile[],
): readonly string[] {
  return before
    .filter(({ oid, fileNode }) => after.find((now) => now.oid === oid)?.fileNode === fileNode)
    .map(({ name }) => name);
}

export function bytesOf(files: readonly TableFile[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}

/** For instance `12.0 MB smaller`. */
export function sizeChange(before: number, after: number): string {
  const saved = before - after;
  return `${(Math.abs(saved) / 1e6).toFixed(1)} MB ${saved >= 0 ? 'smaller' : 'larger'}`;
}

/** Writes tables anew; one after the other, because each needs room for its second copy. */
export async function vacuumFull(
  tools: TaskTools,
  tables: readonly string[] | 'all',
  options: VacuumOptions,
): Promise<TaskResult> {
  const choice = await chooseTables(tools.psql, tables, 'vacuum');
  // The catalogues are not what `all` is meant for: while one of them is locked, nobody can do anything.
  const chosen =
    tables === 'all' ? choice.tables.filter(({ isForeign }) => !isForeign) : choice.tables;
  const leaves = chosen.flatMap((table) => table.leaves);
  return withObserver(tools, options, async (observer) => {
    const oids = leaves.map(({ oid }) => oid);
    const before = await readFiles(observer, oids, 'Nothing was changed.');
    await withSession(tools, options, async (session) => {
      for (const [at, leaf] of leaves.entries()) {
        options.onProgress?.(`vacuum full ${leaf.name} (${at + 1} of ${leaves.length})`);
        await session.run(
          `VACUUM (FULL true, ANALYZE ${options.analyze ? 'true' : 'false'}) ${leaf.name}`,
          {
            what: `VACUUM FULL of ${leaf.name}`,
            state: `${at} of ${leaves.length} tables are written anew; ${leaf.name} is as it was. No row was changed.`,
          },
        );
      }
    });
    const after = await readFiles(
      observer,
      oids,
      'The tables were written anew; what came of it was not observed.',
    );
    const old = inOldFile(before, after);
    if (old.length > 0 || after.length < before.length) {
      fail({
        code: 'database-vacuum-unproved',
        message: `The statements succeeded, but not all tables were written anew: ${old.length > 0 ? `${old.join(', ')} in the old file` : 'some were dropped meanwhile'}.`,
        state: 'The other tables are done; no row was changed.',
        next: 'Check the role’s rights, and who drops tables; then run the step again.',
      });
    }
    return {
      summary: `${counted(before.length, 'table')} written anew by VACUUM FULL, ${sizeChange(bytesOf(before), bytesOf(after))}`,
      figures: {
        tables: before.length,
        'bytes-before': bytesOf(before),
        'bytes-after': bytesOf(after),
      },
      proof: `${counted(before.length, 'table')} in a new file (another relfilenode than before), which is all of them`,
    };
  });
}
