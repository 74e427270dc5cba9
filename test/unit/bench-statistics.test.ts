import { describe, expect, test } from '@jest/globals';
import { median, medianRatio, summarize } from '../../bench/statistics.ts';
import { analyzeToggles, type Sample, type Toggle } from '../../bench/toggle-analysis.ts';

describe('statistics', () => {
  test('the median is the value in the middle, or the mean of the two there', () => {
    expect(median([9])).toBe(9);
    expect(median([30, 10, 20])).toBe(20);
    expect(median([40, 10, 30, 20])).toBe(25);
    expect(() => median([])).toThrow(RangeError);
  });

  test('numbers are sorted as numbers, and the input stays as it is', () => {
    const values = [100, 9, 20];
    expect(median(values)).toBe(20);
    expect(values).toEqual([100, 9, 20]);
  });

  test('a summary names the worst', () => {
    expect(summarize([3, 1, 8])).toEqual({ count: 3, median: 3, worst: 8 });
    expect(() => summarize([])).toThrow(RangeError);
  });

  test('a ratio is taken within each round', () => {
    // The second round was ten times slower for both.
    expect(medianRatio([20, 300, 40], [10, 100, 10])).toBe(3);
    expect(() => medianRatio([1, 2], [1])).toThrow(RangeError);
    expect(() => medianRatio([], [])).toThrow(RangeError);
  });
});

describe('toggles', () => {
  const toggles: readonly Toggle[] = [
    { means: 'flag', to: 'closed', before: 100, after: 101 },
    { means: 'flag', to: 'open', before: 200, after: 202 },
    { means: 'reload', to: 'closed', before: 300, after: 310 },
    { means: 'reload', to: 'open', before: 400, after: 410 },
  ];
  const sample = (
    sentAt: number,
    endedAt: number,
    kind: Sample['kind'],
    detail?: string,
  ): Sample => ({
    sentAt,
    endedAt,
    kind,
    ...(detail === undefined ? {} : { detail }),
  });
  const good: readonly Sample[] = [
    sample(80, 90, 'open'),
    // Under way when the site closed: rightly served.
    sample(95, 112, 'open'),
    sample(98, 104, 'closed'),
    sample(150, 160, 'closed'),
    sample(199, 201, 'closed'),
    sample(203, 205, 'open'),
    sample(305, 308, 'open'),
    sample(311, 330, 'closed'),
    sample(411, 440, 'open'),
  ];

  test('times count from right before the toggle to the end of an answer', () => {
    const report = analyzeToggles(good, toggles, 'flag');
    expect(report).toEqual({
      requests: 5,
      lost: 0,
      others: 0,
      stale: 0,
      closing: {
        firstNew: { count: 1, median: 4, worst: 4 },
        lastOld: { count: 1, median: 12, worst: 12 },
      },
      opening: {
        firstNew: { count: 1, median: 5, worst: 5 },
        lastOld: { count: 1, median: 1, worst: 1 },
      },
      details: [],
    });
  });

  test('each means has its own requests, and no last old answer is 0 milliseconds', () => {
    const { requests, closing, opening } = analyzeToggles(good, toggles, 'reload');
    expect(requests).toBe(3);
    expect(closing.lastOld.worst).toBe(8);
    expect(opening.lastOld.worst).toBe(0);
  });

  test('what is sent after a toggle and answered as before it is stale, in both directions', () => {
    const stale = [...good, sample(102, 105, 'open'), sample(203, 204, 'closed')];
    expect(analyzeToggles(stale, toggles, 'flag').stale).toBe(2);
    expect(analyzeToggles(stale, toggles, 'reload').stale).toBe(0);
    // Sent while the system call was being made: either answer is right.
    expect(analyzeToggles([...good, sample(100.5, 105, 'open')], toggles, 'flag').stale).toBe(0);
  });

  test('lost and other answers are counted for the means after whose toggle they ended', () => {
    const report = analyzeToggles(
      [
        ...good,
        sample(120, 130, 'lost', 'ECONNRESET'),
        sample(140, 150, 'lost', 'ECONNRESET'),
        sample(210, 220, 'other', 'status 502'),
        sample(420, 430, 'lost', 'EPIPE'),
      ],
      toggles,
      'flag',
    );
    expect([report.lost, report.others]).toEqual([2, 1]);
    expect(report.details).toEqual(['lost: ECONNRESET', 'other: status 502']);
  });

  test('a toggle that nobody saw, or a means without toggles, is no result', () => {
    const unseen = good.filter(({ kind }) => kind !== 'closed');
    expect(() => analyzeToggles(unseen, toggles, 'flag')).toThrow(RangeError);
    expect(() => analyzeToggles(good, toggles, 'by hand')).toThrow(RangeError);
  });
});
