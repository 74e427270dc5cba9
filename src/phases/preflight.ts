import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import { formatMoment, positionIn, type WindowPosition } from '../plan/window-time.ts';
import type { DatabaseFacts } from '../ports/database.ts';
import { failureOf } from '../ports/failure.ts';
import type { GitHub } from '../ports/github.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import { admit, type ExistingRecord } from '../record/admission.ts';
import type { SmokeResult } from '../record/status.ts';
import { checkDatabase, checkDisk, checkProperties, inspectDatabase } from './database-checks.ts';
import { checkGates } from './gate-checks.ts';
import type { PhaseContext } from './phase.ts';
import { viewOf } from './public-view.ts';
import { checkServices } from './services.ts';
import { runChecks } from './smoke-test.ts';

/** Preflight looks and touches nothing, so it works without a record. */
export interface PreflightContext extends Omit<PhaseContext, 'record'> {
  readonly github: GitHub | undefined;
  /** Whether gates stand between this and the rest of the window; the root action has none. */
  readonly gated: boolean;
  /** Who holds the record now. */
  readonly existing: ExistingRecord;
  readonly run: { readonly id: string; readonly attempt: number };
  readonly ignoreWindow: boolean;
}

export interface PreflightResult {
  readonly checks: readonly Check[];
  readonly facts: DatabaseFacts | undefined;
  readonly position: WindowPosition;
  /** What each smoke test showed, before anything was touched. */
  readonly smokeTests: readonly SmokeResult[];
  readonly passed: boolean;
}

/** Looks at everything that the window depends on; all checks run and all are reported. */
export async function preflight(context: PreflightContext): Promise<PreflightResult> {
  const position = positionIn(context.plan.window, context.clock.now());
  const checks: Check[] = [checkTime(context, position), checkLock(context)];
  checks.push(...(await checkGates(context)));
  checks.push(await checkHost(context));
  checks.push(await checkPublicUrl(context));
  if (context.mode !== undefined)
    checks.push(...(await guarded('mode', 'Maintenance mode', context.mode.check())));
  checks.push(...(await checkServices(context)));
  const facts = await inspectDatabase(context, checks);
  if (facts !== undefined) {
    checks.push(
      ...checkDatabase(context, facts),
      ...(await guarded(
        'properties',
        'Owner, grants and settings of the database',
        checkProperties(context, facts),
      )),
      ...(await guarded('disk', 'Disk space', checkDisk(context, facts))),
    );
  }
  const smokeTests = context.plan.smokeTest.checks.length === 0 ? [] : await runChecks(context);
  checks.push(judgeSmokeTests(smokeTests));
  for (const check of checks) {
    context.progress.end(
      'preflight',
      check.id,
      check.verdict === 'failed'
        ? 'failed'
        : check.verdict === 'not-applicable'
          ? 'skipped'
          : 'done',
      `${check.title}: ${check.value}`,
      0,
    );
  }
  const passed = checks.every((check) => check.verdict !== 'failed');
  return { checks, facts, position, smokeTests, passed };
}

function checkTime(context: PreflightContext, position: WindowPosition): Check {
  const { plan, ignoreWindow } = context;
  const { timeZone, startTolerance } = plan.window;
  const head = { id: 'time', title: 'Within the window' };
  const limit = `begin within ${formatDuration(startTolerance)} of the start`;
  switch (position.kind) {
    case 'any-time':
      return { ...head, verdict: 'passed', value: 'the plan allows any time', limit: 'any time' };
    case 'inside':
      return {
        ...head,
        verdict: 'passed',
        value: `${formatDuration(position.lateSeconds)} after ${formatMoment(position.start, timeZone)}`,
        limit,
      };
    case 'outside': {
      const next =
        position.next === undefined
          ? 'there is no further start'
          : `the next start is ${formatMoment(position.next, timeZone)}`;
      return ignoreWindow
        ? {
            ...head,
            verdict: 'warning',
            value: `outside the window, ignored on request; ${next}`,
            limit,
            next: 'The report shows it.',
          }
        : {
            ...head,
            verdict: 'failed',
            value: `outside the window; ${next}`,
            limit,
            next: 'Start within the window, or give ignore-window with a reason.',
          };
    }
  }
}

