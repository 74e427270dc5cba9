import { describe, expect, test } from '@jest/globals';
import { piecesOf } from '../../src/databases/postgresql/gentle-drop.ts';

describe('what goes in one transaction', () => {
  test.each([
    [[], []],
    [[5], [[5]]],
    [
      [50, 7],
      [[50], [7]],
    ],
    [[10], [[10]]],
    [
      [11, 10, 6, 4, 1],
      [[11], [10], [6, 4], [1]],
    ],
    [
      [3, 3, 3, 3],
      [[3, 3, 3], [3]],
    ],
    // Their order is kept: a parent comes after its children.
    [
      [2, 30, 2, 2],
      [[2], [30], [2, 2]],
    ],
  ])('of %j with at most 10 is %j', (bytes, pieces) => {
    const found = piecesOf(
      bytes.map((each) => ({ bytes: each })),
      10,
    );
    expect(found.map((piece) => piece.map((each) => each.bytes))).toEqual(pieces);
  });
});
