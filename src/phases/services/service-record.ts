import { fail } from '../../ports/failure.ts';
import { onEach } from '../../ports/fleet.ts';
import type { ManagedService, Service, ServiceState } from '../../ports/services.ts';
import type { ServiceRecord } from '../../record/services.ts';
import type { PhaseContext } from '../phase.ts';
import { isKilled, refuseFailures, watch } from './service-states.ts';

/** Writes how everything was before, once in a window. */
export async function remember(context: PhaseContext): Promise<void> {
  const { record } = context;
  if (record.status.services !== undefined) return;
  const services: ServiceRecord[] = [];
  for (const service of context.services) {
    const results = await onEach(service.on, context.fleet.parallel, (on) =>
      watch(context, on, (state) => state.kind !== 'changing', service.drainSeconds),
    );
    refuseFailures(results, service, 'look at', 'No service was stopped.');
    for (const result of results) {
      if (result.kind !== 'done') continue;
      const { on, result: state } = result;
      services.push({
        id: service.id,
        host: on.host,
        kind: service.kind,
        title: on.title,
        resume: service.resume,
        // What is under way after all that time is at work.
        prior: state.kind === 'changing' ? 'running' : state.kind,
        priorDetail: state.detail,
      });
    }
  }
  await record.update({ services });
}

export async function noteStopped(
  context: PhaseContext,
  service: ManagedService,
  stopped: readonly { on: Service; state: ServiceState; seconds: number | undefined }[],
): Promise<void> {
  const at = context.clock.now().toISOString();
  await change(
    context,
    service,
    stopped.filter(({ on }) => entryOf(context, service, on).stoppedAt === undefined),
    ({ state, seconds }) => ({
      stoppedAt: at,
      ...(seconds === undefined ? {} : { stopSeconds: seconds }),
      ...(isKilled(state) ? { killed: true } : {}),
    }),
  );
}

/** Changes the entries of a service on some hosts, in one write. */
export async function change<T extends { readonly on: Service }>(
  { record }: PhaseContext,
  service: ManagedService,
  targets: readonly T[],
  to: (target: T) => { [K in keyof ServiceRecord]?: ServiceRecord[K] | undefined },
): Promise<void> {
  if (targets.length === 0) return;
  const services = (record.status.services ?? []).map((entry): ServiceRecord => {
    const target = targets.find(({ on }) => entry.id === service.id && entry.host === on.host);
    return target === undefined ? entry : definedOnly({ ...entry, ...to(target) });
  });
  await record.update({ services });
}

function definedOnly(entry: Record<string, unknown>): ServiceRecord {
  return Object.fromEntries(
    Object.entries(entry).filter(([, value]) => value !== undefined),
  ) as ServiceRecord;
}

export function entriesOf(
  context: PhaseContext,
  service: ManagedService,
): readonly { on: Service; entry: ServiceRecord }[] {
  return service.on.map((on) => ({ on, entry: entryOf(context, service, on) }));
}

export function entryOf(
  { record }: PhaseContext,
  service: ManagedService,
  on: Service,
): ServiceRecord {
  const found = record.status.services?.find(
    ({ id, host }) => id === service.id && host === on.host,
  );
  return (
    found ??
    fail({
      code: 'service-not-in-record',
      message: `The record of this window knows nothing of the service ${service.id} on ${on.host}.`,
      state: 'It was not touched.',
      next: 'Use the services that the window began with, then run the step again.',
    })
  );
}
