import { gitCheckout } from '../code/git.ts';
import { selectedHosts } from '../phases/selected-hosts.ts';
import type { Plan } from '../plan/plan.ts';
import type { Checkout } from '../ports/code.ts';
import type { World } from './world.ts';

/**
 * The application's code on each host of the plan; none when it names no folder.
 * @throws FailureError `host-not-in-plan`
 */
export function checkoutsOf(plan: Plan, world: Pick<World, 'fleet'>): readonly Checkout[] {
  const { directory, on } = plan.code;
  if (directory === undefined) return [];
  return selectedHosts(world.fleet, on).map((host) => gitCheckout(host, directory));
}
