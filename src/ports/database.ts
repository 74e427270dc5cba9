import type { DatabaseProperties } from './database-properties.ts';

export type { DatabaseProperties } from './database-properties.ts';

/** Facts that `preflight` and the predictions need; bytes and seconds. */
export interface DatabaseFacts {
  readonly name: string;
  readonly oid: number;
  /** As the server prints it, for instance `15.18`. */
  readonly serverVersion: string;
  /** For instance 150018. */
  readonly serverVersionNumber: number;
  /** Versions of the clients that would be used, by name (`psql`, `pg_dump`, `pg_restore`). */
  readonly clientVersions: Readonly<Record<string, string>>;
  readonly clientsAreNewEnough: boolean;
  readonly bytes: number;
  /** Bytes of all relations' own indexes. */
  readonly indexBytes: number;
  readonly role: string;
  readonly isSuperuser: boolean;
  readonly canCreateDatabase: boolean;
  readonly ownsDatabase: boolean;
  /** Whether the role may end other roles' sessions (superuser or pg_signal_backend). */
  readonly canEndSessions: boolean;
  readonly isReadOnly: boolean;
  readonly isInRecovery: boolean;
  /** Folder of the server's data, when the role may see it. */
  readonly dataDirectory: string | undefined;
  /** Other client sessions on the database now. */
  readonly sessions: number;
  readonly longTransactions: readonly {
    readonly pid: number;
    readonly user: string;
    readonly seconds: number;
    readonly state: string;
    readonly query: string;
  }[];
  readonly preparedTransactions: readonly { readonly id: string; readonly seconds: number }[];
  readonly invalidIndexes: readonly string[];
  readonly standbys: readonly {
    readonly name: string;
    readonly state: string;
    readonly lagSeconds: number | undefined;
  }[];
}

/** A database as the catalogue shows it; identity is the oid, the name may change. */
export interface DatabaseIdentity {
  readonly oid: number;
  readonly name: string;
  readonly allowsConnections: boolean;
  readonly connectionLimit: number;
  readonly bytes: number;
}

/** Exact number of rows per table, keyed `schema.table` (quoted as SQL identifiers where needed). */
export type RowCounts = Readonly<Record<string, number>>;

/** A finished dump: what it holds, proved by its own snapshot. */
export interface DumpManifest {
  readonly schemaVersion: 1;
  readonly windowId: string;
  readonly database: DatabaseProperties;
  readonly startedAt: string;
  readonly seconds: number;
  readonly format: 'directory';
  readonly serverVersion: string;
  readonly dumpVersion: string;
  readonly bytes: number;
  /** SHA-256 over the sorted `sha256  name` lines of all files. */
  readonly sha256: string;
  readonly files: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly sha256: string;
  }[];
  /** Number of entries in the dump's table of contents. */
  readonly tocEntries: number;
  readonly rows: RowCounts;
  /** Roles that own objects or hold grants, which a restore needs first. */
  readonly roles: readonly string[];
}

/** Write activity per table since the statistics began; compared before and after reopening. */
export type WriteCounters = Readonly<
  Record<string, { readonly inserted: number; readonly updated: number; readonly deleted: number }>
>;

/** Before/after figures and the proof of a task. */
export interface TaskResult {
  /** One line for people, for instance `12 indexes rebuilt, 34 MB smaller`. */
  readonly summary: string;
  /** Named figures with their unit in the name, for instance `index-bytes-before`. */
  readonly figures: Readonly<Record<string, number>>;
  /** The post-condition that was observed. */
  readonly proof: string;
}

/** Limits that every statement of a task runs under; seconds, 0 means none. */
export interface StatementLimits {
  readonly lockTimeoutSeconds: number;
  readonly statementTimeoutSeconds: number;
}

export interface TaskOptions extends StatementLimits {
  /** Called with progress from the server's progress views, about once a second. */
  readonly onProgress?: (line: string) => void;
}

export interface MigrationFile {
  readonly name: string;
  readonly sql: string;
  /** Hex SHA-256 of the file. */
  readonly sha256: string;
  /** Whether the file must run outside a transaction (its first line is `-- no-transaction`). */
  readonly withoutTransaction: boolean;
}

/** What a write that was taken back showed. */
export interface WriteCanary {
  /** Whether the SQL changed anything at all while it stood. */
  readonly wrote: boolean;
  /** Number of its transaction; empty when nothing was written. */
  readonly transaction: string;
  /** Whether a second session saw that this transaction is aborted, so that none of its rows is left. */
  readonly rolledBack: boolean;
  /** What the reading query returned while the write stood; `undefined` when there was none. */
  readonly read: { readonly value: string | undefined } | undefined;
  /** Sequences that moved on meanwhile, by this write or another session: no rollback takes that back. */
  readonly sequences: readonly {
    readonly name: string;
    readonly before: string | null;
    readonly after: string | null;
  }[];
  readonly role: string | undefined;
}

