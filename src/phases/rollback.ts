import type { WriteCounters } from '../ports/database.ts';
import { fail, failureOf } from '../ports/failure.ts';
import { afterFailure, type AfterFailure } from '../record/failure-policy.ts';
import { runStep } from '../record/step.ts';
import type { WindowStatus } from '../record/status.ts';
import { compareRows } from './backup-db.ts';
import { databaseName } from './database-names.ts';
import { downtimeOutputs, giveBack, liftFlag } from './disable-maintenance.ts';
import { installHook, setFlag } from './enable-maintenance.ts';
import { conclude, done, skipped, type PhaseContext, type PhaseOutcome } from './phase.ts';
import { requireDatabase, requireMode } from './requirements.ts';
import { seal, unseal } from './restore-point.ts';
import { provenChecks } from './smoke-test.ts';

const phase = 'rollback';

export interface RollbackOptions {
  /** An operator asks for it by name. */
  readonly force: boolean;
  readonly acceptDataLoss: boolean;
  readonly reason: string;
}

/** Makes the system safe from the record alone: reopens, restores and reopens, or holds. */
export function rollback(context: PhaseContext, options: RollbackOptions): Promise<PhaseOutcome> {
  return conclude(async () => {
    const { record } = context;
    const decision = decide(context, options);
    context.progress.info(`rollback decides: ${decision.kind}, because ${decision.reason}`);
    if (decision.kind === 'nothing-to-do') return skipped(decision.reason, { outcome: 'nothing' });
    if (record.status.state === 'reopened') await refuseLoss(context, options);
    await begin(context, options);
    if (decision.kind === 'hold') return holdByPolicy(context, decision.reason);
    try {
      return await act(context, decision);
    } catch (error) {
      const door = await hold(context);
      const failure = failureOf(error);
      return fail(
        {
          ...failure,
          state: `${failure.state} The rollback did not succeed and is held; ${door}.`,
          next: `${failure.next} ${callPeople(context)}`,
        },
        error,
      );
    }
  });
}

function decide(context: PhaseContext, options: RollbackOptions): AfterFailure {
  const { status } = context.record;
  if (status.state === 'reopened' && !options.force) {
    return {
      kind: 'nothing-to-do',
      reason: 'the window ended well; an operator rolls it back with `force`',
    };
  }
  return afterFailure({
    state: status.state,
    blast: status.blast,
    policy: context.plan.rollback.onFailure,
    hasRestorePoint: status.restorePoint !== undefined,
    hasVerifiedBackup: status.backup !== undefined,
    asked: options.force,
    acceptsLoss: options.acceptDataLoss,
  });
}

async function begin(context: PhaseContext, options: RollbackOptions): Promise<void> {
  const { record, clock } = context;
  const { state, rollback: begun } = record.status;
  if (state === 'rolling-back' && begun !== undefined) return;
  const { maintenance } = record.status;
  await record.become('rolling-back', {
    rollback: {
      ...begun,
      startedAt: begun?.startedAt ?? clock.now().toISOString(),
      reason: options.reason,
      from: begun?.from ?? state,
      ...(state === 'reopened'
        ? { acceptedLoss: options.acceptDataLoss ? 'accepted' : 'nothing was written' }
        : {}),
    },
    ...(maintenance === undefined || state !== 'reopened'
      ? {}
      : closedAgain(record.status, maintenance)),
  });
}

async function holdByPolicy(context: PhaseContext, reason: string): Promise<never> {
  const door = await hold(context);
  return fail({
    code: 'held',
    message: `The window is held, because ${reason}.`,
    state: `The database is as the failure left it; restore point and backup are kept; ${door}.`,
    next: callPeople(context),
  });
}

