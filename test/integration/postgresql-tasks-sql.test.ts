import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { failureFrom, limits, TaskCluster, until } from './task-database.ts';

let cluster: TaskCluster;
beforeAll(async () => {
  cluster = await TaskCluster.start();
});
afterAll(() => cluster.stop());

const options = { ...limits, inTransaction: true };
const accounts = `CREATE TABLE accounts (id int PRIMARY KEY, balance numeric(10,2) NOT NULL);
  INSERT INTO accounts VALUES (1, 10.50), (2, 20.00);
  CREATE FUNCTION own_function() RETURNS text LANGUAGE sql AS $$ SELECT 'found on the search path' $$;`;

describe('runSql', () => {
  test('commits all statements together and proves the expectation', async () => {
    const database = await cluster.database(accounts);
    const result = await database
      .tasks()
      .runSql(
        'UPDATE accounts SET balance = balance - 1 WHERE id = 1;\nUPDATE accounts SET balance = balance + 1 WHERE id = 2;',
        { ...options, expect: 'SELECT sum(balance) = 30.50 FROM accounts; -- unchanged' },
      );
    expect(result.summary).toBe(
      '2 statements committed in one transaction; the expectation is met',
    );
    expect(result.proof).toContain('returned true');
    expect(await database.sql('SELECT balance FROM accounts ORDER BY id')).toBe('9.50\n21.00');
  });

  test('a failing statement takes the whole transaction back and is named by its line', async () => {
    const database = await cluster.database(accounts);
    const failure = await failureFrom(
      database.tasks().runSql('DELETE FROM accounts;\n\nSELECT 1 / 0;', options),
    );
    expect(failure.message).toMatch(/^The SQL, line 3, failed: division by zero/);
    expect(failure.state).toBe('The transaction was rolled back; nothing was changed.');
    expect(await database.sql('SELECT count(*) FROM accounts')).toBe('2');
  });

  test('without a transaction runs each statement by itself', async () => {
    const database = await cluster.database(accounts);
    const result = await database
      .tasks()
      .runSql('VACUUM accounts; CREATE INDEX CONCURRENTLY by_balance ON accounts (balance)', {
        ...options,
        inTransaction: false,
      });
    expect(result.figures).toEqual({ statements: 2 });
    const failure = await failureFrom(
      database
        .tasks()
        .runSql('DELETE FROM accounts; SELECT 1 / 0', { ...options, inTransaction: false }),
    );
    expect(failure.state).toContain('those before the failing one are done and stay');
    expect(await database.sql('SELECT count(*) FROM accounts')).toBe('0');
  });

  test.each([
    ['SELECT false', '"false"'],
    ['SELECT NULL::boolean', 'NULL'],
    ['SELECT true WHERE false', 'no row'],
    ['SELECT count(*) FROM accounts', '"2"'],
  ])('fails when %s is expected to be true', async (expectation, shown) => {
    const database = await cluster.database(accounts);
    const failure = await failureFrom(
      database.tasks().runSql('SELECT 1', { ...options, expect: expectation }),
    );
    expect(failure.code).toBe('database-expectation-not-met');
    expect(failure.message).toBe(
      `After the SQL, the expectation \`${expectation}\` returned ${shown} instead of true.`,
    );
    expect(failure.state).toContain('its changes stay');
  });

  test('refuses an expectation that is no single query before the SQL runs', async () => {
    const database = await cluster.database(accounts);
    for (const expectation of ['SELECT true; DELETE FROM accounts', '', 'COMMIT']) {
      const failure = await failureFrom(
        database.tasks().runSql('DELETE FROM accounts', { ...options, expect: expectation }),
      );
      expect(failure.code).toBe('database-sql-refused');
    }
    expect(await database.sql('SELECT count(*) FROM accounts')).toBe('2');
  });

  test('an expectation cannot write', async () => {
    const database = await cluster.database(
      `${accounts} CREATE FUNCTION sneak() RETURNS boolean LANGUAGE sql AS 'DELETE FROM accounts; SELECT true';`,
    );
    const failure = await failureFrom(
      database.tasks().runSql('SELECT 1', { ...options, expect: 'SELECT sneak()' }),
    );
    expect(failure.message).toContain('read-only transaction');
    expect(failure.state).toContain('The SQL has run and its changes stay');
    expect(await database.sql('SELECT count(*) FROM accounts')).toBe('2');
  });

  test('names who held the lock', async () => {
    const database = await cluster.database(accounts);
    const holder = await database.hold(
      'BEGIN; UPDATE accounts SET balance = 99.99 WHERE id = 1',
      'teller',
    );
    const failure = await failureFrom(
      database
        .tasks()
        .runSql('UPDATE accounts SET balance = 0', { ...options, lockTimeoutSeconds: 2 }),
    );
    await holder.close();
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.message).toMatch(
      /It waited for the end of a transaction, held by pid \d+ \(user postgres, application teller.*its last statement, UPDATE/,
    );
    expect(failure.message).not.toContain('99.99');
    expect(await database.sql('SELECT sum(balance) FROM accounts')).toBe('30.50');
  });

  test('is ended by the statement timeout, whatever the server’s own', async () => {
    const database = await cluster.database(accounts);
    const failure = await failureFrom(
      database.tasks().runSql('DELETE FROM accounts; SELECT pg_sleep(600)', {
        ...options,
        statementTimeoutSeconds: 0.3,
      }),
    );
    expect(failure.code).toBe('database-statement-timeout');
    expect(await database.sql('SELECT count(*) FROM accounts')).toBe('2');
  });

  test('of a cancelled run stops on the server as well', async () => {
    const database = await cluster.database(accounts);
    const controller = new AbortController();
    const work = failureFrom(
      database
        .tasks({ signal: controller.signal })
        .runSql('DELETE FROM accounts; SELECT pg_sleep(600)', {
          ...options,
          statementTimeoutSeconds: 0,
        }),
    );
    await until(async () => (await database.running('%SELECT pg_sleep%')) === 1, 'it sleeps');
    controller.abort();
    expect((await work).code).toBe('cancelled');
    await until(async () => (await database.running('%SELECT pg_sleep%')) === 0, 'it is gone');
    expect(await database.sql('SELECT count(*) FROM accounts')).toBe('2');
  });

  test('refuses limits that are none', async () => {
    const database = await cluster.database();
    for (const seconds of [-1, Number.NaN, 1e9]) {
      const failure = await failureFrom(
        database.tasks().runSql('SELECT 1', { ...options, lockTimeoutSeconds: seconds }),
      );
      expect(failure.code).toBe('database-limit-refused');
    }
  });
});

