import { fail, FailureError, type Failure } from '../ports/failure.ts';
import type { Worked } from '../ports/fleet.ts';
import type { FleetMember } from './fleet-prior.ts';

export type Failed<M extends FleetMember = FleetMember> = Extract<
  Worked<M, unknown>,
  { kind: 'failed' }
>;
export type Done<M extends FleetMember, R> = Extract<Worked<M, R>, { kind: 'done' }>;

export function failuresOf<M extends FleetMember>(
  results: readonly Worked<M, unknown>[],
): readonly Failed<M>[] {
  return results.filter((result): result is Failed<M> => result.kind === 'failed');
}

/** Names of hosts in words. */
export function namesOf(results: readonly { readonly on: { readonly name: string } }[]): string {
  return results.map(({ on }) => on.name).join(', ') || 'none';
}

/**
 * The results, when there is one of each host.
 * @param state what is to be said of the system when there is not
 */
export function expectAll<M extends FleetMember, R>(
  results: readonly Worked<M, R>[],
  doing: string,
  state: (failed: readonly Failed<M>[], done: readonly Done<M, R>[]) => string,
): readonly Done<M, R>[] {
  const failed = failuresOf(results);
  const done = results.filter((result): result is Done<M, R> => result.kind === 'done');
  if (failed.length > 0) failTogether(failed, doing, state(failed, done));
  return done;
}

/** Tells the failures of several hosts as one: with the code of the first, and cancellation as what it is. */
export function failTogether(failed: readonly Failed[], doing: string, state: string): never {
  const cause: Failure | undefined =
    failed.find(({ failure }) => failure.code === 'cancelled')?.failure ?? failed[0]?.failure;
  return fail({
    code: cause?.code ?? 'unexpected',
    message: `${failed.length === 1 ? 'One web host' : `${failed.length} web hosts`} could not ${doing}: ${failed
      .map(({ on, failure }) => `${on.name}: ${failure.message}`)
      .join(' ')}`,
    state,
    next: [...new Set(failed.map(({ failure }) => failure.next))].join(' '),
  });
}

/**
 * Ends waiting for a host that does not come to an end. Hosts have limits of their own for connections and commands;
 * this one keeps a host that hangs all the same from holding up the others for ever.
 * @throws FailureError `host-timeout`
 */
export async function within<R>(seconds: number, work: () => Promise<R>): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new FailureError({
          code: 'host-timeout',
          message: `It did not come to an end within ${seconds} s.`,
          state: 'What was done there is unknown.',
          next: 'Look at that host, then run the step again or `rollback`.',
        }),
      );
    }, seconds * 1000);
  });
  try {
    return await Promise.race([work(), limit]);
  } finally {
    clearTimeout(timer);
  }
}