async function act(
  context: PhaseContext,
  decision: Exclude<AfterFailure, { kind: 'hold' }>,
): Promise<PhaseOutcome> {
  const { record } = context;
  switch (decision.kind) {
    case 'nothing-to-do':
      return skipped(decision.reason, { outcome: 'nothing' });
    case 'clean-up':
      await cleanUp(context);
      await finish(context);
      return done('the preparations were taken back; the site was never closed', {
        outcome: 'cleaned-up',
      });
    case 'reopen':
      if (record.status.database !== undefined) await unseal(context, phase);
      await testAndReopen(context);
      return done('nothing of schema or data was changed; the site is open again', {
        outcome: 'reopened',
        ...downtimeOutputs(context),
      });
    case 'restore': {
      // Behind a closed door nothing of the hook is touched: a reload that goes wrong could open it.
      if ((await requireMode(context).state()).kind !== 'closed') await installHook(context, phase);
      await setFlag(context, phase);
      const failed = await restoreDatabase(context);
      await testAndReopen(context);
      return done(
        `the database is back at the restore point; the failed one is kept as ${failed}`,
        { outcome: 'restored', 'failed-database': failed, ...downtimeOutputs(context) },
      );
    }
  }
}

async function testAndReopen(context: PhaseContext): Promise<void> {
  if (context.plan.smokeTest.checks.length > 0) await provenChecks(context, phase);
  if (context.record.status.maintenance !== undefined && context.mode !== undefined) {
    await liftFlag(context, phase);
  }
  await cleanUp(context);
  await finish(context);
}

async function finish(context: PhaseContext): Promise<void> {
  const { record, clock } = context;
  const { rollback: begun } = record.status;
  await record.become('rolled-back', {
    ...(begun === undefined
      ? {}
      : { rollback: { ...begun, finishedAt: clock.now().toISOString() } }),
  });
}

/** Swaps the restore point, or the restored backup, in by name. Returns the failed database's name. */
async function restoreDatabase(context: PhaseContext): Promise<string> {
  const { record } = context;
  const database = requireDatabase(context);
  const before = record.status.database;
  if (before === undefined) {
    return fail({
      code: 'no-properties',
      message: "The record does not have the database's properties, although a change was begun.",
      state: 'Nothing was restored.',
      next: 'Restore by hand from the backup named in the record.',
    });
  }
  const replacement = await prepareReplacement(context);
  const failed = databaseName(database.name, record.status.windowId, 'failed');
  const begun = record.status.rollback;
  if (begun !== undefined) {
    await record.update({
      rollback: {
        ...begun,
        replacementOid: replacement,
        failedOid: before.oid,
        failedDatabase: failed,
      },
    });
  }
  const nameOf = async (oid: number): Promise<string | undefined> =>
    (await database.identify({ oid }))?.name;

  if ((await nameOf(replacement)) !== database.name) {
    if ((await nameOf(before.oid)) === database.name) await seal(context, phase);
    await runStep(context, phase, {
      id: 'keep-failed',
      title: `Keep the failed database as ${failed}`,
      blast: 'data',
      observe: async () => ((await nameOf(before.oid)) === failed ? { name: failed } : undefined),
      perform: async () => {
        if ((await nameOf(before.oid)) === undefined) return { name: failed };
        await database.rename(database.name, failed);
        return { name: failed };
      },
      describe: ({ name }) => `it is ${name} and lets nobody in`,
    });
  }
  await runStep(context, phase, {
    id: 'swap-in',
    title: `Give the restore point the name ${database.name}`,
    blast: 'data',
    observe: async () =>
      (await nameOf(replacement)) === database.name ? { oid: replacement } : undefined,
    perform: async () => {
      const current = await nameOf(replacement);
      if (current === undefined) {
        return fail({
          code: 'restore-point-gone',
          message: `The restore point (oid ${replacement}) is not there any more.`,
          state: `The failed database is kept as ${failed}; no database has the name ${database.name}.`,
          next: `Restore the verified backup by hand, or rename ${failed} back.`,
        });
      }
      await database.rename(current, database.name);
      return { oid: replacement };
    },
    describe: ({ oid }) => `oid ${oid} is ${database.name} now`,
  });
  await runStep(context, phase, {
    id: 'reapply',
    title: 'Reapply owner, grants and settings',
    blast: 'data',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      await database.applyProperties(database.name, before);
      const after = await database.properties();
      const difference = differenceOf({ ...before, oid: 0 }, { ...after, oid: 0 });
      if (difference !== undefined) {
        return fail({
          code: 'properties-differ',
          message: `After the swap ${difference} of the database is not as before.`,
          state: 'The database is at the restore point; its properties are not complete.',
          next: 'Compare \\l+ and \\drds with the record and mend the difference, then run `rollback` again.',
        });
      }
      return { owner: after.owner };
    },
    describe: ({ owner }) => `owner ${owner}, grants, settings and limits are as before`,
  });
  await verifyRows(context);
  return failed;
}

