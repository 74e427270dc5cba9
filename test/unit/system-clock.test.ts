import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock/system-clock.ts';

describe('the system clock', () => {
  test('waits at least as long as asked, and negative times not at all', async () => {
    const clock = systemClock();
    const before = clock.monotonicSeconds();
    await clock.wait(0.05);
    // A timer may fire a fraction of a millisecond early.
    expect(clock.monotonicSeconds() - before).toBeGreaterThan(0.048);
    await clock.wait(-1);
  });

  test('tells the time of the machine', () => {
    const before = Date.now();
    const now = systemClock().now().getTime();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });

  test('a wait that nobody needs any more ends quietly, and leaves no timer', async () => {
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const clock = systemClock();
    const enough = new AbortController();
    const before = timers();
    const waiting = clock.wait(90 * 24 * 3600, enough.signal);
    expect(timers()).toBe(before + 1);
    enough.abort();
    await waiting;
    await clock.wait(3600, enough.signal);
    expect(timers()).toBe(before);
  });

  test('a wait of months does not end at once; a cancelled run ends it', async () => {
    const cancelling = new AbortController();
    const clock = systemClock(cancelling.signal);
    let ended = false;
    const waiting = clock.wait(90 * 24 * 3600).finally(() => (ended = true));
    const settled = expect(waiting).rejects.toMatchObject({ failure: { code: 'cancelled' } });
    await systemClock().wait(0.02);
    expect(ended).toBe(false);
    cancelling.abort();
    await settled;
    await expect(clock.wait(0)).rejects.toMatchObject({ failure: { code: 'cancelled' } });
  });
});