/**
 * One database of the application and its server.
 * The adapter quotes all names and values by SQL's rules, runs the official clients and hands secrets over by
 * environment. Methods throw FailureError with a `database-…` code.
 */
export interface Database {
  /** Engine and database name without secrets, for logs: `postgresql shop on 127.0.0.1:5432`. */
  readonly label: string;
  /** Name of the application's database. */
  readonly name: string;

  // What is there
  inspect(options: { readonly longTransactionSeconds: number }): Promise<DatabaseFacts>;
  properties(): Promise<DatabaseProperties>;
  /**
   * What keeps our role from giving the database its own properties again, as a rollback must; tried and taken back.
   * `undefined` when nothing does.
   */
  reapplyObstacle(): Promise<string | undefined>;
  /** A database of this server by name or oid; `undefined` when there is none. */
  identify(
    by: { readonly name: string } | { readonly oid: number },
  ): Promise<DatabaseIdentity | undefined>;
  /** Names of databases that begin with `prefix`. */
  databasesWithPrefix(prefix: string): Promise<readonly string[]>;
  /**
   * Exact counts of all ordinary tables (partitions among them) of a database of this server; materialized views are
   * derived and left out.
   */
  countRows(database: string): Promise<RowCounts>;
  /** Other sessions that are in a transaction or running a statement on the application's database. */
  busySessions(): Promise<number>;
  writeCounters(): Promise<WriteCounters>;

  // Backup
  /** Rough bytes that a dump may need on disk (an upper bound). */
  dump(options: {
    readonly directory: string;
    readonly windowId: string;
    readonly jobs: number;
    readonly onProgress?: (line: string) => void;
  }): Promise<DumpManifest>;
  /** Restores a dump into a database that exists and is empty. */
  restore(options: {
    readonly directory: string;
    readonly database: string;
    readonly jobs: number;
  }): Promise<{ readonly seconds: number }>;
  /** Creates an empty database like the application's (encoding, locale, tablespace), closed to others (connection limit 0). */
  createEmpty(database: string, like: DatabaseProperties): Promise<DatabaseIdentity>;
  drop(database: string): Promise<void>;

  // Restore points and swap; each is one small effect that the catalogue shows
  setAllowConnections(database: string, allow: boolean): Promise<void>;
  /** Ends all other sessions on a database and waits until they are gone (FailureError `database-sessions-stay`). */
  endSessions(database: string, withinSeconds: number): Promise<number>;
  /** Copies a database file by file where the server can; the copy allows no connections. */
  clone(source: string, target: string): Promise<DatabaseIdentity>;
  rename(from: string, to: string): Promise<void>;
  /** Reapplies owner, grants, settings, connection limit, comment; last of all, whether connections are allowed. */
  applyProperties(database: string, properties: DatabaseProperties): Promise<void>;

  // Tasks
  vacuum(
    tables: readonly string[] | 'all',
    options: TaskOptions & { readonly analyze: boolean; readonly jobs: number },
  ): Promise<TaskResult>;
  analyze(
    tables: readonly string[] | 'all',
    options: TaskOptions & { readonly jobs: number },
  ): Promise<TaskResult>;
  /** Rebuilds concurrently where possible; finds and repairs what an interrupted run left. */
  reindex(
    tables: readonly string[] | 'all',
    options: TaskOptions & { readonly concurrently: boolean },
  ): Promise<TaskResult>;
  /** Applies the files that the checksum table does not have yet, in order; refuses a changed one before anything runs. */
  migrate(
    files: readonly MigrationFile[],
    options: TaskOptions & { readonly checksumTable: string },
  ): Promise<TaskResult>;
  /** Runs statements; with `expect`, a query that must return `true` afterwards. */
  runSql(
    sql: string,
    options: TaskOptions & {
      readonly inTransaction: boolean;
      readonly expect?: string | undefined;
    },
  ): Promise<TaskResult>;
  /**
   * Writes, checks deferred constraints, reads back, and rolls back, in one transaction; then proves that it is
   * aborted. Refuses SQL that does anything but write and read, or that would end the transaction.
   */
  writeCanary(options: {
    readonly insert: string;
    readonly read?: string;
    readonly role?: string;
    readonly timeoutSeconds: number;
  }): Promise<WriteCanary>;
  /** Result of a query as text, first column of the first row; `undefined` when there is no row. Read-only transaction. */
  queryValue(
    sql: string,
    options: { readonly timeoutSeconds: number },
  ): Promise<string | undefined>;
}
