import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  formatMoment,
  isWindowStart,
  nextStart,
  positionIn,
  weekdays,
  type WindowTimes,
} from '../../src/plan/window-time.ts';

const berlin: WindowTimes = {
  start: '02:00',
  days: [...weekdays],
  timeZone: 'Europe/Berlin',
  duration: 5400,
  startTolerance: 1800,
};
const utc: WindowTimes = { ...berlin, timeZone: 'UTC' };

function at(text: string): Date {
  return new Date(text);
}

describe('positionIn', () => {
  test('without a start any time is within the window, which begins now', () => {
    expect(positionIn({ ...utc, start: undefined }, at('2026-11-22T17:03:00Z'))).toEqual({
      kind: 'any-time',
      start: at('2026-11-22T17:03:00Z'),
      end: at('2026-11-22T18:33:00Z'),
    });
  });

  test('the end counts from the planned start, not from a late run', () => {
    expect(positionIn(berlin, at('2026-11-22T01:20:00Z'))).toEqual({
      kind: 'inside',
      start: at('2026-11-22T01:00:00Z'),
      end: at('2026-11-22T02:30:00Z'),
      lateSeconds: 1200,
    });
  });

  test.each([
    ['2026-11-22T01:00:00.000Z', 'inside'],
    ['2026-11-22T00:59:59.999Z', 'outside'],
    ['2026-11-22T01:30:00.000Z', 'inside'],
    ['2026-11-22T01:30:00.001Z', 'outside'],
  ])('the tolerance is kept to the millisecond: %s is %s', (now, kind) => {
    expect(positionIn(berlin, at(now)).kind).toBe(kind);
  });

  test('a tolerance longer than the window lets nobody begin after its end', () => {
    const short = { ...utc, duration: 600, startTolerance: 7200 };
    expect(positionIn(short, at('2026-11-22T02:09:59Z')).kind).toBe('inside');
    expect(positionIn(short, at('2026-11-22T02:10:00Z')).kind).toBe('outside');
  });

  test('outside, the starts before and after are told', () => {
    expect(positionIn({ ...utc, days: ['sunday'] }, at('2026-11-25T12:00:00Z'))).toEqual({
      kind: 'outside',
      previous: at('2026-11-22T02:00:00Z'),
      next: at('2026-11-29T02:00:00Z'),
    });
  });

  test('a run after midnight belongs to the window of the evening before', () => {
    const late = { ...berlin, start: '23:50', days: ['saturday'] as const };
    expect(positionIn(late, at('2026-11-21T23:05:00Z'))).toMatchObject({
      kind: 'inside',
      start: at('2026-11-21T22:50:00Z'),
      lateSeconds: 900,
    });
  });

  test('days are those of the time zone, not of UTC', () => {
    const early = {
      ...utc,
      start: '08:00',
      days: ['monday'] as const,
      timeZone: 'Pacific/Auckland',
    };
    // Monday 08:00 in Auckland is Sunday 19:00 in UTC.
    expect(positionIn(early, at('2026-11-22T19:10:00Z')).kind).toBe('inside');
    expect(positionIn(early, at('2026-11-23T19:10:00Z')).kind).toBe('outside');
  });

  test('a window of Sunday night ends in the next week', () => {
    const night = { ...utc, start: '23:30', days: ['sunday'] as const, duration: 7200 };
    expect(positionIn(night, at('2026-11-22T23:45:00Z'))).toMatchObject({
      kind: 'inside',
      end: at('2026-11-23T01:30:00Z'),
    });
  });

  test('a single date has one window', () => {
    const single = { ...berlin, start: '2026-11-29T02:00' };
    expect(positionIn(single, at('2026-11-29T01:10:00Z')).kind).toBe('inside');
    expect(positionIn(single, at('2026-11-20T01:10:00Z'))).toEqual({
      kind: 'outside',
      previous: undefined,
      next: at('2026-11-29T01:00:00Z'),
    });
    expect(positionIn(single, at('2026-12-29T01:10:00Z'))).toEqual({
      kind: 'outside',
      previous: at('2026-11-29T01:00:00Z'),
      next: undefined,
    });
  });
});

