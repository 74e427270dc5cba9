import { fail } from '../../ports/failure.ts';
import { onEach, type Worked } from '../../ports/fleet.ts';
import type { ManagedService, Service, ServiceState } from '../../ports/services.ts';
import type { PhaseContext } from '../phase.ts';

/** Seconds between two looks at a service on its way. */
const pause = 0.2;

export type Working = Pick<PhaseContext, 'clock' | 'fleet' | 'services' | 'progress'>;

export async function statesOf(
  context: Working,
  service: ManagedService,
): Promise<readonly { on: Service; state: ServiceState }[]> {
  const results = await onEach(service.on, context.fleet.parallel, (on) => on.state());
  refuseFailures(results, service, 'look at', 'It was not touched.');
  return results.flatMap((result) =>
    result.kind === 'done' ? [{ on: result.on, state: result.result }] : [],
  );
}

/** Looks until it is as wanted or the time is over; tells what was seen last. */
export async function watch(
  { clock }: Pick<PhaseContext, 'clock'>,
  on: Service,
  isWanted: (state: ServiceState) => boolean,
  seconds: number,
): Promise<ServiceState> {
  const begun = clock.monotonicSeconds();
  for (;;) {
    const state = await on.state();
    if (isWanted(state) || clock.monotonicSeconds() - begun >= seconds) return state;
    await clock.wait(pause);
  }
}

export function isDown(state: ServiceState): boolean {
  return state.kind !== 'running' && state.kind !== 'changing';
}

export function isKilled(state: ServiceState): boolean {
  return (state.kind === 'stopped' || state.kind === 'failed') && state.killed === true;
}

export function describe(on: Service, state: ServiceState): string {
  return `${on.host}: ${state.detail}`;
}

export async function tellLog({ progress }: Working, on: Service): Promise<void> {
  // Into the run's log, where secrets are masked, and not into the record.
  const lines = await on.log().catch(() => []);
  for (const line of lines) progress.warning(`${on.host}, ${on.title}: ${line}`);
}

export function refuseFailures<T>(
  results: readonly Worked<T, unknown>[],
  service: ManagedService | undefined,
  doing: string,
  state: string,
): void {
  const failures = results.flatMap((result) => (result.kind === 'failed' ? [result.failure] : []));
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === 1) fail(first);
  const cause = failures.find(({ code }) => code === 'cancelled') ?? first;
  fail({
    code: cause.code,
    message: `${failures.length} hosts could not ${doing}${service === undefined ? '' : ` ${service.id}`}: ${failures.map(({ message }) => message).join(' ')}`,
    state,
    next: [...new Set(failures.map(({ next }) => next))].join(' '),
  });
}
