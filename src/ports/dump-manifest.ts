import type { DatabaseProperties } from './database-properties.ts';

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
