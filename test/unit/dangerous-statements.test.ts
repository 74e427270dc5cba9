import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dangerousStatements } from '../../src/databases/postgresql/dangerous-statements.ts';
import { sqlTokens } from '../../src/databases/postgresql/sql-lexer.ts';
import { splitStatements } from '../../src/databases/postgresql/statements.ts';

function dangersOf(sql: string): string[] {
  return dangerousStatements(sql).map(({ danger }) => danger);
}

describe('statements that ask for consent', () => {
  test.each<[string, string, ...string[]]>([
    ['DROP TABLE orders', 'drop'],
    ['drop table if exists a cascade', 'drop'],
    ['  /* a */ -- b\n drop index concurrently i', 'drop'],
    ['DROP SCHEMA s CASCADE', 'drop'],
    ['DROP OWNED BY clerk', 'drop'],
    ['DrOp\tDATABASE x', 'drop'],
    ['/* /* nested */ */DROP VIEW v', 'drop'],
    ['-- harmless\rDROP TABLE t', 'drop'],
    ['ALTER TABLE t DROP COLUMN a', 'drop-column'],
    ['ALTER TABLE t DROP a', 'drop-column'],
    ['ALTER TABLE IF EXISTS ONLY s.t ADD b int, DROP COLUMN IF EXISTS a', 'drop-column'],
    ['ALTER TABLE t DROP "constraint"', 'drop-column'],
    ['ALTER TABLE t DROP CONSTRAINT c, DROP a', 'drop-column'],
    ['ALTER FOREIGN TABLE t DROP COLUMN a', 'drop-column'],
    ['ALTER TYPE t DROP ATTRIBUTE a', 'drop-column'],
    ['TRUNCATE orders', 'truncate'],
    ['truncate table only a, b restart identity cascade', 'truncate'],
    ['DELETE FROM orders', 'delete-all'],
    ['delete from only public.orders as o', 'delete-all'],
    ['DELETE FROM orders USING people', 'delete-all'],
    ['DELETE FROM orders RETURNING *', 'delete-all'],
    ['DELETE FROM orders WHERE true', 'delete-all'],
    ['DELETE FROM orders WHERE 1=1', 'delete-all'],
    ['DELETE FROM orders WHERE true RETURNING id', 'delete-all'],
    ['DELETE FROM orders -- WHERE id = 1', 'delete-all'],
    ["DELETE FROM orders /* WHERE */ RETURNING 'WHERE'", 'delete-all'],
    ['DELETE FROM "where"', 'delete-all'],
    ['DELETE FROM a USING (SELECT 1 FROM b WHERE x) AS c', 'delete-all'],
    ['WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d WHERE a', 'delete-all'],
    ['WITH d AS (SELECT 1 WHERE true) DELETE FROM t', 'delete-all'],
    ['EXPLAIN ANALYZE DELETE FROM t', 'delete-all'],
    ['PREPARE p AS DELETE FROM t', 'delete-all'],
    ['CREATE RULE r AS ON INSERT TO t WHERE NEW.a > 1 DO ALSO DELETE FROM u', 'delete-all'],
    ['CREATE RULE r AS ON UPDATE TO t DO INSTEAD (SELECT 1; DELETE FROM u)', 'delete-all'],
    ["COPY (DELETE FROM t RETURNING *) TO '/tmp/x'", 'delete-all'],
    ['CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM t; END', 'delete-all'],
    ['UPDATE orders SET a = 1', 'update-all'],
    ['update only s.t as x set (a, b) = (select 1, 2 where true)', 'update-all'],
    ['UPDATE "T" SET a = 1 FROM u', 'update-all'],
    ['UPDATE t SET a = CASE WHEN b THEN 1 END WHERE TRUE', 'update-all'],
    ['WITH x AS (UPDATE t SET a = 1 RETURNING *) SELECT 1', 'update-all'],
    ['UPDATE t SET update = 1', 'update-all'],
    ['CREATE RULE r AS ON DELETE TO t DO INSTEAD UPDATE t SET gone = true', 'update-all'],
    ['VACUUM FULL', 'vacuum-full'],
    ['VACUUM FULL f', 'vacuum-full'],
    ['VACUUM FULL FREEZE VERBOSE t', 'vacuum-full'],
    ['VACUUM (ANALYZE, FULL) t', 'vacuum-full'],
    ['VACUUM (FULL on, VERBOSE off) t', 'vacuum-full'],
    ['CLUSTER', 'cluster'],
    ['CLUSTER t USING i', 'cluster'],
    ['REINDEX TABLE t', 'reindex'],
    ['REINDEX (VERBOSE) DATABASE d', 'reindex'],
    ['REINDEX (CONCURRENTLY off) INDEX i', 'reindex'],
    ["DO $$ BEGIN EXECUTE 'drop table ' || name; END $$", 'drop'],
    ["DO LANGUAGE plpgsql 'BEGIN DELETE FROM t; END'", 'delete-all'],
    ["DO 'BEGIN DR'\n'OP TABLE t; END'", 'drop'],
    [String.raw`DO E'BEGIN \x44ROP TABLE t; END'`, 'drop'],
    ['DO $a$ BEGIN TRUNCATE t; UPDATE u SET a = 1 WHERE b; END $a$', 'truncate', 'update-all'],
    ['CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM t $$', 'delete-all'],
    ['CREATE OR REPLACE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN TRUNCATE t; END $$', 'truncate'],
    ['SELECT 1; DROP TABLE a; TRUNCATE b', 'drop', 'truncate'],
    ["SET standard_conforming_strings = off; SELECT 'a\\'; DROP TABLE t; --'", 'drop'],
    ["SELECT E'a'\n'b\\''; DROP TABLE t; --'", 'drop'],
    ['SELECT a\u00a0$$; DROP TABLE t; --$$', 'drop'],
    ["SELECT 'a\\'; DROP TABLE t; --'", 'drop'],
  ])('%j', (sql, ...dangers) => expect(dangersOf(sql)).toEqual(dangers));
});

