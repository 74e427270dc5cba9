import { afterEach, describe, expect, jest, test } from '@jest/globals';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { runChecks } from '../../src/phases/smoke-test.ts';
import { FailureError } from '../../src/ports/failure.ts';
import type { Address } from '../../src/ports/fleet.ts';
import type { HttpReply, HttpRequest } from '../../src/ports/http.ts';
import { StillClock } from '../fixtures/memory-host.ts';
import { planOf } from '../fixtures/record-factory.ts';

const page = { id: 'page', kind: 'http', url: '/' };
const value = { id: 'value', kind: 'sql', query: 'select 1', equals: 1 };

interface Setting {
  readonly checks?: readonly Record<string, unknown>[];
  readonly deadline?: string;
  readonly firstPause?: string;
  /** Status of the answer to the nth request. */
  readonly status?: (nth: number) => number;
  readonly query?: () => Promise<string | undefined>;
  /** Seconds that an answer takes. */
  readonly slow?: number;
}

class WatchedClock extends StillClock {
  readonly pauses: number[] = [];

  override async wait(seconds: number): Promise<void> {
    this.pauses.push(seconds);
    this.pass(seconds);
  }
}

function bench(setting: Setting) {
  const clock = new WatchedClock('2026-11-22T02:00:00.000Z');
  const requests: HttpRequest[] = [];
  const queries: string[] = [];
  const context = {
    clock,
    plan: planOf({
      'smoke-test': {
        checks: setting.checks ?? [page],
        deadline: setting.deadline ?? '10s',
        'first-pause': setting.firstPause ?? '1s',
      },
    }),
    http: {
      request: async (request: HttpRequest): Promise<HttpReply> => {
        requests.push(request);
        clock.pass(setting.slow ?? 0);
        const status = (setting.status ?? (() => 200))(requests.length);
        return { kind: 'answer', status, headers: {}, body: '', seconds: setting.slow ?? 0 };
      },
    },
    database: {
      queryValue: async (sql: string) => {
        queries.push(sql);
        return (setting.query ?? (async () => '1'))();
      },
    },
    mode: { bypassHeaders: () => ({ 'X-Maintenance-Bypass': 'secret-token' }) },
    // The checks need nothing else of it.
  } as unknown as Omit<PhaseContext, 'record' | 'progress'>;
  return { context, clock, requests, queries };
}

describe('running the checks', () => {
  test('that all pass takes one round and no pause', async () => {
    const { context, clock, requests, queries } = bench({ checks: [page, value] });
    const results = await runChecks(context);
    expect(results).toMatchObject([
      { id: 'page', kind: 'http', passed: true, attempts: 1, expected: 'status 200' },
      { id: 'value', kind: 'sql', passed: true, attempts: 1, observed: 'value 1' },
    ]);
    expect([requests.length, queries.length, clock.pauses]).toEqual([1, 1, []]);
  });

  test('tries only failed ones again, until they pass', async () => {
    const { context, clock, requests, queries } = bench({
      checks: [page, value],
      status: (nth) => (nth < 3 ? 502 : 200),
    });
    const results = await runChecks(context);
    expect(results.map(({ id, passed, attempts }) => [id, passed, attempts])).toEqual([
      ['page', true, 3],
      ['value', true, 1],
    ]);
    expect([requests.length, queries.length]).toEqual([3, 1]);
    expect(clock.pauses).toEqual([1, 2]);
  });

  test('waits twice as long each time, at most 5 s', async () => {
    const { context, clock } = bench({ deadline: '30s', status: () => 500 });
    await runChecks(context);
    expect(clock.pauses).toEqual([1, 2, 4, 5, 5, 5, 5]);
  });

  test('ends before a pause that would go beyond the deadline, and reports what it saw last', async () => {
    const { context, clock, requests } = bench({ deadline: '7s', status: (nth) => 500 + nth });
    expect(await runChecks(context)).toMatchObject([
      { id: 'page', passed: false, attempts: 4, observed: 'status 504 in 0 ms' },
    ]);
    expect(requests).toHaveLength(4);
    expect(clock.seconds).toBe(7);
  });

  test('is bounded by the time that slow answers take as well', async () => {
    const { context, requests } = bench({ deadline: '30s', slow: 10, status: () => 500 });
    const [result] = await runChecks(context);
    expect(requests).toHaveLength(3);
    expect(result).toMatchObject({ passed: false, seconds: 10 });
  });

  test('a query that fails is a failed check, and the others are looked at all the same', async () => {
    const { context } = bench({
      checks: [value, page],
      deadline: '1ms',
      query: () => Promise.reject(new Error('no relation "orders"')),
    });
    expect(await runChecks(context)).toMatchObject([
      { id: 'value', passed: false, observed: 'no relation "orders"', expected: 'value 1' },
      { id: 'page', passed: true },
    ]);
  });
});

