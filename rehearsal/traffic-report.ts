/** What became of one request of the public. Times are milliseconds since the epoch. */
export type TrafficRequest = {
  /** Which client sent it, from 1. */
  readonly client: number;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly outcome: TrafficOutcome;
};

export type TrafficOutcome =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** The value of the header X-Maintenance, where the answer had one. */
      readonly maintenance?: string;
      /** The order that this answer confirmed. */
      readonly order?: AcknowledgedOrder;
    }
  | {
      /** No complete answer came. */
      readonly kind: 'lost';
      readonly error: string;
      /** The connection had served a request before: browsers send a GET again then. */
      readonly onReusedConnection: boolean;
    };

export type AcknowledgedOrder = { readonly id: number; readonly reference: string };

/** A time in which the public saw the site closed for maintenance. */
export type Closure = {
  /** When the first 503 with X-Maintenance arrived. */
  readonly from: number;
  /** When the last one of this closure arrived. */
  readonly to: number;
  /** When the last success before it arrived; undefined when there was none. */
  readonly lastSuccessBefore: number | undefined;
  /** When the first success after it arrived; undefined when none came. */
  readonly firstSuccessAfter: number | undefined;
  /** Answers with 503 and X-Maintenance. */
  readonly answers: number;
  /** Successes that arrived in between: of requests under way, or let in. */
  readonly successesMeanwhile: number;
  /** The values of X-Maintenance, each once. */
  readonly windows: readonly string[];
};

/** What a number of requests amounts to. */
export type TrafficReport = {
  readonly startedAt: number;
  readonly endedAt: number;
  /** In the order in which they ended. */
  readonly requests: readonly TrafficRequest[];
  /** Number of answers by status, e.g. { '200': 812, '503': 40 }. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Requests without a complete answer. */
  readonly lost: readonly TrafficRequest[];
  readonly lostOnReusedConnections: number;
  /** Answers that are neither a success (2xx) nor 503 with X-Maintenance. */
  readonly unexpected: readonly TrafficRequest[];
  /** When the first and the last answer with status 503 arrived, with or without X-Maintenance. */
  readonly first503At: number | undefined;
  readonly last503At: number | undefined;
  readonly closures: readonly Closure[];
  /** The sum of all closures, from the first to the last 503 of each. */
  readonly closedMilliseconds: number;
  /** The longest time in which no answer of any kind arrived. */
  readonly longestGapMilliseconds: number;
  /** The longest time in which no success arrived. */
  readonly longestGapWithoutSuccessMilliseconds: number;
  readonly orders: readonly AcknowledgedOrder[];
};

function isSuccess({ outcome }: TrafficRequest): boolean {
  return outcome.kind === 'answered' && outcome.status >= 200 && outcome.status < 300;
}

function windowOf({ outcome }: TrafficRequest): string | undefined {
  return outcome.kind === 'answered' && outcome.status === 503 ? outcome.maintenance : undefined;
}

/** Sums up requests; `startedAt` and `endedAt` are when the traffic began and ended. */
export function summarizeTraffic(
  requests: readonly TrafficRequest[],
  startedAt: number,
  endedAt: number,
): TrafficReport {
  const ordered = [...requests].sort((a, b) => a.endedAt - b.endedAt);
  const lost = ordered.filter(({ outcome }) => outcome.kind === 'lost');
  const answered = ordered.filter(({ outcome }) => outcome.kind === 'answered');
  const byStatus: Record<string, number> = {};
  const orders: AcknowledgedOrder[] = [];
  const times503: number[] = [];
  for (const { outcome, endedAt: at } of answered) {
    if (outcome.kind !== 'answered') continue;
    byStatus[outcome.status] = (byStatus[outcome.status] ?? 0) + 1;
    if (outcome.order) orders.push(outcome.order);
    if (outcome.status === 503) times503.push(at);
  }
  const closures = findClosures(answered);
  return {
    startedAt,
    endedAt,
    requests: ordered,
    byStatus,
    lost,
    lostOnReusedConnections: lost.filter(
      ({ outcome }) => outcome.kind === 'lost' && outcome.onReusedConnection,
    ).length,
    unexpected: answered.filter(
      (request) => !isSuccess(request) && windowOf(request) === undefined,
    ),
    first503At: times503[0],
    last503At: times503.at(-1),
    closures,
    closedMilliseconds: closures.reduce((sum, { from, to }) => sum + to - from, 0),
    longestGapMilliseconds: longestGap(answered, startedAt, endedAt),
    longestGapWithoutSuccessMilliseconds: longestGap(
      answered.filter(isSuccess),
      startedAt,
      endedAt,
    ),
    orders,
  };
}

/**
 * Groups the maintenance answers into closures. Two of them belong together unless a success lies
 * wholly between them, asked for after the one and answered before the other: a success that was
 * merely under way when the site closed does not mean that it was open in between.
 */
function findClosures(answered: readonly TrafficRequest[]): Closure[] {
  const successes = answered.filter(isSuccess);
  const groups: TrafficRequest[][] = [];
  let sincePrevious: TrafficRequest[] = [];
  for (const request of answered) {
    if (isSuccess(request)) sincePrevious.push(request);
    if (windowOf(request) === undefined) continue;
    const group = groups.at(-1);
    const previous = group?.at(-1)?.endedAt ?? Infinity;
    const wasOpenBetween = sincePrevious.some(
      (success) => success.startedAt > previous && success.endedAt < request.startedAt,
    );
    if (group === undefined || wasOpenBetween) groups.push([request]);
    else group.push(request);
    sincePrevious = [];
  }
  return groups.map((group) => {
    const from = group[0]?.endedAt ?? 0;
    const to = group.at(-1)?.endedAt ?? from;
    return {
      from,
      to,
      lastSuccessBefore: successes.findLast((success) => success.endedAt < from)?.endedAt,
      firstSuccessAfter: successes.find((success) => success.endedAt > to)?.endedAt,
      answers: group.length,
      successesMeanwhile: successes.filter((s) => s.endedAt >= from && s.endedAt <= to).length,
      windows: [...new Set(group.map((request) => windowOf(request) ?? ''))],
    };
  });
}

function longestGap(requests: readonly TrafficRequest[], from: number, to: number): number {
  let longest = 0;
  let previous = from;
  for (const at of [...requests.map(({ endedAt }) => endedAt), to]) {
    longest = Math.max(longest, at - previous);
    previous = at;
  }
  return longest;
}
