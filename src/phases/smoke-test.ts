import { isDeepStrictEqual } from 'node:util';
import { formatDuration } from '../plan/duration.ts';
import type { SmokeCheck } from '../plan/settings/smoke-test.ts';
import { fail } from '../ports/failure.ts';
import type { HttpReply } from '../ports/http.ts';
import { runStep } from '../record/step.ts';
import type { SmokeResult } from '../record/status.ts';
import { conclude, done, skipped, type PhaseContext, type PhaseOutcome } from './phase.ts';
import { requireDatabase, requirePublicUrl } from './requirements.ts';
import { startServices } from './services.ts';

const phase = 'smoke-test';

type HttpCheck = Extract<SmokeCheck, { kind: 'http' }>;
type SqlCheck = Extract<SmokeCheck, { kind: 'sql' }>;

/** What one look at a check showed. */
export type Verdict =
  | { readonly kind: 'passed'; readonly observed: string }
  | { readonly kind: 'failed'; readonly observed: string; readonly expected: string };

/** Runs all checks until they pass or the deadline is over; every one is reported. */
export async function smokeTest(context: PhaseContext): Promise<PhaseOutcome> {
  const { record } = context;
  const runsBefore = record.status.smokeTests?.length ?? 0;
  const outcome = await conclude(async () => {
    if (context.plan.smokeTest.checks.length === 0) return skipped('the plan has no checks');
    await startServices(context, phase, 'before-tests');
    const results = await provenChecks(context, phase);
    return done(`${results.length} checks passed`);
  });
  const run = record.status.smokeTests?.slice(runsBefore).at(-1);
  return run === undefined ? outcome : { ...outcome, outputs: countsOf(run.results) };
}

function countsOf(results: readonly SmokeResult[]): Record<string, string> {
  const passed = results.filter((result) => result.passed).length;
  return { passed: String(passed), failed: String(results.length - passed) };
}

/**
 * Runs the checks as a step of a phase and records every result.
 * @throws FailureError `smoke-test-failed` naming each failed check with what was observed and expected
 */
export async function provenChecks(
  context: PhaseContext,
  callingPhase: string,
): Promise<readonly SmokeResult[]> {
  const { record, clock, plan } = context;
  const { checks } = plan.smokeTest;
  const { results } = await runStep(context, callingPhase, {
    id: 'checks',
    title: `Run ${checks.length} smoke tests`,
    blast: 'none',
    // The application as it is now counts, never an earlier result.
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const outcome = await runChecks(context);
      const passed = outcome.every((result) => result.passed);
      await record.update({
        smokeTests: [
          ...(record.status.smokeTests ?? []),
          { at: clock.now().toISOString(), phase: callingPhase, passed, results: outcome },
        ],
      });
      if (!passed) {
        const failures = outcome.filter((result) => !result.passed);
        return fail({
          code: 'smoke-test-failed',
          message: `${failures.length} of ${outcome.length} smoke tests failed: ${failures
            .map(
              (result) => `${result.id} observed ${result.observed}, expected ${result.expected}`,
            )
            .join('; ')}.`,
          state: `The window is ${record.status.state}.`,
          next: 'Look at the application and its log; `rollback` goes back to the state before the changes.',
        });
      }
      return { results: outcome };
    },
    describe: ({ results: all }) =>
      all.map((result) => `${result.id}: ${result.observed}`).join('; '),
  });
  return results;
}

/** Runs every check; failing ones again with growing pauses until the deadline. */
export async function runChecks(
  context: Omit<PhaseContext, 'record' | 'progress'>,
): Promise<SmokeResult[]> {
  const { plan, clock } = context;
  const begun = clock.monotonicSeconds();
  const results = new Map<string, SmokeResult>();
  let pause = plan.smokeTest.firstPause;
  let attempt = 0;
  for (;;) {
    attempt += 1;
    for (const check of plan.smokeTest.checks) {
      if (results.get(check.id)?.passed === true) continue;
      const started = clock.monotonicSeconds();
      const verdict = await look(context, check);
      results.set(check.id, {
        id: check.id,
        kind: check.kind,
        passed: verdict.kind === 'passed',
        observed: verdict.observed,
        expected: verdict.kind === 'passed' ? expectationOf(check) : verdict.expected,
        attempts: attempt,
        seconds: clock.monotonicSeconds() - started,
      });
    }
    const all = [...results.values()];
    const elapsed = clock.monotonicSeconds() - begun;
    if (all.every((result) => result.passed) || elapsed + pause > plan.smokeTest.deadline)
      return all;
    await clock.wait(pause);
    pause = Math.min(5, Math.max(0.05, pause * 2));
  }
}

async function look(
  context: Omit<PhaseContext, 'record' | 'progress'>,
  check: SmokeCheck,
): Promise<Verdict> {
  return check.kind === 'http' ? lookHttp(context, check) : lookSql(context, check);
}