describe('daylight saving in Europe/Berlin', () => {
  test('a start that the night of spring skips is an hour later by the clock', () => {
    const skipped = { ...berlin, start: '02:30', duration: 3600 };
    // 02:30 does not exist on 2026-03-29; 01:30 UTC is 03:30 CEST.
    expect(positionIn(skipped, at('2026-03-29T01:30:00Z'))).toMatchObject({
      kind: 'inside',
      lateSeconds: 0,
      end: at('2026-03-29T02:30:00Z'),
    });
    expect(positionIn(skipped, at('2026-03-29T01:29:59Z')).kind).toBe('outside');
    expect(formatMoment(at('2026-03-29T01:30:00Z'), 'Europe/Berlin')).toBe('2026-03-29 03:30 CEST');
  });

  test('of a start that the night of autumn repeats the first is meant', () => {
    const repeated = { ...berlin, start: '02:30' };
    // 02:30 CEST is 00:30 UTC, 02:30 CET is 01:30 UTC.
    expect(positionIn(repeated, at('2026-10-25T00:30:00Z'))).toMatchObject({
      kind: 'inside',
      lateSeconds: 0,
    });
    expect(positionIn(repeated, at('2026-10-25T01:30:00Z')).kind).toBe('outside');
  });

  test('a window over the change lasts as long as it says', () => {
    const over = { ...berlin, start: '01:30', duration: 7200 };
    expect(positionIn(over, at('2026-03-29T00:30:00Z'))).toMatchObject({
      end: at('2026-03-29T02:30:00Z'),
    });
    expect(positionIn(over, at('2026-10-24T23:30:00Z'))).toMatchObject({
      end: at('2026-10-25T01:30:00Z'),
    });
  });

  test('the same local time is another moment in summer and in winter', () => {
    expect(nextStart(berlin, at('2026-07-01T12:00:00Z'))).toEqual(at('2026-07-02T00:00:00Z'));
    expect(nextStart(berlin, at('2026-12-01T12:00:00Z'))).toEqual(at('2026-12-02T01:00:00Z'));
  });
});

describe('nextStart', () => {
  test('is never in the past, on a day of the plan, and less than nine days away', () => {
    const some = fc.subarray([...weekdays], { minLength: 1 });
    const hour = fc.integer({ min: 0, max: 23 });
    const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu');
    const moment = fc.date({ min: at('2020-01-01T00:00:00Z'), max: at('2035-01-01T00:00:00Z') });
    fc.assert(
      fc.property(
        some,
        hour,
        zone,
        moment.filter((date) => !Number.isNaN(date.getTime())),
        (days, h, timeZone, now) => {
          const start = `${String(h).padStart(2, '0')}:15`;
          const next = nextStart({ ...utc, start, days, timeZone }, now);
          const ahead = ((next?.getTime() ?? 0) - now.getTime()) / 86_400_000;
          expect(ahead).toBeGreaterThan(0);
          expect(ahead).toBeLessThan(9);
          const day = new Intl.DateTimeFormat('en', { weekday: 'long', timeZone }).format(next);
          expect(days).toContain(day.toLowerCase());
        },
      ),
    );
  });

  test('there is none without a start, and none after a single window', () => {
    expect(nextStart({ ...utc, start: undefined }, at('2026-11-22T00:00:00Z'))).toBeUndefined();
    expect(
      nextStart({ ...utc, start: '2026-11-21T02:00' }, at('2026-11-22T00:00:00Z')),
    ).toBeUndefined();
  });
});

describe('isWindowStart', () => {
  test.each(['00:00', '23:59', '2026-11-29T02:00', '2028-02-29T00:30'])('accepts %s', (text) => {
    expect(isWindowStart(text)).toBe(true);
  });

  test.each([
    '24:00',
    '2:00',
    '02:00:00',
    '2026-02-29T02:00',
    '2026-13-01T02:00',
    '2026-11-31T02:00',
    '2026-11-29',
    '2026-11-29 02:00',
    '02:00Z',
  ])('refuses %s', (text) => {
    expect(isWindowStart(text)).toBe(false);
  });
});

test('formatMoment tells date, time and zone', () => {
  expect(formatMoment(at('2026-11-29T01:00:00Z'), 'Europe/Berlin')).toBe('2026-11-29 02:00 CET');
  expect(formatMoment(at('2026-11-29T01:00:00Z'), 'UTC')).toBe('2026-11-29 01:00 UTC');
});
