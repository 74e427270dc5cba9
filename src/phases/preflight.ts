import { formatDuration } from '../plan/duration.ts';
import { formatMoment, positionIn, type WindowPosition } from '../plan/window-time.ts';
import type { DatabaseFacts } from '../ports/database.ts';
import { failureOf } from '../ports/failure.ts';
import type { GitHub } from '../ports/github.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import type { RestorePointKind } from '../record/restore-point.ts';
import { admit, type ExistingRecord } from '../record/admission.ts';
import { hasFailed, type SmokeResult } from '../record/status.ts';
import { checkDatabase, checkDisk, checkProperties, inspectDatabase } from './database-checks.ts';
import { checkCopies } from './backups/copy-checks.ts';
import { checkGates } from './gate-checks.ts';
import { checkDoors, checkHealthPath, checkHosts } from './host-checks.ts';
import { checkDrainable } from './load-balancer.ts';
import { checkVerification } from './backups/verification-checks.ts';
import type { PhaseContext } from './phase.ts';
import { needsRestorePoint } from './planned-changes.ts';
import { previewRestorePoint } from './restore-points/consideration.ts';
import { checkCode } from './code.ts';
import { checkStandby } from './restore-points/standby-checks.ts';
import { checkServices } from './services/check.ts';
import { previewServers, type ServerPreview } from './server-preview.ts';
import { runChecks } from './smoke-test.ts';
import { checkTasks } from './task-checks.ts';

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
  /** The kind of restore point that would be taken now, where the plan needs one and it is possible. */
  readonly restorePoint: RestorePointKind | undefined;
  /** What each smoke test showed, before anything was touched. */
  readonly smokeTests: readonly SmokeResult[];
  /** What each server task would do. */
  readonly serverTasks: readonly ServerPreview[];
  readonly passed: boolean;
}

/** Looks at everything that the window depends on; all checks run and all are reported. */
export async function preflight(context: PreflightContext): Promise<PreflightResult> {
  const position = positionIn(context.plan.window, context.clock.now());
  const checks: Check[] = [checkTime(context, position), checkLock(context)];
  checks.push(...(await checkGates(context)));
  checks.push(...(await checkHosts(context)));
  checks.push(...(await checkDoors(context)), ...(await checkHealthPath(context)));
  checks.push(...checkDrainable(context));
  if (context.mode !== undefined)
    checks.push(...(await guarded('mode', 'Maintenance mode', context.mode.check())));
  checks.push(...(await checkServices(context)), ...(await checkCode(context)));
  const facts = await inspectDatabase(context, checks);
  let restorePoint: RestorePointKind | undefined;
  if (facts !== undefined) {
    checks.push(
      ...checkDatabase(context, facts),
      ...(await guarded(
        'properties',
        'Owner, grants and settings of the database',
        checkProperties(context, facts),
      )),
      ...(await guarded('disk', 'Disk space', checkDisk(context, facts))),
      ...(await guarded('standby', 'Replica as restore point', checkStandby(context))),
      ...(await guarded('backup-proof', 'Proof of the backup', checkVerification(context))),
      ...(await guarded('tasks', 'Tasks', checkTasks(context))),
    );
  }
  if (facts !== undefined && needsRestorePoint(context.plan)) {
    const preview = await previewRestorePoint(context);
    checks.push(preview.check);
    restorePoint = preview.kind;
  }
  checks.push(...(await guarded('backup-copies', 'Copies of the backup', checkCopies(context))));
  const servers = await previewServers(context);
  checks.push(...servers.checks);
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
  return {
    checks,
    facts,
    restorePoint,
    position,
    smokeTests,
    serverTasks: servers.previews,
    passed,
  };
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
  const failed = results.filter(hasFailed);
  const left = results.filter((result) => result.skipped === true);
  const passed = `${results.length - left.length} of ${results.length}`;
  return failed.length === 0
    ? {
        ...head,
        verdict: 'passed',
        value:
          left.length === 0
            ? passed
            : `${passed}; skipped: ${left.map(({ id, observed }) => `${id} (${observed})`).join(', ')}`,
      }
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
