import { formatBytes } from '../../plan/bytes.ts';
import { formatDuration } from '../../plan/duration.ts';
import type { SmokeCheck } from '../../plan/settings/smoke-test.ts';
import { hasFailed, type SmokeResult, type WindowStatus } from '../../record/status.ts';
import { proofSentence } from '../backup-proof.ts';
import { secondOf } from '../moment.ts';
import { checkFamilies, type CheckFamily } from '../step-ids.ts';
import {
  failed,
  none,
  notApplicable,
  proof,
  type ChecklistFacts,
  type Finding,
} from './finding.ts';

type SmokeRun = NonNullable<WindowStatus['smokeTests']>[number];

/** What a family of preflight checks says; a warning does not prove a line. */
export function fromChecks(facts: ChecklistFacts, family: CheckFamily, todo: string): Finding {
  const names: readonly string[] = checkFamilies[family];
  const checks = (facts.input.record.status.checks ?? []).filter(({ id }) =>
    names.some((name) => id === name || id.startsWith(`${name}-`)),
  );
  const words = (chosen: typeof checks): string =>
    chosen.map(({ id, value, limit }) => `${id}: ${value} (limit: ${limit})`).join('; ');
  const bad = checks.filter(({ verdict }) => verdict === 'failed' || verdict === 'warning');
  if (bad.length > 0) return failed(`Preflight check ${words(bad)}.`);
  const passed = checks.filter(({ verdict }) => verdict === 'passed');
  if (passed.length > 0) return proof(`Preflight check ${words(passed)}.`);
  const [absent] = checks;
  if (absent !== undefined) return notApplicable(`${absent.title}: ${absent.value}.`);
  return none(todo);
}

/** The backup, and how it was proved. */
export function fromBackup(facts: ChecklistFacts): Finding {
  const { backup } = facts.recovery;
  const { plan } = facts.input;
  if (backup !== null) {
    return proof(
      `backup-db: ${formatBytes(backup.bytes)}, ${backup.totalRows} rows in ${backup.tables} tables, ${proofSentence(backup)}; at ${secondOf(backup.verifiedAt, plan.window.timeZone)}.`,
    );
  }
  const broken = facts.rows.findLast(
    ({ phase, outcome }) => phase === 'backup-db' && outcome === 'failed',
  );
  if (broken !== undefined) return failed(`backup-db: ${broken.detail}`);
  if (plan.database.url === undefined) return notApplicable('The plan names no database.');
  return none('No verified backup is in this record: run `backup-db`.');
}

/** The smoke tests that count: the last ones run after the work. */
export function lastRun(facts: ChecklistFacts): SmokeRun | undefined {
  return facts.input.record.status.smokeTests?.findLast(({ phase }) => phase !== 'preflight');
}

/** The smoke tests of preflight, before anything was touched. */
export function firstRun(facts: ChecklistFacts): SmokeRun | undefined {
  return facts.input.record.status.smokeTests?.find(({ phase }) => phase === 'preflight');
}

/** What smoke tests of one run say of a line; `chosen` picks those that speak to it. */
export function fromRun(
  facts: ChecklistFacts,
  run: SmokeRun | undefined,
  chosen: (result: SmokeResult, check: SmokeCheck | undefined) => boolean,
  todo: string,
): Finding {
  if (run === undefined) return none(todo);
  const { checks } = facts.input.plan.smokeTest;
  const results = run.results.filter((result) =>
    chosen(
      result,
      checks.find(({ id }) => id === result.id),
    ),
  );
  const bad = results.filter(hasFailed);
  if (bad.length > 0) {
    return failed(
      `${run.phase}: ${bad.map(({ id, observed, expected }) => `${id} observed ${observed}, expected ${expected}`).join('; ')}.`,
    );
  }
  const skipped = results.filter((result) => result.skipped === true);
  const good = results.filter(({ passed }) => passed);
  if (good.length === 0) {
    const [first] = skipped;
    return none(first === undefined ? todo : `Smoke test ${first.id} was skipped. ${todo}`);
  }
  const left = skipped.length === 0 ? '' : ` Skipped: ${skipped.map(({ id }) => id).join(', ')}.`;
  return proof(
    `${run.phase} at ${secondOf(run.at, facts.input.plan.window.timeZone)}: ${good.map(({ id, observed }) => `${id} (${observed})`).join(', ')}.${left}`,
  );
}

