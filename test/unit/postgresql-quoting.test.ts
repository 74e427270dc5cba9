import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  quoteDollar,
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
} from '../../src/databases/postgresql/quoting.ts';
import { splitStatements } from '../../src/databases/postgresql/statements.ts';
import { failureOf } from '../../src/ports/failure.ts';
import { runs } from '../fixtures/property-runs.ts';

const text = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom("'", '"', '\\', '$', ';', '\n', ':', '-', '*', '/', '('),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
    ),
    maxLength: 15,
  })
  .filter((candidate) => !candidate.includes('\0'));

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return failureOf(error).code;
  }
  return 'nothing thrown';
}

describe('quoting', () => {
  test('puts names in double quotes, doubling those inside', () => {
    expect(quoteIdentifier('orders')).toBe('"orders"');
    expect(quoteIdentifier('a"b; DROP')).toBe('"a""b; DROP"');
    expect(quoteQualified('my schema', 'Tä"ble')).toBe('"my schema"."Tä""ble"');
  });

  test('writes constants that do not depend on standard_conforming_strings', () => {
    expect(quoteLiteral("it's")).toBe("'it''s'");
    expect(quoteLiteral("back\\slash's")).toBe(" E'back\\\\slash''s'");
  });

  test('chooses a dollar tag that the text does not hold', () => {
    expect(quoteDollar('a $mw0$ b')).toBe('$mw1$a $mw0$ b$mw1$');
  });

  test('refuses NUL, empty names and names that the server would cut off', () => {
    expect(codeOf(() => quoteIdentifier('a\0b'))).toBe('database-text-refused');
    expect(codeOf(() => quoteLiteral('a\0b'))).toBe('database-text-refused');
    expect(codeOf(() => quoteDollar('a\0b'))).toBe('database-text-refused');
    expect(codeOf(() => quoteIdentifier(''))).toBe('database-text-refused');
    expect(codeOf(() => quoteIdentifier('ä'.repeat(32)))).toBe('database-text-refused');
    expect(quoteIdentifier('ä'.repeat(31))).toBe(`"${'ä'.repeat(31)}"`);
  });

  test('whatever is quoted stays within one statement', () => {
    fc.assert(
      fc.property(text, (value) => {
        for (const quoted of [
          quoteLiteral(value),
          quoteDollar(value),
          value === '' ? '""' : quoteIdentifier(value.slice(0, 9)),
        ]) {
          const statements = splitStatements(`SELECT ${quoted} ; SELECT 2`);
          expect(statements.map((statement) => statement.text)).toEqual([
            `SELECT ${quoted} `,
            ' SELECT 2',
          ]);
        }
      }),
      { numRuns: runs(2000) },
    );
  });
});
