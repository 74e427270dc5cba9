import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatDuration, parseDuration } from '../../src/plan/duration.ts';
import { duration } from '../../src/plan/setting-types.ts';

const unitSeconds = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;

describe('parseDuration', () => {
  test.each([
    ['90m', 5400],
    ['30s', 30],
    ['1h30m', 5400],
    ['250ms', 0.25],
    ['1.5h', 5400],
    ['2d', 172_800],
    ['1m500ms', 60.5],
  ])('reads %s', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  test.each([
    '',
    '90',
    'm',
    '90 m',
    '-5m',
    '1e3s',
    '90min',
    '5M',
    '1,5h',
    '0s',
    '0h0m',
    '٣m',
    '9'.repeat(10) + 's',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('is linear on hostile text', () => {
    expect(parseDuration(`${'1'.repeat(100_000)}x`)).toBeUndefined();
    expect(parseDuration(`${'1m'.repeat(50_000)}x`)).toBeUndefined();
  });

  test('adds up what its parts say', () => {
    const part = fc.record({
      amount: fc.integer({ min: 1, max: 9999 }),
      unit: fc.constantFrom('ms', 's', 'm', 'h', 'd'),
    });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const text = parts.map(({ amount, unit }) => `${amount}${unit}`).join('');
        const sum = parts.reduce(
          (total, { amount, unit }) => total + amount * unitSeconds[unit],
          0,
        );
        expect(parseDuration(text)).toBeCloseTo(sum, 6);
      }),
    );
  });
});

describe('the setting', () => {
  test.each(['0.0001ms', '32d', '0s', 'soon'])('refuses %s', (text) => {
    expect(duration().safeParse(text).success).toBe(false);
  });

  test('reads up to a month, in seconds', () => {
    expect(duration().parse('31d')).toBe(2_678_400);
    expect(duration().parse('1ms')).toBe(0.001);
  });
});

describe('formatDuration', () => {
  test.each([
    [0, '0 ms'],
    [0.0124, '12 ms'],
    [1.234, '1.2 s'],
    [9.96, '10 s'],
    [59.4, '59 s'],
    [59.6, '1 min'],
    [250, '4 min 10 s'],
    [3599.7, '1 h'],
    [5400, '1 h 30 min'],
    [90_000, '25 h'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  test('says what was said, within the unit that it rounds to', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 2_000_000, noNaN: true }), (seconds) => {
        const text = formatDuration(seconds).replaceAll(' min', 'm').replaceAll(' ', '');
        const tolerance =
          seconds < 0.1 ? 0.0006 : seconds < 10 ? 0.051 : seconds < 3599.5 ? 0.51 : 60;
        expect(Math.abs((parseDuration(text) ?? 0) - seconds)).toBeLessThanOrEqual(tolerance);
      }),
    );
  });

  test('never shows sixty of a unit', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 200_000, noNaN: true }), (seconds) => {
        expect(formatDuration(seconds)).not.toMatch(/\b60 (?:s|min)\b/);
      }),
    );
  });
});
