import type { RowCounts } from '../../ports/dump-manifest.ts';
import { runStep } from '../../record/step.ts';
import { refuseDifference } from '../backups/row-comparison.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';

/** Counts the rows of the database that has the application's name now, and compares them where that is known. */
export async function countRows(
  context: PhaseContext,
  expected: RowCounts | undefined,
): Promise<void> {
  const database = requireDatabase(context);
  await runStep(context, 'rollback', {
    id: 'count-rows',
    title: 'Count the rows of every table',
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const rows = await database.countRows(database.name);
      if (expected !== undefined) {
        refuseDifference(expected, rows, {
          code: 'rows-differ',
          message: 'The rows are not those of the restore point',
          state: 'The site is closed.',
          next: 'Compare the database with the manifest of the backup before reopening.',
        });
      }
      return {
        tables: Object.keys(rows).length,
        rows: Object.values(rows).reduce((sum, count) => sum + count, 0),
      };
    },
    describe: ({ tables, rows }) =>
      `${rows} rows in ${tables} tables${expected === undefined ? '' : ', equal to the restore point'}`,
  });
}
