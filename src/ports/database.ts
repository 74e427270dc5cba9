import type { BackupProofs } from './backup-proof.ts';
import type { DatabaseProperties } from './database-properties.ts';
import type { DatabaseTasks } from './database-tasks.ts';
import type { Compression, DumpManifest, RowCounts } from './dump-manifest.ts';
import type { Encryption } from './encryption.ts';
import type { Host } from './host.ts';

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

/** Write activity per table since the statistics began; compared before and after reopening. */
export type WriteCounters = Readonly<
  Record<string, { readonly inserted: number; readonly updated: number; readonly deleted: number }>
>;

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
export interface Database extends BackupProofs, DatabaseTasks {
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
