import type { DangerousStatement } from './dangerous-sql.ts';
import type { OnlineTerms, OnlineWatch, WatchedWork } from './online-guard.ts';

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

/** What a window does inside the application's database, and what can be known of it before. */
export interface DatabaseTasks {
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
}
