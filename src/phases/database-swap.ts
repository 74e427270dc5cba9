import { fail } from '../ports/failure.ts';
import { liveRestorePoint } from '../record/status.ts';
import { runStep } from '../record/step.ts';
import { compareRows } from './backup-db.ts';
import { databaseName } from './database-names.ts';
import type { PhaseContext } from './phase.ts';
import { requireDatabase } from './requirements.ts';
import { seal } from './restore-point.ts';

const phase = 'rollback';

/** Swaps the restore point, or the restored backup, in by name. Returns the failed database's name. */
export async function swapDatabase(context: PhaseContext): Promise<string> {
  const { record } = context;
  const database = requireDatabase(context);
  const before = record.status.database;
  if (before === undefined) {
    return fail({
      code: 'no-properties',
      message: "The record does not have the database's properties, although a change was begun.",
      state: 'Nothing was restored.',
      next: 'Restore by hand from the backup named in the record.',
    });
  }
  const replacement = await prepareReplacement(context);
  const failed = databaseName(database.name, record.status.windowId, 'failed');
  const begun = record.status.rollback;
  if (begun !== undefined) {
    await record.update({
      rollback: {
        ...begun,
        replacementOid: replacement,
        failedOid: before.oid,
        failedDatabase: failed,
      },
    });
  }
  const nameOf = async (oid: number): Promise<string | undefined> =>
    (await database.identify({ oid }))?.name;

  if ((await nameOf(replacement)) !== database.name) {
    if ((await nameOf(before.oid)) === database.name) await seal(context, phase);
    await runStep(context, phase, {
      id: 'keep-failed',
      title: `Keep the failed database as ${failed}`,
      blast: 'data',
      observe: async () => ((await nameOf(before.oid)) === failed ? { name: failed } : undefined),
      perform: async () => {
        if ((await nameOf(before.oid)) === undefined) return { name: failed };
        await database.rename(database.name, failed);
        return { name: failed };
      },
      describe: ({ name }) => `it is ${name} and lets nobody in`,
    });
  }
  await runStep(context, phase, {
    id: 'swap-in',
    title: `Give the restore point the name ${database.name}`,
    blast: 'data',
    observe: async () =>
      (await nameOf(replacement)) === database.name ? { oid: replacement } : undefined,
    perform: async () => {
      const current = await nameOf(replacement);
      if (current === undefined) {
        return fail({
          code: 'restore-point-gone',
          message: `The restore point (oid ${replacement}) is not there any more.`,
          state: `The failed database is kept as ${failed}; no database has the name ${database.name}.`,
          next: `Restore the verified backup by hand, or rename ${failed} back.`,
        });
      }
      await database.rename(current, database.name);
      return { oid: replacement };
    },
    describe: ({ oid }) => `oid ${oid} is ${database.name} now`,
  });
  await runStep(context, phase, {
    id: 'reapply',
    title: 'Reapply owner, grants and settings',
    blast: 'data',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      await database.applyProperties(database.name, before);
      return { owner: before.owner };
    },
    describe: ({ owner }) => `owner ${owner}, grants, settings and limits are as before`,
  });
  await verifyRows(context);
  await refreshStatistics(context);
  return failed;
}

/** Oid of the database that is to take the name: the clone, or the backup restored into a new one. */
async function prepareReplacement(context: PhaseContext): Promise<number> {
  const { record, plan } = context;
  const database = requireDatabase(context);
  const { backup, database: before } = record.status;
  const restorePoint = liveRestorePoint(record.status);
  if (restorePoint?.kind === 'clone') return restorePoint.oid;
  const source = restorePoint?.backup ?? backup;
  if (source === undefined || before === undefined)
    throw new Error('the policy restores only with a source');
  const known = record.status.rollback?.replacementOid;
  if (known !== undefined && (await database.identify({ oid: known })) !== undefined) return known;
  const target = databaseName(database.name, record.status.windowId, 'restored');
  const { oid } = await runStep(context, phase, {
    id: 'restore-backup',
    title: `Restore the verified backup ${source.directory} into ${target}`,
    blast: 'none',
    perform: async () => {
      // A killed run may have left half of one.
      await database.drop(target);
      const created = await database.createEmpty(target, before);
      await database.restore({
        directory: source.directory,
        database: target,
        jobs: plan.backupDb.jobs,
      });
      const difference = compareRows(source.rows, await database.countRows(target));
      if (difference !== undefined) {
        return fail({
          code: 'backup-differs',
          message: `The restored backup differs from its manifest: ${difference}.`,
          state: `The failed database still has its name; ${target} is incomplete.`,
          next: 'Restore from another backup.',
        });
      }
      return { oid: created.oid };
    },
    describe: () =>
      `${source.totalRows} rows in ${Object.keys(source.rows).length} tables, equal to the manifest`,
  });
  return oid;
}

/** A restore leaves the planner without statistics; a clone brings them along. */
async function refreshStatistics(context: PhaseContext): Promise<void> {
  if (liveRestorePoint(context.record.status)?.kind === 'clone') return;
  const database = requireDatabase(context);
  const { jobs, lockTimeout, statementTimeout } = context.plan.runDbMaintenance;
  await runStep(context, phase, {
    id: 'analyze',
    title: 'Gather statistics for the planner',
    blast: 'none',
    perform: async () => {
      const { summary } = await database.analyze('all', {
        lockTimeoutSeconds: lockTimeout,
        statementTimeoutSeconds: statementTimeout,
        jobs,
      });
      return { summary };
    },
    describe: ({ summary }) => summary,
  });
}

async function verifyRows(context: PhaseContext): Promise<void> {
  const database = requireDatabase(context);
  const { backup } = context.record.status;
  const restorePoint = liveRestorePoint(context.record.status);
  const expected =
    restorePoint?.kind === 'clone' ? undefined : (restorePoint?.backup ?? backup)?.rows;
  await runStep(context, phase, {
    id: 'count-rows',
    title: 'Count the rows of every table',
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const rows = await database.countRows(database.name);
      const difference = expected === undefined ? undefined : compareRows(expected, rows);
      if (difference !== undefined) {
        return fail({
          code: 'rows-differ',
          message: `The rows are not those of the restore point: ${difference}.`,
          state: 'The site is closed.',
          next: 'Compare the database with the manifest of the backup before reopening.',
        });
      }
      return {
        tables: Object.keys(rows).length,
        rows: Object.values(rows).reduce((sum, count) => sum + count, 0),
      };
    },
    describe: ({ tables, rows }) =>
      `${rows} rows in ${tables} tables${expected === undefined ? '' : ', equal to the restore point'}`,
  });
}
