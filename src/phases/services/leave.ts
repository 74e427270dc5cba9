import { isOwed } from '../../record/services.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';

/**
 * Leaves what this window stopped and could not start again to the operator who answers for it, so that it stands in
 * nobody's way any more. Touches no service.
 */
export async function leaveServices(context: PhaseContext, callingPhase: string): Promise<void> {
  const { record } = context;
  const owed = (record.status.services ?? []).filter(
    (entry) => isOwed(entry) && entry.note === undefined,
  );
  if (owed.length === 0) return;
  await runStep(context, callingPhase, {
    id: 'leave-services',
    title: 'Leave services to the operator',
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      await record.update({
        services: (record.status.services ?? []).map((entry) =>
          owed.includes(entry)
            ? { ...entry, note: 'not started again; an operator answers for it' }
            : entry,
        ),
      });
      return { services: owed.map(({ id, host }) => `${id} on ${host}`) };
    },
    describe: ({ services }) => `not started again by this window: ${services.join(', ')}`,
  });
}
