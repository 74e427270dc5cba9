import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { groupsThatFit, quoted, quotedPieces } from '../../src/modes/nginx/nginx-string.ts';
import { pathPrefixPattern } from '../../src/modes/nginx/path-prefix.ts';
import { tokenize } from '../../src/modes/nginx/tokenizer.ts';

function readBack(text: string): string[] {
  return tokenize(Buffer.from(`${text};`), 'snippet').flatMap((token) =>
    token.kind === 'word' ? [token.text] : [],
  );
}

const anyText = fc
  .string({ unit: 'grapheme', maxLength: 200 })
  .filter((text) => !/[$\0]/.test(text));

describe('strings for nginx', () => {
  test('are read back as they were', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(readBack(quoted(text))).toEqual([text]);
      }),
    );
  });

  test('are cut into pieces that fit and that together are the text', () => {
    const long = fc.array(fc.constantFrom('"', '\\', 'ü', '😀', 'plain text\n', '日本'), {
      minLength: 3000,
      maxLength: 6000,
      size: 'max',
    });
    fc.assert(
      fc.property(long, (parts) => {
        const pieces = quotedPieces(parts.join(''));
        expect(pieces.length).toBeGreaterThan(1);
        for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThan(4000);
        expect(pieces.flatMap(readBack).join('')).toBe(parts.join(''));
      }),
      { numRuns: 20 },
    );
  });

  test.each(['a$b', 'a\0b'])('%j is refused', (text) => {
    expect(() => quoted(text)).toThrow(RangeError);
    expect(() => quotedPieces(text)).toThrow(RangeError);
  });

  test('alternatives are grouped without a loss', () => {
    const alternatives = Array.from({ length: 500 }, (_, index) => `alternative-${index}`);
    const groups = groupsThatFit(alternatives);
    expect(groups.length).toBeGreaterThan(1);
    for (const group of groups) expect(group.length).toBeLessThan(4000);
    expect(groups.join('|').split('|')).toEqual(alternatives);
    expect(groupsThatFit([])).toEqual([]);
  });
});

describe('the beginning of a path', () => {
  test.each([
    ['/status/', '/status/', true],
    ['/status/', '/status/a/b', true],
    ['/status/', '/status', false],
    ['/a.b', '/axb', false],
    ['/a+(b)', '/a+(b)c', true],
    ['/prüfung', '/prüfungen', true],
    ['/', '/anything', true],
  ])('%s and %s: %s', (prefix, uri, expected) => {
    const pattern = new RegExp(`^(?:${pathPrefixPattern(prefix)})`);
    expect(pattern.test(Buffer.from(uri).toString('latin1'))).toBe(expected);
  });

  test('is written without anything that could end a quoted nginx string', () => {
    expect(pathPrefixPattern('/a$b"c\\d{e}')).toBe(String.raw`/a\x24b\x22c\x5cd\x7be\x7d`);
  });
});
