import { formatDuration } from '../../plan/duration.ts';
import type { ServerTaskOf } from '../../plan/settings/update-server.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import { atAddress } from '../../ports/http.ts';
import type { Server } from '../../ports/server.ts';
import type { PhaseContext } from '../phase.ts';
import { isClosedFor, watchFor } from '../public-view.ts';
import {
  type LookContext,
  type Preview,
  type ServerTaskResult,
  type TaskPlace,
} from './server-task.ts';

type Reboot = ServerTaskOf<'reboot'>;
type BegunReboot = NonNullable<PhaseContext['record']['status']['rebootsBegun']>[string];

/** Seconds between looks at a host that is starting. */
const lookSeconds = 0.5;
/** Seconds that a host that is just back may take at least to serve again. */
const leastServingSeconds = 3;

/**
 * Refuses to reboot the machine that the run itself is on: it would end the run in the middle of the window. Two
 * names of one machine are found out by the boot id, which its kernel gives to both.
 * @throws FailureError `reboot-own-host`, `reboot-serving-host`
 */
export async function refuseReboot(
  context: LookContext,
  { host, server }: Pick<TaskPlace, 'host' | 'server'>,
  task: Reboot,
): Promise<void> {
  if (task.when === 'never') return;
  const isOwn =
    host.name === 'local' ||
    (await server.bootId()) === (await context.server(context.runner).bootId());
  if (isOwn) {
    fail({
      code: 'reboot-own-host',
      message: `The run itself is on ${host.name}: a reboot would end it in the middle of the window.`,
      state: 'Nothing was touched by this.',
      next: 'Run the window from another machine over SSH (`host: ssh://…`), or set `when: never` and reboot it by hand afterwards.',
    });
  }
  if (task.stage === 'online' && servesAlone(context, host)) {
    fail({
      code: 'reboot-serving-host',
      message: `The public would be cut off: nothing else serves what ${host.name} serves, and the reboot is to come while the site is open.`,
      state: 'Nothing was touched by this.',
      next: 'Set `stage: closed` for the task.',
    });
  }
}

function servesAlone({ fleet, database }: LookContext, host: Host): boolean {
  const isOnlyWeb = fleet.web.length === 1 && fleet.web.some((web) => web.host === host);
  return isOnlyWeb || (database !== undefined && fleet.database === host);
}

/** Why this host is not rebooted; `undefined` when it is. */
export async function needlessReboot(
  { server }: Pick<TaskPlace, 'server'>,
  task: Reboot,
): Promise<string | undefined> {
  if (task.when === 'never') return 'the plan says never';
  if (task.when === 'always') return undefined;
  const { needed, reason } = await server.rebootNeed();
  return needed ? undefined : `not needed: ${reason}`;
}

export async function previewReboot(
  context: LookContext,
  place: TaskPlace,
  task: Reboot,
): Promise<Preview> {
  await refuseReboot(context, place, task);
  if (task.when === 'never') return { summary: 'no reboot: the plan says never', lines: [] };
  const { needed, reason } = await place.server.rebootNeed();
  const up = formatDuration(await place.server.uptimeSeconds());
  const will = task.when === 'always' || needed;
  return {
    summary: `${will ? 'reboots' : 'no reboot by now'}: ${reason}; up for ${up}`,
    lines: [],
  };
}

/** Reboots, and proves it: another boot id, everything mounted, started, and what it serves is served again. */
export async function rebootHost(
  context: PhaseContext,
  place: TaskPlace,
  task: Reboot,
): Promise<ServerTaskResult> {
  const { record, clock, progress } = context;
  const { host, server, step } = place;
  const started = clock.monotonicSeconds();
  const deadline = started + task.timeout;
  const recorded = record.status.rebootsBegun?.[step];
  const { reason } =
    recorded === undefined ? await server.rebootNeed() : { reason: 'begun before a kill' };
  const begun = recorded ?? (await begin(context, place, task));
  const isOver = recorded !== undefined && (await hasRestarted(context, server, begun, deadline));
  if (!isOver) {
    progress.info(`${host.name}: ordering the reboot`);
    const [program = '', ...rest] = task.command;
    await server.runSoon([program, ...rest]);
  }
  const bootId = await waitForBoot(context, host, server, begun, task, deadline);
  const awaySeconds = clock.monotonicSeconds() - started;
  await waitUntilReady(context, place, begun, task, deadline);
  await proveServing(
    context,
    host,
    Math.max(leastServingSeconds, deadline - clock.monotonicSeconds()),
  );
  return {
    outcome: 'done',
    summary: `rebooted (${task.when === 'always' ? 'always' : reason}), back after ${formatDuration(awaySeconds)}`,
    proof: `boot id ${begun.bootId} before, ${bootId} after${begun.mounts.length === 0 ? '' : `; mounted: ${begun.mounts.join(', ')}`}`,
    figures: { 'away-seconds': Math.round(awaySeconds * 10) / 10 },
    items: [{ name: 'boot id', before: begun.bootId, after: bootId }],
  };
}

/** Written down before the order: whoever goes on after a kill knows by it whether the host went down. */
async function begin(
  { record, clock }: PhaseContext,
  { server, step }: TaskPlace,
  task: Reboot,
): Promise<BegunReboot> {
  const mounted = (await server.mounts()).filter(({ atStart }) => atStart);
  const mounts = [...new Set([...mounted.map(({ folder }) => folder), ...task.mounts])];
  const begun = { at: clock.now().toISOString(), bootId: await server.bootId(), mounts };
  await record.update({ rebootsBegun: { ...record.status.rebootsBegun, [step]: begun } });
  return begun;
}

