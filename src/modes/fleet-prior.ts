import * as z from 'zod';
import { fail } from '../ports/failure.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';

/** One of the web hosts, and how it is closed. */
export interface FleetMember {
  /** As the plan names the host. */
  readonly name: string;
  readonly mode: MaintenanceMode;
}

/** A web host with what its mode must remember. */
export interface RememberedMember extends FleetMember {
  readonly prior: unknown;
}

const priorSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('fleet'),
  hosts: z.array(z.strictObject({ name: z.string(), prior: z.json() })).min(1),
});

/** Each host's prior state, as one value for the record. */
export function fleetPrior(
  hosts: readonly { readonly name: string; readonly prior: unknown }[],
): unknown {
  return { version: 1, kind: 'fleet', hosts };
}

/** The hosts of the plan with their prior states, and those that the window began with and the plan lacks. */
export interface Remembered {
  readonly members: readonly RememberedMember[];
  readonly gone: readonly string[];
}

/**
 * Puts each host's prior state to its mode. A plan that names other hosts than the window began with is refused,
 * unless an operator consents to leave out those that are gone.
 * @throws FailureError `prior-unreadable`
 */
export function remember(
  members: readonly FleetMember[],
  prior: unknown,
  mayLeaveOut: boolean,
): Remembered {
  const isOfFleet = (Object(prior) as { kind?: unknown }).kind === 'fleet';
  const [first, ...others] = members;
  // A window over one host remembers what that host's mode remembers.
  if (!isOfFleet && first !== undefined && others.length === 0) {
    return { members: [{ ...first, prior }], gone: [] };
  }
  const parsed = priorSchema.safeParse(prior);
  if (!parsed.success) {
    return refuse(
      'The prior state in the record is not that of several web hosts.',
      'Use the `hosts.web` that the window began with, then run the step again.',
    );
  }
  const known = new Map(parsed.data.hosts.map((host) => [host.name, host.prior]));
  const added = members.filter(({ name }) => !known.has(name)).map(({ name }) => name);
  const gone = [...known.keys()].filter((name) => members.every((each) => each.name !== name));
  if (added.length > 0 || (gone.length > 0 && !mayLeaveOut)) {
    return refuse(
      `The window began with other web hosts than the plan names now (new: ${added.join(', ') || 'none'}; gone: ${gone.join(', ') || 'none'}).`,
      added.length > 0
        ? 'Use the `hosts.web` that the window began with, then run the step again.'
        : 'Put them back into `hosts.web`. Only an operator leaves a host out: with `rollback` and force, or with `disable-maintenance` and reopen-held.',
    );
  }
  return {
    members: members.map((member) => ({ ...member, prior: known.get(member.name) })),
    gone,
  };
}

function refuse(message: string, next: string): never {
  return fail({ code: 'prior-unreadable', message, state: 'Nothing was touched.', next });
}
