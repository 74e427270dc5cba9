import type { DatabaseProperties } from '../../ports/database.ts';
import { fail } from '../../ports/failure.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';

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

/** Gives the database that has the application's name now what the record has of it. */
export async function reapplyProperties(context: PhaseContext, title: string): Promise<void> {
  const database = requireDatabase(context);
  const before = propertiesBefore(context);
  await runStep(context, 'rollback', {
    id: 'reapply',
    title,
    blast: 'data',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      await database.applyProperties(database.name, before);
      return { owner: before.owner };
    },
    describe: ({ owner }) => `owner ${owner}, grants, settings and limits are as before`,
  });
}