/** Whether the reboot that was ordered before a kill took place; waits for a host that is just away. */
async function hasRestarted(
  { clock }: PhaseContext,
  server: Server,
  begun: BegunReboot,
  deadline: number,
): Promise<boolean> {
  for (;;) {
    const id = await quietly(() => server.bootId());
    if (id.kind === 'seen') return id.value !== begun.bootId;
    if (clock.monotonicSeconds() >= deadline) return false;
    await clock.wait(lookSeconds);
  }
}

async function waitForBoot(
  { clock }: PhaseContext,
  host: Host,
  server: Server,
  begun: BegunReboot,
  task: Reboot,
  deadline: number,
): Promise<string> {
  let last = 'it did not answer';
  for (;;) {
    const id = await quietly(() => server.bootId());
    if (id.kind === 'seen' && id.value !== begun.bootId) return id.value;
    last =
      id.kind === 'seen'
        ? `it answers, with the boot id ${begun.bootId} that it had before`
        : `it does not answer: ${id.reason}`;
    if (clock.monotonicSeconds() >= deadline) break;
    await clock.wait(lookSeconds);
  }
  return fail({
    code: 'reboot-not-proved',
    message: `${host.name} was told to reboot and is not back after ${formatDuration(task.timeout)}: ${last}.`,
    state: `Whether ${host.name} comes back is not known; the hosts after it were not touched.`,
    next: 'Look at its console. Once it is back, run the step again: it goes on from here, and reboots only if the host did not.',
  });
}

async function waitUntilReady(
  context: PhaseContext,
  { host, server }: TaskPlace,
  begun: BegunReboot,
  task: Reboot,
  deadline: number,
): Promise<void> {
  const { clock } = context;
  let lacks: string;
  for (;;) {
    const looked = await quietly(() => lackOf(context, host, server, begun));
    if (looked.kind === 'seen' && looked.value === undefined) return;
    lacks = looked.kind === 'seen' ? (looked.value ?? '') : looked.reason;
    if (clock.monotonicSeconds() >= deadline) break;
    await clock.wait(lookSeconds);
  }
  fail({
    code: 'reboot-not-ready',
    message: `${host.name} rebooted, but ${formatDuration(task.timeout)} after the order ${lacks}.`,
    state: 'The host runs; not all that was there before is there.',
    next: 'Mend it on the host (`systemctl --failed`, `findmnt --verify`), then run the step again.',
  });
}

async function lackOf(
  { record, fleet, database }: PhaseContext,
  host: Host,
  server: Server,
  begun: BegunReboot,
): Promise<string | undefined> {
  const mounted = new Set((await server.mounts()).map(({ folder }) => folder));
  const missing = begun.mounts.filter((folder) => !mounted.has(folder));
  if (missing.length > 0) return `${missing.join(', ')} is not mounted`;
  const starting = await server.unready();
  if (starting !== undefined) return starting;
  if (host === fleet.control && (await host.status(record.place.statusFile)) === undefined) {
    return `the record ${record.place.statusFile} is not there`;
  }
  if (host === fleet.database && database !== undefined) {
    await database.queryValue('select 1', { timeoutSeconds: 10 });
  }
  return undefined;
}

/** A web host must serve again what it served: our closed door, or the application. */
async function proveServing(
  context: PhaseContext,
  host: Host,
  timeoutSeconds: number,
): Promise<void> {
  const { record, fleet, plan, mode, clock } = context;
  const web = fleet.web.find((candidate) => candidate.host === host);
  if (web === undefined || plan.publicUrl === undefined) return;
  const { state, windowId } = record.status;
  const isClosed = ['closed', 'changing', 'changed'].includes(state) && mode !== undefined;
  const accepted = isClosed
    ? isClosedFor(mode, windowId)
    : (view: Parameters<ReturnType<typeof isClosedFor>>[0]) => view.kind === 'application';
  const http = atAddress(context.http, web.address);
  const seen = await watchFor({ http, clock, url: plan.publicUrl, timeoutSeconds }, accepted);
  if (seen.kind === 'seen') return;
  fail({
    code: 'reboot-not-serving',
    message: `${host.name} rebooted, but does not serve ${isClosed ? 'the closed door' : 'the application'} again: ${plan.publicUrl} answered ${seen.observed}.`,
    state: isClosed
      ? 'The host runs; the public is not proved to be kept out.'
      : 'The host runs; its application does not answer the public.',
    next: 'Look at its web server and application (`systemctl --failed`), then run the step again, or `rollback`.',
  });
}

type Looked<T> =
  | { readonly kind: 'seen'; readonly value: T }
  | { readonly kind: 'unseen'; readonly reason: string };

/** A host that is starting may refuse anything; only a cancelled run ends the wait. */
async function quietly<T>(look: () => Promise<T>): Promise<Looked<T>> {
  try {
    return { kind: 'seen', value: await look() };
  } catch (error) {
    const failure = failureOf(error);
    if (failure.code === 'cancelled') throw error;
    return { kind: 'unseen', reason: failure.message.replace(/\.$/, '') };
  }
}
