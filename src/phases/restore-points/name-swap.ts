import { fail } from '../../ports/failure.ts';
import type { DatabaseProperties } from '../../ports/database.ts';
import { runStep } from '../../record/step.ts';
import { databaseName } from '../database-names.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { seal } from '../sealed-database.ts';

const phase = 'rollback';

/** The database as it was before this window. */
export function propertiesBefore({ record }: PhaseContext): DatabaseProperties {
  return (
    record.status.database ??
    fail({
      code: 'no-properties',
      message: "The record does not have the database's properties, although a change was begun.",
      state: 'Nothing was restored.',
      next: 'Restore by hand from the backup named in the record.',
    })
  );
}

/**
 * Gives the application's name to another database of the same server, and its properties; the failed one is kept
 * under a name of its own.
 * @param replacement its oid: names change
 * @returns the failed database's name
 */
export async function swapByName(context: PhaseContext, replacement: number): Promise<string> {
  const { record } = context;
  const database = requireDatabase(context);
  const before = propertiesBefore(context);
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
  return failed;
}