describe('statements that do not', () => {
  test.each([
    "SELECT 'DROP TABLE t'",
    'SELECT "drop table t"',
    '-- DROP TABLE t',
    '/* DROP TABLE t; /* TRUNCATE u */ */ SELECT 1',
    'SELECT $$ ; DROP TABLE t; $$',
    'SELECT $x$ ; DROP TABLE t; $$ ; TRUNCATE $x$',
    "SELECT E'\\'; DROP TABLE t; --'",
    "COMMENT ON TABLE t IS 'truncate; delete from t'",
    'ALTER TABLE t DROP CONSTRAINT c',
    'ALTER TABLE t ALTER a DROP DEFAULT, ALTER b DROP NOT NULL',
    'ALTER TABLE t ALTER a DROP IDENTITY, ALTER b DROP EXPRESSION',
    'ALTER TABLE dropped RENAME TO truncated',
    'ALTER PUBLICATION p DROP TABLE t',
    'ALTER TABLE t ADD COLUMN "drop" int',
    'DELETE FROM t WHERE id = 1',
    'DELETE FROM t USING u WHERE t.a = u.a RETURNING *',
    'DELETE FROM t WHERE CURRENT OF c',
    'DELETE FROM t WHERE (true AND a)',
    'WITH d AS (DELETE FROM t WHERE a RETURNING *) INSERT INTO u SELECT * FROM d',
    'UPDATE t SET a = 1 WHERE b',
    'UPDATE t SET a = (SELECT 1) FROM u WHERE t.b = u.b',
    'SELECT * FROM t FOR UPDATE',
    'SELECT * FROM t FOR NO KEY UPDATE OF t SKIP LOCKED',
    'INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1',
    'MERGE INTO t USING u ON a = b WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)',
    'MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE',
    'GRANT DELETE, UPDATE, TRUNCATE ON t TO clerk',
    'REVOKE UPDATE ON t FROM clerk',
    'CREATE TABLE c (a int REFERENCES t ON UPDATE CASCADE ON DELETE SET NULL)',
    'ALTER TABLE c ADD FOREIGN KEY (a) REFERENCES t ON DELETE CASCADE ON UPDATE SET NULL',
    'CREATE TRIGGER x BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()',
    'CREATE POLICY p ON t FOR DELETE USING (true)',
    'CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$',
    'DO $$ BEGIN RAISE NOTICE $x$dropped$x$; END $$',
    'VACUUM ANALYZE t',
    'VACUUM (FULL false) t',
    "VACUUM (FULL 'off', ANALYZE) t",
    'REINDEX INDEX CONCURRENTLY i',
    'REINDEX (CONCURRENTLY) TABLE t',
    'ALTER TABLE t CLUSTER ON i',
    'CREATE TABLE drops (truncate_at date)',
    'SELECT a$drop$b FROM t; SELECT c$drop$d',
  ])('%j', (sql) => expect(dangersOf(sql)).toEqual([]));
});

