import type { Plan } from '../plan/plan.ts';
import type { BackupCopy, BackupReceipt, BackupRetention } from '../record/backup-receipt.ts';
import { bytesOf, placeOf, type RestorePointKind } from '../record/restore-point.ts';
import type { WindowStatus } from '../record/status.ts';
import { secondsBetween } from './moment.ts';
import { stepIds } from './step-ids.ts';
import { lastRow, type TimelineRow } from './timeline.ts';

/** The verified backup; times in seconds, sizes in bytes. */
export interface BackupFacts {
  readonly directory: string;
  readonly takenAt: string;
  readonly verifiedAt: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly serverVersion: string;
  readonly dumpVersion: string;
  readonly tables: number;
  readonly totalRows: number;
  readonly tocEntries: number;
  readonly dumpSeconds: number;
  /** The basis of the recovery time (RTO); measured by the proving restore unless `restoreBasis` says otherwise. */
  readonly restoreSeconds: number;
  readonly restoreBasis?: BackupReceipt['restoreBasis'];
  /** How it was proved, and what was observed. */
  readonly verification?: BackupReceipt['verification'];
  readonly format?: BackupReceipt['format'];
  /** The host that keeps it. */
  readonly host?: BackupReceipt['host'];
  readonly compression?: BackupReceipt['compression'];
  readonly encrypted?: BackupReceipt['encrypted'];
  /** What a restore leaves out or brings back otherwise. */
  readonly notes?: BackupReceipt['notes'];
  /** Those that were read back. */
  readonly copies: readonly BackupCopy[];
  /** What became of older ones, in each place that has rules. */
  readonly retention: readonly BackupRetention[];
}

export interface RestorePointFacts {
  readonly kind: RestorePointKind;
  readonly takenAt: string;
  readonly seconds: number;
  readonly place: string;
  /** `null` where only its maker knows. */
  readonly bytes: number | null;
  /** Its age when it was last needed: the basis of the recovery point (RPO). `null` when not known. */
  readonly ageSeconds: number | null;
  readonly ageAt: 'rollback' | 'reopening' | 'report';
  /** Whether the public was proved to be kept out when it was taken. */
  readonly takenWhileClosed: boolean;
  readonly dropped: boolean;
  /** Until when the plan keeps it after a window that ended well; `null` when it does not. */
  readonly keptUntil: string | null;
}

export interface RollbackFacts {
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly seconds: number | null;
  readonly reason: string;
  readonly from: string;
  /** Whether another database took the failed one's place. */
  readonly restored: boolean;
  /** What it went back to. */
  readonly basis: 'restore-point' | 'backup' | 'none';
  readonly failedDatabase: string | null;
  readonly acceptedLoss: string | null;
  /** What may have been written and is not in the restored database; told, whether or not anybody consented. */
  readonly loss: string;
}

export interface RecoveryFacts {
  readonly backup: BackupFacts | null;
  readonly restorePoint: RestorePointFacts | null;
  readonly rollback: RollbackFacts | null;
}

/** What `rollback` records when the counters show no write since the reopening. */
const nothingWritten = 'nothing was written';

/**
 * Whether the rollback went back to a state before the tasks of a stage: a restore point is taken after those that ran
 * online; the backup that it may fall back to, before them.
 */
export function isTakenBack(
  stage: 'online' | 'closed',
  { rollback }: Pick<RecoveryFacts, 'rollback'>,
): boolean {
  return rollback?.restored === true && (stage === 'closed' || rollback.basis === 'backup');
}

/** What the window could go back to, and what going back cost. */
export function recoveryFacts(
  status: WindowStatus,
  rows: readonly TimelineRow[],
  plan: Plan,
  now: Date,
): RecoveryFacts {
  return {
    backup: backupFacts(status.backup),
    restorePoint: restorePointFacts(status, rows, now),
    rollback: rollbackFacts(status, rows, plan),
  };
}

function backupFacts(backup: WindowStatus['backup']): BackupFacts | null {
  if (backup === undefined) return null;
  const { rows, ...rest } = backup;
  const { copies = [], retention = [] } = rest;
  return { ...rest, copies, retention, tables: Object.keys(rows).length };
}

