import { fail } from '../../ports/failure.ts';
import type { DatabaseIdentity } from '../../ports/database.ts';
import { runStep } from '../../record/step.ts';
import { databaseName } from '../database-names.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { seal } from '../sealed-database.ts';
import { propertiesBefore, reapplyProperties } from './properties-before.ts';

const phase = 'rollback';

/**
 * Gives the application's name to another database of the same server, and its properties; the failed one is kept
 * under a name of its own. Databases are told apart by oid, for names are what changes.
 * @param replacement as it is now
 * @returns the failed database's name
 */
export async function swapByName(
  context: PhaseContext,
  replacement: Pick<DatabaseIdentity, 'oid' | 'name'>,
): Promise<string> {
  const { record } = context;
  const database = requireDatabase(context);
  const before = propertiesBefore(context);
  const failed = databaseName(database.name, record.status.windowId, 'failed');
  const begun = record.status.rollback;
  if (begun !== undefined && begun.replacementOid !== replacement.oid) {
    await record.update({
      rollback: {
        ...begun,
        replacementOid: replacement.oid,
        failedOid: before.oid,
        failedDatabase: failed,
      },
    });
  }
  if (replacement.name !== database.name) {
    const original = await database.identify({ oid: before.oid });
    if (original?.name === database.name) await seal(context, phase);
    await runStep(context, phase, {
      id: 'keep-failed',
      title: `Keep the failed database as ${failed}`,
      blast: 'data',
      observe: () =>
        Promise.resolve(original?.name === failed ? { name: failed, isThere: true } : undefined),
      perform: async () => {
        if (original === undefined) return { name: failed, isThere: false };
        await database.rename(database.name, failed);
        return { name: failed, isThere: true };
      },
      describe: ({ name, isThere }) =>
        isThere
          ? `it is ${name} and lets nobody in`
          : 'there is none any more: somebody dropped it',
    });
  }
  await runStep(context, phase, {
    id: 'swap-in',
    title: `Give the restore point the name ${database.name}`,
    blast: 'data',
    observe: () =>
      Promise.resolve(replacement.name === database.name ? { oid: replacement.oid } : undefined),
    perform: async () => {
      await database.rename(replacement.name, database.name);
      return { oid: replacement.oid };
    },
    describe: ({ oid }) => `oid ${oid} is ${database.name} now`,
  });
  await reapplyProperties(context, 'Reapply owner, grants and settings');
  return failed;
}

/** What a rollback needs and is not there any more. */
export function replacementGone({ record }: PhaseContext, oid: number): never {
  const { failedDatabase } = record.status.rollback ?? {};
  return fail({
    code: 'restore-point-gone',
    message: `The restore point (oid ${oid}) is not there any more.`,
    state: `The failed database was not touched in this run${failedDatabase === undefined ? '' : `; an earlier one may have renamed it to ${failedDatabase}`}.`,
    next: 'Restore the verified backup by hand, or repair the database forward.',
  });
}
