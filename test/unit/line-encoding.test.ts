import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeLine } from '../../src/hosts/far/line-encoding.ts';
import { headerOf, loader, loaderCommand } from '../../src/hosts/far/supervisor.ts';

/** What `read -r` and `printf %b` make of a line (POSIX, printf: `\0ooo`, an octal byte). */
function decode(line: string): Buffer {
  const text = line.replace(/\\0([0-7]{3})/g, (_match, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(text, 'latin1');
}

describe('a value as a line for printf %b', () => {
  test('comes back byte for byte, and is one line of printable ASCII', () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((all) => all.map((byte) => byte || 1));
    fc.assert(
      fc.property(bytes, (value) => {
        const line = encodeLine(value, 'it');
        expect(line).toMatch(/^[\x20-\x7e]*$/);
        // A backslash stands only before what it escapes.
        expect(line.replace(/\\0[0-7]{3}/g, '')).not.toContain('\\');
        expect(decode(line).equals(Buffer.from(value))).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  test('text is UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        fc.pre(!value.includes('\0'));
        expect(decode(encodeLine(value, 'it')).toString('utf8')).toBe(value);
      }),
      { numRuns: 2000 },
    );
  });

  test('a NUL is refused, and the value not shown', () => {
    expect(() => encodeLine('hunter2\0', 'The variable X')).toThrow(
      /^The variable X contains a NUL/,
    );
  });
});

describe('the header', () => {
  test('has as many words as it says, whatever is in them', () => {
    const word = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', ''));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), word, word, (argv, value, folder) => {
        const header = headerOf({ argv, env: { A: value }, workingDirectory: folder }, 'mark');
        const lines = header.split('\n');
        expect(lines.pop()).toBe('');
        const [, , mark, place, count, ...words] = lines;
        expect(mark).toBe('mark');
        expect(decode(place ?? '').toString('utf8')).toBe(Buffer.from(folder).toString('utf8'));
        expect(words).toHaveLength(Number(count));
        expect(words.map((each) => decode(each).toString('utf8'))).toEqual(
          [`A=${value}`, '', ...argv].map((each) => Buffer.from(each).toString('utf8')),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test('starts with two scripts of ours that depend on nothing that was asked for', () => {
    const scripts = (text: string): string[] => text.split('\n').slice(0, 2);
    const one = headerOf({ argv: ['true'] }, 'a');
    const other = headerOf({ argv: ['$(id)', "'"], env: { A: '`' }, workingDirectory: '/;' }, 'b');
    expect(scripts(one)).toEqual(scripts(other));
  });
});

test('what a login shell has to parse means the same to all of them', () => {
  expect(loader).not.toMatch(/['\\!\n]/);
  expect(loaderCommand).toBe(`exec sh -c '${loader}'`);
});
