import { describe, expect, test } from '@jest/globals';
import { judgeHttp } from '../../src/phases/smoke-checks/http.ts';
import { judgeSql } from '../../src/phases/smoke-checks/sql.ts';
import { checkSchema, type SmokeCheck } from '../../src/plan/settings/smoke-test.ts';
import type { HttpReply } from '../../src/ports/http.ts';

type Expectation = Extract<SmokeCheck, { kind: 'http' }>['expect'];
type Answer = Extract<HttpReply, { kind: 'answer' }>;

/** An expectation in the plan's form. */
function expecting(expect: Record<string, unknown>): Expectation {
  const check = checkSchema.parse({ id: 'health', kind: 'http', url: '/', expect });
  if (check.kind !== 'http') throw new Error('it is an http check');
  return check.expect;
}

function answer(change: Partial<Answer> = {}): Answer {
  return { kind: 'answer', status: 200, headers: {}, body: '', seconds: 0.05, ...change };
}

const body = JSON.stringify({ ok: true, none: null, data: [{ name: 'ada' }, { count: 0 }] });

describe('an answer', () => {
  test.each<[Record<string, unknown>, Partial<Answer>]>([
    [{}, {}],
    [{ status: 404 }, { status: 404 }],
    [{ status: [200, 204] }, { status: 204 }],
    [{ headers: { 'X-Version': '2' } }, { headers: { 'x-version': '2' } }],
    [{ 'body-contains': 'in stock' }, { body: '3 are in stock.' }],
    [{ json: { ok: true, none: null } }, { body }],
    [{ json: { 'data.0.name': 'ada', 'data.1.count': 0 } }, { body }],
    [{ json: { data: [{ name: 'ada' }, { count: 0 }] } }, { body }],
    // The order of keys means nothing in JSON.
    [{ json: { of: { a: 1, b: 2 } } }, { body: '{"of":{"b":2,"a":1}}' }],
    [{ latency: '50ms' }, {}],
  ])('that is as %j wants it passes', (wanted, reply) => {
    expect(judgeHttp(expecting(wanted), answer(reply))).toEqual({
      kind: 'passed',
      observed: `status ${reply.status ?? 200} in 50 ms`,
    });
  });

  test.each<[Record<string, unknown>, Partial<Answer>, string, string]>([
    [{}, { status: 204 }, 'status 204 in 50 ms', 'status 200'],
    [{ status: [200, 204] }, { status: 500 }, 'status 500 in 50 ms', 'status 200 or 204'],
    [{ headers: { 'X-Version': '2' } }, {}, 'header X-Version: missing', 'header X-Version: 2'],
    [
      { headers: { 'X-Version': '2' } },
      { headers: { 'x-version': '2.1' } },
      'header X-Version: 2.1',
      'header X-Version: 2',
    ],
    [
      { 'body-contains': 'in "stock"' },
      { body: 'sold' },
      'status 200 in 50 ms, body without the text',
      String.raw`body with "in \"stock\""`,
    ],
    [
      { json: { ok: true } },
      { body: '<p>' },
      'status 200 in 50 ms, body is not JSON',
      'a JSON body',
    ],
    [{ json: { ok: 'true' } }, { body }, 'ok is true', 'ok is "true"'],
    [
      { json: { 'data.2.name': 'ada' } },
      { body },
      'data.2.name is missing',
      'data.2.name is "ada"',
    ],
    [{ json: { 'ok.deep': 1 } }, { body }, 'ok.deep is missing', 'ok.deep is 1'],
    [{ json: { 'data.0': {} } }, { body }, 'data.0 is {"name":"ada"}', 'data.0 is {}'],
    [{ json: { absent: null } }, { body }, 'absent is missing', 'absent is null'],
    [{ json: { 'none.deep': null } }, { body }, 'none.deep is missing', 'none.deep is null'],
    [{ json: { 'data.1.count': null } }, { body }, 'data.1.count is 0', 'data.1.count is null'],
    [{ latency: '40ms' }, {}, 'status 200 in 50 ms', 'an answer within 40 ms'],
  ])('that is not as %j wants it (%j) fails', (wanted, reply, observed, expected) => {
    expect(judgeHttp(expecting(wanted), answer(reply))).toEqual({
      kind: 'failed',
      observed,
      expected,
    });
  });

  test('that did not come fails with its reason', () => {
    const silence = { kind: 'no-answer', reason: 'connection refused', seconds: 0 } as const;
    expect(judgeHttp(expecting({ latency: '9s' }), silence)).toEqual({
      kind: 'failed',
      observed: 'no answer (connection refused)',
      expected: 'status 200',
    });
  });

  test('the status is judged first: the page of an error may hold all the rest', () => {
    const wanted = expecting({ 'body-contains': 'x', latency: '1ms' });
    expect(judgeHttp(wanted, answer({ status: 500, body: 'x' }))).toMatchObject({
      observed: 'status 500 in 50 ms',
      expected: 'status 200',
    });
  });
});

describe('the value of a query', () => {
  test.each<[Parameters<typeof judgeSql>[0], string | undefined, boolean]>([
    [{}, '', true],
    [{}, undefined, false],
    [{ equals: 3 }, '3', true],
    [{ equals: 3 }, '3.0', true],
    [{ equals: 3 }, '4', false],
    [{ equals: 0 }, '0', true],
    [{ equals: 0 }, undefined, false],
    [{ equals: 0 }, '', false],
    [{ equals: '3' }, '3', true],
    [{ equals: '3' }, '3.0', false],
    [{ equals: '' }, '', true],
    [{ equals: true }, 't', true],
    [{ equals: true }, 'true', true],
    [{ equals: true }, 'f', false],
    [{ equals: false }, 'f', true],
    [{ equals: false }, 'false', true],
    [{ equals: false }, 't', false],
    [{ equals: false }, 'no idea', false],
    [{ atLeast: 10 }, '10', true],
    [{ atLeast: 10 }, '9.99', false],
    [{ atLeast: 10 }, '100', true],
    [{ atLeast: -1 }, 'many', false],
    [{ atLeast: 0 }, '', false],
    [{ atLeast: 0 }, undefined, false],
    [{ equals: 5, atLeast: 10 }, '5', false],
  ])('%j on %j', (check, value, passes) => {
    expect(judgeSql(check, value).kind).toBe(passes ? 'passed' : 'failed');
  });

  test('is told with what was expected of it', () => {
    expect(judgeSql({ atLeast: 10 }, '9')).toEqual({
      kind: 'failed',
      observed: 'value 9',
      expected: 'at least 10',
    });
    expect(judgeSql({ equals: true }, undefined)).toEqual({
      kind: 'failed',
      observed: 'no row',
      expected: 'value true',
    });
    expect(judgeSql({}, undefined)).toMatchObject({ expected: 'a row' });
    expect(judgeSql({}, '7')).toEqual({ kind: 'passed', observed: 'value 7' });
  });
});
