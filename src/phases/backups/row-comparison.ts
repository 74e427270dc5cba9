import type { RowCounts } from '../../ports/dump-manifest.ts';
import { fail, type Failure } from '../../ports/failure.ts';

/** The first difference between two counts, in words; `undefined` when they are equal. */
export function compareRows(expected: RowCounts, actual: RowCounts): string | undefined {
  for (const [table, rows] of Object.entries(expected)) {
    const found = actual[table];
    if (found === undefined) return `table ${table} is missing`;
    if (found !== rows) return `table ${table} has ${found} rows instead of ${rows}`;
  }
  const extra = Object.keys(actual).find((table) => expected[table] === undefined);
  return extra === undefined ? undefined : `table ${extra} is not in the backup`;
}

/** @throws FailureError `backup-differs`, or as `words` say, when the counts are not equal */
export function refuseDifference(
  expected: RowCounts,
  actual: RowCounts,
  words: Omit<Failure, 'code'> & { readonly code?: string },
): void {
  const difference = compareRows(expected, actual);
  if (difference === undefined) return;
  fail({ code: 'backup-differs', ...words, message: `${words.message}: ${difference}.` });
}
