import { isDeepStrictEqual } from 'node:util';
import { formatDuration } from '../../plan/duration.ts';
import type { HttpExpectation } from '../../plan/settings/smoke-checks/http.ts';
import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import { atAddress, type Http, type HttpReply, type HttpRequest } from '../../ports/http.ts';
import { requirePublicUrl } from '../requirements.ts';
import { failed, passed, type CheckContext, type CheckKind, type Verdict } from './check-kind.ts';

type Exchange = Pick<
  CheckOf<'http'>,
  'url' | 'method' | 'headers' | 'body' | 'as' | 'timeout' | 'expect'
>;

/** A request and what must come back. */
export const httpKind: CheckKind<'http'> = {
  turn: 'first',
  timeoutSeconds: exchangeTimeout,
  expectation: ({ expect }) => describeExpectation(expect),
  look: async (context, check, timeoutSeconds) =>
    judgeHttp(
      check.expect,
      await pastTheLoadBalancer(context, check).request(requestOf(context, check, timeoutSeconds)),
    ),
};

/** While the site is closed, a drained load balancer sends nobody on: the first web host is asked itself. */
function pastTheLoadBalancer(context: CheckContext, check: Pick<Exchange, 'url' | 'as'>): Http {
  const { plan, fleet, http } = context;
  const isPast = plan.loadBalancer.whenClosed === 'drain' && isBypass(context, check);
  return isPast ? atAddress(http, fleet.web[0]?.address) : http;
}

function isBypass(context: CheckContext, check: Pick<Exchange, 'url' | 'as'>): boolean {
  const base = requirePublicUrl(context);
  // The token is for the site alone: another host must not learn it.
  return check.as === 'bypass' && new URL(check.url, base).origin === new URL(base).origin;
}

/** Long enough to tell how late a late answer is. */
export function exchangeTimeout({ timeout, expect }: Exchange): number {
  return timeout ?? Math.max(10, (expect.latency ?? 0) * 2);
}

/** The whole URL of a check, and the headers that bring it past the closed door. */
export function pastTheDoor(
  context: CheckContext,
  check: Pick<Exchange, 'url' | 'as'>,
): { readonly url: string; readonly bypass: Readonly<Record<string, string>> } {
  const url = new URL(check.url, requirePublicUrl(context));
  const bypass = isBypass(context, check) ? (context.mode?.bypassHeaders() ?? {}) : {};
  return { url: url.href, bypass };
}

/** The request of a check. */
export function requestOf(
  context: CheckContext,
  check: Exchange,
  timeoutSeconds: number,
): HttpRequest {
  const { url, bypass } = pastTheDoor(context, check);
  return {
    url,
    method: check.method,
    headers: { ...check.headers, ...bypass },
    ...(check.body === undefined ? {} : { body: check.body }),
    timeoutSeconds,
  };
}

/** Compares an answer with what is expected of it. */
export function judgeHttp(expect: HttpExpectation, reply: HttpReply): Verdict {
  if (reply.kind === 'no-answer') {
    return failed(`no answer (${reply.reason})`, describeStatus(expect));
  }
  const status = Array.isArray(expect.status) ? expect.status : [expect.status];
  const observed = `status ${reply.status} in ${formatDuration(reply.seconds)}`;
  if (!status.includes(reply.status)) return failed(observed, describeStatus(expect));
  for (const [name, value] of Object.entries(expect.headers)) {
    const found = reply.headers[name.toLowerCase()];
    if (found !== value) {
      return failed(`header ${name}: ${found ?? 'missing'}`, `header ${name}: ${value}`);
    }
  }
  if (expect.bodyContains !== undefined && !reply.body.includes(expect.bodyContains)) {
    return failed(`${observed}, body without the text`, describeBody(expect.bodyContains));
  }
  const values = Object.entries(expect.json);
  if (values.length > 0) {
    const json = parseJson(reply.body);
    if (json === undefined) return failed(`${observed}, body is not JSON`, 'a JSON body');
    for (const [path, value] of values) {
      const found = valueAt(json.value, path);
      // The order of an object's keys means nothing.
      if (!isDeepStrictEqual(found, value)) {
        return failed(
          `${path} is ${found === undefined ? 'missing' : JSON.stringify(found)}`,
          describeValue(path, value),
        );
      }
    }
  }
  if (expect.latency !== undefined && reply.seconds > expect.latency) {
    return failed(observed, describeLatency(expect.latency));
  }
  return passed(observed);
}

/** Everything that an answer must be like. */
export function describeExpectation(expect: HttpExpectation): string {
  return [
    describeStatus(expect),
    ...Object.entries(expect.headers).map(([name, value]) => `header ${name}: ${value}`),
    ...(expect.bodyContains === undefined ? [] : [describeBody(expect.bodyContains)]),
    ...Object.entries(expect.json).map(([path, value]) => describeValue(path, value)),
    ...(expect.latency === undefined ? [] : [describeLatency(expect.latency)]),
  ].join(', ');
}

function describeStatus(expect: HttpExpectation): string {
  return `status ${Array.isArray(expect.status) ? expect.status.join(' or ') : expect.status}`;
}

function describeBody(text: string): string {
  return `body with ${JSON.stringify(text)}`;
}

function describeValue(path: string, value: unknown): string {
  return `${path} is ${JSON.stringify(value)}`;
}

function describeLatency(seconds: number): string {
  return `an answer within ${formatDuration(seconds)}`;
}

function parseJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function valueAt(json: unknown, path: string): unknown {
  let value = json;
  for (const key of path.split('.')) {
    if (value === null || typeof value !== 'object') return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