describe('queryValue', () => {
  test.each([
    ['SELECT count(*) FROM accounts', '2'],
    ['SELECT balance, id FROM accounts ORDER BY id LIMIT 1;', '10.50'],
    [
      "SELECT E'two\\nlines | and \\'quotes\\' :x \\\\gexec' -- comment",
      "two\nlines | and 'quotes' :x \\gexec",
    ],
    ["SELECT ''", ''],
    ['SELECT true', 'true'],
    ['SELECT own_function() FROM accounts', 'found on the search path'],
    ["VALUES (timestamp '2026-01-02 03:04:05')", '2026-01-02 03:04:05'],
    ['WITH a AS (SELECT 1 AS n) SELECT n AS "n""", n FROM a', '1'],
    ['SELECT NULL', undefined],
    ['SELECT id FROM accounts WHERE false', undefined],
    ["SELECT current_setting('transaction_read_only')", 'on'],
  ])('%s is %j', async (sql, value) => {
    const database = await cluster.database(accounts);
    expect(await database.tasks().queryValue(sql, { timeoutSeconds: 5 })).toBe(value);
  });

  test('needs one session', async () => {
    const database = await cluster.database();
    let sessions = 0;
    const tasks = database.tasks({
      onStart: () => {
        sessions += 1;
      },
    });
    await tasks.queryValue('SELECT 1', { timeoutSeconds: 5 });
    expect(sessions).toBe(1);
  });

  test('cannot write, ends in time, and says what the server said', async () => {
    const database = await cluster.database(accounts);
    const tasks = database.tasks();
    const ask = (sql: string, timeoutSeconds = 5): ReturnType<typeof failureFrom> =>
      failureFrom(tasks.queryValue(sql, { timeoutSeconds }));
    expect((await ask('DELETE FROM accounts RETURNING id')).code).toBe('database-statement-failed');
    expect((await ask("SELECT setval('x', 1) FROM nextval('x')")).message).toContain('"x"');
    expect((await ask('SELECT pg_sleep(600)', 0.2)).code).toBe('database-statement-timeout');
    expect((await ask('SELECT 1; SELECT 2')).code).toBe('database-sql-refused');
    expect((await ask('SELECT nothing')).message).toMatch(
      /^The query failed: column "nothing" does not exist.*\(SQLSTATE 42703\)\.$/,
    );
    expect((await ask('SELECT nothing')).state).toBe('The query only reads; it changed nothing.');
    expect(await database.sql('SELECT count(*) FROM accounts')).toBe('2');
  });
});
