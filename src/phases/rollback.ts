import { fail, failureOf, type Failure } from '../ports/failure.ts';
import type { ModeState } from '../ports/maintenance-mode.ts';
import { afterFailure, type AfterFailure } from '../record/failure-policy.ts';
import { runStep } from '../record/step.ts';
import { liveRestorePoint } from '../record/restore-point.ts';
import type { WindowStatus } from '../record/status.ts';
import { databaseName } from './database-names.ts';
import { downtimeOutputs, giveBack } from './disable-maintenance.ts';
import { doorsInWords } from './doors.ts';
import { drain, installHook, setFlag } from './enable-maintenance.ts';
import { putCodeBack } from './code.ts';
import { conclude, done, skipped, type PhaseContext, type PhaseOutcome } from './phase.ts';
import { liftFlag } from './reopening.ts';
import { finishReopening } from './reopening-owed.ts';
import { requireMode } from './requirements.ts';
import { goBack } from './restore-point.ts';
import { giveStandbyBack } from './restore-points/standby-return.ts';
import { mayBeSealed, unseal } from './sealed-database.ts';
import { startServices } from './services/start.ts';
import { quietServices } from './services/stop.ts';
import { provenChecks } from './smoke-test.ts';
import { acceptedLoss, lossFoundClosed, refuseLoss } from './write-loss.ts';

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
    if (decision.kind === 'nothing-to-do') return nothingToUndo(context, decision.reason);
    context.progress.info(`rollback decides: ${decision.kind}, because ${decision.reason}`);
    if (record.status.state === 'reopened') {
      if (decision.kind === 'hold') refuseWithoutPoint(decision.reason);
      await refuseLoss(context, options);
    }
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

/** An open site may still lack what its reopening was killed before. */
async function nothingToUndo(context: PhaseContext, reason: string): Promise<PhaseOutcome> {
  const finished = await finishReopening(context, phase);
  if (finished.length === 0) return skipped(reason, { outcome: 'nothing' });
  return done(
    `the site is open; what its reopening still owed is done now: ${finished.join(', ')}`,
    { outcome: 'reopened', ...downtimeOutputs(context) },
  );
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
    hasRestorePoint: liveRestorePoint(status) !== undefined,
    hasVerifiedBackup: status.backup !== undefined,
    unopened: unopened(context),
    asked: options.force,
    acceptsLoss: options.acceptDataLoss,
  });
}

/**
 * Why a system that was changed and proved could not be reopened, when that is no fault of the application. What
 * failed or was changed since has the last word.
 */
function unopened({ record: { status, journal } }: PhaseContext): string | undefined {
  const { failedAt, blame, hosts = [] } = status.reopening ?? {};
  if (failedAt === undefined || blame === undefined || blame === 'application') return undefined;
  const isOutdated = journal.some(
    ({ at, phase: of, event, blast }) =>
      at > failedAt &&
      !['disable-maintenance', phase, 'report'].includes(of) &&
      (event === 'failed' || (event === 'intent' && ['schema', 'data'].includes(blast))),
  );
  if (isOutdated) return undefined;
  return blame === 'front'
    ? 'what stands before the web hosts kept the public from it'
    : `${hosts.join(', ')} could not be opened`;
}

/** An open site on a good database is not held because there is nothing to go back to. */
function refuseWithoutPoint(reason: string): never {
  fail({
    code: 'no-restore-point',
    message: `This window cannot be rolled back as asked: ${reason}.`,
    state: 'The site is open on the changed database; nothing was done.',
    next: 'Repair forward, or consent with accept-data-loss to go back to the verified backup.',
  });
}