/**
 * The smoke tests that the plan names for a line (`proves`): those of preflight for the lines of section 2, which
 * are about the time before the work. `undefined` when the plan names none.
 */
export function fromNamedTests(facts: ChecklistFacts, line: string): Finding | undefined {
  const isNamed = (check: SmokeCheck | undefined): boolean => check?.proves.includes(line) === true;
  if (!facts.input.plan.smokeTest.checks.some(isNamed)) return undefined;
  const run = line.startsWith('2.') ? firstRun(facts) : lastRun(facts);
  const found = fromRun(
    facts,
    run,
    (_, check) => isNamed(check),
    'The plan names smoke tests for this line, and none of them has run.',
  );
  return found.kind === 'proof' ? proof(`Named for this line by the plan: ${found.by}`) : found;
}

/** Answers within their planned latency. */
export function fromLatency(facts: ChecklistFacts, run: SmokeRun | undefined): Finding {
  return fromRun(
    facts,
    run,
    (_, check) => latencyOf(check) !== undefined,
    'No smoke test with a `latency` limit was run: give one, or attest what your dashboards showed.',
  );
}

function latencyOf(check: SmokeCheck | undefined): number | undefined {
  return check?.kind === 'http' || check?.kind === 'routing' ? check.expect.latency : undefined;
}

/** Answers within their planned latency before the work: the smoke tests of preflight, one by one or as a check. */
export function fromLatencyBefore(facts: ChecklistFacts): Finding {
  const run = firstRun(facts);
  if (run !== undefined) return fromLatency(facts, run);
  const limits = facts.input.plan.smokeTest.checks.flatMap((check) => {
    const latency = latencyOf(check);
    return latency === undefined ? [] : [`${check.id} within ${formatDuration(latency)}`];
  });
  if (limits.length === 0) return fromLatency(facts, undefined);
  const checked = fromChecks(facts, 'smokeTests', 'Preflight recorded no smoke test.');
  return checked.kind === 'proof'
    ? proof(`${checked.by} Among them: ${limits.join(', ')}.`)
    : checked;
}

/** The same smoke tests before and after, by how long they took. */
export function fromComparison(facts: ChecklistFacts): Finding {
  const before = firstRun(facts);
  const after = lastRun(facts);
  const pairs = (after?.results ?? []).flatMap((result) => {
    const earlier = before?.results.find(({ id, passed }) => id === result.id && passed);
    return result.passed && result.kind === 'http' && earlier !== undefined
      ? [
          `${result.id} ${formatDuration(earlier.seconds)} before, ${formatDuration(result.seconds)} after`,
        ]
      : [];
  });
  return pairs.length > 0
    ? proof(`Smoke tests of preflight and ${after?.phase ?? 'afterwards'}: ${pairs.join('; ')}.`)
    : none('No smoke test passed both before and after: compare your dashboards and attest it.');
}

/** Smoke tests that ask the application as its users do. */
export function isApplication({ kind }: Pick<SmokeResult, 'kind'>): boolean {
  return kind === 'http' || kind === 'routing' || kind === 'browser';
}

/** Proof that the public reaches the application again. */
export function fromReopening(facts: ChecklistFacts): Finding {
  const { status } = facts.input.record;
  const { maintenance } = status;
  const { timeZone } = facts.input.plan.window;
  const over = status.state === 'reopened' || status.state === 'rolled-back';
  if (over && facts.downtime.kind === 'reopened' && maintenance?.reopenedAt !== undefined) {
    return proof(
      `The public URL answered from the application at ${secondOf(maintenance.reopenedAt, timeZone)}.`,
    );
  }
  if (facts.downtime.kind === 'still-closed')
    return failed(`The site is closed: the window is ${status.state}.`);
  if (facts.downtime.kind === 'uncertain') return failed('What the public sees is not proved.');
  return none('This window did not close and reopen the site.');
}

/** Both or the weaker of two findings. */
export function both(first: Finding, second: Finding): Finding {
  for (const kind of ['failed', 'none', 'not-applicable'] as const) {
    const found = [first, second].find((finding) => finding.kind === kind);
    if (found !== undefined) return found;
  }
  return first.kind === 'proof' && second.kind === 'proof'
    ? proof(`${first.by} ${second.by}`)
    : first;
}

/** Tasks of the plan of one kind. */
export function plannedTasks(facts: ChecklistFacts, kind: 'migrate' | 'sql'): number {
  return facts.input.plan.runDbMaintenance.tasks.filter(({ task }) => task === kind).length;
}
