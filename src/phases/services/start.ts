import { formatDuration } from '../../plan/duration.ts';
import { fail, failureOf, type Failure } from '../../ports/failure.ts';
import { onEach } from '../../ports/fleet.ts';
import type { ManagedService, ResumeMoment, Service, ServiceState } from '../../ports/services.ts';
import { isOwed, type ServiceRecord } from '../../record/services.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { change, entryOf } from './service-record.ts';
import { describe, watch, tellLog, refuseFailures, statesOf } from './service-states.ts';

/**
 * Starts what this window stopped, in reverse order, and proves that it stays up.
 * @throws FailureError `service-not-started`, `service-not-up`, `service-…`, `host-…`
 */
export async function startServices(
  context: PhaseContext,
  callingPhase: string,
  moment: ResumeMoment,
): Promise<void> {
  const owed = (context.record.status.services ?? []).filter(
    (entry) => entry.resume === moment && isOwed(entry),
  );
  if (owed.length === 0) return;
  refuseUnknown(context, owed);
  const started: Started[] = [];
  for (const service of context.services.toReversed()) {
    if (!owed.some(({ id }) => id === service.id)) continue;
    await startOne(context, callingPhase, service);
    started.push(...(await runningOf(context, service)));
  }
  if (started.length > 0) await stayUp(context, callingPhase, started);
}

/** What to do to a service that is to run again. */
export function whatToStart(
  entry: ServiceRecord,
  state: ServiceState,
): 'start' | 'found' | 'leave' {
  if (!isOwed(entry)) return 'leave';
  if (state.kind === 'running') return state.leftover === true ? 'start' : 'found';
  return state.kind === 'replaced' ? 'leave' : 'start';
}

/** A run of a service that must go on. */
interface Started {
  readonly service: ManagedService;
  readonly on: Service;
  readonly run: string | undefined;
}

async function startOne(
  context: PhaseContext,
  callingPhase: string,
  service: ManagedService,
): Promise<void> {
  const { fleet, progress } = context;
  const wanted = async () =>
    (await statesOf(context, service)).map((each) => ({
      ...each,
      what: whatToStart(entryOf(context, service, each.on), each.state),
    }));
  await runStep(context, callingPhase, {
    id: `start-${service.id}`,
    title: `Start ${service.id} again`,
    blast: 'app',
    observe: async () => {
      const all = await wanted();
      return all.every(({ what, state }) => what !== 'start' && state.kind !== 'replaced')
        ? { hosts: all.map(({ on, state }) => describe(on, state)) }
        : undefined;
    },
    perform: async () => {
      const all = await wanted();
      const replaced = all.filter(
        ({ on, state }) => state.kind === 'replaced' && isOwed(entryOf(context, service, on)),
      );
      for (const { on, state } of replaced) progress.warning(`${on.host}: ${state.detail}.`);
      await change(context, service, replaced, ({ state }) => ({ note: state.detail }));
      const results = await onEach(
        all.filter(({ what }) => what === 'start'),
        fleet.parallel,
        ({ on }) => startOn(context, service, on),
      );
      refuseFailures(results, service, 'start', 'It is not running.');
      const now = await statesOf(context, service);
      return { hosts: now.map(({ on, state }) => describe(on, state)) };
    },
    describe: ({ hosts }) => hosts.join('; '),
  });
}

async function startOn(context: PhaseContext, service: ManagedService, on: Service): Promise<void> {
  const { clock } = context;
  const begun = clock.monotonicSeconds();
  const { mark } = entryOf(context, service, on);
  let obstacle: Failure | undefined;
  try {
    await on.start(mark, service.startSeconds);
  } catch (error) {
    obstacle = failureOf(error);
    if (obstacle.code === 'cancelled') throw error;
  }
  const left = service.startSeconds - (clock.monotonicSeconds() - begun);
  const state = await watch(context, on, (seen) => seen.kind !== 'changing', left);
  if (state.kind === 'running') return;
  await tellLog(context, on);
  fail({
    code: obstacle?.code ?? 'service-not-started',
    message: `${on.title} on ${on.host} did not start: it is ${state.detail}.${obstacle === undefined ? '' : ` ${obstacle.message}`}`,
    state: `It was running before this window stopped it${state.kind === 'changing' ? `, and did not get there within ${formatDuration(service.startSeconds)}` : ''}.`,
    next:
      obstacle?.next ??
      `Read its log on ${on.host} (the last lines stand in the log of this run), mend it, and run the same step again.`,
  });
}

/** All of them must still be the same runs when they have been up for long enough. */
async function stayUp(
  context: PhaseContext,
  callingPhase: string,
  started: readonly Started[],
): Promise<void> {
  const { clock, fleet } = context;
  const settle = Math.max(0, ...started.map(({ service }) => service.settleSeconds));
  const look = () =>
    onEach(started, fleet.parallel, async ({ on, run }) => {
      const state = await on.state();
      if (state.kind === 'running' && state.run === run) return;
      await tellLog(context, on);
      fail({
        code: 'service-not-up',
        message: `${on.title} on ${on.host} started and did not stay up: it is ${state.kind === 'running' ? 'running again, after a restart' : state.detail}.`,
        state: 'It was running before this window stopped it.',
        next: `Read its log on ${on.host} (the last lines stand in the log of this run), mend it, and run the same step again.`,
      });
    });
  await runStep(context, callingPhase, {
    id: `services-up-${started[0]?.service.resume ?? 'before-tests'}`,
    title: 'See that the services stay up',
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const looks = Math.ceil(settle / 0.5);
      for (let done = 0; done < looks; done += 1) {
        await clock.wait(settle / looks);
        refuseFailures(await look(), undefined, 'stay up', 'It is not running.');
      }
      const at = clock.now().toISOString();
      for (const { service, on } of started) {
        await change(context, service, [{ on }], () => ({ startedAt: at }));
      }
      return { services: started.map(({ service, on }) => `${service.id} on ${on.host}`), settle };
    },
    describe: (result) =>
      `${result.services.join(', ') || 'nothing'} up for ${formatDuration(result.settle)} without a restart`,
  });
}

async function runningOf(context: PhaseContext, service: ManagedService): Promise<Started[]> {
  return (await statesOf(context, service)).flatMap(({ on, state }) =>
    state.kind === 'running' && isOwed(entryOf(context, service, on))
      ? [{ service, on, run: state.run }]
      : [],
  );
}

/** What this window stopped must be started by it, also when the plan has changed since. */
function refuseUnknown(context: PhaseContext, owed: readonly ServiceRecord[]): void {
  for (const entry of owed) {
    const service = context.services.find(({ id }) => id === entry.id);
    if (service?.on.some(({ host }) => host === entry.host) === true) continue;
    fail({
      code: 'service-not-in-plan',
      message: `This window stopped ${entry.id} (${entry.title}) on ${entry.host}, and the plan names it no more.`,
      state: 'It is stopped.',
      next: 'Use the services that the window began with, then run the step again.',
    });
  }
}
