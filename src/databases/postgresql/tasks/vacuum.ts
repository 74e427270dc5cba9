import type { Database } from '../../../ports/database.ts';
import type { TaskResult } from '../../../ports/database-tasks.ts';
import { chooseTables, type ChosenTable } from './chosen-tables.ts';
import { counted } from './counted.ts';
import {
  proveActivity,
  serverTime,
  sum,
  tableActivity,
  type TableActivity,
} from './statistics-proof.ts';
import { checkJobs, onSessions, withObserver, type TaskTools } from './task-session.ts';
import { vacuumFull } from './vacuum-full.ts';

type VacuumOptions = Parameters<Database['vacuum']>[1];

/** Oids of a table, its partitions and what lies between. */
export function oidsOf(tables: readonly ChosenTable[], withRoots: boolean): string[] {
  return [
    ...new Set(
      tables.flatMap(({ oid, leaves }) => [
        ...(withRoots ? [oid] : []),
        ...leaves.map((leaf) => leaf.oid),
      ]),
    ),
  ];
}

/** What a task for all tables did not touch, for instance `; left out: 11 system tables, public.spatial_ref_sys`. */
export function leftOutNote(leftOut: readonly string[]): string {
  if (leftOut.length === 0) return '';
  const isSystem = (name: string): boolean => /^(?:pg_catalog|information_schema)\./.test(name);
  const system = leftOut.filter(isSystem).length;
  const parts = [
    ...(system === 0 ? [] : [counted(system, 'system table')]),
    ...leftOut.filter((name) => !isSystem(name)).map((name) => `${name} (of an extension)`),
  ];
  return `; left out, because they are not the role's: ${parts.join(', ')}`;
}

/** {@link DatabaseTasks.vacuum} */
export async function vacuum(
  tools: TaskTools,
  tables: readonly string[] | 'all',
  options: VacuumOptions,
): Promise<TaskResult> {
  checkJobs(options.jobs);
  if (options.full) return vacuumFull(tools, tables, options);
  const choice = await chooseTables(tools.psql, tables, 'vacuum');
  return withObserver(tools, options, async (observer) => {
    const since = await serverTime(observer);
    // Partitioned tables hold no rows; ANALYZE gathers statistics on them all the same.
    const oids = oidsOf(choice.tables, options.analyze);
    const before = await tableActivity(observer, oids, since, 'Nothing was changed.');
    const warnings = await run(tools, choice.tables, options);
    const expected = { vacuumed: true, analyzed: options.analyze };
    const after = await proveActivity(tools.clock, observer, oids, since, expected, warnings);
    return resultOf({ before, after, since, analyze: options.analyze, leftOut: choice.leftOut });
  });
}

/** @returns the server's warnings */
function run(
  tools: TaskTools,
  tables: readonly ChosenTable[],
  options: VacuumOptions,
): Promise<readonly string[]> {
  // Jobs go to tables first; what is left over goes to the indexes of the tables.
  const sessions = Math.max(1, Math.min(options.jobs, tables.length));
  const helpers = Math.floor(options.jobs / sessions) - 1;
  // To cut off a table's empty end, VACUUM locks out even readers for a moment.
  const truncate = tools.guard === undefined ? '' : ', TRUNCATE false';
  const how = `(ANALYZE ${options.analyze ? 'true' : 'false'}, PARALLEL ${helpers}${truncate})`;
  let done = 0;
  return onSessions(tools, options, sessions, tables, async (session, table) => {
    await session.run(`VACUUM ${how} ${table.name}`, {
      what: `VACUUM of ${table.name}`,
      isRepeatable: true,
      state: () =>
        `${done} of ${tables.length} tables are vacuumed; VACUUM changes no data, and ${table.name} is as usable as before.`,
    });
    done += 1;
  });
}

function resultOf(seen: {
  readonly before: readonly TableActivity[];
  readonly after: readonly TableActivity[];
  readonly since: string;
  readonly analyze: boolean;
  readonly leftOut: readonly string[];
}): TaskResult {
  const { before, after, since, analyze, leftOut } = seen;
  const removed = Math.max(0, sum(before, 'deadRows') - sum(after, 'deadRows'));
  const remaining = sum(after, 'deadRows');
  const leaves = after.filter(({ kind }) => kind === 'leaf').length;
  const notes = [
    `${counted(leaves, 'table')} vacuumed${analyze ? ' and analyzed' : ''}`,
    `${counted(removed, 'dead row')} removed`,
    ...(remaining === 0
      ? []
      : [
          `${remaining.toLocaleString('en-US')} remain (new, or still visible to an old transaction)`,
        ]),
  ];
  return {
    summary: notes.join(', '),
    figures: {
      tables: leaves,
      'dead-rows-before': sum(before, 'deadRows'),
      'dead-rows-after': remaining,
      'bytes-before': sum(before, 'bytes'),
      'bytes-after': sum(after, 'bytes'),
    },
    proof:
      `pg_stat_all_tables shows a VACUUM${analyze ? ' and an ANALYZE' : ''} since ${since} for ${counted(leaves, 'table')}, which is all of them` +
      (analyze ? '; each table with rows has statistics' : '') +
      leftOutNote(leftOut),
  };
}
