import { describe, expect, test } from '@jest/globals';
import { nearest } from '../../src/plan/nearest.ts';

const keys = ['name', 'host', 'public-url', 'window', 'retry-after', 'site-files', 'url', 'days'];

describe('nearest', () => {
  test.each([
    ['nmae', 'name'],
    ['pubic-url', 'public-url'],
    ['publicUrl', 'public-url'],
    ['retryafter', 'retry-after'],
    ['site_files', 'site-files'],
    ['WINDOW', 'window'],
    ['ulr', 'url'],
    ['day', 'days'],
  ])('%s means %s', (word, meant) => {
    expect(nearest(word, keys)).toBe(meant);
  });

  test.each(['x', '', 'zz', 'kubernetes', 'certificate'])('%j means nothing known', (word) => {
    expect(nearest(word, keys)).toBeUndefined();
  });

  test('has nothing to suggest from nothing', () => {
    expect(nearest('name', [])).toBeUndefined();
  });
});
