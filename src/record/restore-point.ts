import { z } from 'zod';
import { backupReceiptSchema } from './backup-receipt.ts';

const common = {
  takenAt: z.string(),
  /** Seconds that it took, while closed. */
  seconds: z.number(),
  /** Until when it stays although the window ended well, as the plan had it. */
  keptUntil: z.string().optional(),
  /** Set when it was let go of: a rollback cannot go back to it any more. */
  droppedAt: z.string().optional(),
};

/** Where a rollback goes back to, taken while closed, before the first change. */
export const restorePointSchema = z.discriminatedUnion('kind', [
  /** A copy of the database on the same server. */
  z.object({
    ...common,
    kind: z.literal('clone'),
    database: z.string(),
    oid: z.number(),
    bytes: z.number(),
  }),
  /** A streaming replica that was caught up and then stopped. */
  z.object({
    ...common,
    kind: z.literal('standby'),
    host: z.string(),
    dataDirectory: z.string(),
    /** The position in the primary's log up to which it has everything. */
    position: z.string(),
    /** Where the primary's log ended when it was stopped: nothing from beyond can be in it. */
    until: z.string(),
    systemIdentifier: z.string(),
    timeline: z.number(),
    /** Replication slot of ours that makes the primary keep its log meanwhile. */
    slot: z.string().optional(),
  }),
  /** A verified backup, retaken while closed. */
  z.object({ ...common, kind: z.literal('dump'), backup: backupReceiptSchema }),
  /** A snapshot by the user's own commands. */
  z.object({
    ...common,
    kind: z.literal('command'),
    /** What the command printed: the snapshot's name. */
    reference: z.string(),
    /** The comment that the database had at that moment only: whoever goes back finds it. */
    mark: z.string(),
  }),
]);
export type RestorePoint = z.infer<typeof restorePointSchema>;
export const restorePointKinds = [
  'clone',
  'standby',
  'dump',
  'command',
] as const satisfies readonly RestorePoint['kind'][];
export type RestorePointKind = RestorePoint['kind'];
export type RestorePointOf<Kind extends RestorePointKind> = Extract<RestorePoint, { kind: Kind }>;

/** The restore point that a rollback can still go back to. */
export function liveRestorePoint({
  restorePoint,
}: {
  readonly restorePoint?: RestorePoint | undefined;
}): RestorePoint | undefined {
  return restorePoint?.droppedAt === undefined ? restorePoint : undefined;
}

/**
 * Until when a window that ended well keeps its restore point; `undefined` when it does not. A stopped standby
 * protects nobody, so it is given back at once; a dump is a backup and kept as such.
 */
export function retentionEnd(
  point: RestorePoint,
  { reopenedAt, retentionSeconds }: { reopenedAt: string | undefined; retentionSeconds: number },
): Date | undefined {
  if (point.kind === 'standby' || point.kind === 'dump' || retentionSeconds === 0) return undefined;
  return new Date(Date.parse(reopenedAt ?? point.takenAt) + retentionSeconds * 1000);
}

/** Where a restore point is, for people. */
export function placeOf(point: RestorePoint): string {
  switch (point.kind) {
    case 'clone':
      return point.database;
    case 'standby':
      return `${point.dataDirectory} on ${point.host}`;
    case 'dump':
      return point.backup.directory;
    case 'command':
      return point.reference;
  }
}

/** Bytes that a restore point holds; `undefined` where only its maker knows. */
export function bytesOf(point: RestorePoint): number | undefined {
  switch (point.kind) {
    case 'clone':
      return point.bytes;
    case 'dump':
      return point.backup.bytes;
    case 'standby':
    case 'command':
      return undefined;
  }
}
