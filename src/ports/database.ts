import type { BackupProofs } from './backup-proof.ts';
import type { DangerousStatement } from './dangerous-sql.ts';
import type { DatabaseProperties } from './database-properties.ts';
import type { Encryption } from './encryption.ts';
import type { Host } from './host.ts';
import type { OnlineTerms, OnlineWatch, WatchedWork } from './online-guard.ts';

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
  /** Folder whose file system takes the database and copies of it: its tablespace's, else that of the server's data, when the role may see it. */
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
  /** Subscriptions of this database: they belong to it, and no copy has them. */
  readonly subscriptions: readonly { readonly name: string; readonly enabled: boolean }[];
  /** Logical replication slots of this database, which stay with it whatever its name. */
  readonly logicalSlots: readonly string[];
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

/** Of a dump: a folder written by several workers, or one file that was streamed to the host that keeps it. */
export type DumpFormat = 'directory' | 'stream';

/** How a dump is to be compressed; `auto` measures what its host does best. */
export type Compression = 'auto' | 'none' | 'gzip' | 'lz4' | 'zstd';

/** How a dump was compressed. */
export interface CompressionChoice {
  /** For instance `gzip:1`. */
  readonly chosen: string;
  /** In words, with the figures that were measured. */
  readonly reason: string;
}

/** Entries of a dump's table of contents by their numbers. */
export interface RestoreOrder {
  readonly first: readonly number[];
  readonly last: readonly number[];
}

/** A finished dump: what it holds, proved by its own snapshot. */
export interface DumpManifest {
  readonly schemaVersion: 1;
  readonly windowId: string;
  readonly database: DatabaseProperties;
  readonly startedAt: string;
  readonly seconds: number;
  readonly format: DumpFormat;
  readonly compression: CompressionChoice;
  /** Whether its files are readable only with the private key of a recipient. */
  readonly encrypted: boolean;
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
  /** Entries by number that have to be restored after all others; `null` when the dump's own order will do. */
  readonly order: RestoreOrder | null;
  readonly rows: RowCounts;
  /** Roles that own objects or hold grants, which a restore needs first. */
  readonly roles: readonly string[];
  /** What people should know of a restore of it, a line each: what it leaves out, what comes back otherwise. */
  readonly notes: readonly string[];
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
  /** Advice for people, the worst first; bounded in number. */
  readonly findings?: readonly Finding[];
}

/** Something that a person should look at, with what would mend it. */
export interface Finding {
  /** Kebab-case, for instance `unused-index`. */
  readonly kind: string;
  /** What it is about, for instance `public.orders`. */
  readonly object: string;
  /** What was measured, with units. */
  readonly observed: string;
  /** The exact statement to run, when one would mend it. */
  readonly statement?: string;
  /** Why it matters, and what to think of first. */
  readonly why: string;
}

/** Limits that every statement of a task runs under; seconds, 0 means none. */
export interface StatementLimits {
  readonly lockTimeoutSeconds: number;
  readonly statementTimeoutSeconds: number;
}

export interface TaskOptions extends StatementLimits {
  /** Called with progress from the server's progress views, about once a second. */
  readonly onProgress?: (line: string) => void;
  /**
   * Given when the public is served: the task is throttled, gives way to sessions of others that wait for it and to a
   * slow application, tries again, cleans up what giving way leaves, and tells of it in its figures. When the tries are
   * over it fails with `database-online-harmful`.
   */
  readonly online?: OnlineTerms;
}

export interface MigrationFile {
  readonly name: string;
  readonly sql: string;
  /** Hex SHA-256 of the file. */
  readonly sha256: string;
  /** Whether the file must run outside a transaction (its first line is `-- no-transaction`). */
  readonly withoutTransaction: boolean;
}

/** Rows to move out of a table. */
export interface ArchiveOptions extends TaskOptions {
  readonly table: string;
  /** An SQL condition on the columns of the table. */
  readonly where: string;
  readonly target:
    | { readonly kind: 'table'; readonly name: string }
    /** Absolute path on the host; belongs to this task of this window alone. */
    | { readonly kind: 'folder'; readonly path: string };
  /** Rows in one transaction. */
  readonly batchSize: number;
  readonly pauseSeconds: number;
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
export interface Database extends BackupProofs {
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
  /** Bytes of tables with what belongs to them, and of their indexes, partitions included; unknown names count nothing. */
  sizeOf(
    tables: readonly string[],
  ): Promise<{ readonly bytes: number; readonly indexBytes: number }>;
  /**
   * Other sessions that are in a transaction or running a statement on the application's database: the most at two looks
   * a moment apart, for a request between two statements is idle.
   */
  busySessions(): Promise<number>;
  writeCounters(): Promise<WriteCounters>;

