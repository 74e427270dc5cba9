import { describe, expect, test } from '@jest/globals';
import { byName } from '../../src/databases/postgresql/guard/look.ts';
import { startGuard } from '../../src/databases/postgresql/guard/online-guard.ts';
import { emptyQueue, judgeQueue, type Queued } from '../../src/databases/postgresql/guard/queue.ts';
import {
  onlineSettings,
  strongLockTimeout,
} from '../../src/databases/postgresql/guard/throttle.ts';
import type { Psql, PsqlSession } from '../../src/databases/postgresql/psql.ts';
import { judgeLatency, latencyLimit } from '../../src/phases/online/latency.ts';
import { fail, failureOf } from '../../src/ports/failure.ts';
import { inTurn, pauseAfter } from '../../src/ports/in-turn.ts';
import { heldBack } from '../../src/ports/online-guard.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { StillClock } from '../fixtures/memory-host.ts';

const limits = { maxBlockedSeconds: 0.1, reactionSeconds: 0.04 };

function waiting(change: Partial<Queued> = {}): Queued {
  return {
    pid: 7,
    user: 'app',
    application: 'shop',
    mode: 'RowExclusiveLock',
    relation: 'public.orders',
    waitedSeconds: 0.01,
    behind: [40],
    ...change,
  };
}

test('a session that was told to give way may hear of it before we hear that it was told', async () => {
  let looks = 0;
  const asked = Promise.withResolvers<(told: string[]) => void>();
  const session: PsqlSession = {
    query: async (sql) => {
      if (sql.includes('pg_cancel_backend')) {
        return new Promise((resolve) => {
          asked.resolve(resolve);
        });
      }
      looks += 1;
      const queued = looks === 2 ? [waiting({ waitedSeconds: 1 })] : [];
      return [JSON.stringify({ queued, waiting: [] })];
    },
    close: async () => undefined,
    abort: async () => undefined,
  };
  const psql = { start: async () => session } as Pick<Psql, 'start'> as Psql;
  const terms = { maxBlockedSeconds: 0.1, tries: 1, harm: () => undefined };
  const guard = await startGuard({ psql, clock: systemClock() }, byName('ours'), terms);
  const answer = await asked.promise;
  // Its statement has failed by now.
  const reason = guard.reasonFor(40);
  answer(['40']);
  expect(await reason).toContain('pid 7 (user app, application shop) waited');
  expect(await guard.reasonFor(41)).toBeUndefined();
  expect(await guard.end()).toMatchObject({ cancelled: 1 });
});

describe('who waits for us', () => {
  test.each<[string, readonly Queued[], readonly number[]]>([
    ['nobody', [], []],
    ['somebody who came just now', [waiting()], []],
    [
      'somebody for whom the next look would be too late',
      [waiting({ waitedSeconds: 0.061 })],
      [40],
    ],
    [
      'several behind the same sessions of ours',
      [waiting({ waitedSeconds: 0.2, behind: [40, 41] }), waiting({ pid: 8, waitedSeconds: 0.3 })],
      [40, 41],
    ],
    [
      'only those who are in the way of one that waits too long give way',
      [waiting({ waitedSeconds: 0.2 }), waiting({ pid: 8, behind: [42] })],
      [40],
    ],
  ])('%s', (_, seen, sessions) => {
    const verdict = judgeQueue(emptyQueue, seen, 100, limits);
    expect(verdict.kind === 'give-way' ? verdict.sessions : []).toEqual(sessions);
  });

  test('is told by name', () => {
    const verdict = judgeQueue(emptyQueue, [waiting({ waitedSeconds: 1 })], 100, limits);
    expect(verdict).toMatchObject({
      kind: 'give-way',
      reason:
        'pid 7 (user app, application shop) waited for RowExclusiveLock on public.orders behind us',
    });
    const row = waiting({ waitedSeconds: 1, relation: null, user: null, application: '' });
    expect(judgeQueue(emptyQueue, [row, waiting({ waitedSeconds: 2 })], 100, limits)).toMatchObject(
      {
        reason: 'pid 7 waited for the end of our transaction behind us, and 1 more with it',
      },
    );
  });

  test('is timed by our clock where the server does not tell', () => {
    const old = waiting({ waitedSeconds: null });
    const first = judgeQueue(emptyQueue, [old], 100, limits);
    expect(first.kind).toBe('fine');
    const second = judgeQueue(first.queue, [old], 100.03, limits);
    expect(second.kind).toBe('fine');
    expect(judgeQueue(second.queue, [old], 100.07, limits).kind).toBe('give-way');
  });

  test('waited until the look that does not find them any more, at most', () => {
    const first = judgeQueue(emptyQueue, [waiting({ waitedSeconds: 0.05 })], 100, limits);
    const second = judgeQueue(first.queue, [], 100.03, limits);
    expect(second.queue.longest).toBeCloseTo(0.08);
    expect(judgeQueue(second.queue, [], 200, limits).queue.longest).toBeCloseTo(0.08);
  });
});

