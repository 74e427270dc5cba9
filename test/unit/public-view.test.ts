import { describe, expect, test } from '@jest/globals';
import { isClosedFor, viewOf, watchFor } from '../../src/phases/public-view.ts';
import type { Http, HttpReply, HttpRequest } from '../../src/ports/http.ts';
import { StillClock } from '../fixtures/memory-host.ts';

const ours = { 'x-maintenance': 'mw-1', 'retry-after': '120' };

function answer(status: number, headers: Record<string, string> = {}): HttpReply {
  return { kind: 'answer', status, headers, body: '', seconds: 0.01 };
}

const silence: HttpReply = { kind: 'no-answer', reason: 'connection refused', seconds: 0 };

describe('what the public sees', () => {
  test.each<[string, HttpReply, object]>([
    ['our closed door', answer(503, ours), { kind: 'closed', windowId: 'mw-1' }],
    ['a door without Retry-After', answer(503, { 'x-maintenance': 'mw-1' }), { kind: 'broken' }],
    ['our header on a page that is not 503', answer(200, ours), { kind: 'broken' }],
    ['a 503 that is not ours', answer(503, { 'retry-after': '120' }), { kind: 'broken' }],
    ['an error of the application', answer(500), { kind: 'broken' }],
    ['a page', answer(200), { kind: 'application' }],
    ['a redirect', answer(302), { kind: 'application' }],
    ['a page that is not there', answer(499), { kind: 'application' }],
    ['nothing', silence, { kind: 'broken', observed: 'no answer (connection refused)' }],
  ])('%s', (_, reply, expected) => {
    expect(viewOf(reply)).toMatchObject(expected);
  });

  test('is told with the status and whose header it has', () => {
    expect(viewOf(answer(503, ours)).observed).toBe('503 with X-Maintenance: mw-1');
    expect(viewOf(answer(200, ours)).observed).toBe('200 with X-Maintenance: mw-1');
    expect(viewOf(answer(503)).observed).toBe('503 without X-Maintenance');
    expect(viewOf(answer(404)).observed).toBe('404 without X-Maintenance');
  });
});

describe('the door that this window closed', () => {
  test.each<[string, HttpReply, boolean, boolean]>([
    ['our header', answer(503, ours), true, false],
    [
      'the header of another window',
      answer(503, { ...ours, 'x-maintenance': 'mw-2' }),
      false,
      false,
    ],
    ['our header without Retry-After', answer(503, { 'x-maintenance': 'mw-1' }), false, false],
    ['503 of the application', answer(503), false, true],
    ['503 of the application with Retry-After', answer(503, { 'retry-after': '5' }), false, true],
    ['another error of the application', answer(502), false, false],
    ['a page', answer(200), false, false],
    ['nothing', silence, false, false],
  ])('%s', (_, reply, byHeader, byStatus) => {
    const view = viewOf(reply);
    expect(isClosedFor({ shows: 'header' }, 'mw-1')(view)).toBe(byHeader);
    expect(isClosedFor({ shows: 'status' }, 'mw-1')(view)).toBe(byStatus);
  });
});

describe('watching for a view', () => {
  /** Answers in turn, each after `seconds`; the last one for ever. */
  function watch(
    replies: readonly HttpReply[],
    change: { timeout?: number; seconds?: number } = {},
  ) {
    const clock = new StillClock('2026-11-22T02:00:00.000Z');
    const requests: HttpRequest[] = [];
    const http: Http = {
      request: async (request) => {
        requests.push(request);
        clock.pass(change.seconds ?? 0.25);
        return replies[Math.min(requests.length, replies.length) - 1] ?? silence;
      },
    };
    const watching = watchFor(
      {
        http,
        clock,
        url: 'https://shop.example/',
        headers: { 'x-bypass': 'token' },
        timeoutSeconds: change.timeout ?? 5,
      },
      (view) => view.kind === 'closed',
    );
    return { watching, requests };
  }

  test('takes three answers in a row, and dates it from the first of them', async () => {
    const { watching, requests } = watch([answer(200), answer(503, ours)]);
    const result = await watching;
    expect(requests).toHaveLength(4);
    expect(requests[0]).toMatchObject({
      url: 'https://shop.example/',
      headers: { 'x-bypass': 'token' },
    });
    // One other answer, a short pause, and the first of the three.
    expect(result).toMatchObject({ kind: 'seen', at: new Date('2026-11-22T02:00:00.550Z') });
    expect(result.observed).toBe('503 with X-Maintenance: mw-1');
  });

  test('begins to count anew after each other answer', async () => {
    const closed = answer(503, ours);
    const { watching, requests } = watch([closed, closed, answer(200), closed, closed, closed]);
    const result = await watching;
    expect(requests).toHaveLength(6);
    expect(result).toMatchObject({ kind: 'seen', at: new Date('2026-11-22T02:00:01.050Z') });
  });

  test('gives up when the time is over, and tells what was seen last', async () => {
    const { watching, requests } = watch([answer(200), silence], { timeout: 2.9 });
    expect(await watching).toMatchObject({
      kind: 'not-seen',
      observed: 'no answer (connection refused)',
    });
    // Each takes 0.3 s with its pause.
    expect(requests).toHaveLength(10);
  });

  test('is not proved by two answers when the time is over', async () => {
    const { watching } = watch([answer(200), answer(503, ours)], { timeout: 1, seconds: 0.4 });
    expect(await watching).toMatchObject({ kind: 'not-seen' });
  });

  test('asks at least once, and never waits for an answer much longer than there is time', async () => {
    const { watching, requests } = watch([silence], { timeout: 0 });
    expect(await watching).toMatchObject({ kind: 'not-seen' });
    expect(requests.map(({ timeoutSeconds }) => timeoutSeconds)).toEqual([0.5]);
    const long = watch([silence], { timeout: 25, seconds: 8 });
    await long.watching;
    expect(long.requests.map(({ timeoutSeconds }) => Math.round(timeoutSeconds!))).toEqual([
      10, 10, 9, 1,
    ]);
  });
});
