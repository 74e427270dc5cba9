import type { WindowStatus } from '../record/status.ts';
import { isOwed } from '../record/services.ts';
import { giveBack } from './disable-maintenance.ts';
import type { PhaseContext } from './phase.ts';
import { startServices } from './services/start.ts';

/** What a window owes although its site is open again: its reopening was killed, or failed, behind the open door. */
export interface OwedByReopening {
  /** Services that this window stopped and has not seen run again, such as cron. */
  readonly services: readonly string[];
  /** What the maintenance mode put in place is still there, and not on purpose. */
  readonly hook: boolean;
}

/** Pure; nothing is owed by a window that is not `reopened`. */
export function owedByReopening(
  { state, services = [], maintenance }: WindowStatus,
  hook: 'remove' | 'keep',
): OwedByReopening {
  if (state !== 'reopened') return { services: [], hook: false };
  return {
    services: services
      // What somebody put in its place is noted, and stays.
      .filter((entry) => isOwed(entry) && entry.note === undefined)
      .map(({ id, host }) => `${id} on ${host}`),
    hook: hook !== 'keep' && maintenance !== undefined && maintenance.restoration === undefined,
  };
}

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
    ...(isHooked ? ['what was there before the hook is given back'] : []),
  ];
}
