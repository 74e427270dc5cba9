import { isOwed } from './services.ts';
import type { WindowStatus } from './status.ts';

/** What a window owes although its site is open again: its reopening was killed, or failed, behind the open door. */
export interface OwedByReopening {
  /** Services that this window stopped and has not seen run again, such as cron. */
  readonly services: readonly string[];
  /** What the maintenance mode put in place is still there, and not on purpose. */
  readonly hook: boolean;
}

/** Nothing is owed by a window that is not `reopened`. */
export function owedByReopening(
  { state, services = [], maintenance }: Pick<WindowStatus, 'state' | 'services' | 'maintenance'>,
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

/** In words, each as what is still to be done; empty when nothing is. */
export function owedInWords({ services, hook }: OwedByReopening): readonly string[] {
  return [
    ...services.map((service) => `${service} is to run again`),
    ...(hook ? ['what was there before maintenance mode is to be given back'] : []),
  ];
}