async function begin(context: PhaseContext, options: RollbackOptions): Promise<void> {
  const { record, clock } = context;
  const { state, rollback: begun, maintenance } = record.status;
  // The door was opened, or may have been: what a rollback before that found no longer counts.
  const isLate = state === 'reopened' || state === 'reopening';
  const from = isLate ? state : (begun?.from ?? state);
  const consent = options.acceptDataLoss ? { acceptedLoss } : {};
  if (state === 'rolling-back' && begun !== undefined) {
    await record.update({ rollback: { ...begun, ...consent } });
    return;
  }
  await record.become('rolling-back', {
    rollback: {
      ...(from === 'reopened' ? { acceptedLoss: 'nothing was written' } : {}),
      ...begun,
      startedAt: begun?.startedAt ?? clock.now().toISOString(),
      reason: options.reason,
      from,
      ...consent,
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
      if (mayBeSealed(context)) await unseal(context, phase);
      await testAndReopen(context);
      return done('nothing of schema or data was changed; the site is open again', {
        outcome: 'reopened',
        ...downtimeOutputs(context),
      });
    case 'restore': {
      // Behind a closed door nothing of the hook is touched: a reload that goes wrong could open it.
      const wasOpen = (await doorOf(context)).kind !== 'closed';
      if (wasOpen) await installHook(context, phase);
      await setFlag(context, phase);
      if (wasOpen) await letFinish(context);
      await quietServices(context, phase);
      const loss = await lossFoundClosed(context, phase);
      if (loss !== undefined) {
        if (record.status.rollback?.from === 'reopened') return withdraw(context, loss);
        return fail({ ...loss, state: 'The database was not touched.' });
      }
      const failed = await goBack(context);
      await putCodeBack(context, phase);
      await testAndReopen(context);
      return done(
        `the database is back at the restore point; the failed one is kept as ${failed}`,
        { outcome: 'restored', 'failed-database': failed, ...downtimeOutputs(context) },
      );
    }
  }
}

/** How the doors stand. Where that is not to be seen of every host, the others are kept closed, or are closed. */
async function doorOf(context: PhaseContext): Promise<ModeState> {
  const mode = requireMode(context);
  try {
    return await mode.state();
  } catch (error) {
    // A site that was proved open stays open until the whole of it can be closed.
    if (context.record.status.rollback?.from !== 'reopened') {
      await mode.closeEach?.().catch(() => undefined);
    }
    throw error;
  }
}

/** What the public has begun is let finish; what takes too long does not keep the system from being made safe. */
async function letFinish(context: PhaseContext): Promise<void> {
  try {
    await drain(context, phase);
  } catch (error) {
    const { code, message } = failureOf(error);
    if (code !== 'not-drained') throw error;
    context.progress.warning(`${message} They are ended now.`);
  }
}

/** Opens the site again on the changed database, as if the rollback had been refused at once. */
async function withdraw(
  context: PhaseContext,
  loss: Omit<Failure, 'state'>,
): Promise<PhaseOutcome> {
  await startServices(context, phase, 'before-tests');
  await liftFlag(context, phase);
  await startServices(context, phase, 'when-open');
  await giveBack(context, phase);
  await context.record.become('reopened', { rollback: undefined });
  return {
    kind: 'failed',
    failure: {
      ...loss,
      state:
        'The site was closed for a moment and is open again on the changed database, which was not touched.',
    },
    outputs: downtimeOutputs(context),
  };
}

async function testAndReopen(context: PhaseContext): Promise<void> {
  await startServices(context, phase, 'before-tests');
  if (context.plan.smokeTest.checks.length > 0) await provenChecks(context, phase);
  if (context.record.status.maintenance !== undefined && context.mode !== undefined) {
    await liftFlag(context, phase);
  }
  await startServices(context, phase, 'when-open');
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

/** Takes back what only served the window: site files, temporary databases. The failed database stays. */
async function cleanUp(context: PhaseContext): Promise<void> {
  const { record, database, mode } = context;
  if (mode !== undefined && record.status.maintenance !== undefined) await giveBack(context, phase);
  await returnStandby(context);
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

/** A replica that does not come back keeps no site closed: the report tells what is left to do. */
async function returnStandby(context: PhaseContext): Promise<void> {
  try {
    await giveStandbyBack(context, phase, 'return-standby');
  } catch (error) {
    context.progress.warning(failureOf(error).message);
  }
}

/** Leaves the door as it is, marks the window as held, and says how the door stands. */
async function hold(context: PhaseContext): Promise<string> {
  const { record } = context;
  if (record.status.state !== 'held') await record.become('held');
  const heldDoors = await doorsInWords(context);
  // What cannot be written down is told all the same.
  await record.update({ heldDoors }).catch(() => undefined);
  return heldDoors;
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
