import { describe, expect, test } from '@jest/globals';
import { failureKind } from '../../src/databases/postgresql/failure-kind.ts';
import {
  readServerMessage,
  statementError,
} from '../../src/databases/postgresql/statement-failure.ts';

const ended = { exitCode: 3, timedOut: false, seconds: 1 } as const;

/** Every order in which writers can put their pieces into one stream. */
function* interleavings(writers: readonly (readonly string[])[]): Generator<string> {
  if (writers.every(({ length }) => length === 0)) yield '';
  for (const [at, [first]] of writers.entries()) {
    if (first === undefined) continue;
    const rest = writers.map((pieces, index) => (index === at ? pieces.slice(1) : pieces));
    for (const tail of interleavings(rest)) yield first + tail;
  }
}

describe('what the server said', () => {
  test('is read with its SQLSTATE and line', () => {
    const stderr = [
      'psql:<stdin>:3: NOTICE:  00000: hello',
      'LOCATION:  exec_stmt_raise, pl_exec.c:3891',
      'psql:<stdin>:15: ERROR:  42703: column "nope" does not exist',
      'LINE 3: select nope',
      '               ^',
      'HINT:  Perhaps you meant "hope".',
      'LOCATION:  errorMissingColumn, parse_relation.c:3665',
    ].join('\n');
    expect(readServerMessage(stderr)).toEqual({
      sqlState: '42703',
      text: 'column "nope" does not exist; Perhaps you meant "hope".',
      scriptLine: 15,
      statementLine: 3,
    });
  });

  test('keeps row values out', () => {
    const stderr = [
      'psql:<stdin>:9: ERROR:  23505: duplicate key value violates unique constraint "users_email_key"',
      'DETAIL:  Key (email)=(ada@example.org) already exists.',
      'SCHEMA NAME:  public',
      'TABLE NAME:  users',
      'CONSTRAINT NAME:  users_email_key',
    ].join('\n');
    const { text } = readServerMessage(stderr);
    expect(text).not.toContain('ada@example.org');
    expect(text).toContain('constraint users_email_key');
  });

  test('in another language is understood by its SQLSTATE', () => {
    const error = statementError('Running SQL', {
      ...ended,
      stderr:
        'psql:<stdin>:9: FEHLER:  55P03: Anfrage wird wegen Zeitüberschreitung beim Warten auf Sperre abgebrochen',
    });
    expect(error.failure.code).toBe('database-lock-timeout');
    expect(error.sqlState).toBe('55P03');
  });

  test('of workers that write into each other’s lines is told, however they do', () => {
    // As strace shows pg_log writing: four pieces a message.
    const pieces = (message: string) => ['pg_restore:', ' ', 'error: ', message];
    const reason = 'could not extend file "base/1/2": No space left on device';
    const full = (table: string) =>
      `COPY failed for table "${table}": ERROR:  ${reason}\nHINT:  Check free disk space.\nCONTEXT:  COPY ${table}, line 7: "ada@example.org"\n`;
    const orders = interleavings([
      pieces(full('orders')),
      pieces(full('users')),
      pieces('a worker process died unexpectedly\n'),
    ]);
    let count = 0;
    for (const stderr of orders) {
      count += 1;
      const { failure } = statementError('Restoring', { ...ended, exitCode: 1, stderr });
      if (failure.code !== 'database-disk-full' || !failure.message.includes(reason)) {
        throw new Error(`not told of: ${stderr}`);
      }
      expect(failure.message).not.toContain('ada@example.org');
    }
    expect(count).toBe(34_650);
  });

  test('of pg_restore is told without its rows', () => {
    const stderr = [
      'pg_restore: error: COPY failed for table "users": ERROR:  duplicate key value violates unique constraint "users_pkey"',
      'DETAIL:  Key (email)=(ada@example.org) already exists.',
      'CONTEXT:  COPY users, line 1',
    ].join('\n');
    const { failure } = statementError('Restoring', { ...ended, exitCode: 1, stderr });
    expect(failure.message).toContain('users_pkey');
    expect(failure.message).not.toContain('ada@example.org');
  });

  test('a warning is not the error', () => {
    expect(
      readServerMessage('psql:<stdin>:1: WARNING:  01007: no privileges were granted').sqlState,
    ).toBeUndefined();
  });

  test.each([
    [
      undefined,
      'psql: error: connection to server at "127.0.0.1", port 1 failed: Connection refused',
      'database-unreachable',
    ],
    [
      undefined,
      'connection to server at "h" failed: FATAL: password authentication failed for user "x"',
      'database-authentication-failed',
    ],
    [
      undefined,
      'connection to server failed: FATAL: database "x" does not exist',
      'database-missing',
    ],
    [
      undefined,
      'connection to server failed: FATAL: sorry, too many clients already',
      'database-too-many-connections',
    ],
    [
      undefined,
      'connection to server failed: FATAL: the database system is shutting down',
      'database-shutting-down',
    ],
    [
      undefined,
      'pg_dump: error: could not write to file: No space left on device',
      'database-disk-full',
    ],
    [
      undefined,
      'pg_restore: error: COPY failed for table "t": ERROR:  could not extend file "base/1/2": wrote only 4096 of 8192 bytes at block 3',
      'database-disk-full',
    ],
    [
      undefined,
      'pg_dump: error: query failed: ERROR: query would be affected by row-level security policy for table "t"',
      'database-row-security',
    ],
    [
      '42501',
      'query would be affected by row-level security policy for table "t"',
      'database-row-security',
    ],
    ['42501', 'permission denied for table t', 'database-permission-denied'],
    ['57014', 'canceling statement due to statement timeout', 'database-statement-timeout'],
    ['57014', 'canceling statement due to user request', 'database-statement-cancelled'],
    ['57P01', 'terminating connection due to administrator command', 'database-shutting-down'],
    ['53100', 'could not extend file: No space left on device', 'database-disk-full'],
    ['55006', 'source database "a" is being accessed by other users', 'database-in-use'],
    // What a statement itself says must not be taken for what the client says.
    [
      'P0001',
      'connection to server failed: FATAL: password authentication failed',
      'database-statement-failed',
    ],
  ])('%s %s is %s', (sqlState, text, code) => {
    expect(failureKind({ sqlState, text }).code).toBe(code);
  });

  test('a missing program and a timeout have their own codes', () => {
    expect(
      statementError('x', { exitCode: 127, stderr: '', timedOut: false, seconds: 0 }).failure.code,
    ).toBe('database-client-missing');
    expect(
      statementError('x', { exitCode: null, stderr: '', timedOut: true, seconds: 9 }).failure.code,
    ).toBe('database-statement-timeout');
  });
});
