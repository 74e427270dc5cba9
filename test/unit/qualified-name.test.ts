import { describe, expect, test } from '@jest/globals';
import { parseQualifiedName } from '../../src/databases/postgresql/tasks/qualified-name.ts';
import { failureOf } from '../../src/ports/failure.ts';

describe('parseQualifiedName', () => {
  test.each([
    ['orders', undefined, 'orders'],
    ['Public.Orders', 'public', 'orders'],
    [' public.orders ', 'public', 'orders'],
    ['"Orders"', undefined, 'Orders'],
    ['a."b.c ""d"""', 'a', 'b.c "d"'],
    ['"a b".c$1', 'a b', 'c$1'],
    ['ÄÖ_1', undefined, 'ÄÖ_1'],
  ])('%s', (text, schema, name) => {
    expect(parseQualifiedName(text, 'The table')).toEqual({ schema, name });
  });

  test.each([
    '',
    '.',
    'a.',
    '.a',
    'a.b.c',
    'a b',
    '1a',
    '"a',
    '""',
    'a;b',
    'a--',
    'a.b;',
    'x'.repeat(64),
    `"a\0"`,
  ])('%j is refused, named with what is accepted', (text) => {
    let failure;
    try {
      parseQualifiedName(text, 'The table');
    } catch (error) {
      failure = failureOf(error);
    }
    expect(failure?.code).toBe('database-name-refused');
    expect(failure?.message).toContain(
      `The table ${JSON.stringify(text)} is not a table name; accepted are`,
    );
  });
});
