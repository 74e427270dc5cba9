import { posix } from 'node:path';
import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import { formatMoment, positionIn, type WindowPosition } from '../plan/window-time.ts';
import type { DatabaseFacts } from '../ports/database.ts';
import { failureOf } from '../ports/failure.ts';
import type { GateEnvironment, GitHub } from '../ports/github.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import { admit, type ExistingRecord } from '../record/admission.ts';
import type { PhaseContext } from './phase.ts';
import { viewOf } from './public-view.ts';
import { planTasks } from './run-db-maintenance.ts';
import { runChecks } from './smoke-test.ts';

/** Preflight looks and touches nothing, so it works without a record. */
export interface PreflightContext extends Omit<PhaseContext, 'record'> {
  readonly github: GitHub | undefined;
  /** Who holds the record now. */
  readonly existing: ExistingRecord;
  readonly run: { readonly id: string; readonly attempt: number };
  readonly ignoreWindow: boolean;
}

export interface PreflightResult {
  readonly checks: readonly Check[];
  readonly facts: DatabaseFacts | undefined;
  readonly position: WindowPosition;
  readonly passed: boolean;
}

/** Looks at everything that the window depends on; all checks run and all are reported. */
export async function preflight(context: PreflightContext): Promise<PreflightResult> {
  const position = positionIn(context.plan.window, context.clock.now());
  const checks: Check[] = [checkTime(context, position), checkLock(context)];
  checks.push(...(await checkGates(context)));
  checks.push(await checkHost(context));
  checks.push(await checkPublicUrl(context));
  if (context.mode !== undefined) checks.push(...(await guarded('mode', 'Maintenance mode', context.mode.check())));
  const facts = await inspect(context, checks);
  if (facts !== undefined) {
    checks.push(...checkDatabase(context, facts), ...(await checkDisk(context, facts)));
  }
  checks.push(await checkSmokeTests(context));
  for (const check of checks) {
    context.progress.end(
      'preflight',
      check.id,
      check.verdict === 'failed' ? 'failed' : check.verdict === 'not-applicable' ? 'skipped' : 'done',
      `${check.title}: ${check.value}`,
      0,
    );
  }
  return { checks, facts, position, passed: checks.every((check) => check.verdict !== 'failed') };
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
      const next = position.next === undefined ? 'there is no further start' : `the next start is ${formatMoment(position.next, timeZone)}`;
      return ignoreWindow
        ? { ...head, verdict: 'warning', value: `outside the window, ignored on request; ${next}`, limit, next: 'The report shows it.' }
        : { ...head, verdict: 'failed', value: `outside the window; ${next}`, limit, next: 'Start within the window, or give ignore-window with a reason.' };
    }
  }
}

function checkLock(context: PreflightContext): Check {
  const head = { id: 'lock', title: 'No other window is open', limit: 'none, or one that owes nothing any more' };
  const admission = admit(context.existing, { runId: context.run.id, attempt: context.run.attempt, mayTakeOver: false, now: context.clock.now() });
  if (admission.kind === 'refuse') {
    return {
      ...head,
      verdict: 'failed',
      value: `${admission.holder}: ${admission.reason}`,
      next: 'Let that window end, or make it safe with `rollback`.',
    };
  }
  return { ...head, verdict: 'passed', value: admission.kind === 'continue' ? 'this run holds the record' : 'none' };
}

async function checkGates(context: PreflightContext): Promise<Check[]> {
  const { github, plan } = context;
  const { gates, acceptUnprotected } = plan.preflight;
  if (github === undefined) {
    return [
      {
        id: 'gates',
        title: 'Gates',
        verdict: 'not-applicable',
        value: 'not run by GitHub: whoever starts it approves it',
        limit: 'environments with required reviewers',
      },
    ];
  }
  return Promise.all(
    gates.map(async (name) => {
      const found = await github.environment(name).catch(
        (error: unknown): GateEnvironment => ({ kind: 'unreadable', reason: failureOf(error).message }),
      );
      return judgeGate(name, found, acceptUnprotected.includes(name));
    }),
  );
}

