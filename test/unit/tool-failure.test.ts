import { describe, expect, test } from '@jest/globals';
import { ToolError } from '../../src/hosts/far/tool-failure.ts';

describe('what tools say', () => {
  test.each([
    ['cat: /a: No such file or directory', 'ENOENT'],
    ['sh: 1: cannot create /a: Directory nonexistent', 'ENOENT'],
    ["sh: can't create /a: nonexistent directory", 'ENOENT'],
    ["rm: cannot remove '/a': Permission denied\n", 'EACCES'],
    ['cat: write error: No space left on device', 'ENOSPC'],
    ["mv: cannot move '/a' to '/b': Read-only file system", 'EROFS'],
    // Names may hold anything; only the end of the line counts.
    ["cat: '/x: Permission denied\n/y': Is a directory", 'EISDIR'],
    ["cat: '/x: Permission denied': something else", undefined],
    ['', undefined],
  ])('%j is %s', (said, code) => {
    expect(new ToolError(said, 1).code).toBe(code);
  });
});