describe('a round', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('looks at several checks at once, and tells them in the order of the plan', async () => {
    const checks = ['a', 'b', 'c', 'd'].map((id) => ({ ...page, id }));
    const { context } = bench({ checks: [value, ...checks] });
    const waiting: (() => void)[] = [];
    const http = {
      request: () =>
        new Promise<HttpReply>((resolve) => {
          const answer = { kind: 'answer', headers: {}, body: '', seconds: 0 } as const;
          waiting.push(() => resolve({ ...answer, status: 200 }));
          // The last one that is asked lets all go, itself first.
          if (waiting.length === 4) for (const go of waiting.reverse()) go();
        }),
    };
    const results = await runChecks({ ...context, http });
    expect(results.map(({ id, passed }) => [id, passed])).toEqual(
      ['value', 'a', 'b', 'c', 'd'].map((id) => [id, true]),
    );
  });

  test('does not wait for a check that hangs beyond its time', async () => {
    jest.useFakeTimers();
    const { context } = bench({
      checks: [{ ...page, timeout: '2s' }, value],
      deadline: '1ms',
    });
    const http = { request: () => new Promise<HttpReply>(() => undefined) };
    const running = runChecks({ ...context, http });
    await jest.advanceTimersByTimeAsync(7000);
    expect(await running).toMatchObject([
      { id: 'page', passed: false, observed: 'no answer within 2 s', expected: 'status 200' },
      { id: 'value', passed: true },
    ]);
  });

  test('does not repeat a check that is skipped, nor take it for failed or passed', async () => {
    const visits: string[] = [];
    const { context, clock } = bench({
      checks: [page, { id: 'seen', kind: 'browser', url: '/', optional: true }],
      status: (nth) => (nth < 2 ? 502 : 200),
    });
    const browser: NonNullable<PhaseContext['browser']> = {
      visit: async ({ url }) => {
        visits.push(url);
        return { kind: 'no-browser', isMissing: true, reason: 'none is installed' };
      },
    };
    const results = await runChecks({ ...context, browser });
    expect(results).toMatchObject([
      { id: 'page', passed: true, attempts: 2 },
      { id: 'seen', passed: false, skipped: true, attempts: 1 },
    ]);
    expect([visits, clock.pauses]).toEqual([['https://shop.example.org/'], [1]]);
  });

  test('ends with the run that is being cancelled', async () => {
    const { context } = bench({ checks: [value, page] });
    const failure = { code: 'cancelled', message: 'The run was cancelled.', state: 's', next: 'n' };
    const http = { request: () => Promise.reject(new FailureError(failure)) };
    await expect(runChecks({ ...context, http })).rejects.toMatchObject({ failure });
  });
});