/** A gate that nobody has to review is no gate: GitHub makes a mistyped one without protection. */
export function judgeGate(name: string, gate: GateEnvironment, accepted: boolean): Check {
  const head = { id: `gate-${name}`, title: `Gate ${name}`, limit: 'exists and has required reviewers' };
  const without = (value: string, next: string): Check =>
    accepted
      ? { ...head, verdict: 'warning', value: `${value}; accepted by name in the plan`, next: 'The report shows it.' }
      : { ...head, verdict: 'failed', value, next };
  const mend = `Create it under Settings, Environments with required reviewers, or accept it by name in preflight.accept-unprotected. On private repositories reviewers need GitHub Enterprise.`;
  switch (gate.kind) {
    case 'missing':
      return without('there is no environment of that name; GitHub would create it without protection', mend);
    case 'unreadable':
      return without(`cannot be read: ${gate.reason}`, 'Give the token `actions: read`, or accept the gate by name in preflight.accept-unprotected.');
    case 'found':
      if (gate.reviewers.length === 0) return without('has no required reviewers', mend);
      return { ...head, verdict: 'passed', value: `reviewers ${gate.reviewers.join(', ')}${gate.preventsSelfReview ? ', no self-review' : ''}` };
  }
}

async function checkHost(context: PreflightContext): Promise<Check> {
  const { host, plan } = context;
  const head = { id: 'host', title: `Host ${host.name}`, limit: 'answers; the state folder can be written' };
  try {
    const result = await host.run({ argv: ['uname', '-sr'], timeoutSeconds: 10 });
    const free = await host.freeBytes(plan.stateDir);
    if (result.exitCode !== 0) {
      return { ...head, verdict: 'failed', value: `uname: exit code ${String(result.exitCode)}`, next: 'Look at the host.' };
    }
    const least = 16 * 1024 * 1024;
    return free < least
      ? { ...head, verdict: 'failed', value: `${formatBytes(free)} free at ${plan.stateDir}`, next: `Free at least ${formatBytes(least)} there.` }
      : { ...head, verdict: 'passed', value: `${result.stdout.trim()}, ${formatBytes(free)} free at ${plan.stateDir}` };
  } catch (error) {
    const failure = failureOf(error);
    return { ...head, verdict: 'failed', value: failure.message, next: failure.next };
  }
}

async function checkPublicUrl(context: PreflightContext): Promise<Check> {
  const { http, plan } = context;
  const url = plan.publicUrl ?? '';
  const head = { id: 'public-url', title: `Public URL ${url}`, limit: 'answers from the application' };
  const view = viewOf(await http.request({ url, timeoutSeconds: 10 }));
  return view.kind === 'application'
    ? { ...head, verdict: 'passed', value: view.observed }
    : { ...head, verdict: 'failed', value: view.observed, next: 'A broken or closed site is not maintained: mend it first.' };
}

async function inspect(context: PreflightContext, checks: Check[]): Promise<DatabaseFacts | undefined> {
  const { database, plan } = context;
  if (database === undefined) return undefined;
  try {
    return await database.inspect({ longTransactionSeconds: plan.preflight.longTransaction });
  } catch (error) {
    const failure = failureOf(error);
    checks.push({
      id: 'database',
      title: `Database ${database.label}`,
      verdict: 'failed',
      value: failure.message,
      limit: 'answers',
      next: failure.next,
    });
    return undefined;
  }
}