/** Oid of the database that is to take the name: the clone, or the backup restored into a new one. */
async function prepareReplacement(context: PhaseContext): Promise<number> {
  const { record, plan } = context;
  const database = requireDatabase(context);
  const { restorePoint, backup, database: before } = record.status;
  if (restorePoint?.kind === 'clone') return restorePoint.oid;
  const source = restorePoint?.backup ?? backup;
  if (source === undefined || before === undefined)
    throw new Error('the policy restores only with a source');
  const known = record.status.rollback?.replacementOid;
  if (known !== undefined && (await database.identify({ oid: known })) !== undefined) return known;
  const target = databaseName(database.name, record.status.windowId, 'restored');
  const { oid } = await runStep(context, phase, {
    id: 'restore-backup',
    title: `Restore the verified backup ${source.directory} into ${target}`,
    blast: 'none',
    perform: async () => {
      // A killed run may have left half of one.
      await database.drop(target);
      const created = await database.createEmpty(target, before);
      await database.restore({
        directory: source.directory,
        database: target,
        jobs: plan.backupDb.jobs,
      });
      const difference = compareRows(source.rows, await database.countRows(target));
      if (difference !== undefined) {
        return fail({
          code: 'backup-differs',
          message: `The restored backup differs from its manifest: ${difference}.`,
          state: `The failed database still has its name; ${target} is incomplete.`,
          next: 'Restore from another backup.',
        });
      }
      return { oid: created.oid };
    },
    describe: () =>
      `${source.totalRows} rows in ${Object.keys(source.rows).length} tables, equal to the manifest`,
  });
  return oid;
}

async function verifyRows(context: PhaseContext): Promise<void> {
  const database = requireDatabase(context);
  const { restorePoint, backup } = context.record.status;
  const expected =
    restorePoint?.kind === 'clone' ? undefined : (restorePoint?.backup ?? backup)?.rows;
  await runStep(context, phase, {
    id: 'count-rows',
    title: 'Count the rows of every table',
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const rows = await database.countRows(database.name);
      const difference = expected === undefined ? undefined : compareRows(expected, rows);
      if (difference !== undefined) {
        return fail({
          code: 'rows-differ',
          message: `The rows are not those of the restore point: ${difference}.`,
          state: 'The site is closed.',
          next: 'Compare the database with the manifest of the backup before reopening.',
        });
      }
      return {
        tables: Object.keys(rows).length,
        rows: Object.values(rows).reduce((sum, count) => sum + count, 0),
      };
    },
    describe: ({ tables, rows }) =>
      `${rows} rows in ${tables} tables${expected === undefined ? '' : ', equal to the restore point'}`,
  });
}

/** Takes back what only served the window: site files, temporary databases. The failed database stays. */
async function cleanUp(context: PhaseContext): Promise<void> {
  const { record, database, mode } = context;
  if (mode !== undefined && record.status.maintenance !== undefined) await giveBack(context, phase);
  if (database === undefined) return;
  const { windowId } = record.status;
  for (const role of ['scratch', 'restored', 'restore_point'] as const) {
    const name = databaseName(database.name, windowId, role);
    if ((await database.identify({ name })) === undefined) continue;
    await runStep(context, phase, {
      id: `drop-${role.replaceAll('_', '-')}`,
      title: `Drop ${name}`,
      blast: 'none',
      observe: async () =>
        (await database.identify({ name })) === undefined ? { name } : undefined,
      perform: async () => {
        await database.drop(name);
        return { name };
      },
      describe: () => 'it is gone',
    });
  }
}

