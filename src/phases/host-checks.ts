import { posix } from 'node:path';
import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import { failureOf } from '../ports/failure.ts';
import { onEach } from '../ports/fleet.ts';
import type { Host } from '../ports/host.ts';
import type { HttpReply } from '../ports/http.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import { doorsOf } from './doors.ts';
import type { PhaseContext } from './phase.ts';
import { viewOf } from './public-view.ts';

/** Bytes that the record, the flag and the mode's files may need in the state folder. */
const leastFreeBytes = 16 * 1024 * 1024;

/**
 * Seconds that a host's clock may differ from the runner's: the record, deadlines and the times of files come from
 * different machines. From the first a warning, from the second a refusal.
 */
export const clockWarningSeconds = 5;
export const clockLimitSeconds = 60;

type HostContext = Pick<PhaseContext, 'plan' | 'clock' | 'host' | 'runner' | 'fleet' | 'http'>;

/** Looks at each machine of the plan once: that it answers, can be written where it must, and knows the time. */
export async function checkHosts(context: HostContext): Promise<readonly Check[]> {
  const { fleet, host: control } = context;
  const web = fleet.web.map(({ host }) => host);
  const backups = fleet.backups === undefined ? [] : [fleet.backups];
  const { standby } = fleet;
  const servers = standby === undefined ? [] : [standby.primary, standby.replica, standby.switch];
  const machines = [
    ...new Set([control, ...web, fleet.database, ...backups, ...fleet.workers, ...servers]),
  ];
  const results = await onEach(machines, fleet.parallel, async (host) => {
    // Only there are files of ours below the state folder.
    const keepsFiles = host === control || web.includes(host);
    return [await checkHost(context, host, keepsFiles), await checkClock(context, host)];
  });
  return results.flatMap((looked, index) => {
    const suffix = index === 0 ? '' : `-${index + 1}`;
    const checks =
      looked.kind === 'done'
        ? looked.result
        : [unseen(looked.on, 'answers', failureOf(looked.failure))];
    return checks.flatMap((check) =>
      check === undefined ? [] : [{ ...check, id: `${check.id}${suffix}` }],
    );
  });
}

async function checkHost({ plan }: HostContext, host: Host, keepsFiles: boolean): Promise<Check> {
  const limit = keepsFiles ? 'answers; the state folder can be written' : 'answers';
  const head = { id: 'host', title: `Host ${host.name}`, limit };
  try {
    const result = await host.run({ argv: ['uname', '-sr'], timeoutSeconds: 10 });
    if (result.exitCode !== 0) {
      const value = `uname: exit code ${String(result.exitCode)}`;
      return { ...head, verdict: 'failed', value, next: 'Look at the host.' };
    }
    const system = result.stdout.trim();
    if (!keepsFiles) return { ...head, verdict: 'passed', value: system };
    const free = await host.freeBytes(plan.stateDir);
    const room = `${formatBytes(free)} free at ${plan.stateDir}`;
    if (free < leastFreeBytes) {
      const next = `Free at least ${formatBytes(leastFreeBytes)} there.`;
      return { ...head, verdict: 'failed', value: room, next };
    }
    const folder = await nearestFolder(host, plan.stateDir);
    const writable = await host.run({ argv: ['test', '-w', folder], timeoutSeconds: 10 });
    return writable.exitCode === 0
      ? { ...head, verdict: 'passed', value: `${system}, ${room}` }
      : {
          ...head,
          verdict: 'failed',
          value: `${folder} cannot be written`,
          next: `Let the user of ${host.name} write there, use \`sudo: true\`, or name another state-dir.`,
        };
  } catch (error) {
    return unseen(host, limit, failureOf(error));
  }
}

function unseen(
  host: Host,
  limit: string,
  failure: { readonly message: string; readonly next: string },
): Check {
  const { message, next } = failure;
  return {
    id: 'host',
    title: `Host ${host.name}`,
    verdict: 'failed',
    value: message,
    limit,
    next,
  };
}

/** The folder itself, or the first above it that is there. */
async function nearestFolder(host: Host, path: string): Promise<string> {
  for (let folder = path; folder !== '/'; folder = posix.dirname(folder)) {
    if ((await host.status(folder)) !== undefined) return folder;
  }
  return '/';
}

