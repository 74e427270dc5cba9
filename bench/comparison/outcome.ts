import type { TrafficReport, TrafficRequest } from '../../rehearsal/traffic-report.ts';
import type { Write } from './public-process.ts';
import { onlineSteps, type OnlineStep } from './online-steps.ts';
import type { SideRun } from './side.ts';

/** How the public fared while it was served. */
export type Service = {
  readonly requestsPerSecond: number;
  readonly writesPerSecond: number;
  /** The longest that an answer took, and that one in a thousand took at least; milliseconds. */
  readonly worstRequest: number;
  readonly lateRequest: number;
  /** The longest that a transaction of the worker took; milliseconds. */
  readonly worstWrite: number;
};

/** What the public saw of a run. */
export type Seen = {
  /** From the first refusal to the last, in milliseconds. */
  readonly refused: number;
  /** From the failure of the migration to the first answer of the shop to a request sent after it; milliseconds. */
  readonly rollback?: number;
  /** Without an answer, or with one that is neither the shop's nor the maintenance page: from closing to opening. */
  readonly failedAtDoors: number;
  /** The same before and after. */
  readonly failedElsewhere: number;
  /** What the failed ones got, with how many: `status 502 (4 times)`. */
  readonly failures: Readonly<Record<string, number>>;
  /** Before anything was begun. */
  readonly before: Service;
  /** From the beginning to the closing. */
  readonly online: Service;
  /** By step of a window, up to the closing: the longest that an answer or a transaction took meanwhile; milliseconds. */
  readonly waits: Readonly<Record<string, number>>;
};

/**
 * Sums up what the public saw of a run.
 * @param watchedFrom when the clients had warmed up, milliseconds since the epoch
 * @throws Error when it never was refused
 */
export function seenOf(
  { beganAt, closingAt, openAt, failedAt, journal = [] }: SideRun,
  watchedFrom: number,
  traffic: TrafficReport,
  writes: readonly Write[],
): Seen {
  const [first] = traffic.closures;
  const last = traffic.closures.at(-1);
  if (first === undefined || last === undefined) throw new Error('The public was never refused.');
  const failed = [...traffic.lost, ...traffic.unexpected];
  const atDoors = failed.filter(({ endedAt }) => endedAt >= closingAt && endedAt <= openAt).length;
  const failures: Record<string, number> = {};
  for (const request of failed) {
    const name = failureOf(request);
    failures[name] = (failures[name] ?? 0) + 1;
  }
  return {
    refused: last.to - first.from,
    ...(failedAt === undefined ? {} : { rollback: servedAgain(traffic, failedAt) - failedAt }),
    failedAtDoors: atDoors,
    failedElsewhere: failed.length - atDoors,
    failures,
    before: serviceIn(traffic, writes, watchedFrom, beganAt),
    online: serviceIn(traffic, writes, beganAt, closingAt),
    waits: waitsIn(onlineSteps(journal, closingAt), [
      ...traffic.requests,
      ...writes.filter(({ isCommitted }) => isCommitted),
    ]),
  };
}

/** The longest of what overlaps a step. */
function waitsIn(
  steps: readonly OnlineStep[],
  all: readonly { readonly startedAt: number; readonly endedAt: number }[],
): Readonly<Record<string, number>> {
  const waits: Record<string, number> = {};
  for (const { name, from, to } of steps) {
    const times = all
      .filter(({ startedAt, endedAt }) => startedAt < to && endedAt > from)
      .map(({ startedAt, endedAt }) => endedAt - startedAt);
    waits[name] = times.reduce((worst, time) => Math.max(worst, time), waits[name] ?? 0);
  }
  return waits;
}

function failureOf({ outcome }: TrafficRequest): string {
  return outcome.kind === 'answered' ? `status ${outcome.status}` : outcome.error;
}

function servedAgain(traffic: TrafficReport, since: number): number {
  const answer = traffic.requests.find(
    ({ startedAt, outcome }) =>
      startedAt > since && outcome.kind === 'answered' && outcome.status < 300,
  );
  if (answer === undefined) throw new Error('The public was not served again.');
  return answer.endedAt;
}

function serviceIn(
  traffic: TrafficReport,
  writes: readonly Write[],
  from: number,
  to: number,
): Service {
  const within = ({ endedAt }: { readonly endedAt: number }) => endedAt >= from && endedAt < to;
  const took = ({ startedAt, endedAt }: { readonly startedAt: number; readonly endedAt: number }) =>
    endedAt - startedAt;
  const requests = traffic.requests
    .filter(within)
    .map(took)
    .sort((a, b) => a - b);
  const transactions = writes.filter((write) => within(write) && write.isCommitted).map(took);
  const seconds = (to - from) / 1000;
  return {
    requestsPerSecond: requests.length / seconds,
    writesPerSecond: transactions.length / seconds,
    worstRequest: requests.at(-1) ?? 0,
    lateRequest: requests[Math.floor(requests.length * 0.999)] ?? 0,
    worstWrite: transactions.reduce((worst, time) => Math.max(worst, time), 0),
  };
}
