import { formatBytes } from '../../plan/bytes.ts';
import type { DatabaseIdentity } from '../../ports/database.ts';
import { fail } from '../../ports/failure.ts';
import type { RestorePointOf } from '../../record/restore-point.ts';
import { mayHaveRun } from '../../record/journal.ts';
import { runStep } from '../../record/step.ts';
import { freeDataBytes } from '../data-disk.ts';
import { databaseName } from '../database-names.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { seal, unseal } from '../sealed-database.ts';
import type { ObstacleContext, RestorePointMaker } from './kind.ts';
import { subscriptionObstacle } from './bound-to-database.ts';
import { replacementGone, swapByName } from './name-swap.ts';
import { propertiesBefore } from './properties-before.ts';

const phase = 'run-db-maintenance';

/** A copy of the database on the same server, by the server's own files. */
export const clonePoint: RestorePointMaker<RestorePointOf<'clone'>> = {
  obstacle,
  take,
  async goBack(context, point) {
    const database = requireDatabase(context);
    const clone =
      (await database.identify({ oid: point.oid })) ?? replacementGone(context, point.oid);
    // Once it has the application's name others may write to it; before, nobody could.
    if (clone.name !== database.name) refuseChanged(point, clone);
    const failed = await swapByName(context, clone);
    await proveClone(context, point);
    return failed;
  },
  async release({ database, record, clock, progress }, point) {
    if (database === undefined) {
      return fail({
        code: 'setting-missing',
        message: `The restore point ${point.database} cannot be dropped: there is no database.url.`,
        state: `${point.database} is still there.`,
        next: 'Give database.url, then run `report` again.',
      });
    }
    await runStep({ record, clock, progress }, 'report', {
      id: 'drop-restore-point',
      title: `Drop the restore point ${point.database}`,
      blast: 'none',
      observe: async () =>
        (await database.identify({ oid: point.oid })) === undefined
          ? { name: point.database }
          : undefined,
      perform: async () => {
        const found = await database.identify({ oid: point.oid });
        if (found !== undefined && found.name !== point.database) {
          return fail({
            code: 'restore-point-renamed',
            message: `The restore point ${point.database} has the name ${found.name} now.`,
            state: 'It was not touched.',
            next: 'Find out who renamed it, and what for; drop it by hand when nobody needs it.',
          });
        }
        await database.drop(point.database);
        return { name: point.database };
      },
      describe: () => 'it is gone',
    });
  },
};

/** Nobody can connect to a clone, so its size says whether it is what was copied; the server may vacuum it all the same. */
function refuseChanged(
  { database, bytes }: RestorePointOf<'clone'>,
  now: Pick<DatabaseIdentity, 'bytes' | 'allowsConnections'>,
): void {
  const sizeAgrees = Math.abs(now.bytes - bytes) <= 1024 * 1024 + bytes * 0.01;
  if (sizeAgrees && !now.allowsConnections) return;
  fail({
    code: 'restore-point-changed',
    message: now.allowsConnections
      ? `The restore point ${database} allows connections, which it did not when it was made: nobody can say that it is what was copied.`
      : `The restore point ${database} has ${now.bytes} bytes; it had ${bytes} when it was made.`,
    state: 'Nothing was restored; the failed database still has its name.',
    next: 'Find out who changed it (ALLOW_CONNECTIONS was false); restore the verified backup by hand, or repair forward.',
  });
}

/**
 * Proves that the application's name leads to the clone, without reading its data: going back takes as long for a
 * terabyte as for a megabyte. What was copied file by file and then closed to everybody is what it was.
 */
async function proveClone(context: PhaseContext, point: RestorePointOf<'clone'>): Promise<void> {
  const database = requireDatabase(context);
  const { allowsConnections } = propertiesBefore(context);
  await runStep(context, 'rollback', {
    id: 'prove-clone',
    title: `Prove that ${database.name} is the restore point`,
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const oid = allowsConnections
        ? await database.queryValue(
            'SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()',
            { timeoutSeconds: 30 },
          )
        : String((await database.identify({ name: database.name }))?.oid);
      if (oid !== String(point.oid)) {
        return fail({
          code: 'restore-point-unproved',
          message: `The name ${database.name} leads to oid ${oid ?? 'none'}, not to the restore point's ${point.oid}.`,
          state: 'The site is closed.',
          next: 'Look at pg_database for who renames databases at the same time; then run `rollback` again.',
        });
      }
      return { oid: point.oid, bytes: point.bytes };
    },
    describe: ({ oid, bytes }) =>
      `${allowsConnections ? 'a session answers from' : 'the name leads to'} oid ${oid}, the copy of ${formatBytes(bytes)} that nobody could change since`,
  });
}

async function obstacle(context: ObstacleContext): Promise<string | undefined> {
  const { plan, fleet, database } = context;
  if (database === undefined) return 'the plan names no database';
  const facts = await database.inspect({ longTransactionSeconds: plan.preflight.longTransaction });
  if (!facts.isSuperuser && !facts.canCreateDatabase)
    return `the role ${facts.role} has no CREATEDB`;
  if (!facts.isSuperuser && !facts.ownsDatabase)
    return `the role ${facts.role} does not own the database`;
  if (!facts.canEndSessions)
    return `the role ${facts.role} may not end other sessions (pg_signal_backend)`;
  if (facts.preparedTransactions.length > 0) {
    return `prepared transactions (${facts.preparedTransactions.map(({ id }) => id).join(', ')}) keep the database from being copied`;
  }
  const bound = subscriptionObstacle(facts);
  if (bound !== undefined) return bound;
  const free = await freeDataBytes(fleet.database, facts);
  if (free !== undefined && free < facts.bytes + plan.preflight.freeDisk) {
    return `the data folder has ${formatBytes(free)} free for ${formatBytes(facts.bytes)}`;
  }
  return undefined;
}

async function take(context: PhaseContext): Promise<RestorePointOf<'clone'>> {
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
      // Nobody but a killed run of this window has made it; the clone refuses a name that is taken.
      if (!mayHaveRun(record.journal, phase, 'clone')) return undefined;
      const found = await database.identify({ name: target });
      return found === undefined ? undefined : { oid: found.oid, bytes: found.bytes };
    },
    perform: async () => {
      const { oid, bytes } = await database.clone(database.name, target);
      return { oid, bytes };
    },
    describe: ({ bytes }) => `${formatBytes(bytes)} copied file by file`,
  });
  const point: RestorePointOf<'clone'> = {
    kind: 'clone',
    takenAt: clock.now().toISOString(),
    seconds: clock.monotonicSeconds() - begun,
    database: target,
    ...clone,
  };
  await record.update({ restorePoint: point });
  await unseal(context, phase, true);
  return point;
}