function restorePointFacts(
  status: WindowStatus,
  rows: readonly TimelineRow[],
  now: Date,
): RestorePointFacts | null {
  const { restorePoint, rollback, maintenance } = status;
  if (restorePoint === undefined) return null;
  const [ageAt, moment] =
    rollback !== undefined
      ? (['rollback', rollback.startedAt] as const)
      : maintenance?.reopenedAt !== undefined
        ? (['reopening', maintenance.reopenedAt] as const)
        : (['report', now.toISOString()] as const);
  const sinceClosed = secondsBetween(maintenance?.closedAt, restorePoint.takenAt);
  return {
    kind: restorePoint.kind,
    takenAt: restorePoint.takenAt,
    seconds: restorePoint.seconds,
    place: placeOf(restorePoint),
    bytes: bytesOf(restorePoint) ?? null,
    ageSeconds: secondsBetween(restorePoint.takenAt, moment),
    ageAt,
    takenWhileClosed: sinceClosed !== null && sinceClosed >= 0,
    dropped:
      restorePoint.droppedAt !== undefined ||
      lastRow(rows, stepIds.dropRestorePoint)?.outcome === 'done',
    keptUntil: restorePoint.keptUntil ?? null,
  };
}

/** Whether what was restored got the application's name; a name in the status file is only the intention. */
export function wasRestored(rows: readonly TimelineRow[]): boolean {
  return lastRow(rows, stepIds.swapIn)?.outcome === 'done';
}

function rollbackFacts(
  status: WindowStatus,
  rows: readonly TimelineRow[],
  plan: Plan,
): RollbackFacts | null {
  const { rollback, restorePoint, backup } = status;
  if (rollback === undefined) return null;
  const restored = wasRestored(rows);
  const kept = lastRow(rows, stepIds.keepFailed)?.outcome === 'done';
  const basis =
    restorePoint !== undefined ? 'restore-point' : backup !== undefined ? 'backup' : 'none';
  return {
    startedAt: rollback.startedAt,
    finishedAt: rollback.finishedAt ?? null,
    seconds: secondsBetween(rollback.startedAt, rollback.finishedAt),
    reason: rollback.reason,
    from: rollback.from,
    restored,
    basis: restored ? basis : 'none',
    failedDatabase: kept ? (rollback.failedDatabase ?? null) : null,
    acceptedLoss: rollback.acceptedLoss ?? null,
    loss: lossOf(status, restored, plan),
  };
}

function lossOf(status: WindowStatus, restored: boolean, plan: Plan): string {
  const { restorePoint, backup, maintenance, rollback } = status;
  if (!restored) return 'No data was restored, so none was lost by restoring.';
  const basis = restorePoint ?? backup;
  if (basis === undefined) {
    return 'What was restored is not in the record; what is missing since then is not known.';
  }
  if (rollback?.from === 'reopened') {
    return rollback.acceptedLoss === nothingWritten
      ? 'Nothing, by the counters of the database: no row was written between the reopening and the rollback.'
      : 'Everything written since the restore point was taken is missing, also what the public wrote after the reopening; the failed database still has it.';
  }
  const closedAt = maintenance?.closedAt;
  const afterClosing = secondsBetween(closedAt, basis.takenAt);
  if (afterClosing !== null && afterClosing >= 0) {
    const ways = bypasses(plan);
    return `Nothing that the public wrote: it was kept out before the restore point was taken.${ways === '' ? '' : ` Writes through ${ways} after that point are missing.`}`;
  }
  return 'Everything written between the taking of what was restored and the closing of the site is missing; the failed database still has it.';
}

/** Ways past the closed door, by which something may have been written during the window. */
function bypasses({ enableMaintenance }: Plan): string {
  const ways = [
    enableMaintenance.exemptPaths.length > 0 ? 'exempt paths' : '',
    enableMaintenance.bypassAddresses.length > 0 || enableMaintenance.bypassToken !== undefined
      ? 'the bypass'
      : '',
  ];
  return ways.filter((way) => way !== '').join(' or ');
}
