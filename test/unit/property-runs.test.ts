import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runs } from '../fixtures/property-runs.ts';

describe('cases of a property', () => {
  const given = process.env.PROPERTY_RUNS;
  const set = (value: string | undefined) => {
    if (value === undefined) delete process.env.PROPERTY_RUNS;
    else process.env.PROPERTY_RUNS = value;
  };
  beforeEach(() => set(undefined));
  afterEach(() => set(given));

  test.each([
    [undefined, 500],
    ['', 500],
    ['1', 500],
    ['40', 20_000],
    ['0.01', 5],
    ['0.0001', 1],
  ])('are multiplied by PROPERTY_RUNS=%s', (value, expected) => {
    set(value);
    expect(runs(500)).toBe(expected);
  });

  test.each(['0', '-1', 'many', 'Infinity', '1x'])('are not multiplied by %s', (value) => {
    set(value);
    expect(() => runs(500)).toThrow(/PROPERTY_RUNS is ".*"; accepted is a number above 0/);
  });
});
