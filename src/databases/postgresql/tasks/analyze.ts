import type { Database } from '../../../ports/database.ts';
import type { TaskResult } from '../../../ports/database-tasks.ts';
import { chooseTables, type ChosenTable } from './chosen-tables.ts';
import { counted } from './counted.ts';
import { proveActivity, serverTime } from './statistics-proof.ts';
import { checkJobs, onSessions, withObserver, type TaskTools } from './task-session.ts';
import { leftOutNote, oidsOf } from './vacuum.ts';

type AnalyzeOptions = Parameters<Database['analyze']>[1];

/** {@link DatabaseTasks.analyze} */
export async function analyze(
  tools: TaskTools,
  tables: readonly string[] | 'all',
  options: AnalyzeOptions,
): Promise<TaskResult> {
  checkJobs(options.jobs);
  const choice = await chooseTables(tools.psql, tables, 'analyze');
  return withObserver(tools, options, async (observer) => {
    const since = await serverTime(observer);
    const warnings = await run(tools, choice.tables, options);
    const oids = oidsOf(choice.tables, true);
    const expected = { vacuumed: false, analyzed: true };
    const after = await proveActivity(tools.clock, observer, oids, since, expected, warnings);
    return {
      summary: `${counted(after.length, 'table')} analyzed`,
      figures: { tables: after.length },
      proof:
        `pg_stat_all_tables shows an ANALYZE since ${since} for ${counted(after.length, 'table')}, which is all of them; each table with rows has statistics` +
        leftOutNote(choice.leftOut),
    };
  });
}

/** @returns the server's warnings */
function run(
  tools: TaskTools,
  tables: readonly ChosenTable[],
  options: AnalyzeOptions,
): Promise<readonly string[]> {
  let done = 0;
  return onSessions(tools, options, options.jobs, tables, async (session, table) => {
    await session.run(`ANALYZE ${table.name}`, {
      what: `ANALYZE of ${table.name}`,
      isRepeatable: true,
      state: () =>
        `${done} of ${tables.length} tables are analyzed; ${table.name} has the statistics that it had before. No data was changed.`,
    });
    done += 1;
  });
}
