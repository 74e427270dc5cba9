import { z } from 'zod';
import { verificationLevels } from '../plan/settings/backup-db.ts';

/** How a backup was proved. */
export type VerificationLevel = (typeof verificationLevels)[number];

/** A copy of a backup elsewhere that was read back and had the checksum that was sent. */
const backupCopySchema = z.object({
  /** Name of the copy in the plan. */
  id: z.string(),
  to: z.string(),
  /** Where it is, for people, without secrets. */
  label: z.string(),
  /** Names of its objects there. */
  objects: z.array(z.string()),
  bytes: z.number(),
  sha256: z.string(),
  encrypted: z.boolean(),
  readBackAt: z.string(),
});
export type BackupCopy = z.infer<typeof backupCopySchema>;

/** What was kept and removed of older backups in one place. */
const retentionSchema = z.object({
  /** `host`, or the id of a copy in the plan. */
  id: z.string(),
  label: z.string(),
  kept: z.number(),
  /** Names of the backups that were removed and are proved to be gone. */
  removed: z.array(z.string()),
  /** Why nothing was removed. */
  held: z.string().optional(),
  /** Why it was not carried out, or not to its end. */
  failed: z.string().optional(),
});
export type BackupRetention = z.infer<typeof retentionSchema>;

/** What is known of a verified backup. */
export const backupReceiptSchema = z.object({
  /** A folder; for the format `stream` the folder that holds its single file. */
  directory: z.string(),
  takenAt: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  serverVersion: z.string(),
  dumpVersion: z.string(),
  rows: z.record(z.string(), z.number()),
  totalRows: z.number(),
  tocEntries: z.number(),
  dumpSeconds: z.number(),
  /** Seconds that the proving restore took; with `checksum` alone a cautious guess. */
  restoreSeconds: z.number(),
  /** Where that figure comes from; without it the application's own server. */
  restoreBasis: z.enum(['measured', 'measured-elsewhere', 'estimated']).optional(),
  verifiedAt: z.string(),
  format: z.enum(['directory', 'stream']).optional(),
  /** The host that keeps it; without it the one that runs the database's client programs. */
  host: z.string().optional(),
  /** How it was compressed, for instance `gzip:1`, and why. */
  compression: z.object({ chosen: z.string(), reason: z.string() }).optional(),
  encrypted: z.boolean().optional(),
  /** What a restore leaves out or brings back otherwise, a line each. */
  notes: z.array(z.string()).optional(),
  verification: z
    .object({
      level: z.enum(verificationLevels),
      /** What was observed, a line each. */
      observed: z.array(z.string()),
      seconds: z.number(),
    })
    .optional(),
  copies: z.array(backupCopySchema).optional(),
  retention: z.array(retentionSchema).optional(),
});
export type BackupReceipt = z.infer<typeof backupReceiptSchema>;