function checkLock(context: PreflightContext): Check {
  const head = {
    id: 'lock',
    title: 'No other window is open',
    limit: 'none, or one that owes nothing any more',
  };
  const admission = admit(context.existing, {
    runId: context.run.id,
    attempt: context.run.attempt,
    mayTakeOver: false,
    now: context.clock.now(),
  });
  if (admission.kind === 'refuse') {
    return {
      ...head,
      verdict: 'failed',
      value: `${admission.holder}: ${admission.reason}`,
      next: 'Let that window end, or make it safe with `rollback`.',
    };
  }
  return {
    ...head,
    verdict: 'passed',
    value: admission.kind === 'continue' ? 'this run holds the record' : 'none',
  };
}

async function checkHost(context: PreflightContext): Promise<Check> {
  const { host, plan } = context;
  const head = {
    id: 'host',
    title: `Host ${host.name}`,
    limit: 'answers; the state folder can be written',
  };
  try {
    const result = await host.run({ argv: ['uname', '-sr'], timeoutSeconds: 10 });
    const free = await host.freeBytes(plan.stateDir);
    if (result.exitCode !== 0) {
      return {
        ...head,
        verdict: 'failed',
        value: `uname: exit code ${String(result.exitCode)}`,
        next: 'Look at the host.',
      };
    }
    const least = 16 * 1024 * 1024;
    return free < least
      ? {
          ...head,
          verdict: 'failed',
          value: `${formatBytes(free)} free at ${plan.stateDir}`,
          next: `Free at least ${formatBytes(least)} there.`,
        }
      : {
          ...head,
          verdict: 'passed',
          value: `${result.stdout.trim()}, ${formatBytes(free)} free at ${plan.stateDir}`,
        };
  } catch (error) {
    const failure = failureOf(error);
    return { ...head, verdict: 'failed', value: failure.message, next: failure.next };
  }
}

async function checkPublicUrl(context: PreflightContext): Promise<Check> {
  const { http, plan } = context;
  const url = plan.publicUrl ?? '';
  const head = {
    id: 'public-url',
    title: `Public URL ${url}`,
    limit: 'answers from the application',
  };
  const view = viewOf(await http.request({ url, timeoutSeconds: 10 }));
  return view.kind === 'application'
    ? { ...head, verdict: 'passed', value: view.observed }
    : {
        ...head,
        verdict: 'failed',
        value: view.observed,
        next: 'A broken or closed site is not maintained: mend it first.',
      };
}

function judgeSmokeTests(results: readonly SmokeResult[]): Check {
  const head = { id: 'smoke-tests', title: 'Smoke tests pass now', limit: 'all pass' };
  if (results.length === 0) {
    return {
      ...head,
      verdict: 'warning',
      value: 'the plan has none',
      next: 'Add smoke-test.checks: without them nothing proves the application before it reopens.',
    };
  }
  const failed = results.filter((result) => !result.passed);
  return failed.length === 0
    ? { ...head, verdict: 'passed', value: `${results.length} of ${results.length}` }
    : {
        ...head,
        verdict: 'failed',
        value: failed
          .map((result) => `${result.id}: ${result.observed}, expected ${result.expected}`)
          .join('; '),
        next: 'A broken system is not maintained: mend it, or correct the checks.',
      };
}

async function guarded(
  id: string,
  title: string,
  checks: Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  try {
    return await checks;
  } catch (error) {
    const failure = failureOf(error);
    return [
      {
        id,
        title,
        verdict: 'failed',
        value: failure.message,
        limit: 'can be looked at',
        next: failure.next,
      },
    ];
  }
}
