import { formatDuration } from '../plan/duration.ts';
import { fail, failureOf, type Failure } from '../ports/failure.ts';
import { onEach, type Worked } from '../ports/fleet.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import type { ManagedService, ResumeMoment, Service, ServiceState } from '../ports/services.ts';
import { isOwed, type ServiceRecord } from '../record/services.ts';
import { runStep, skipStep } from '../record/step.ts';
import type { PhaseContext } from './phase.ts';

/** Seconds between two looks at a service on its way. */
const pause = 0.2;
/** Seconds that the system may take to end what was killed. */
const killSeconds = 10;

type Working = Pick<PhaseContext, 'clock' | 'fleet' | 'services' | 'progress'>;

/** Whether each service is there and may be managed; touches nothing. */
export async function checkServices(context: Working): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const service of context.services) {
    const results = await onEach(service.on, context.fleet.parallel, (each) => each.check());
    for (const [index, result] of results.entries()) {
      const suffix = results.length === 1 ? '' : `-${index + 1}`;
      const head = {
        id: `service-${service.id}${suffix}`,
        title: `Service ${service.id}: ${result.on.title} on ${result.on.host}`,
        limit: 'there, and ours to stop and start',
      };
      checks.push(
        result.kind === 'done'
          ? { ...head, ...result.result }
          : {
              ...head,
              verdict: 'failed',
              value: result.failure.message,
              next: result.failure.next,
            },
      );
    }
  }
  return checks;
}

/**
 * Refuses a window whose services are not there, before the site is closed for them.
 * @throws FailureError `service-missing`
 */
export async function demandServices(context: PhaseContext): Promise<void> {
  if (context.record.status.services !== undefined) return;
  for (const service of context.services) {
    for (const { on, state } of await statesOf(context, service)) {
      if (state.kind !== 'missing') continue;
      fail({
        code: 'service-missing',
        message: `The service ${service.id} (${on.title}) is not on ${on.host}: ${state.detail}.`,
        state: 'The site is open; no service was stopped.',
        next: 'Correct enable-maintenance.services, or the hosts (`on`) that have it.',
      });
    }
  }
}

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

/** What to do to a service that is to run again. */
export function whatToStart(
  entry: ServiceRecord,
  state: ServiceState,
): 'start' | 'found' | 'leave' {
  if (!isOwed(entry)) return 'leave';
  if (state.kind === 'running') return 'found';
  return state.kind === 'replaced' ? 'leave' : 'start';
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

/** Writes how everything was before, once in a window. */
async function remember(context: PhaseContext): Promise<void> {
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

async function statesOf(
  context: Working,
  service: ManagedService,
): Promise<readonly { on: Service; state: ServiceState }[]> {
  const results = await onEach(service.on, context.fleet.parallel, (on) => on.state());
  refuseFailures(results, service, 'look at', 'It was not touched.');
  return results.flatMap((result) =>
    result.kind === 'done' ? [{ on: result.on, state: result.result }] : [],
  );
}

async function runningOf(context: PhaseContext, service: ManagedService): Promise<Started[]> {
  return (await statesOf(context, service)).flatMap(({ on, state }) =>
    state.kind === 'running' && isOwed(entryOf(context, service, on))
      ? [{ service, on, run: state.run }]
      : [],
  );
}

/** Looks until it is as wanted or the time is over; tells what was seen last. */
async function watch(
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

function isDown(state: ServiceState): boolean {
  return state.kind !== 'running' && state.kind !== 'changing';
}

function isKilled(state: ServiceState): boolean {
  return (state.kind === 'stopped' || state.kind === 'failed') && state.killed === true;
}

async function noteStopped(
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
async function change<T extends { readonly on: Service }>(
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

function entriesOf(
  context: PhaseContext,
  service: ManagedService,
): readonly { on: Service; entry: ServiceRecord }[] {
  return service.on.map((on) => ({ on, entry: entryOf(context, service, on) }));
}

function entryOf({ record }: PhaseContext, service: ManagedService, on: Service): ServiceRecord {
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

function refuseFailures<T>(
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

async function tellLog({ progress }: Working, on: Service): Promise<void> {
  // Into the run's log, where secrets are masked, and not into the record.
  const lines = await on.log().catch(() => []);
  for (const line of lines) progress.warning(`${on.host}, ${on.title}: ${line}`);
}

function describe(on: Service, state: ServiceState): string {
  return `${on.host}: ${state.detail}`;
}
