import { runStep } from '../record/step.ts';
import type { PhaseContext } from './phase.ts';
import { requireDatabase } from './requirements.ts';

/** The comment that a database has while a snapshot of its server is taken, and never else. */
export function markOf(windowId: string): string {
  return `restore point of ${windowId}`;
}

/**
 * Whether the database may still have its mark: a run was killed, or failed, between setting it and taking it off.
 */
export function mayBeMarked({ record: { journal } }: Pick<PhaseContext, 'record'>): boolean {
  const last = journal.findLast(
    ({ step, event }) =>
      (step === 'mark-database' || step === 'unmark-database') && event !== 'note',
  );
  return last !== undefined && !(last.step === 'unmark-database' && last.event === 'done');
}

/** Takes the mark off, and with it gives back whatever else was recorded of the database: sessions are let in. */
export async function unmark(context: PhaseContext, callingPhase: string): Promise<void> {
  const { record } = context;
  const database = requireDatabase(context);
  const before = record.status.database;
  if (before === undefined || !mayBeMarked(context)) return;
  await runStep(context, callingPhase, {
    id: 'unmark-database',
    title: 'Take the mark of the snapshot off the database',
    blast: 'app',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      await database.applyProperties(database.name, before);
      return { comment: before.comment };
    },
    describe: () => 'comment, grants and settings are as before; sessions are let in',
  });
}
