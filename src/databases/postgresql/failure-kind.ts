import type { Failure } from '../../ports/failure.ts';

/** Code and advice for a kind of failure that people act on differently. */
export type FailureKind = Pick<Failure, 'code' | 'next'>;

interface Rule extends FailureKind {
  /** SQLSTATEs (manual, appendix A); with `says`, both must match. */
  readonly state?: RegExp;
  readonly says?: RegExp;
  /** What a client prints that got no SQLSTATE: no connection yet, or none any more; or a client other than psql. */
  readonly clientSays?: RegExp;
}

const rules: readonly Rule[] = [
  {
    code: 'database-row-security',
    state: /^42501$/,
    says: /row-level security/,
    clientSays: /would be affected by row-level security/,
    next: 'Use a role with BYPASSRLS, the owner of the tables, or a superuser.',
  },
  {
    code: 'database-disk-full',
    state: /^53100$/,
    clientSays:
      /No space left on device|Disk quota exceeded|File too large|could not extend file .*wrote only/,
    next: 'Free disk space, then run the step again.',
  },
  {
    code: 'database-authentication-failed',
    state: /^28/,
    clientSays:
      /password authentication failed|no password supplied|no pg_hba\.conf entry|authentication failed|FATAL: +role ".*" does not exist|is not permitted to log in/s,
    next: 'Check the user and the password in the database URL, and the server’s pg_hba.conf.',
  },
  {
    code: 'database-missing',
    state: /^3D000$/,
    clientSays: /FATAL: +database ".*" does not exist/s,
    next: 'Check the database name in the database URL.',
  },
  {
    code: 'database-closed',
    state: /^55000$/,
    says: /is not currently accepting connections/,
    clientSays: /is not currently accepting connections/,
    next: 'The database has ALLOW_CONNECTIONS false: a window or an administrator closed it. Look with `maintenance-window status`.',
  },
  {
    code: 'database-in-use',
    state: /^55006$/,
    clientSays: /is being accessed by other users/,
    next: 'End the other sessions and prepared transactions on the database, then run the step again.',
  },
  {
    code: 'database-exists',
    state: /^42P04$/,
    next: 'Find out what the database of that name holds, then run the step again.',
  },
  {
    code: 'database-permission-denied',
    state: /^42501$/,
    clientSays: /permission denied|must be (?:superuser|owner)/,
    next: 'Grant the role what it lacks, or use another role.',
  },
  {
    code: 'database-lock-timeout',
    state: /^55P03$/,
    clientSays: /canceling statement due to lock timeout|could not obtain lock on relation/,
    next: 'Find who holds the lock in pg_stat_activity and pg_locks, then run the step again or raise the lock timeout.',
  },
  {
    code: 'database-statement-timeout',
    state: /^57014$/,
    says: /statement timeout/,
    clientSays: /canceling statement due to statement timeout/,
    next: 'Raise the statement timeout if the work is worth the time, then run the step again.',
  },
  {
    code: 'database-statement-cancelled',
    state: /^57014$/,
    next: 'Somebody cancelled the statement; run the step again when that is settled.',
  },
  {
    code: 'database-too-many-connections',
    state: /^53300$/,
    clientSays: /too many (?:clients|connections)|remaining connection slots/,
    next: 'End sessions that are not needed, or raise the connection limit.',
  },
  {
    code: 'database-shutting-down',
    state: /^57P0[1-3]$/,
    clientSays:
      /the database system is (?:shutting down|starting up|in recovery|not yet accepting)|terminating connection due to/,
    next: 'Check that the server is up and stays up, and that nobody ends our sessions; then run the step again.',
  },
  {
    code: 'database-connection-lost',
    state: /^08/,
    clientSays:
      /server closed the connection unexpectedly|connection to server was lost|SSL connection has been closed unexpectedly|no connection to the server/,
    next: 'Check that the server is up, look at its log, then run the step again.',
  },
  {
    code: 'database-unreachable',
    clientSays:
      /connection to server .*failed|could not connect|could not translate host name|timeout expired/s,
    next: 'Check host and port in the database URL, and that the server listens there and lets this machine in.',
  },
];

/** Sorts a server's or client's message; `database-statement-failed` when it is none of the known kinds. */
export function failureKind(message: {
  readonly sqlState: string | undefined;
  readonly text: string;
}): FailureKind {
  const { sqlState, text } = message;
  const rule = rules.find(({ state, says, clientSays }) =>
    sqlState === undefined
      ? clientSays?.test(text) === true
      : state?.test(sqlState) === true && says?.test(text) !== false,
  );
  return {
    code: rule?.code ?? 'database-statement-failed',
    next: rule?.next ?? 'Correct the statement or the data that it meets, then run the step again.',
  };
}