async function lookHttp(
  context: Omit<PhaseContext, 'record' | 'progress'>,
  check: HttpCheck,
): Promise<Verdict> {
  const base = requirePublicUrl(context as PhaseContext);
  const bypass = check.as === 'bypass' ? (context.mode?.bypassHeaders() ?? {}) : {};
  const url = new URL(check.url, base);
  const headers = {
    ...check.headers,
    // The token is for the site alone: another host must not learn it.
    ...(url.origin === new URL(base).origin ? bypass : {}),
  };
  const reply = await context.http.request({
    url: url.href,
    method: check.method,
    headers,
    ...(check.body === undefined ? {} : { body: check.body }),
    timeoutSeconds:
      check.expect.latency === undefined ? 10 : Math.max(10, check.expect.latency * 2),
  });
  return judgeHttp(check.expect, reply);
}

/** Compares an answer with what is expected of it. */
export function judgeHttp(expect: HttpCheck['expect'], reply: HttpReply): Verdict {
  if (reply.kind === 'no-answer') {
    return {
      kind: 'failed',
      observed: `no answer (${reply.reason})`,
      expected: describeStatus(expect),
    };
  }
  const status = Array.isArray(expect.status) ? expect.status : [expect.status];
  const observed = `status ${reply.status} in ${formatDuration(reply.seconds)}`;
  if (!status.includes(reply.status))
    return { kind: 'failed', observed, expected: describeStatus(expect) };
  for (const [name, value] of Object.entries(expect.headers)) {
    const found = reply.headers[name.toLowerCase()];
    if (found !== value) {
      return {
        kind: 'failed',
        observed: `header ${name}: ${found ?? 'missing'}`,
        expected: `header ${name}: ${value}`,
      };
    }
  }
  if (expect.bodyContains !== undefined && !reply.body.includes(expect.bodyContains)) {
    return {
      kind: 'failed',
      observed: `${observed}, body without the text`,
      expected: `body with ${JSON.stringify(expect.bodyContains)}`,
    };
  }
  const values = Object.entries(expect.json);
  if (values.length > 0) {
    const json = parseJson(reply.body);
    if (json === undefined)
      return { kind: 'failed', observed: `${observed}, body is not JSON`, expected: 'a JSON body' };
    for (const [path, value] of values) {
      const found = valueAt(json.value, path);
      // The order of an object's keys means nothing.
      if (!isDeepStrictEqual(found, value)) {
        return {
          kind: 'failed',
          observed: `${path} is ${found === undefined ? 'missing' : JSON.stringify(found)}`,
          expected: `${path} is ${JSON.stringify(value)}`,
        };
      }
    }
  }
  if (expect.latency !== undefined && reply.seconds > expect.latency) {
    return {
      kind: 'failed',
      observed,
      expected: `an answer within ${formatDuration(expect.latency)}`,
    };
  }
  return { kind: 'passed', observed };
}

async function lookSql(
  context: Omit<PhaseContext, 'record' | 'progress'>,
  check: SqlCheck,
): Promise<Verdict> {
  const expected = expectationOf(check);
  try {
    const value = await requireDatabase(context as PhaseContext).queryValue(check.query, {
      timeoutSeconds: 30,
    });
    return judgeSql(check, value);
  } catch (error) {
    return {
      kind: 'failed',
      observed: error instanceof Error ? error.message : String(error),
      expected,
    };
  }
}

/** Compares a query's value with what is expected of it. */
export function judgeSql(
  check: Pick<SqlCheck, 'equals' | 'atLeast'>,
  value: string | undefined,
): Verdict {
  const expected = expectSql(check);
  const observed = value === undefined ? 'no row' : `value ${value}`;
  if (value === undefined) return { kind: 'failed', observed, expected };
  if (check.equals !== undefined && !isEqual(check.equals, value))
    return { kind: 'failed', observed, expected };
  if (check.atLeast !== undefined && !(numberOf(value) >= check.atLeast))
    return { kind: 'failed', observed, expected };
  return { kind: 'passed', observed };
}

function isEqual(expected: string | number | boolean, value: string): boolean {
  if (typeof expected === 'number') return numberOf(value) === expected;
  // psql prints booleans as t and f.
  if (typeof expected === 'boolean')
    return (expected ? ['t', 'true'] : ['f', 'false']).includes(value);
  return value === expected;
}

/** A number in text; empty text is none, although JavaScript takes it for 0. */
function numberOf(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}

function expectationOf(check: SmokeCheck): string {
  return check.kind === 'http' ? describeStatus(check.expect) : expectSql(check);
}

function expectSql(check: Pick<SqlCheck, 'equals' | 'atLeast'>): string {
  if (check.equals !== undefined) return `value ${String(check.equals)}`;
  return check.atLeast === undefined ? 'a row' : `at least ${check.atLeast}`;
}

function describeStatus(expect: HttpCheck['expect']): string {
  return `status ${Array.isArray(expect.status) ? expect.status.join(' or ') : expect.status}`;
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
