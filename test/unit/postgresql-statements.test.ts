import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  controlsTransaction,
  readsFromClient,
  splitStatements,
  type Statement,
} from '../../src/databases/postgresql/statements.ts';
import { failureOf } from '../../src/ports/failure.ts';

function only(sql: string): Statement {
  const statements = splitStatements(sql);
  expect(statements).toHaveLength(1);
  return statements[0]!;
}

function texts(sql: string): string[] {
  return splitStatements(sql).map(({ text }) => text.trim());
}

describe('splitting SQL into statements', () => {
  test.each([
    ['a string', "SELECT 'a;b'"],
    ['a doubled quote', "SELECT 'it''s; so'"],
    ['an escape string', "SELECT E'\\';' "],
    ['a backslash that is none', String.raw`SELECT 'C:\'`],
    ['a name', 'SELECT "a;""b"'],
    ['dollar quotes', 'DO $$ BEGIN; END $$'],
    ['tagged dollar quotes', 'DO $x$ SELECT $$;$$; $x$'],
    ['a dollar inside a name', 'SELECT a$b$c'],
    ['a line comment', 'SELECT 1 -- ; no\n + 1'],
    ['nested comments', 'SELECT /* ; /* ; */ ; */ 1'],
    ['parentheses', 'CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; DELETE FROM v)'],
    [
      'a routine body',
      'CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END',
    ],
  ])('keeps %s whole', (_what, sql) => {
    expect(texts(`${sql}; SELECT 2;`)).toEqual([sql.trim(), 'SELECT 2']);
  });

  test('BEGIN ATOMIC holds statements together only in a routine', () => {
    expect(texts('BEGIN; SELECT 1; END')).toEqual(['BEGIN', 'SELECT 1', 'END']);
  });

  test('leaves out what has no word in it', () => {
    expect(texts(';; -- nothing\n ; /* nothing */ ;\n')).toEqual([]);
  });

  test('knows the lines', () => {
    expect(
      splitStatements('-- a file\nSELECT 1;\n\n/* a\ncomment */ SELECT\n2;').map(
        ({ line, textLine }) => ({ line, textLine }),
      ),
    ).toEqual([
      { line: 2, textLine: 1 },
      { line: 5, textLine: 2 },
    ]);
  });

  test.each([
    ["SELECT 1;\nSELECT 'open", 'line 2', 'string'],
    ['SELECT "open', 'line 1', 'name'],
    ['SELECT 1;\n\n/* open /* */', 'line 3', 'comment'],
    ['DO $a$ open $$', 'line 1', '$a$'],
  ])('refuses what does not end: %j', (sql, line, what) => {
    let message = '';
    try {
      splitStatements(sql);
    } catch (error) {
      expect(failureOf(error).code).toBe('database-sql-unterminated');
      message = failureOf(error).message;
    }
    expect(message).toContain(line);
    expect(message).toContain(what);
  });

  test('loses and changes no character', () => {
    const piece = fc.constantFrom(
      'SELECT',
      ' ',
      '\n',
      ';',
      "'a;b'",
      '"c;d"',
      '$$;$$',
      '$t$;$t$',
      '-- x;\n',
      '/* ; */',
      '(',
      ')',
      '1',
      'a$1',
      "E'\\''",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const sql = `${pieces.join(' ')}\n`;
        let rest = sql;
        for (const { text } of splitStatements(sql)) {
          const at = rest.indexOf(text);
          expect(at).toBeGreaterThanOrEqual(0);
          // Between two statements there are only semicolons, blanks and comments.
          expect(splitStatements(rest.slice(0, at))).toEqual([]);
          rest = rest.slice(at + text.length);
        }
        expect(splitStatements(rest)).toEqual([]);
      }),
    );
  });

  test('splits a long file in time that grows with its length', () => {
    const sql = "INSERT INTO t VALUES (1, 'x');\n".repeat(50_000);
    const statements = splitStatements(sql);
    expect(statements).toHaveLength(50_000);
    expect(statements.at(-1)?.line).toBe(50_000);
  });
});

describe('what a statement does', () => {
  test.each([
    'BEGIN',
    'start transaction',
    'COMMIT',
    'END',
    'ROLLBACK',
    'abort',
    "PREPARE TRANSACTION 'x'",
    '/* c */ commit and chain',
  ])('%s controls the transaction', (sql) => expect(controlsTransaction(only(sql))).toBe(true));
  test.each([
    'ROLLBACK TO SAVEPOINT a',
    'SAVEPOINT a',
    'PREPARE q AS SELECT 1',
    'SELECT 1',
    'SET TRANSACTION READ ONLY',
  ])('%s does not', (sql) => expect(controlsTransaction(only(sql))).toBe(false));
  test('only COPY … FROM STDIN reads from the client', () => {
    expect(readsFromClient(only('copy t (a, b) from stdin with (format csv)'))).toBe(true);
    expect(readsFromClient(only("COPY t FROM '/srv/t.csv'"))).toBe(false);
    expect(readsFromClient(only('COPY (SELECT * FROM stdin) TO STDOUT'))).toBe(false);
    expect(readsFromClient(only('SELECT * FROM stdin'))).toBe(false);
  });
});
