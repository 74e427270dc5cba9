import { z } from 'zod';
import type { Psql } from '../psql.ts';
import { awaitedLock, lockHolder, type LockWait } from './lock-holders.ts';

/** A row of one of the server's progress views. */
export const serverProgress = z.discriminatedUnion('command', [
  z.object({
    command: z.literal('vacuum'),
    relation: z.string(),
    phase: z.string(),
    blocks: z.number(),
    blocksDone: z.number(),
    /** Blocks whose dead rows were removed. */
    blocksVacuumed: z.number(),
  }),
  z.object({
    command: z.literal('analyze'),
    relation: z.string(),
    phase: z.string(),
    blocks: z.number(),
    blocksDone: z.number(),
  }),
  z.object({
    command: z.literal('index'),
    relation: z.string(),
    index: z.string().nullable(),
    phase: z.string(),
    blocks: z.number(),
    blocksDone: z.number(),
    tuples: z.number(),
    tuplesDone: z.number(),
    /** Transactions to wait for. */
    lockers: z.number(),
    lockersDone: z.number(),
  }),
]);
export type ServerProgress = z.infer<typeof serverProgress>;

const observation = z.object({
  progress: serverProgress.nullable(),
  lock: awaitedLock.nullable(),
  holders: z.array(lockHolder),
});

/** What a working session is doing now, seen from another one. */
export interface Observation {
  readonly progress: ServerProgress | undefined;
  readonly wait: LockWait;
}

/** First word of a statement, comments before it left out; computed on the server so that the text stays there. */
const keyword = String.raw`upper(substring(regexp_replace(s.query, '^(\s*(--[^\n]*\n|/\*([^*]|\*+[^*/])*\*+/))*\s*', '') FROM '^[A-Za-z]+'))`;

/**
 * A query for what a session does and whom it waits for, in one row of JSON.
 * Sources: the progress views (manual, 28.4), pg_locks, pg_blocking_pids, pg_stat_activity.
 */
export function observationSql(pid: number): string {
  const age = (column: string): string =>
    `extract(epoch FROM clock_timestamp() - s.${column})::float8`;
  return `SELECT json_build_object('progress',
      coalesce(
        (SELECT json_build_object('command', 'vacuum', 'relation', p.relid::regclass::text, 'phase', p.phase,
           'blocks', p.heap_blks_total, 'blocksDone', p.heap_blks_scanned, 'blocksVacuumed', p.heap_blks_vacuumed)
         FROM pg_stat_progress_vacuum AS p WHERE p.pid = ${pid} AND p.relid IS NOT NULL),
        (SELECT json_build_object('command', 'analyze', 'relation', p.relid::regclass::text, 'phase', p.phase,
           'blocks', p.sample_blks_total, 'blocksDone', p.sample_blks_scanned)
         FROM pg_stat_progress_analyze AS p WHERE p.pid = ${pid} AND p.relid IS NOT NULL),
        (SELECT json_build_object('command', 'index', 'relation', p.relid::regclass::text,
           'index', nullif(p.index_relid, 0)::regclass::text, 'phase', p.phase,
           'blocks', p.blocks_total, 'blocksDone', p.blocks_done, 'tuples', p.tuples_total, 'tuplesDone', p.tuples_done,
           'lockers', p.lockers_total, 'lockersDone', p.lockers_done)
         FROM pg_stat_progress_create_index AS p WHERE p.pid = ${pid} AND p.relid IS NOT NULL)
      ), 'lock',
      (SELECT json_build_object('kind', l.locktype, 'mode', l.mode, 'relation', l.relation::regclass::text)
       FROM pg_locks AS l WHERE l.pid = ${pid} AND NOT l.granted LIMIT 1), 'holders',
      (SELECT coalesce(json_agg(json_build_object('pid', b.pid, 'user', s.usename, 'application', s.application_name,
           'state', s.state, 'stateSeconds', ${age('state_change')}, 'querySeconds', ${age('query_start')},
           'transactionSeconds', ${age('xact_start')}, 'keyword', ${keyword})), '[]')
       FROM (SELECT DISTINCT unnest(pg_blocking_pids(${pid})) AS pid LIMIT 5) AS b
       LEFT JOIN pg_stat_activity AS s ON s.pid = b.pid)) AS observation`;
}

/** Reads the answer to {@link observationSql}. */
export function observationOf(json: string): Observation {
  return read(observation.parse(JSON.parse(json)));
}

function read({ progress, lock, holders }: z.infer<typeof observation>): Observation {
  return { progress: progress ?? undefined, wait: { lock: lock ?? undefined, holders } };
}

/** Looks at a session by its process id. */
export async function observe(psql: Psql, pid: number): Promise<Observation> {
  const [row] = await psql.rows(
    observationSql(pid),
    z.object({ observation }),
    // A look that takes longer than this is of no use, and must not hold up the end of the task.
    { timeoutSeconds: 5 },
  );
  return read(row?.observation ?? { progress: null, lock: null, holders: [] });
}

function share(done: number, total: number, unit: string): string {
  const percent = Math.min(100, Math.floor((100 * done) / total));
  return `${percent} % (${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} ${unit})`;
}

/** One line for people, for instance `vacuum public.orders: heap 45 % (1,200 of 2,650 blocks)`. */
export function progressLine(progress: ServerProgress): string {
  const { phase, blocks, blocksDone } = progress;
  switch (progress.command) {
    case 'vacuum': {
      const head = `vacuum ${progress.relation}: `;
      if (blocks === 0) return `${head}${phase}`;
      if (phase === 'scanning heap') return `${head}heap ${share(blocksDone, blocks, 'blocks')}`;
      if (phase === 'vacuuming heap') {
        return `${head}dead rows ${share(progress.blocksVacuumed, blocks, 'blocks')}`;
      }
      return `${head}${phase}`;
    }
    case 'analyze': {
      const head = `analyze ${progress.relation}: `;
      return phase.startsWith('acquiring') && blocks > 0
        ? `${head}sample ${share(blocksDone, blocks, 'blocks')}`
        : `${head}${phase}`;
    }
    case 'index': {
      const head = `index ${progress.index ?? `of ${progress.relation}`}: ${phase}`;
      if (progress.lockers > 0 && phase.startsWith('waiting')) {
        return `${head}, ${share(progress.lockersDone, progress.lockers, 'transactions')}`;
      }
      if (blocks > 0) return `${head}, ${share(blocksDone, blocks, 'blocks')}`;
      if (progress.tuples > 0) {
        return `${head}, ${share(progress.tuplesDone, progress.tuples, 'rows')}`;
      }
      return head;
    }
  }
}
