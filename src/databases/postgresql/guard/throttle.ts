import type { TaskOptions } from '../../../ports/database-tasks.ts';
import type { OnlineTerms } from '../../../ports/online-guard.ts';
import { steadyWriting } from '../beside-the-public.ts';
import type { OnlineGuard } from './online-guard.ts';

/** Milliseconds that VACUUM sleeps whenever its cost is used up; with 2 the worst stall beside it was measured at 9 ms. */
const vacuumDelay = 2;
/** The most that the server takes (manual, 20.4.4). */
const longestVacuumDelay = 100;

/**
 * Run-time parameters of a working session while the public is served: it works alone, without parallel helpers, and
 * VACUUM sleeps in between, longer each time that it slowed the application down; what it writes goes to the disk at once.
 */
export function onlineSettings(
  guard: Pick<OnlineGuard, 'slowedDown'> & { readonly application: string },
): Record<string, string> {
  return {
    application_name: guard.application,
    vacuum_cost_delay: `${Math.min(longestVacuumDelay, vacuumDelay * 2 ** guard.slowedDown)}ms`,
    max_parallel_workers_per_gather: '0',
    max_parallel_maintenance_workers: '0',
    ...steadyWriting,
  };
}

/** The limits of a statement that others queue behind: it waits no longer than they may. */
export function strongLockTimeout<T extends TaskOptions>(options: T, terms: OnlineTerms): T {
  const { lockTimeoutSeconds } = options;
  const brief = terms.maxBlockedSeconds;
  return {
    ...options,
    lockTimeoutSeconds: lockTimeoutSeconds === 0 ? brief : Math.min(lockTimeoutSeconds, brief),
  };
}
