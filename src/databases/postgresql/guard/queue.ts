import { z } from 'zod';

/** A session of others that waits for sessions of ours, as one look at the server shows it. */
export const queued = z.object({
  pid: z.number(),
  user: z.string().nullable(),
  application: z.string().nullable(),
  /** For instance `AccessShareLock`. */
  mode: z.string(),
  relation: z.string().nullable(),
  /** By the server's clock; `null` before version 14, which does not tell. */
  waitedSeconds: z.number().nullable(),
  /** Sessions of ours in its way. */
  behind: z.array(z.number()),
});
export type Queued = z.infer<typeof queued>;

/** What is remembered from look to look. */
export interface Queue {
  /** When each was first seen waiting, by our clock. */
  readonly since: ReadonlyMap<number, number>;
  /** The longest wait so far, seconds; an upper bound, as a wait may have ended at any time between two looks. */
  readonly longest: number;
}

export const emptyQueue: Queue = { since: new Map(), longest: 0 };

export interface QueueLimits {
  readonly maxBlockedSeconds: number;
  /** Seconds until the next look's cancelling could take effect. */
  readonly reactionSeconds: number;
}

export type QueueVerdict =
  | { readonly kind: 'fine'; readonly queue: Queue }
  | {
      readonly kind: 'give-way';
      readonly queue: Queue;
      /** Sessions of ours that must get out of the way. */
      readonly sessions: readonly number[];
      readonly reason: string;
    };

/**
 * Decides whether somebody waits too long: not when the limit is passed, but when it would be by the next look.
 * @param now seconds of a clock that never goes back
 */
export function judgeQueue(
  before: Queue,
  seen: readonly Queued[],
  now: number,
  limits: QueueLimits,
): QueueVerdict {
  const since = new Map<number, number>();
  for (const { pid, waitedSeconds } of seen) {
    since.set(pid, before.since.get(pid) ?? now - Math.max(0, waitedSeconds ?? 0));
  }
  // Who is not there any more waited at most until now.
  const waits = [...before.since.values(), ...since.values()].map((begun) => now - begun);
  const queue = { since, longest: Math.max(before.longest, ...waits) };
  const harmed = seen.filter(({ pid }) => {
    const waited = now - (since.get(pid) ?? now);
    return waited + limits.reactionSeconds >= limits.maxBlockedSeconds;
  });
  const [first] = harmed;
  if (first === undefined) return { kind: 'fine', queue };
  return {
    kind: 'give-way',
    queue,
    sessions: [...new Set(harmed.flatMap(({ behind }) => behind))],
    reason: describeQueued(first, harmed.length - 1),
  };
}

/** For instance `pid 4711 (user app, application shop) waited for AccessShareLock on public.orders`. */
function describeQueued(first: Queued, others: number): string {
  const who = [
    ...(first.user === null ? [] : [`user ${first.user}`]),
    ...(first.application ? [`application ${first.application}`] : []),
  ];
  const what =
    first.relation === null ? 'the end of our transaction' : `${first.mode} on ${first.relation}`;
  return `pid ${first.pid}${who.length === 0 ? '' : ` (${who.join(', ')})`} waited for ${what} behind us${others === 0 ? '' : `, and ${others} more with it`}`;
}
