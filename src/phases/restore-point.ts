import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import { fail } from '../ports/failure.ts';
import { runStep } from '../record/step.ts';
import type { RestorePoint } from '../record/status.ts';
import { verifiedBackup } from './backup-db.ts';
import { databaseName } from './database-names.ts';
import { freeDataBytes } from './data-disk.ts';
import type { PhaseContext } from './phase.ts';
import { requireDatabase } from './requirements.ts';

const phase = 'run-db-maintenance';

/** What the choice of a restore point depends on. */
export interface RestorePointSituation {
  readonly wanted: 'auto' | 'clone' | 'backup';
  readonly mayClone: boolean;
  /** Why not, when it may not. */
  readonly obstacle?: string;
}

export type RestorePointChoice =
  { kind: 'clone' } | { kind: 'backup'; reason: string } | { kind: 'impossible'; reason: string };

/** Decides between a clone and a verified backup retaken while closed. */
export function chooseRestorePoint(situation: RestorePointSituation): RestorePointChoice {
  const { wanted, mayClone, obstacle = 'the role may not' } = situation;
  if (wanted === 'backup') return { kind: 'backup', reason: 'the plan asks for it' };
  if (mayClone) return { kind: 'clone' };
  if (wanted === 'clone') return { kind: 'impossible', reason: obstacle };
  return { kind: 'backup', reason: `no clone: ${obstacle}` };
}

/** Takes what a rollback goes back to; the site is closed. Idempotent over the record. */
export async function takeRestorePoint(context: PhaseContext): Promise<RestorePoint> {
  const { record } = context;
  if (record.status.restorePoint !== undefined) {
    await unseal(context, phase);
    return record.status.restorePoint;
  }
  await recordProperties(context, phase);
  // Written down before the database is sealed: afterwards nobody can look into it to choose again.
  const choice = await runStep(context, phase, {
    id: 'choose-restore-point',
    title: 'Choose between a clone and a backup retaken while closed',
    blast: 'none',
    perform: async () => chooseRestorePoint(await situation(context)),
    describe: (chosen) =>
      chosen.kind === 'clone' ? 'a clone' : `${chosen.kind}: ${chosen.reason}`,
  });
  switch (choice.kind) {
    case 'impossible':
      return fail({
        code: 'no-restore-point',
        message: `The plan asks for a clone as restore point, but ${choice.reason}.`,
        state: 'The site is closed; nothing of the database was changed.',
        next: 'Give the role CREATEDB and ownership of the database, free disk space, or use restore-point: auto.',
      });
    case 'backup':
      context.progress.info(`restore point by backup: ${choice.reason}`);
      return backupPoint(context);
    case 'clone':
      return clonePoint(context);
  }
}

/** Writes down everything of the database that a clone or a restore loses; once per window. */
export async function recordProperties(context: PhaseContext, callingPhase: string): Promise<void> {
  const { record } = context;
  if (record.status.database !== undefined) return;
  const database = requireDatabase(context);
  await runStep(context, callingPhase, {
    id: 'properties',
    title: 'Record owner, grants and settings of the database',
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const properties = await database.properties();
      await record.update({ database: properties });
      return { oid: properties.oid, owner: properties.owner };
    },
    describe: ({ oid, owner }) => `database oid ${oid}, owner ${owner}`,
  });
}

async function situation(context: PhaseContext): Promise<RestorePointSituation> {
  const { plan } = context;
  const wanted = plan.runDbMaintenance.restorePoint;
  const facts = await requireDatabase(context).inspect({
    longTransactionSeconds: plan.preflight.longTransaction,
  });
  const no = (obstacle: string): RestorePointSituation => ({ wanted, mayClone: false, obstacle });
  if (!facts.isSuperuser && !facts.canCreateDatabase)
    return no(`the role ${facts.role} has no CREATEDB`);
  if (!facts.isSuperuser && !facts.ownsDatabase)
    return no(`the role ${facts.role} does not own the database`);
  if (!facts.canEndSessions)
    return no(`the role ${facts.role} may not end other sessions (pg_signal_backend)`);
  const free = await freeDataBytes(context.fleet.database, facts);
  if (free !== undefined && free < facts.bytes + plan.preflight.freeDisk) {
    return no(`the data folder has ${formatBytes(free)} free for ${formatBytes(facts.bytes)}`);
  }
  return { wanted, mayClone: true };
}

async function clonePoint(context: PhaseContext): Promise<RestorePoint> {
  const { record, clock } = context;
  const database = requireDatabase(context);
  const target = databaseName(database.name, record.status.windowId, 'restore_point');
  const begun = clock.monotonicSeconds();
  await seal(context, phase);
  const clone = await runStep(context, phase, {
    id: 'clone',
    title: `Clone ${database.name} as ${target}`,
    blast: 'app',
    observe: async () => {
      const found = await database.identify({ name: target });
      return found === undefined ? undefined : { oid: found.oid, bytes: found.bytes };
    },
    perform: async () => {
      const { oid, bytes } = await database.clone(database.name, target);
      return { oid, bytes };
    },
    describe: ({ bytes }) => `${formatBytes(bytes)} copied file by file`,
  });
  const point: RestorePoint = {
    kind: 'clone',
    takenAt: clock.now().toISOString(),
    seconds: clock.monotonicSeconds() - begun,
    database: target,
    ...clone,
  };
  await record.update({ restorePoint: point });
  await unseal(context, phase);
  return point;
}

async function backupPoint(context: PhaseContext): Promise<RestorePoint> {
  const { record, clock } = context;
  const begun = clock.monotonicSeconds();
  const backup = await verifiedBackup(context, phase, 'closed');
  const point: RestorePoint = {
    kind: 'backup',
    takenAt: clock.now().toISOString(),
    seconds: clock.monotonicSeconds() - begun,
    backup,
  };
  await record.update({ restorePoint: point });
  return point;
}

/** Keeps everybody out of the database and ends the sessions, so that it can be copied or renamed. */
export async function seal(context: PhaseContext, callingPhase: string): Promise<void> {
  const database = requireDatabase(context);
  const { plan } = context;
  await runStep(context, callingPhase, {
    id: 'seal',
    title: `End all sessions on ${database.name} and keep new ones out`,
    blast: 'app',
    // Sessions may have come back since: this is cheap and always done anew.
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      await database.setAllowConnections(database.name, false);
      return { ended: await database.endSessions(database.name, plan.rollback.sessionTimeout) };
    },
    describe: ({ ended }) => `${ended} sessions ended; no new ones are let in`,
  });
}

/** Lets connections in again as they were let in before the window. */
export async function unseal(context: PhaseContext, callingPhase: string): Promise<void> {
  const database = requireDatabase(context);
  const allowed = context.record.status.database?.allowsConnections ?? true;
  await runStep(context, callingPhase, {
    id: 'unseal',
    title: `Let sessions into ${database.name} again`,
    blast: 'app',
    observe: async () => {
      const found = await database.identify({ name: database.name });
      return found?.allowsConnections === allowed ? { allowed } : undefined;
    },
    perform: async () => {
      await database.setAllowConnections(database.name, allowed);
      return { allowed };
    },
    describe: () => 'connections are allowed as before',
  });
}

/** A restore point for people. */
export function describeRestorePoint(point: RestorePoint): string {
  return point.kind === 'clone'
    ? `clone ${point.database} (${formatBytes(point.bytes)}), taken in ${formatDuration(point.seconds)}`
    : `verified backup ${point.backup.directory}, retaken while closed in ${formatDuration(point.seconds)}`;
}
