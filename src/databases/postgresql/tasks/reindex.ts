import type { Database } from '../../../ports/database.ts';
import type { TaskResult } from '../../../ports/database-tasks.ts';
import { fail, failureOf } from '../../../ports/failure.ts';
import { inTurn } from '../../../ports/in-turn.ts';
import { chooseTables } from './chosen-tables.ts';
import { counted } from './counted.ts';
import { readIndexes } from './index-catalog.ts';
import { ownLeftovers, planReindex, type IndexDecision, type IndexState } from './index-repair.ts';
import { withObserver, withSession, type TaskSession, type TaskTools } from './task-session.ts';
import { oidsOf } from './vacuum.ts';

type ReindexOptions = Parameters<Database['reindex']>[1];
type Rebuild = Extract<IndexDecision, { kind: 'rebuild' }>;

/** How often an index is tried when a lock is not to be had. */
const attempts = 3;
const secondsBetweenAttempts = 2;

/** {@link DatabaseTasks.reindex} */
export async function reindex(
  tools: TaskTools,
  tables: readonly string[] | 'all',
  options: ReindexOptions,
): Promise<TaskResult> {
  const choice = await chooseTables(tools.psql, tables, 'reindex');
  const oids = oidsOf(choice.tables, false);
  return withObserver(tools, options, async (observer) => {
    const read = (state: string): Promise<readonly IndexState[]> =>
      readIndexes(observer, oids, state);
    const before = await read('Nothing was changed.');
    const { concurrently } = options;
    const decisions = planReindex(before, { concurrently, named: tables !== 'all' });
    refuseNotPermitted(decisions);
    await withSession(tools, options, (session) =>
      carryOut(decisions, { tools, session, before, read, options }),
    );
    const after = await read('The indexes were rebuilt; what came of them was not observed.');
    prove(decisions, after);
    return resultOf(decisions, before, after, concurrently);
  });
}

/** What rebuilding works with. */
interface Work {
  readonly tools: TaskTools;
  readonly session: TaskSession;
  readonly before: readonly IndexState[];
  readonly read: (state: string) => Promise<readonly IndexState[]>;
  readonly options: ReindexOptions;
}

async function carryOut(decisions: readonly IndexDecision[], work: Work): Promise<void> {
  const { tools, session, options } = work;
  for (const { index, twin } of decisions.filter((decision) => decision.kind === 'drop')) {
    options.onProgress?.(`dropping ${index.name}, a leftover: ${twin} does its work`);
    await patiently(tools, () => dropLeftover(session, index));
  }
  const rebuilds = decisions.filter((decision) => decision.kind === 'rebuild');
  for (const [at, decision] of rebuilds.entries()) {
    options.onProgress?.(`reindex ${decision.index.name} (${at + 1} of ${rebuilds.length})`);
    await rebuild(work, decision, `${at} of ${rebuilds.length} indexes are rebuilt and valid`);
  }
}

function refuseNotPermitted(decisions: readonly IndexDecision[]): void {
  const names = decisions.flatMap((decision) =>
    decision.kind === 'leave' && decision.why === 'not-permitted' ? [decision.index.name] : [],
  );
  if (names.length === 0) return;
  fail({
    code: 'database-table-not-permitted',
    message: `The role may not reindex ${names.join(', ')}: only the owner of an index or a superuser may.`,
    state: 'Nothing was changed.',
    next: 'Use a role that owns them, or name only the tables that the role owns.',
  });
}

async function dropLeftover(session: TaskSession, index: IndexState): Promise<void> {
  // IF EXISTS: the session that was building it may have ended well in the meantime.
  await session.run(`DROP INDEX CONCURRENTLY IF EXISTS ${index.name}`, {
    what: `DROP INDEX CONCURRENTLY of the leftover ${index.name}`,
    state: `${index.name} is still there: invalid, so that no query uses it, but it slows writes down. All other indexes of ${index.table} are as they were.`,
    isRepeatable: true,
  });
}

/** Tries again after lock timeouts, a bounded number of times. */
async function patiently(tools: TaskTools, action: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await action();
      return;
    } catch (error) {
      if (attempt === attempts || failureOf(error).code !== 'database-lock-timeout') throw error;
      await tools.clock.wait(secondsBetweenAttempts);
    }
  }
}

/** Rebuilds one index when its turn has come, and again when it had to give way to the public. */
function rebuild(work: Work, rebuilding: Rebuild, progress: string): Promise<void> {
  const what = `REINDEX of ${rebuilding.index.name}`;
  return inTurn(work.tools, what, () => rebuildOnce(work, rebuilding, progress));
}

/**
 * Rebuilds one index; after a lock timeout it removes what was left and tries again.
 * @param progress for the failure's state
 */
async function rebuildOnce(
  { tools, session, before, read }: Work,
  { index, how }: Rebuild,
  progress: string,
): Promise<void> {
  const word = how.kind === 'concurrently' ? 'INDEX CONCURRENTLY' : 'INDEX';
  for (let attempt = 1; ; attempt += 1) {
    try {
      await session.run(`REINDEX ${word} ${index.name}`, {
        what: `REINDEX ${word} ${index.name}${attempt === 1 ? '' : ` (attempt ${attempt} of ${attempts})`}`,
        state: '',
        stopsOthers: how.kind === 'plain',
      });
      return;
    } catch (error) {
      const failure = failureOf(error);
      // A cancelled run can ask the server nothing more; the next run finds the leftovers.
      if (failure.code === 'cancelled') throw error;
      const now = await read(
        `${progress}. REINDEX of ${index.name} failed, and what it left was not observed.`,
      );
      const leftovers = ownLeftovers(index, before, now);
      const kept = await dropAll(session, leftovers);
      const current = now.find(({ name }) => name === index.name);
      const isRebuilt = current?.isValid === true && current.fileNode !== index.fileNode;
      // Past the swap only the old half was left to drop.
      if (isRebuilt && kept.length === 0) return;
      if (failure.code === 'database-lock-timeout' && attempt < attempts && kept.length === 0) {
        await tools.clock.wait(secondsBetweenAttempts);
        continue;
      }
      fail(
        {
          ...failure,
          state: `${progress}. ${describe(index, current, isRebuilt)} ${describeKept(kept, leftovers.length)}`,
        },
        error,
      );
    }
  }
}