test('tells the line and what it is', () => {
  expect(dangerousStatements('SELECT 1;\n\n-- gone\nDROP TABLE a;\nDELETE FROM b')).toEqual([
    { danger: 'drop', line: 4, what: 'DROP TABLE' },
    { danger: 'delete-all', line: 5, what: 'DELETE without WHERE' },
  ]);
});

describe('the lexer', () => {
  const anything = fc.string({ unit: 'grapheme', maxLength: 200 });
  const pieces = fc.array(
    fc.constantFrom(
      ...[
        "'",
        '"',
        '$$',
        '$a$',
        '--',
        '\n',
        '\r',
        '/*',
        '*/',
        '\\',
        'E',
        "E'",
        'U&',
        ';',
        '(',
        ')',
      ],
      ...['DROP TABLE t', 'delete from', ' ', '\u00a0', '$1', 'x', '1', '_', '.', "''"],
    ),
    { maxLength: 40 },
  );

  test('reads any text or says what does not end, and never hangs', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          pieces.map((all) => all.join('')),
        ),
        (sql) => {
          let end = 0;
          try {
            for (const token of sqlTokens(sql)) {
              expect(token.start).toBeGreaterThanOrEqual(end);
              expect(token.end).toBeGreaterThan(token.start);
              end = token.end;
            }
          } catch (error) {
            expect(String(error)).toContain('does not end');
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  /** Texts that hide whatever is in them, with what can be hidden. */
  const hidden = fc
    .tuple(
      fc.constantFrom<(text: string) => string>(
        (text) => `'${text.replaceAll("'", "''")}'`,
        (text) => ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`,
        (text) => `"${text.replaceAll('"', '""')}"`,
        (text) => ` $q$${text.replaceAll('$', '')}$q$`,
        (text) => `/* ${text.replaceAll(/[*/]/g, ' ')} */ 1`,
        (text) => `/* /* */ ${text.replaceAll(/[*/]/g, ' ')} */ 1`,
        (text) => `-- ${text.replaceAll(/[\n\r]/g, ' ')}\n 1`,
      ),
      fc.array(
        fc.constantFrom('; DROP TABLE t; ', "'", '"', '$$', '\\', 'DELETE FROM x', 'ü', '\n'),
        {
          maxLength: 8,
        },
      ),
    )
    .map(([hide, all]) => hide(all.join('')));

  test('comments, strings and names never count', () => {
    fc.assert(
      fc.property(fc.array(hidden, { minLength: 1, maxLength: 5 }), (all) => {
        const sql = `SELECT ${all.join(', ')}`;
        expect(dangersOf(sql)).toEqual([]);
        expect(splitStatements(sql)).toHaveLength(1);
        // What comes after it does.
        expect(dangersOf(`${sql};\nTRUNCATE t`)).toEqual(['truncate']);
      }),
      { numRuns: 2000 },
    );
  });
});
