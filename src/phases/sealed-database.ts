import { runStep } from '../record/step.ts';
import type { PhaseContext } from './phase.ts';
import { requireDatabase } from './requirements.ts';
import { mayBeMarked, unmark } from './restore-point-mark.ts';

/** Writes down everything of the database that a clone or a restore loses, as it is now. */
export async function recordProperties(context: PhaseContext, callingPhase: string): Promise<void> {
  const { record } = context;
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
    perform: async () => ({
      ended: await database.seal(database.name, plan.rollback.sessionTimeout),
    }),
    describe: ({ ended }) => `${ended} sessions ended; no new ones are let in`,
  });
}

/** Whether this window may have kept sessions out. */
export function mayBeSealed({ record: { journal } }: Pick<PhaseContext, 'record'>): boolean {
  return journal.some(
    ({ step, event }) => (step === 'seal' || step === 'mark-database') && event === 'intent',
  );
}

/**
 * Lets connections in again as they were let in before the window.
 * @param isSealed whether that is known, so that a look would only cost time
 */
export async function unseal(
  context: PhaseContext,
  callingPhase: string,
  isSealed = false,
): Promise<void> {
  // Also sessions are let in by that.
  if (mayBeMarked(context)) return unmark(context, callingPhase);
  const database = requireDatabase(context);
  const allowed = context.record.status.database?.allowsConnections ?? true;
  await runStep(context, callingPhase, {
    id: 'unseal',
    title: `Let sessions into ${database.name} again`,
    blast: 'app',
    observe: async () => {
      if (isSealed) return undefined;
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
