import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { splitStatements } from '../../src/databases/postgresql/statements.ts';
import { checkCondition } from '../../src/databases/postgresql/tasks/sql-condition.ts';

const piece = fc.constantFrom(
  ...['(', ')', ';', "'", "''", '"', '$$', '$a$', '--', '\n', '\r', '/*', '*/', '\\', "E'", ' '],
  ...['a = 1', 'or true', 'where', 'x', '1', '\u00a0', ')) or ((true', '; drop table t; --'],
);

test('a condition that is accepted cannot leave its parentheses', () => {
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }).map((all) => all.join('')),
      (condition) => {
        try {
          checkCondition(condition, 'The condition');
        } catch {
          return;
        }
        accepted += 1;
        const statements = splitStatements(`SELECT WHERE (\n${condition}\n) AND mw;\nSELECT 2`);
        expect(statements).toHaveLength(2);
        expect(statements[0]?.words).toEqual(['select', 'where', 'and', 'mw']);
      },
    ),
    { numRuns: 5000 },
  );
  // Otherwise nothing was tried.
  expect(accepted).toBeGreaterThan(100);
});

test.each([
  "placed_at < '2023-01-01' AND note <> ');' -- a comment",
  'id IN (SELECT id FROM other WHERE (a OR b)) /* ) */',
  '"Odd ) name" = $$ ; $$',
])('%j is accepted as it is', (condition) => {
  expect(checkCondition(condition, 'The condition')).toBe(condition);
});
