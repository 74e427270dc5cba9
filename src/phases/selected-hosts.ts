import type { HostSelector } from '../plan/setting-types.ts';
import { fail } from '../ports/failure.ts';
import type { Fleet } from '../ports/fleet.ts';
import type { Host } from '../ports/host.ts';

/**
 * The machines that a setting such as `on: web` means, each once.
 * @throws FailureError `host-not-in-plan`
 */
export function selectedHosts(fleet: Fleet, selector: HostSelector): readonly Host[] {
  const { control, database, workers } = fleet;
  const web = fleet.web.map(({ host }) => host);
  switch (selector) {
    case 'control':
      return [control];
    case 'web':
      return [...new Set(web)];
    case 'database':
      return [database];
    case 'workers':
      return [...new Set(workers)];
    default: {
      const all = [control, ...web, database, ...workers];
      const found = all.find(({ name }) => name === selector);
      if (found !== undefined) return [found];
      return fail({
        code: 'host-not-in-plan',
        message: `The plan has no host ${selector}; it has ${[...new Set(all.map(({ name }) => name))].join(', ')}.`,
        state: 'Nothing was touched.',
        next: 'Name one of these, or add it to `hosts` of the plan.',
      });
    }
  }
}

/** Whether the plan has the machines that a setting means. */
export function isInPlan(fleet: Fleet, selector: HostSelector): boolean {
  try {
    return selectedHosts(fleet, selector).length > 0;
  } catch {
    return false;
  }
}
