import { z } from 'zod';

/** A session that another one waits for. Queries may hold personal data: only their first word is read. */
export const lockHolder = z.object({
  /** 0 stands for a prepared transaction (manual, pg_blocking_pids). */
  pid: z.number(),
  user: z.string().nullable(),
  application: z.string().nullable(),
  state: z.string().nullable(),
  /** Seconds since its state changed, since its statement and its transaction began. */
  stateSeconds: z.number().nullable(),
  querySeconds: z.number().nullable(),
  transactionSeconds: z.number().nullable(),
  /** First word of its current or last statement. */
  keyword: z.string().nullable(),
});
export type LockHolder = z.infer<typeof lockHolder>;

/** The lock that a session waits for. */
export const awaitedLock = z.object({
  /** For instance `relation`, `virtualxid`, `transactionid`, `advisory`. */
  kind: z.string(),
  mode: z.string(),
  relation: z.string().nullable(),
});
export type AwaitedLock = z.infer<typeof awaitedLock>;

/** Who stood in the way, as last seen. */
export interface LockWait {
  readonly lock: AwaitedLock | undefined;
  readonly holders: readonly LockHolder[];
}

function age(seconds: number | null, before = 'for'): string {
  return seconds === null ? '' : ` ${before} ${Math.max(0, seconds).toFixed(0)} s`;
}

/** One session for people, for instance `pid 4711 (user app, application shop, idle in transaction for 312 s; …)`. */
export function describeHolder(holder: LockHolder): string {
  if (holder.pid === 0) return 'a prepared transaction (see pg_prepared_xacts)';
  const facts = [
    ...(holder.user === null ? [] : [`user ${holder.user}`]),
    ...(holder.application ? [`application ${holder.application}`] : []),
    ...(holder.state === null ? [] : [`${holder.state}${age(holder.stateSeconds)}`]),
    ...(holder.transactionSeconds === null
      ? []
      : [`in its transaction${age(holder.transactionSeconds)}`]),
    ...(holder.keyword === null
      ? []
      : [
          `its ${holder.state === 'active' ? 'current' : 'last'} statement, ${holder.keyword}, began ${Math.max(0, holder.querySeconds ?? 0).toFixed(0)} s ago`,
        ]),
  ];
  return `pid ${holder.pid}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}`;
}

/** The awaited lock for people, for instance `ShareUpdateExclusiveLock on public.orders`. */
export function describeLock(lock: AwaitedLock): string {
  if (lock.relation !== null) return `${lock.mode} on ${lock.relation}`;
  if (lock.kind === 'virtualxid' || lock.kind === 'transactionid') {
    return 'the end of a transaction';
  }
  return `${lock.mode} (${lock.kind})`;
}

/** A sentence about who is waited for; empty when nobody was seen. */
export function describeWait(wait: LockWait): string {
  if (wait.holders.length === 0) return '';
  const lock = wait.lock === undefined ? 'a lock' : describeLock(wait.lock);
  return `It waited for ${lock}, held by ${wait.holders.map(describeHolder).join(' and ')}.`;
}
