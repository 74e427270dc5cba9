import { z } from 'zod';
import type { TaskSession } from '../tasks/task-session.ts';
import { looking, megabytes, type Advice } from './advice.ts';
import type { AdvisedIndex } from './index-catalog.ts';

const kind = 'unused-index';
/** Of smaller ones nothing is gained; the server does not use them because it reads the whole table as fast. */
const leastBytes = 128 * 1024;

const statistics = z.object({
  since: z.string().nullable(),
  days: z.number().nullable(),
  standbys: z.number(),
});

/** Indexes that no query of this server has used since its statistics began. */
export async function unusedIndexes(
  session: TaskSession,
  indexes: readonly AdvisedIndex[],
): Promise<Advice> {
  const [known] = await session.rows(
    `SELECT to_char(d.stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS since,
       extract(epoch FROM clock_timestamp() - d.stats_reset)::float8 / 86400 AS days,
       (SELECT count(*) FROM pg_stat_replication) AS standbys
     FROM pg_stat_database AS d WHERE d.datname = current_database()`,
    statistics,
    looking('the age of the statistics'),
  );
  const since =
    typeof known?.since === 'string' ? `since ${known.since}` : 'since the database was made';
  const isYoung = typeof known?.days === 'number' && known.days < 30;
  const caveats = [
    ...(isYoung
      ? [
          `the statistics are ${(known.days ?? 0).toFixed(0)} days old, so a report of the month or the year may still need it`,
        ]
      : ['a report of the year may still need it']),
    (known?.standbys ?? 0) > 0
      ? `${String(known?.standbys)} standbys count for themselves: ask pg_stat_user_indexes there too`
      : 'a standby counts for itself',
  ];
  const findings = indexes
    .filter(
      (index) =>
        index.scans === 0 &&
        index.bytes >= leastBytes &&
        !index.isUnique &&
        !index.isNeeded &&
        !index.servesForeignKey,
    )
    .sort((a, b) => b.bytes - a.bytes)
    .map((index) => ({
      kind,
      object: index.name,
      observed: `${megabytes(index.bytes)}, no scan ${since}`,
      statement: `DROP INDEX CONCURRENTLY ${index.name}`,
      why: `Every write to ${index.table} pays for it. Before dropping: ${caveats.join('; ')}.`,
    }));
  return { kind, findings };
}