describe('the addresses of a name', () => {
  async function routed(check: Record<string, unknown>, addresses: string[], web: Address[] = []) {
    const { context, requests } = bench({
      checks: [{ id: 'each', kind: 'routing', ...check }],
      deadline: '1ms',
      status: (nth) => (nth === 2 ? 502 : 200),
    });
    const network = { addresses: async () => ({ kind: 'addresses', addresses }) };
    const fleet = { web: web.map((address) => ({ address })) };
    const [result] = await runChecks({ ...context, network, fleet } as unknown as typeof context);
    return { result, requests };
  }

  test('are all asked, those of the plan too, each once, with the bypass and the URL’s name', async () => {
    const { result, requests } = await routed(
      { url: '/healthz' },
      ['192.0.2.1', '2001:db8::1'],
      [
        { host: '192.0.2.1', port: 443 },
        { host: '192.0.2.9', port: 8443 },
      ],
    );
    expect(requests.map(({ connectTo }) => connectTo)).toEqual([
      { host: '192.0.2.1', port: 443 },
      { host: '2001:db8::1', port: 443 },
      { host: '192.0.2.9', port: 8443 },
    ]);
    expect(requests[2]).toMatchObject({
      url: 'https://shop.example.org/healthz',
      headers: { 'X-Maintenance-Bypass': 'secret-token' },
    });
    expect(result).toMatchObject({
      passed: false,
      observed: '1 of 3 not as expected: [2001:db8::1]:443: status 502 in 0 ms',
    });
  });

  test('of one family alone are asked where the plan says so', async () => {
    const { requests } = await routed({ family: 'ipv4' }, ['192.0.2.1', '2001:db8::1']);
    expect(requests.map(({ connectTo }) => connectTo?.host)).toEqual(['192.0.2.1']);
  });

  test('of another name do not include the site’s own hosts', async () => {
    const { requests } = await routed(
      { url: 'http://other.example.org/' },
      ['192.0.2.7'],
      [{ host: '192.0.2.9', port: 8443 }],
    );
    expect(requests.map(({ connectTo }) => connectTo)).toEqual([{ host: '192.0.2.7', port: 80 }]);
    expect(JSON.stringify(requests)).not.toContain('secret-token');
  });
});

describe('the request of a check', () => {
  async function requestOf(check: Record<string, unknown>): Promise<HttpRequest | undefined> {
    const { context, requests } = bench({ checks: [{ ...page, ...check }] });
    await runChecks(context);
    return requests[0];
  }

  test.each([
    ['/healthz', 'https://shop.example.org/healthz'],
    ['https://shop.example.org/a', 'https://shop.example.org/a'],
    ['https://SHOP.example.org:443/a', 'https://shop.example.org/a'],
  ])('to the site (%s) brings the bypass header', async (url, asked) => {
    expect(await requestOf({ url, headers: { Accept: 'text/html' } })).toMatchObject({
      url: asked,
      headers: { Accept: 'text/html', 'X-Maintenance-Bypass': 'secret-token' },
    });
  });

  test.each([
    'https://other.example.org/',
    'http://shop.example.org/',
    'https://shop.example.org:8443/',
    'https://shop.example.org.evil.example/',
  ])('to another origin (%s) never does', async (url) => {
    const request = await requestOf({ url, headers: { Accept: 'text/html' } });
    expect(request).toMatchObject({ url, headers: { Accept: 'text/html' } });
    expect(JSON.stringify(request)).not.toContain('secret-token');
  });

  test('as the public never does', async () => {
    expect((await requestOf({ as: 'public' }))?.headers).toEqual({});
  });

  test('is as the plan writes it', async () => {
    const change = { method: 'POST', body: 'a=1', expect: { latency: '9s' } };
    expect(await requestOf(change)).toMatchObject({
      method: 'POST',
      body: 'a=1',
      // Long enough to tell how late an answer is.
      timeoutSeconds: 18,
    });
    const plain = await requestOf({});
    expect(plain).toMatchObject({ method: 'GET', timeoutSeconds: 10 });
    expect(plain).not.toHaveProperty('body');
  });
});
