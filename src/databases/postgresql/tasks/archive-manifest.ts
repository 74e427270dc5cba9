import { z } from 'zod';
import { keyValues } from './archive-batch.ts';

/** What stands beside each CSV file: enough to know after a kill whether its rows were removed, and to load it again. */
export const archiveManifest = z.object({
  schemaVersion: z.literal(1),
  /** `written`: the file is durable, its rows may or may not be removed. `removed`: they are. */
  state: z.enum(['written', 'removed']),
  windowId: z.string(),
  database: z.string(),
  /** Quoted for SQL. */
  table: z.string(),
  where: z.string(),
  columns: z.array(z.string()),
  rows: z.number(),
  file: z.string(),
  bytes: z.number(),
  /** Of the compressed file. */
  sha256: z.string(),
  writtenAt: z.string(),
  /** The transaction that removes the rows. */
  transaction: z.string(),
  /** Of the removed rows; taken out once they are removed. */
  keys: z.array(keyValues).optional(),
});
export type ArchiveManifest = z.infer<typeof archiveManifest>;

/** What the server knows of a batch whose run was killed. */
export interface BatchTraces {
  /** As `pg_xact_status` says; `null` for a transaction that is too old to be known. */
  readonly transaction: string | null;
  /** Rows with its keys that are in the table. */
  readonly present: number;
  readonly rows: number;
  /** Keys outlive the transaction only where there is a primary key. */
  readonly hasPrimaryKey: boolean;
}

export type BatchFate = 'removed' | 'not-removed' | 'unknown';

/**
 * Whether a killed run removed the rows of a file. The transaction's own end decides; the keys only where the server
 * has forgotten it.
 */
export function fateOf({ transaction, present, rows, hasPrimaryKey }: BatchTraces): BatchFate {
  if (transaction === 'committed') return 'removed';
  if (transaction === 'aborted') return 'not-removed';
  if (transaction !== null || !hasPrimaryKey) return 'unknown';
  if (present === 0) return 'removed';
  return present === rows ? 'not-removed' : 'unknown';
}