describe('how the application answers', () => {
  test.each<[string, number, readonly number[], number, number | undefined, string | undefined]>([
    ['as before', 0.08, [0.08, 0.09, 0.07], 0, undefined, undefined],
    ['too few answers to tell', 0.08, [5, 5], 0, undefined, undefined],
    ['one slow answer is nobody’s fault', 0.08, [0.08, 5, 0.08, 0.09, 5], 0, undefined, undefined],
    [
      'three times slower',
      0.08,
      [0.08, 0.3, 0.3, 0.3],
      0,
      undefined,
      'answers in 0.3 s instead of 80 ms',
    ],
    ['fast ones may be 100 ms slower', 0.002, [0.09, 0.09, 0.09], 0, undefined, undefined],
    ['the plan’s limit', 0.08, [0.3, 0.3, 0.3], 0, 0.5, undefined],
    ['past the plan’s limit', 0.08, [0.6, 0.6, 0.6], 0, 0.5, 'answers in 0.6 s'],
    ['slower than the plan’s limit before us', 0.8, [0.85, 0.85, 0.85], 0, 0.5, undefined],
    [
      'errors',
      0.08,
      [Infinity, Infinity, Infinity],
      0,
      undefined,
      'does not answer, or answers with errors',
    ],
    ['an answer that does not come', 0.08, [], 1.2, undefined, 'has not answered for 1.2 s'],
    ['only the last five count', 0.08, [9, 9, 9, 9, 0.08, 0.08, 0.08], 0, undefined, undefined],
  ])('%s', (_, before, recent, pending, fromPlan, harm) => {
    const said = judgeLatency({ before, recent }, pending, fromPlan);
    if (harm === undefined) expect(said).toBeUndefined();
    else expect(said).toContain(harm);
  });

  test('slow sites get three times their own', () => {
    expect(latencyLimit(2, undefined)).toBe(6);
  });
});

describe('work that gives way', () => {
  const gaveWay = (): never =>
    fail({ code: heldBack, message: 'pid 7 waited', state: 'All is as it was.', next: 'n' });
  const terms = { maxBlockedSeconds: 0.1, tries: 3, harm: () => undefined };

  test('is tried again after a pause that grows', async () => {
    const clock = new StillClock('2026-11-22T01:00:00.000Z');
    const guard = { terms, turn: async () => undefined };
    const attempts: number[] = [];
    const done = await inTurn({ guard, clock }, 'The work', async (attempt) => {
      attempts.push(attempt);
      return attempt < 3 ? gaveWay() : 'done';
    });
    expect([done, attempts, clock.seconds]).toEqual(['done', [1, 2, 3], 1.5]);
    expect([1, 2, 3, 4, 5, 9].map(pauseAfter)).toEqual([0.5, 1, 2, 4, 8, 8]);
  });

  test('is given up when its tries are over, with the state it was left in', async () => {
    const clock = new StillClock('2026-11-22T01:00:00.000Z');
    const guard = { terms, turn: async () => undefined };
    await expect(inTurn({ guard, clock }, 'The work', gaveWay)).rejects.toMatchObject({
      failure: {
        code: 'database-online-harmful',
        message:
          'The work was given up after 3 tries, so as not to harm the public: the last time pid 7 waited.',
        state: 'All is as it was.',
      },
    });
  });

  test('that never gets its turn is not begun', async () => {
    const clock = new StillClock('2026-11-22T01:00:00.000Z');
    const guard = { terms, turn: async () => 'the application answers in 900 ms' };
    let begun = 0;
    const work = inTurn({ guard, clock }, 'The work', async () => (begun += 1));
    const failure = failureOf(await work.catch((error: unknown) => error));
    expect(failure.message).toContain(
      'it never got its turn, as the application answers in 900 ms',
    );
    expect([begun, failure.state]).toEqual([0, 'Nothing of it was begun.']);
  });

  test('for another reason is told as it is; without a guard nothing is tried again', async () => {
    const clock = new StillClock('2026-11-22T01:00:00.000Z');
    const guard = { terms, turn: async () => undefined };
    const broken = async (): Promise<never> =>
      fail({ code: 'database-disk-full', message: 'm', state: 's', next: 'n' });
    await expect(inTurn({ guard, clock }, 'The work', broken)).rejects.toThrow('m');
    await expect(inTurn({ clock }, 'The work', gaveWay)).rejects.toThrow('pid 7 waited');
    expect(clock.seconds).toBe(0);
  });
});

test('each slowing down of the application makes VACUUM sleep twice as long', () => {
  const delays = [0, 1, 3, 20].map(
    (slowedDown) => onlineSettings({ application: 'a', slowedDown }).vacuum_cost_delay,
  );
  expect(delays).toEqual(['2ms', '4ms', '16ms', '100ms']);
});

test('what an online task writes is handed on to the disk at once', () => {
  const settings = onlineSettings({ application: 'a', slowedDown: 0 });
  expect(settings).toMatchObject({ backend_flush_after: '256kB' });
});

test.each([
  [10, 0.1],
  [0.05, 0.05],
  [0, 0.1],
])('of %s s for a lock that stops others, %s s are left', (lockTimeoutSeconds, expected) => {
  const terms = { maxBlockedSeconds: 0.1, tries: 1, harm: () => undefined };
  const options = { lockTimeoutSeconds, statementTimeoutSeconds: 60 };
  expect(strongLockTimeout(options, terms).lockTimeoutSeconds).toBe(expected);
});
