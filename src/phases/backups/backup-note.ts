import * as z from 'zod';
import type { BackupReceipt } from '../../record/backup-receipt.ts';
import type { KeptBackup } from './retention-decision.ts';

/** Bytes that a note may have; more is none of ours. */
export const noteLimitBytes = 64 * 1024;

const noteSchema = z.object({
  kind: z.literal('maintenance-window-backup'),
  schemaVersion: z.literal(1),
  /** The backup's own name, which its objects begin with. */
  backup: z.string(),
  /** Of the window's application. */
  name: z.string(),
  windowId: z.string(),
  database: z.string(),
  takenAt: z.iso.datetime({ offset: true }),
  verifiedAt: z.iso.datetime({ offset: true }),
  serverVersion: z.string(),
  dumpVersion: z.string(),
  /** Of the dump, before it was packed. */
  bytes: z.number(),
  sha256: z.string(),
  rows: z.number(),
  /** Of a copy: the packed dump beside this note, which was read back with this checksum. */
  archive: z
    .object({
      object: z.string(),
      bytes: z.number(),
      sha256: z.string(),
      encrypted: z.boolean(),
      readBackAt: z.string(),
    })
    .optional(),
});

/**
 * Stands beside each verified backup and is written last: where there is none, there is no backup. It may lie in a
 * foreign place unencrypted, so it names no table.
 */
export type BackupNote = z.output<typeof noteSchema>;

export function noteOf(
  backup: string,
  receipt: BackupReceipt,
  window: { readonly name: string; readonly windowId: string; readonly database: string },
): BackupNote {
  const { takenAt, verifiedAt, serverVersion, dumpVersion, bytes, sha256, totalRows } = receipt;
  return {
    kind: 'maintenance-window-backup',
    schemaVersion: 1,
    backup,
    ...window,
    takenAt,
    verifiedAt,
    serverVersion,
    dumpVersion,
    bytes,
    sha256,
    rows: totalRows,
  };
}

export function noteText(note: BackupNote): string {
  return `${JSON.stringify(note, undefined, 2)}\n`;
}

/** A note of ours; `undefined` for anything else. */
export function readNote(text: string): BackupNote | undefined {
  try {
    return noteSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export function keptBackup({ backup, takenAt, bytes, rows }: BackupNote): KeptBackup {
  return { name: backup, takenAt, bytes, rows };
}

/** The window of a backup of this application by the backup's name; `undefined` for all other names. */
export function windowIdIn(backup: string, name: string): string | undefined {
  if (!backup.startsWith(`${name}-`)) return undefined;
  return /^(mw-\d{8}-\d{6}-[0-9a-f]+)(?:-closed)?$/.exec(backup.slice(name.length + 1))?.[1];
}

/** Names of a backup's objects, in a place of copies. */
export function objectsOf(
  backup: string,
  encrypted: boolean,
): { readonly note: string; readonly archive: string } {
  return { note: `${backup}.json`, archive: `${backup}.tar${encrypted ? '.age' : ''}` };
}

/** The backup that an object's name says it belongs to. */
export function backupIn(object: string): string {
  return object.replace(/\.(?:json|tar|tar\.age)$/, '');
}
