import { formatDuration } from '../plan/duration.ts';
import { fail } from '../ports/failure.ts';
import { runStep, skipStep } from '../record/step.ts';
import type { WindowState } from '../record/life.ts';
import type { WindowStatus } from '../record/status.ts';
import { conclude, done, skipped, type PhaseContext, type PhaseOutcome } from './phase.ts';
import { closeAgain, liftFlag } from './reopening.ts';
import { requireMode, requireState } from './requirements.ts';
import { leaveServices } from './services/leave.ts';
import { startServices } from './services/start.ts';

const phase = 'disable-maintenance';

/** Reopens what this window closed, proves it, and gives back what was there before. */
export function disableMaintenance(
  context: PhaseContext,
  options: { readonly reopenHeld: boolean },
): Promise<PhaseOutcome> {
  return conclude(async () => {
    const { record } = context;
    if (record.status.maintenance === undefined) {
      return skipped('this window did not close the site; nothing is lifted that it did not set');
    }
    if (record.status.state === 'reopened') {
      if (options.reopenHeld) await leaveServices(context, phase);
      else await startServices(context, phase, 'when-open');
      await giveBack(context, phase);
      return done('the site is open already', downtimeOutputs(context));
    }
    // An operator may not be of the run that closed the site: what that run is still at is left alone.
    const accepted: WindowState[] = options.reopenHeld
      ? ['held', 'reopening', ...closedAgainOf(record.status)]
      : ['closed', 'changed', 'reopening'];
    requireState(
      context,
      phase,
      accepted,
      'Run `rollback` to make the system safe; after repairing a held system by hand, use reopen-held.',
    );
    if (!options.reopenHeld) refuseAfterFailedTests(context);
    await startServices(context, phase, 'before-tests');
    await countWrites(context);
    await record.become('reopening', { reopening: reopeningOf(record.status) });
    try {
      await liftFlag(context, phase);
    } catch (error) {
      await closeAgain(context, phase, error);
    }
    await record.become('reopened');
    try {
      await startServices(context, phase, 'when-open');
    } finally {
      await giveBack(context, phase);
    }
    return done(
      `the public reaches the application after ${formatDuration(downtimeSeconds(context) ?? 0)} of maintenance`,
      downtimeOutputs(context),
    );
  });
}

/** States that a failed reopening took the window back to: the run that closed the site is at its end there. */
function closedAgainOf({ reopening }: WindowStatus): readonly WindowState[] {
  return reopening?.failedAt === undefined ? [] : ['closed', 'changed'];
}

/** Where this reopening goes back to when it fails; a resumed one goes back to where it first came from. */
function reopeningOf({ state, reopening }: WindowStatus): NonNullable<WindowStatus['reopening']> {
  const from = state === 'closed' || state === 'changed' || state === 'held' ? state : undefined;
  return { ...reopening, from: from ?? reopening?.from ?? 'changed' };
}

/** Gives back what the mode found; with `hook: keep` what it put in place stays for the next window. */
export async function giveBack(context: PhaseContext, callingPhase: string): Promise<void> {
  const { plan, record } = context;
  const mode = requireMode(context);
  if (plan.disableMaintenance.hook === 'keep') {
    await skipStep(
      context,
      callingPhase,
      { id: 'give-back', title: 'Give back what was there before' },
      'the plan keeps the hook',
    );
    return;
  }
  const prior = record.status.maintenance?.prior;
  if (prior === undefined) return;
  await runStep(context, callingPhase, {
    id: 'give-back',
    title: 'Give back what was there before',
    blast: 'app',
    observe: async () => {
      const { restoration } = record.status.maintenance ?? {};
      return restoration !== undefined && !(await mode.installed(prior))
        ? { detail: restoration }
        : undefined;
    },
    perform: async () => {
      const restoration = await mode.restore(prior);
      const detail =
        restoration.kind === 'nothing-to-do' ? 'nothing was left to give back' : restoration.detail;
      if (restoration.kind === 'partly-restored') context.progress.warning(detail);
      if (record.status.maintenance !== undefined) {
        await record.update({ maintenance: { ...record.status.maintenance, restoration: detail } });
      }
      return { detail };
    },
    describe: (result) => result.detail,
  });
}

/** Seconds for which the public was kept out; `undefined` while it still is, or never was. */
export function downtimeSeconds(context: Pick<PhaseContext, 'record'>): number | undefined {
  const { maintenance, earlierClosures = [] } = context.record.status;
  const { closedAt, reopenedAt } = maintenance ?? {};
  if (closedAt === undefined || reopenedAt === undefined) return undefined;
  return [...earlierClosures, { closedAt, reopenedAt }].reduce(
    (sum, closure) => sum + (Date.parse(closure.reopenedAt) - Date.parse(closure.closedAt)) / 1000,
    0,
  );
}

async function countWrites(context: PhaseContext): Promise<void> {
  const { database, record } = context;
  // What a killed attempt counted stands: users may have written since.
  const { state, reopening, writesAtReopening } = record.status;
  const mayHaveOpened = state === 'reopening' || reopening?.failedAt !== undefined;
  const isResumed = mayHaveOpened && writesAtReopening !== undefined;
  if (database === undefined || isResumed) return;
  await record.update({ writesAtReopening: await database.writeCounters() });
}

function refuseAfterFailedTests(context: PhaseContext): void {
  const last = context.record.status.smokeTests?.at(-1);
  if (last === undefined || last.passed || context.record.status.state === 'reopening') return;
  fail({
    code: 'smoke-test-failed',
    message: 'The last smoke test of this window failed; the site is not reopened on it.',
    state: 'The site is closed.',
    next: 'Run `smoke-test` again when the cause is mended, or `rollback`.',
  });
}

/** The output `downtime-seconds`, once the public is no longer kept out. */
export function downtimeOutputs(context: PhaseContext): Record<string, string> {
  const seconds = downtimeSeconds(context);
  return seconds === undefined ? {} : { 'downtime-seconds': String(seconds) };
}
