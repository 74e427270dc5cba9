import { describe, expect, test } from '@jest/globals';
import { isLiveMember } from '../../src/hosts/process-group.ts';

describe('a line of /proc/<pid>/stat', () => {
  test.each([
    ['12 (sh) S 1 40 40 0 -1', true],
    ['12 (sh) Z 1 40 40 0 -1', false],
    ['12 (sh) X 1 40 40 0 -1', false],
    ['12 (sh) S 1 41 40 0 -1', false],
    // A program may call itself anything.
    ['12 (a) Z 1 41 (b) R 1 40 40 0 -1', true],
    ['', false],
  ])('%j is of a live member of group 40: %j', (line, expected) => {
    expect(isLiveMember(line, 40)).toBe(expected);
  });
});