/** @returns the names of those that could not be dropped */
async function dropAll(
  session: TaskSession,
  leftovers: readonly IndexState[],
): Promise<readonly string[]> {
  const kept: string[] = [];
  for (const leftover of leftovers) {
    try {
      await dropLeftover(session, leftover);
    } catch (error) {
      if (failureOf(error).code === 'cancelled') throw error;
      kept.push(leftover.name);
    }
  }
  return kept;
}

function describe(index: IndexState, current: IndexState | undefined, isRebuilt: boolean): string {
  if (current === undefined) return `${index.name} is not there any more.`;
  if (isRebuilt) return `${index.name} is rebuilt and valid.`;
  return `${index.name} is as it was: ${current.isValid ? 'valid' : 'invalid, unused by queries'}.`;
}

function describeKept(kept: readonly string[], leftovers: number): string {
  if (kept.length > 0) {
    return `The rebuild left ${kept.join(', ')}, which could not be dropped either: invalid, unused by queries, slowing writes down; the next reindex drops it.`;
  }
  return leftovers === 0 ? 'Nothing was left behind.' : 'What the rebuild left behind is dropped.';
}

/** @throws FailureError `database-reindex-unproved` */
function prove(decisions: readonly IndexDecision[], after: readonly IndexState[]): void {
  const now = new Map(after.map((index) => [index.name, index]));
  const problems = decisions.flatMap(({ kind, index }) => {
    const current = now.get(index.name);
    if (kind === 'drop') return current === undefined ? [] : [`${index.name} was not dropped`];
    if (kind === 'leave') return [];
    if (current === undefined) return [`${index.name} is not there any more`];
    return current.fileNode === index.fileNode ? [`${index.name} is in its old file`] : [];
  });
  const invalid = after.filter(({ isValid }) => !isValid).map(({ name }) => `${name} is invalid`);
  const all = [...problems, ...invalid];
  if (all.length === 0) return;
  fail({
    code: 'database-reindex-unproved',
    message: `The statements succeeded, but the catalogue shows otherwise: ${all.join('; ')}.`,
    state: 'The other indexes are rebuilt and valid; no data was changed.',
    next: 'See in pg_stat_activity whether somebody else builds or drops indexes, then run the step again; an invalid index in pg_toast takes a superuser to drop.',
  });
}

function resultOf(
  decisions: readonly IndexDecision[],
  before: readonly IndexState[],
  after: readonly IndexState[],
  concurrently: boolean,
): TaskResult {
  const rebuilds = decisions.filter((decision) => decision.kind === 'rebuild');
  const dropped = decisions.filter(({ kind }) => kind === 'drop').length;
  const repaired = rebuilds.filter(({ index }) => !index.isValid).length;
  const plain = rebuilds.filter(({ how }) => how.kind === 'plain');
  const left = (why: string): number =>
    decisions.filter((decision) => decision.kind === 'leave' && decision.why === why).length;
  const bytes = (indexes: readonly IndexState[]): number =>
    indexes.reduce((total, index) => total + index.bytes, 0);
  const saved = bytes(before) - bytes(after);
  const named = plain.map(({ index, how }) => `${index.name} (${reason(how)})`);
  const notes = [
    ...(repaired === 0 ? [] : [`${repaired} of them had been invalid`]),
    ...(dropped === 0 ? [] : [`${counted(dropped, 'leftover')} dropped`]),
    ...(concurrently && named.length > 0 ? [`not concurrently: ${named.join(', ')}`] : []),
    ...(left('foreign') === 0
      ? []
      : [
          `${counted(left('foreign'), 'index', 'indexes')} of system catalogues or extensions left alone`,
        ]),
    ...(left('unnameable') === 0
      ? []
      : [
          `${counted(left('unnameable'), 'index', 'indexes')} of TOAST tables left alone (only a superuser may name them)`,
        ]),
  ];
  const size = `${(Math.abs(saved) / 1e6).toFixed(1)} MB ${saved >= 0 ? 'smaller' : 'larger'}`;
  return {
    summary: [`${counted(rebuilds.length, 'index', 'indexes')} rebuilt, ${size}`, ...notes].join(
      '; ',
    ),
    figures: {
      indexes: rebuilds.length,
      'indexes-repaired': repaired,
      'leftovers-dropped': dropped,
      'index-bytes-before': bytes(before),
      'index-bytes-after': bytes(after),
    },
    proof: `${counted(rebuilds.length, 'index', 'indexes')} in a new file (another relfilenode than before), which is all that were to be rebuilt; of the tables' ${counted(after.length, 'index', 'indexes')} none is invalid`,
  };
}

function reason(how: Rebuild['how']): string {
  if (how.kind === 'concurrently') return 'concurrently';
  switch (how.why) {
    case 'asked':
      return 'as asked';
    case 'exclusion':
      return 'it serves an exclusion constraint';
    case 'system':
      return 'it belongs to a system catalogue';
  }
}
