import { failureOf, messageOf } from '../../../ports/failure.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { GuardFigures, OnlineTerms, OnlineWatch } from '../../../ports/online-guard.ts';
import type { Psql, PsqlSession } from '../psql.ts';
import { describeWait } from '../tasks/lock-holders.ts';
import { observationOf, observationSql } from '../tasks/progress.ts';
import { giveWaySql, look, lookSql, type Ours } from './look.ts';
import { emptyQueue, judgeQueue } from './queue.ts';

/** A watch that also knows the sessions of a task. */
export interface OnlineGuard extends OnlineWatch {
  /**
   * Why what a session did was ended by us; `undefined` when it was not. The session may hear of it before we hear that
   * it was told.
   */
  reasonFor(pid: number): Promise<string | undefined>;
  /** Whom a session of ours was last seen waiting for, as a sentence; empty when nobody was seen. */
  waitOf(pid: number): string;
  /** Times that the public was harmed by the load of our work, and not by a lock. */
  readonly slowedDown: number;
  /**
   * A session of a task works from now on; `abort` ends it from our side when the guard has lost sight of it.
   * @returns called when it works no more
   */
  enter(pid: number, abort: () => void): () => void;
}

/** Seconds between two looks. */
const lookSeconds = 0.025;
/** Seconds that a cancelled statement needs to let go of its locks, on a busy machine too. */
const lettingGoSeconds = 0.03;
/** Seconds between two orders to give way because of load: what was cancelled needs a moment to be felt. */
const orderSeconds = 1;
/** Seconds that work waits for its turn at most. */
const holdSeconds = 60;
const turnLookSeconds = 0.1;
/** Looks in a row that may fail before the guard counts as blind. */
const blindAfter = 3;

/**
 * Watches over sessions of ours from a held session of its own. Before it returns it has looked once.
 * @param note is told when work gives way or is held back
 * @throws FailureError when the server cannot be looked at
 */
export async function startGuard(
  { psql, clock }: { readonly psql: Psql; readonly clock: Clock },
  ours: Ours,
  terms: OnlineTerms,
  note: (line: string) => void = () => undefined,
): Promise<OnlineGuard> {
  const reasons = new Map<number, string>();
  const waits = new Map<number, string>();
  const running = new Map<number, () => void>();
  const figures = { heldBack: 0, cancelled: 0, slowedDown: 0 };
  let lastReason: string | undefined;
  let queue = emptyQueue;
  let session: PsqlSession | undefined;
  let blind: string | undefined;
  let isOver = false;
  let lastLook: number | undefined;
  /** Seconds from look to look, the longest of late: on a busy machine looks come late. */
  let gap = lookSeconds;
  let lastOrder = -Infinity;
  let lastGiven: Promise<void> = Promise.resolve();

  const ask = async (sql: string): Promise<string[]> => {
    session ??= await psql.start({
      settings: { search_path: 'pg_catalog', lock_timeout: '1s' },
      timeoutSeconds: 5,
    });
    return session.query(sql);
  };

  const order = async (which: readonly number[] | 'all', reason: string): Promise<void> => {
    const told = (await ask(giveWaySql(ours, which))).map(Number);
    if (told.length === 0) return;
    lastReason = reason;
    note(`gives way: ${reason}`);
    for (const pid of told) {
      figures.cancelled += reasons.has(pid) ? 0 : 1;
      reasons.set(pid, reason);
    }
  };

  const giveWay = (which: readonly number[] | 'all', reason: string): Promise<void> => {
    const given = order(which, reason);
    lastGiven = given.catch(() => undefined);
    return given;
  };

  const watchOnce = async (): Promise<void> => {
    const begun = clock.monotonicSeconds();
    const [line = ''] = await ask(lookSql(ours));
    const now = clock.monotonicSeconds();
    gap = Math.max(now - (lastLook ?? begun), gap * 0.95);
    lastLook = now;
    const seen = look.parse(JSON.parse(line));
    const verdict = judgeQueue(queue, seen.queued, now, {
      maxBlockedSeconds: terms.maxBlockedSeconds,
      reactionSeconds: gap + (now - begun) + lettingGoSeconds,
    });
    queue = verdict.queue;
    // First those who wait; whom ours wait for is only to tell.
    if (verdict.kind === 'give-way') await giveWay(verdict.sessions, verdict.reason);
    const harm = terms.harm();
    if (harm !== undefined && now - lastOrder >= orderSeconds) {
      lastOrder = now;
      const before = figures.cancelled;
      await giveWay('all', harm);
      if (figures.cancelled > before) figures.slowedDown += 1;
    }
    for (const pid of seen.waiting) {
      const [text] = await ask(observationSql(pid));
      const said = describeWait(observationOf(text ?? '').wait);
      if (said !== '') waits.set(pid, said);
    }
  };

  const goOn = async (): Promise<void> => {
    for (let failures = 0; !isOver;) {
      try {
        await clock.wait(failures === 0 ? lookSeconds : Math.min(1, failures * 0.1));
        // Ended while it waited.
        if (isOver as boolean) return;
        await watchOnce();
        failures = 0;
        blind = undefined;
      } catch (error) {
        // A cancelled run ends its work by itself.
        if (failureOf(error).code === 'cancelled') return;
        await session?.abort().catch(() => undefined);
        session = undefined;
        lastLook = undefined;
        failures += 1;
        if (failures === blindAfter) {
          blind = `who waits for us could not be seen any more (${messageOf(error)})`;
          lastReason = blind;
          note(`is ended: ${blind}`);
          for (const [pid, abort] of running) {
            reasons.set(pid, blind);
            figures.cancelled += 1;
            abort();
          }
        }
      }
    }
  };

  try {
    await watchOnce();
  } catch (error) {
    await session?.abort().catch(() => undefined);
    throw error;
  }
  const watching = goOn();

  return {
    terms,
    reasonFor: async (pid) => {
      await lastGiven;
      return reasons.get(pid);
    },
    waitOf: (pid) => waits.get(pid) ?? '',
    get lastReason() {
      return lastReason ?? '';
    },
    get cancelled() {
      return figures.cancelled;
    },
    get slowedDown() {
      return figures.slowedDown;
    },
    enter: (pid, abort) => {
      // The server may give a number again.
      reasons.delete(pid);
      running.set(pid, abort);
      return () => running.delete(pid);
    },
    async turn() {
      const harmNow = (): string | undefined => blind ?? terms.harm();
      const begun = clock.monotonicSeconds();
      for (let harm = harmNow(), isFirst = true; harm !== undefined; harm = harmNow()) {
        if (isFirst) {
          figures.heldBack += 1;
          note(`is held back: ${harm}`);
        }
        isFirst = false;
        lastReason = harm;
        if (clock.monotonicSeconds() - begun >= holdSeconds) return harm;
        await clock.wait(turnLookSeconds);
      }
      return undefined;
    },
    async end(): Promise<GuardFigures> {
      isOver = true;
      await watching;
      await session?.close().catch(() => undefined);
      session = undefined;
      const { heldBack, cancelled } = figures;
      return { heldBack, cancelled, longestWaitSeconds: queue.longest, lastReason };
    },
  };
}
