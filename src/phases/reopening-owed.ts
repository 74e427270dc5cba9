import { owedByReopening } from '../record/owed-by-reopening.ts';
import { giveBack } from './disable-maintenance.ts';
import type { PhaseContext } from './phase.ts';
import { startServices } from './services/start.ts';

/**
 * Does what a reopening still owes, as `disable-maintenance` would when it is run again.
 * @returns what was done, in words; nothing when nothing was owed
 */
export async function finishReopening(
  context: PhaseContext,
  callingPhase: string,
): Promise<readonly string[]> {
  const look = () => owedByReopening(context.record.status, context.plan.disableMaintenance.hook);
  const owed = look();
  const isHooked = owed.hook && context.mode !== undefined;
  try {
    if (owed.services.length > 0) await startServices(context, callingPhase, 'when-open');
  } finally {
    if (isHooked) await giveBack(context, callingPhase);
  }
  const still = look().services;
  return [
    ...owed.services
      .filter((service) => !still.includes(service))
      .map((service) => `${service} runs again`),
    ...(isHooked ? ['what was there before maintenance mode is given back'] : []),
  ];
}
