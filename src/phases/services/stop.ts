import { formatDuration } from '../../plan/duration.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import { onEach } from '../../ports/fleet.ts';
import type { ManagedService, Service, ServiceState } from '../../ports/services.ts';
import { isOwed, type ServiceRecord } from '../../record/services.ts';
import { runStep, skipStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { remember, entriesOf, change, noteStopped, entryOf } from './service-record.ts';
import { isKilled, describe, watch, isDown, statesOf, refuseFailures } from './service-states.ts';

/** Seconds that the system may take to end what was killed. */
const killSeconds = 10;

/**
 * Stops the services in the order of the plan, on all their hosts at once; how each was before is recorded first.
 * @throws FailureError `service-not-stopped`, `service-…`, `host-…`; then others may be stopped: {@link startServices}
 */
export async function stopServices(
  context: PhaseContext,
  callingPhase: string,
  which: 'before-drain' | 'after-drain' | 'all',
): Promise<void> {
  if (context.services.length === 0) return;
  await remember(context);
  for (const service of context.services) {
    if (which !== 'all' && service.beforeDrain !== (which === 'before-drain')) continue;
    const entries = entriesOf(context, service);
    if (entries.every(({ entry }) => entry.prior !== 'running')) {
      await skipStep(
        context,
        callingPhase,
        { id: `stop-${service.id}`, title: `Stop ${service.id}` },
        `it was not running before: ${entries.map(({ entry }) => `${entry.host} ${entry.priorDetail}`).join('; ')}`,
      );
      continue;
    }
    await stopOne(context, callingPhase, service);
  }
}

/**
 * Stops again, before data is put back, what this window knows to run. What does not end keeps the system from being
 * made safe no more than a request under way does.
 */
export async function quietServices(context: PhaseContext, callingPhase: string): Promise<void> {
  if (context.record.status.services === undefined) return;
  try {
    await stopServices(context, callingPhase, 'all');
  } catch (error) {
    const { code, message } = failureOf(error);
    if (code === 'cancelled') throw error;
    context.progress.warning(`${message} The rollback goes on; its sessions are ended.`);
  }
}

/** What to do to a service that is to be stopped. */
export function whatToStop(
  entry: Pick<ServiceRecord, 'prior'>,
  state: ServiceState['kind'],
): 'stop' | 'leave' {
  if (entry.prior !== 'running') return 'leave';
  return state === 'running' || state === 'changing' ? 'stop' : 'leave';
}

async function stopOne(
  context: PhaseContext,
  callingPhase: string,
  service: ManagedService,
): Promise<void> {
  const { clock, fleet, progress } = context;
  await runStep(context, callingPhase, {
    id: `stop-${service.id}`,
    title: `Stop ${service.id}`,
    blast: 'app',
    observe: async () => {
      const states = await statesOf(context, service);
      const isDone = states.every(
        ({ on, state }) => whatToStop(entryOf(context, service, on), state.kind) === 'leave',
      );
      if (!isDone) return undefined;
      await noteStopped(
        context,
        service,
        states
          .filter(({ on }) => isOwed(entryOf(context, service, on)))
          .map(({ on, state }) => ({ on, state, seconds: undefined })),
      );
      return { hosts: states.map(({ on, state }) => describe(on, state)) };
    },
    perform: async () => {
      const states = await statesOf(context, service);
      const targets = states.filter(
        ({ on, state }) => whatToStop(entryOf(context, service, on), state.kind) === 'stop',
      );
      const begunAt = clock.now().toISOString();
      await change(context, service, targets, ({ state }) => ({
        mark: state.kind === 'running' ? state.mark : undefined,
        stopBegunAt: begunAt,
        stoppedAt: undefined,
        stopSeconds: undefined,
        startedAt: undefined,
        note: undefined,
      }));
      const results = await onEach(targets, fleet.parallel, ({ on }) =>
        stopOn(context, service, on),
      );
      const stopped = results.flatMap((result) =>
        result.kind === 'done' ? [{ on: result.on.on, ...result.result }] : [],
      );
      await noteStopped(context, service, stopped);
      for (const { on, state } of stopped) {
        if (isKilled(state)) {
          progress.warning(`${on.title} on ${on.host} did not end by itself: ${state.detail}.`);
        }
      }
      refuseFailures(results, service, 'stop', 'The site is closed.');
      return { hosts: stopped.map(({ on, state }) => describe(on, state)) };
    },
    describe: ({ hosts }) => hosts.join('; '),
  });
}

async function stopOn(
  context: PhaseContext,
  service: ManagedService,
  on: Service,
): Promise<{ state: ServiceState; seconds: number }> {
  const { clock } = context;
  const begun = clock.monotonicSeconds();
  const seconds = (): number => clock.monotonicSeconds() - begun;
  await on.stop(service.drainSeconds);
  const state = await watch(context, on, isDown, service.drainSeconds - seconds());
  if (isDown(state)) return { state, seconds: seconds() };
  if (service.mayKill && on.kill !== undefined) {
    await on.kill();
    const killed = await watch(context, on, isDown, killSeconds);
    if (isDown(killed))
      return { state: { ...killed, killed: true } as ServiceState, seconds: seconds() };
  }
  return fail({
    code: 'service-not-stopped',
    message: `${on.title} on ${on.host} did not end within ${formatDuration(service.drainSeconds)}; it is ${state.detail}.`,
    state: 'It was asked to end and may do so later.',
    next: `Find out what keeps it, raise the drain of ${service.id}${on.kill === undefined ? '' : ', or consent with `kill: true` to end it by force'}.`,
  });
}