/** Leaves the door as it is, marks the window as held, and says how the door stands. */
async function hold(context: PhaseContext): Promise<string> {
  const { record, mode } = context;
  if (record.status.state !== 'held') await record.become('held');
  const door = mode === undefined ? undefined : await mode.state().catch(() => undefined);
  if (door === undefined) return 'whether the site is closed could not be seen';
  return door.kind === 'open' ? 'the site is open' : 'the site is kept closed';
}

/** Refuses to throw away what users wrote since the site reopened, unless they consent. */
async function refuseLoss(context: PhaseContext, options: RollbackOptions): Promise<void> {
  if (options.acceptDataLoss) return;
  const { status } = context.record;
  if (status.blast === 'none' || status.blast === 'app') return;
  const before = status.writesAtReopening;
  const now = await requireDatabase(context).writeCounters();
  const lost = before === undefined ? 'an unknown number of writes' : describeWrites(before, now);
  if (lost === undefined) return;
  fail({
    code: 'writes-would-be-lost',
    message: `Since the site reopened at ${status.maintenance?.reopenedAt ?? 'an unknown time'} users have written: ${lost}. Going back to the restore point loses that.`,
    state: 'The site is open on the changed database; nothing was done.',
    next: 'Save those writes first, or consent with accept-data-loss.',
  });
}

/** Writes between two looks, in words; `undefined` when there were none. */
export function describeWrites(before: WriteCounters, now: WriteCounters): string | undefined {
  const parts: string[] = [];
  for (const [table, counters] of Object.entries(now)) {
    const base = before[table] ?? { inserted: 0, updated: 0, deleted: 0 };
    const changes = (['inserted', 'updated', 'deleted'] as const)
      .map((kind) => ({ kind, count: counters[kind] - base[kind] }))
      .filter(({ count }) => count !== 0)
      // Counters that went back were reset: how much was written is unknown.
      .map(({ kind, count }) => (count < 0 ? `an unknown number ${kind}` : `${count} ${kind}`));
    if (changes.length > 0) parts.push(`${table}: ${changes.join(', ')}`);
  }
  for (const table of Object.keys(before)) {
    if (now[table] === undefined) parts.push(`${table}: gone`);
  }
  return parts.length === 0 ? undefined : parts.join('; ');
}

function differenceOf(before: object, after: object): string | undefined {
  const b = before as Record<string, unknown>;
  const a = after as Record<string, unknown>;
  return Object.keys(b).find((key) => canonical(b[key]) !== canonical(a[key]));
}

/** Order of grants and settings means nothing. */
function canonical(value: unknown): string {
  return Array.isArray(value)
    ? JSON.stringify(value.map((entry) => JSON.stringify(sorted(entry))).sort())
    : JSON.stringify(value);
}

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).sort(([x], [y]) => x.localeCompare(y)));
}

/** The door is to be closed a second time: the first closure is remembered, its times begin anew. */
function closedAgain(
  status: WindowStatus,
  maintenance: NonNullable<WindowStatus['maintenance']>,
): Pick<WindowStatus, 'maintenance' | 'earlierClosures'> {
  const { closedAt, reopenedAt, ...rest } = maintenance;
  const earlier = status.earlierClosures ?? [];
  return {
    maintenance: rest,
    earlierClosures:
      closedAt === undefined || reopenedAt === undefined
        ? earlier
        : [...earlier, { closedAt, reopenedAt }],
  };
}

function callPeople(context: PhaseContext): string {
  const { emergency, lead, technical } = context.plan.contacts;
  const who = emergency ?? lead ?? technical;
  return `${who === undefined ? 'Call the people in charge' : `Call ${who}`}; then run \`rollback\` with force, or repair by hand and reopen with \`disable-maintenance\` and reopen-held.`;
}
