import { formatDuration } from '../plan/duration.ts';
import type { SmokeCheck } from '../plan/settings/smoke-test.ts';
import { fail, failureOf } from '../ports/failure.ts';
import { onEach } from '../ports/fleet.ts';
import { runStep } from '../record/step.ts';
import { hasFailed, type SmokeResult } from '../record/status.ts';
import { conclude, done, skipped, type PhaseContext, type PhaseOutcome } from './phase.ts';
import { startServices } from './services/start.ts';
import { failed, type CheckContext, type Verdict } from './smoke-checks/check-kind.ts';
import { markLogs } from './smoke-checks/log-marks.ts';
import { kindOf } from './smoke-checks/registry.ts';
import { screenshotKeeper } from './smoke-checks/screenshot.ts';
import { within } from './smoke-checks/time-limit.ts';

const phase = 'smoke-test';

/** How many checks of one turn are looked at at once. */
const parallel = 6;
/** Seconds that a look may take beyond its own time limit, which tells more when it is over. */
const graceSeconds = 5;
const turns = ['first', 'then', 'last'] as const;

/** Runs all checks until they pass or the deadline is over; every one is reported. */
export async function smokeTest(context: PhaseContext): Promise<PhaseOutcome> {
  const { record } = context;
  const runsBefore = record.status.smokeTests?.length ?? 0;
  const outcome = await conclude(async () => {
    if (context.plan.smokeTest.checks.length === 0) return skipped('the plan has no checks');
    await startServices(context, phase, 'before-tests');
    return done(summaryOf(await provenChecks(context, phase)));
  });
  const run = record.status.smokeTests?.slice(runsBefore).at(-1);
  return run === undefined ? outcome : { ...outcome, outputs: countsOf(run.results) };
}

function countsOf(results: readonly SmokeResult[]): Record<string, string> {
  return {
    passed: String(results.filter((result) => result.passed).length),
    failed: String(results.filter(hasFailed).length),
  };
}

/** For instance `4 checks passed, 1 skipped (page)`. */
function summaryOf(results: readonly SmokeResult[]): string {
  const passed = results.filter((result) => result.passed).length;
  const left = results.filter((result) => result.skipped === true).map(({ id }) => id);
  return `${passed} checks passed${left.length === 0 ? '' : `, ${left.length} skipped (${left.join(', ')})`}`;
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
  // An action used alone begins its window here.
  await markLogs(context, 'window');
  // What a rollback has taken back may have left its traces in the logs.
  if (callingPhase === 'rollback') await markLogs(context, 'judged');
  let results: readonly SmokeResult[] = [];
  await runStep(context, callingPhase, {
    id: 'checks',
    title: `Run ${checks.length} smoke tests`,
    blast: 'none',
    // The application as it is now counts, never an earlier result.
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const keepScreenshot = screenshotKeeper(context, record.status.smokeTests?.length ?? 0);
      const outcome = await runChecks({ ...context, keepScreenshot });
      const failures = outcome.filter(hasFailed);
      const passed = failures.length === 0;
      await record.update({
        smokeTests: [
          ...(record.status.smokeTests ?? []),
          { at: clock.now().toISOString(), phase: callingPhase, passed, results: outcome },
        ],
      });
      if (!passed) {
        // Told once; else no later run could pass, however well the cause is mended.
        await markLogs(context, 'judged');
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
      results = outcome;
      return summaryOf(outcome);
    },
    describe: () =>
      results
        .map(
          (result) =>
            `${result.id}: ${result.skipped === true ? 'skipped, ' : ''}${result.observed}`,
        )
        .join('; '),
  });
  return results;
}

/** Runs every check; failing ones again with growing pauses until the deadline. Results stand in the plan's order. */
export async function runChecks(context: CheckContext): Promise<SmokeResult[]> {
  const { plan, clock } = context;
  const { checks, deadline, firstPause } = plan.smokeTest;
  const begun = clock.monotonicSeconds();
  const results = new Map<string, Looked>();
  let pause = firstPause;
  for (let attempt = 1; ; attempt += 1) {
    const due = checks.filter(({ id }) => {
      const known = results.get(id);
      return known === undefined || mayStillPass(known);
    });
    for (const looked of await runRound(context, due, attempt)) {
      results.set(looked.result.id, looked);
    }
    const all = checks.flatMap(({ id }) => results.get(id) ?? []);
    const elapsed = clock.monotonicSeconds() - begun;
    // One that is lost does not make the window wait; others are repeated, so that the report tells of each.
    if (!all.some(mayStillPass) || elapsed + pause > deadline) {
      return all.map(({ result }) => result);
    }
    await clock.wait(pause);
    pause = Math.min(5, Math.max(0.05, pause * 2));
  }
}

interface Looked {
  readonly result: SmokeResult;
  /** Whether no repetition can change it. */
  readonly isFinal: boolean;
}

function mayStillPass({ result, isFinal }: Looked): boolean {
  return hasFailed(result) && !isFinal;
}

/** Looks at each check once, turn after turn. */
async function runRound(
  context: CheckContext,
  checks: readonly SmokeCheck[],
  attempt: number,
): Promise<readonly Looked[]> {
  const results: Looked[] = [];
  for (const turn of turns) {
    const due = checks.filter((check) => kindOf(check).turn === turn);
    const looked = await onEach(due, parallel, (check) => resultOf(context, check, attempt));
    for (const one of looked) {
      // Only the cancelling of the run ends a look without a result.
      if (one.kind === 'failed') return fail(one.failure);
      results.push(one.result);
    }
  }
  return results;
}

async function resultOf(
  context: CheckContext,
  check: SmokeCheck,
  attempt: number,
): Promise<Looked> {
  const { clock } = context;
  const started = clock.monotonicSeconds();
  const verdict = await look(context, check);
  const result: SmokeResult = {
    id: check.id,
    kind: check.kind,
    passed: verdict.kind === 'passed',
    observed: verdict.observed,
    expected: verdict.kind === 'failed' ? verdict.expected : kindOf(check).expectation(check),
    attempts: attempt,
    seconds: clock.monotonicSeconds() - started,
    ...(verdict.kind === 'skipped' ? { skipped: true as const } : {}),
    ...('screenshot' in verdict ? { screenshot: verdict.screenshot } : {}),
  };
  return { result, isFinal: 'isFinal' in verdict };
}

async function look(context: CheckContext, check: SmokeCheck): Promise<Verdict> {
  const kind = kindOf(check);
  const timeoutSeconds = kind.timeoutSeconds(check);
  const expected = kind.expectation(check);
  try {
    const verdict = await within(
      timeoutSeconds + graceSeconds,
      kind.look(context, check, timeoutSeconds),
    );
    return verdict ?? failed(`no answer within ${formatDuration(timeoutSeconds)}`, expected);
  } catch (error) {
    const failure = failureOf(error);
    if (failure.code === 'cancelled') throw error;
    return failed(failure.message, expected);
  }
}