/** What the facts of the database mean for this plan. */
export function checkDatabase(
  context: Pick<PreflightContext, 'plan' | 'database'>,
  facts: DatabaseFacts,
): readonly Check[] {
  const { plan } = context;
  const tasks = planTasks(plan.runDbMaintenance.tasks);
  const changes = tasks.some((task) => task.blast !== 'none');
  const clients = Object.entries(facts.clientVersions).map(([name, version]) => `${name} ${version}`).join(', ');
  const lacks: string[] = [];
  if (!facts.isSuperuser) {
    if (!facts.canCreateDatabase) lacks.push('CREATEDB (scratch database, restore point)');
    if (!facts.ownsDatabase) lacks.push(`ownership of ${facts.name} (clone, swap)`);
    if (changes && !facts.canEndSessions) lacks.push('pg_signal_backend (restore point)');
  }
  const invalidIsFatal = !plan.preflight.acceptInvalidIndexes;
  const of = (
    id: string,
    title: string,
    verdict: Check['verdict'],
    value: string,
    limit: string,
    next: string,
  ): Check => ({ id, title, verdict, value, limit, ...(verdict === 'passed' ? {} : { next }) });
  return [
    of('database', 'Database', facts.isReadOnly || facts.isInRecovery ? 'failed' : 'passed',
      `${facts.name}, PostgreSQL ${facts.serverVersion}, ${formatBytes(facts.bytes)}${facts.isInRecovery ? ', a standby' : ''}${facts.isReadOnly ? ', read-only' : ''}`,
      'answers and takes writes', 'Name the primary server in the database URL.'),
    of('clients', 'Database clients', facts.clientsAreNewEnough ? 'passed' : 'failed', clients,
      `at least as new as the server (${facts.serverVersion})`,
      'Install the postgresql-client package of the server\'s major version, or name its folder in database.client-directory.'),
    of('role', 'Database role', lacks.length === 0 ? 'passed' : 'failed',
      lacks.length === 0 ? `${facts.role} may do what the tasks need` : `${facts.role} lacks ${lacks.join(', ')}`,
      'may create databases, owns the database, may end sessions',
      'Grant it: ALTER ROLE … CREATEDB; ALTER DATABASE … OWNER TO …; GRANT pg_signal_backend TO ….'),
    of('long-transactions', 'Long transactions', facts.longTransactions.length === 0 ? 'passed' : 'warning',
      facts.longTransactions.length === 0
        ? 'none'
        : facts.longTransactions.map((entry) => `pid ${entry.pid} of ${entry.user}, ${entry.state}, for ${formatDuration(entry.seconds)}`).join('; '),
      `none older than ${formatDuration(plan.preflight.longTransaction)}`,
      'They stall reindex and the restore point: end them before the window.'),
    of('prepared-transactions', 'Prepared transactions', facts.preparedTransactions.length === 0 ? 'passed' : 'failed',
      facts.preparedTransactions.length === 0 ? 'none' : facts.preparedTransactions.map((entry) => entry.id).join(', '),
      'none', 'COMMIT PREPARED or ROLLBACK PREPARED them: the database cannot be cloned with them.'),
    of('invalid-indexes', 'Invalid indexes',
      facts.invalidIndexes.length === 0 ? 'passed' : invalidIsFatal ? 'failed' : 'warning',
      facts.invalidIndexes.length === 0 ? 'none' : facts.invalidIndexes.join(', '),
      'none', 'A reindex task repairs them; or REINDEX INDEX CONCURRENTLY by hand.'),
    of('replication', 'Replication',
      facts.standbys.every((standby) => standby.state === 'streaming') ? 'passed' : 'warning',
      facts.standbys.length === 0
        ? 'no standbys'
        : facts.standbys.map((standby) => `${standby.name} ${standby.state}${standby.lagSeconds === undefined ? '' : `, ${formatDuration(standby.lagSeconds)} behind`}`).join('; '),
      'every standby streams', 'Let the standbys catch up before the window.'),
  ];
}

async function checkDisk(context: PreflightContext, facts: DatabaseFacts): Promise<Check[]> {
  const { host, plan } = context;
  const reserve = plan.preflight.freeDisk;
  const backups = plan.backupDb.directory ?? posix.join(plan.stateDir, plan.name ?? '', 'backups');
  const places = [{ id: 'disk-backup', title: `Disk for the backup (${backups})`, path: backups }];
  if (facts.dataDirectory !== undefined) {
    places.push({ id: 'disk-database', title: 'Disk for restore test and restore point', path: facts.dataDirectory });
  }
  return Promise.all(
    places.map(async ({ id, title, path }): Promise<Check> => {
      // A dump is never much larger than the database; a restored copy or a clone is as large.
      const needed = facts.bytes + reserve;
      const free = await host.freeBytes(path);
      const head = { id, title, value: `${formatBytes(free)} free`, limit: `at least ${formatBytes(needed)} (database ${formatBytes(facts.bytes)} and ${formatBytes(reserve)} in reserve)` };
      return free >= needed
        ? { ...head, verdict: 'passed' }
        : { ...head, verdict: 'failed', next: 'Free disk space, or name another folder in backup-db.directory.' };
    }),
  );
}

async function checkSmokeTests(context: PreflightContext): Promise<Check> {
  const head = { id: 'smoke-tests', title: 'Smoke tests pass now', limit: 'all pass' };
  const { checks } = context.plan.smokeTest;
  if (checks.length === 0) {
    return { ...head, verdict: 'warning', value: 'the plan has none', next: 'Add smoke-test.checks: without them nothing proves the application before it reopens.' };
  }
  const results = await runChecks(context);
  const failed = results.filter((result) => !result.passed);
  return failed.length === 0
    ? { ...head, verdict: 'passed', value: `${results.length} of ${results.length}` }
    : {
        ...head,
        verdict: 'failed',
        value: failed.map((result) => `${result.id}: ${result.observed}, expected ${result.expected}`).join('; '),
        next: 'A broken system is not maintained: mend it, or correct the checks.',
      };
}

async function guarded(id: string, title: string, checks: Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await checks;
  } catch (error) {
    const failure = failureOf(error);
    return [{ id, title, verdict: 'failed', value: failure.message, limit: 'can be looked at', next: failure.next }];
  }
}
