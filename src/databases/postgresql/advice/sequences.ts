import { z } from 'zod';
import { quoteIdentifier } from '../quoting.ts';
import type { TaskSession } from '../tasks/task-session.ts';
import { looking, percent, type Advice } from './advice.ts';

const kind = 'sequence-near-end';
/** From this share on people have to plan: a rewrite of a large table takes a window of its own. */
const leastShare = 0.5;

const sequence = z.object({
  name: z.string(),
  /** As text: they reach beyond what a double can hold. */
  last: z.string(),
  sequenceEnd: z.string(),
  table: z.string().nullable(),
  column: z.string().nullable(),
  columnType: z.string().nullable(),
});

const ends: Readonly<Record<string, bigint>> = {
  smallint: 32_767n,
  integer: 2_147_483_647n,
  bigint: 9_223_372_036_854_775_807n,
};

/** Rising sequences that have used up half of their numbers, or of those that their column can hold. */
export async function sequencesNearEnd(session: TaskSession): Promise<Advice> {
  const rows = await session.rows(
    `SELECT DISTINCT format('%I.%I', n.nspname, c.relname) AS name, pg_sequence_last_value(s.seqrelid)::text AS last,
       s.seqmax::text AS "sequenceEnd", CASE WHEN t.oid IS NOT NULL THEN format('%I.%I', tn.nspname, t.relname) END AS "table", a.attname AS column,
       format_type(a.atttypid, NULL) AS "columnType"
     FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
     LEFT JOIN LATERAL (
       -- Owned by a column, or named in its default.
       SELECT d.refobjid AS relation, d.refobjsubid AS number FROM pg_depend AS d
       WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
       UNION SELECT f.adrelid, f.adnum FROM pg_depend AS d JOIN pg_attrdef AS f ON f.oid = d.objid
       WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
     ) AS o ON true
     LEFT JOIN pg_class AS t ON t.oid = o.relation LEFT JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
     LEFT JOIN pg_attribute AS a ON a.attrelid = o.relation AND a.attnum = o.number
     WHERE s.seqincrement > 0 AND NOT s.seqcycle AND c.relpersistence <> 't'
       AND has_sequence_privilege(s.seqrelid, 'SELECT,USAGE') AND pg_sequence_last_value(s.seqrelid) IS NOT NULL`,
    sequence,
    looking('sequences near their end'),
  );
  const judged = rows.flatMap((row) => {
    const last = BigInt(row.last);
    const columnEnd = row.columnType === null ? undefined : ends[row.columnType];
    const sequenceEnd = BigInt(row.sequenceEnd);
    const end = columnEnd !== undefined && columnEnd < sequenceEnd ? columnEnd : sequenceEnd;
    const share = end > 0n ? Number((last * 10_000n) / end) / 10_000 : 1;
    return share < leastShare ? [] : [{ ...row, last, end, sequenceEnd, columnEnd, share }];
  });
  return {
    kind,
    findings: judged
      .sort((a, b) => b.share - a.share || (a.name < b.name ? -1 : 1))
      .map((row) => {
        const column =
          row.column === null ? undefined : `${row.table ?? ''}.${quoteIdentifier(row.column)}`;
        const isNarrow = row.columnEnd !== undefined && row.columnEnd < (ends.bigint ?? 0n);
        const statements = [
          ...(isNarrow && row.column !== null
            ? [
                `ALTER TABLE ${row.table ?? ''} ALTER COLUMN ${quoteIdentifier(row.column)} TYPE bigint`,
              ]
            : []),
          ...(row.sequenceEnd < (ends.bigint ?? 0n)
            ? [`ALTER SEQUENCE ${row.name} AS bigint MAXVALUE 9223372036854775807`]
            : []),
        ];
        return {
          kind,
          object: column === undefined ? row.name : `${row.name} for ${column}`,
          observed: `${percent(row.share)} used: at ${row.last.toLocaleString('en-US')} of ${row.end.toLocaleString('en-US')}${isNarrow ? `, which the ${row.columnType ?? ''} column can hold` : ''}`,
          ...(statements.length === 0 ? {} : { statement: statements.join('; ') }),
          why: isNarrow
            ? 'At the end every INSERT fails. Changing the type writes the table anew and locks readers out; columns that refer to it have to be widened too.'
            : 'At the end every INSERT fails.',
        };
      }),
  };
}