  // Backup
  /** How the installed client programs can compress a dump; changes nothing. */
  compressions(): Promise<{
    /** Program, version and host, for people. */
    readonly by: string;
    readonly possible: readonly Compression[];
  }>;
  /**
   * Dumps the database, and counts its rows in the same snapshot. The folder appears whole, with its manifest, or not
   * at all.
   */
  dump(options: {
    readonly directory: string;
    readonly windowId: string;
    readonly jobs: number;
    /** Default: `gzip`. */
    readonly compression?: Compression | undefined;
    /** Streams the dump into a folder on this host; the one with the client programs writes nothing to its disk. */
    readonly keeper?: Host | undefined;
    /** Encrypts a streamed dump before it leaves the host with the client programs. */
    readonly encryption?: Encryption | undefined;
    /** Whether schema, sequences and a hash of each table are kept with it, taken on its own snapshot. */
    readonly contents?: boolean;
    readonly onProgress?: (line: string) => void;
  }): Promise<DumpManifest>;
  /** Restores a dump into a database that exists and is empty; event triggers do not fire meanwhile. */
  restore(options: {
    readonly directory: string;
    readonly database: string;
    readonly jobs: number;
    /** Has the dump; default: the host with the client programs. */
    readonly keeper?: Host | undefined;
    /** With a private key, for an encrypted dump. */
    readonly encryption?: Encryption | undefined;
  }): Promise<{ readonly seconds: number }>;
  /** Creates an empty database like the application's (encoding, locale, tablespace), closed to others (connection limit 0). */
  createEmpty(database: string, like: DatabaseProperties): Promise<DatabaseIdentity>;
  drop(database: string): Promise<void>;

  // Restore points and swap; each is one small effect that the catalogue shows
  setAllowConnections(database: string, allow: boolean): Promise<void>;
  /** Keeps new sessions out of a database, then ends those on it and waits until they are gone; how many. */
  seal(database: string, withinSeconds: number): Promise<number>;
  /** Ends all other sessions on a database and waits until they are gone (FailureError `database-sessions-stay`). */
  endSessions(database: string, withinSeconds: number): Promise<number>;
  /**
   * Has the server write what it changed in memory, so that a copy right after it has less to write.
   * @param scratch name of a database that may be made for a moment where our role may not ask by itself
   * @returns how it was had; `not-allowed` when our role may do neither
   */
  checkpoint(scratch?: string): Promise<'asked' | 'by-a-copy' | 'not-allowed'>;
  /** Copies a database file by file where the server can; the copy allows no connections. */
  clone(source: string, target: string): Promise<DatabaseIdentity>;
  rename(from: string, to: string): Promise<void>;
  /** Reapplies owner, grants, settings, connection limit, comment; last of all, whether connections are allowed. */
  applyProperties(database: string, properties: DatabaseProperties): Promise<void>;

  // Tasks
  vacuum(
    tables: readonly string[] | 'all',
    options: TaskOptions & {
      readonly analyze: boolean;
      readonly jobs: number;
      /** Writes the tables anew, with a lock against readers too. */
      readonly full: boolean;
    },
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
    options: TaskOptions & {
      readonly checksumTable: string;
      /** Called with the files that are about to be applied; what it throws is thrown before anything is changed. */
      readonly onPending?: (pending: readonly MigrationFile[]) => void;
    },
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
   * Moves the rows that match, in batches; each row is in one place at any moment, and a killed run is gone on with.
   * CSV files and their manifests are durable before their rows are removed.
   */
  archive(options: ArchiveOptions): Promise<TaskResult>;
  /** Refreshes materialized views in the order in which they read from each other. */
  refresh(
    views: readonly string[] | 'all',
    options: TaskOptions & { readonly concurrently: boolean },
  ): Promise<TaskResult>;
  /** Writes tables anew by pg_repack; ends nobody's session, and leaves nothing of its own behind. */
  repack(tables: readonly string[] | 'all', options: TaskOptions): Promise<TaskResult>;
  /**
   * Watches over sessions of ours that the official clients hold (a dump, a restore test) while the public is served,
   * and ends what they do as soon as it harms somebody; the client then fails, and the caller tries again.
   */
  watch(work: WatchedWork, terms: OnlineTerms): Promise<OnlineWatch>;
  /** Looks for what slows queries down or will stop them; changes nothing. */
  optimizeQueries(options: TaskOptions & { readonly atMost: number }): Promise<TaskResult>;

  // What can be known before a task runs: each throws what the task would throw before it changed anything,
  // and returns what people should know.
  previewArchive(options: ArchiveOptions): Promise<readonly string[]>;
  previewRefresh(
    views: readonly string[] | 'all',
    options: TaskOptions & { readonly concurrently: boolean },
  ): Promise<readonly string[]>;
  previewRepack(
    tables: readonly string[] | 'all',
    options: TaskOptions,
  ): Promise<readonly string[]>;
  /** Of the files, those that `migrate` would apply; throws what it would throw before it applied one. */
  pendingMigrations(
    files: readonly MigrationFile[],
    options: { readonly checksumTable: string },
  ): Promise<readonly MigrationFile[]>;
  /**
   * The statements of an SQL text that run only with the plan's consent, by their words alone; asks nobody.
   * @throws FailureError `database-sql-unterminated`
   */
  dangersIn(sql: string): readonly DangerousStatement[];

  /** Result of a query as text, first column of the first row; `undefined` when there is no row. Read-only transaction. */
  queryValue(
    sql: string,
    options: { readonly timeoutSeconds: number },
  ): Promise<string | undefined>;
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
}