/** How far a host's clock is from the runner's; nothing for the runner's own machine, or one that does not answer. */
async function checkClock({ clock, runner }: HostContext, host: Host): Promise<Check | undefined> {
  if (host === runner || host.name === 'local') return undefined;
  const head = {
    id: 'clock',
    title: `Clock of ${host.name}`,
    limit: `at most ${formatDuration(clockWarningSeconds)} from the runner's; refused above ${formatDuration(clockLimitSeconds)}`,
  };
  const before = clock.now().getTime() / 1000;
  const result = await host
    .run({ argv: ['date', '-u', '+%s'], timeoutSeconds: 10 })
    .catch(() => undefined);
  const after = clock.now().getTime() / 1000;
  // What keeps it from answering is told by the check of the host.
  if (result === undefined) return undefined;
  const text = result.stdout.trim();
  if (result.exitCode !== 0 || !/^\d+$/.test(text)) {
    return {
      ...head,
      verdict: 'warning',
      value: `\`date\` answered ${JSON.stringify(text.slice(0, 100))}`,
      next: 'See that the host has `date`, and that its time is right.',
    };
  }
  const skew = skewOf(Number(text), before, after);
  const value =
    skew === 0
      ? 'the same time, to the second'
      : `${formatDuration(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} the runner's`;
  if (Math.abs(skew) <= clockWarningSeconds) return { ...head, verdict: 'passed', value };
  return {
    ...head,
    verdict: Math.abs(skew) > clockLimitSeconds ? 'failed' : 'warning',
    value,
    next: `Set the clock of ${host.name} right (NTP: chrony or systemd-timesyncd), or that of the runner.`,
  };
}

/**
 * Seconds that a host is ahead of the runner (below zero: behind); 0 while the answer fits anywhere between question
 * and answer.
 * @param told whole seconds, so that the host's time is from it to a second more
 * @param before the runner's time when it asked, and `after` when it had the answer
 */
export function skewOf(told: number, before: number, after: number): number {
  if (told > after) return told - after;
  return told + 1 < before ? told + 1 - before : 0;
}

/** Whether the public URL, and each web host by itself, answers from the application. */
export async function checkDoors(context: HostContext): Promise<readonly Check[]> {
  const { plan, fleet } = context;
  const url = plan.publicUrl ?? '';
  const { front, hosts } = doorsOf(context);
  const results = await onEach([front, ...hosts], fleet.parallel, async ({ http }) =>
    viewOf(await http.request({ url, timeoutSeconds: 10 })),
  );
  return results.map((looked, index): Check => {
    const { host, label } = looked.on;
    const head = {
      id: index === 0 ? 'public-url' : `public-url-${index}`,
      title: host === undefined ? `Public URL ${url}` : `Public URL, asked of ${label}`,
      limit: 'answers from the application',
    };
    const view =
      looked.kind === 'done'
        ? looked.result
        : { kind: 'broken' as const, observed: looked.failure.message };
    if (view.kind === 'application') return { ...head, verdict: 'passed', value: view.observed };
    return {
      ...head,
      verdict: 'failed',
      value: view.observed,
      next:
        host === undefined
          ? 'A broken or closed site is not maintained: mend it first.'
          : 'Mend that host first, see that its address in hosts.web is right and can be reached by the runner, or take it out of hosts.web and of the load balancer.',
    };
  });
}

/** Whether each web host tells the load balancer that it is well; nothing where the plan names no health path. */
export async function checkHealthPath(context: HostContext): Promise<readonly Check[]> {
  const { plan, fleet } = context;
  const { healthPath } = plan.loadBalancer;
  if (healthPath === undefined || plan.publicUrl === undefined) return [];
  const url = new URL(healthPath, plan.publicUrl).href;
  const { front, hosts } = doorsOf(context);
  const doors = hosts.length === 0 ? [front] : hosts;
  const results = await onEach(doors, fleet.parallel, ({ http }) =>
    http.request({ url, timeoutSeconds: 10 }),
  );
  return results.map((looked, index): Check => {
    const head = {
      id: index === 0 ? 'load-balancer-health' : `load-balancer-health-${index + 1}`,
      title: `Load balancer's health path ${healthPath} at ${looked.on.label}`,
      limit: 'a status from 200 to 399',
    };
    const observed =
      looked.kind === 'failed'
        ? looked.failure.message
        : looked.result.kind === 'answer'
          ? `status ${looked.result.status}`
          : `no answer (${looked.result.reason})`;
    return looked.kind === 'done' && isWell(looked.result)
      ? { ...head, verdict: 'passed', value: observed }
      : {
          ...head,
          verdict: 'failed',
          value: observed,
          next: 'Mend that host, or correct load-balancer.health-path: a host that is not well gets no requests.',
        };
  });
}

function isWell(reply: HttpReply): boolean {
  return reply.kind === 'answer' && reply.status >= 200 && reply.status < 400;
}
