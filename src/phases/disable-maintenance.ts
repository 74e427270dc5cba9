import { formatDuration } from '../plan/duration.ts';
import { fail } from '../ports/failure.ts';
import { runStep, skipStep } from '../record/step.ts';
import type { WindowState } from '../record/life.ts';
import { conclude, done, skipped, type PhaseContext, type PhaseOutcome } from './phase.ts';
import { watchFor } from './public-view.ts';
import { requireMode, requirePublicUrl, requireState } from './requirements.ts';
import { startServices } from './services.ts';

const phase = 'disable-maintenance';

/** Reopens what this window closed, proves it, and gives the site files back. */
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
      await startServices(context, phase, 'when-open');
      await giveBack(context, phase);
      return done('the site is open already', downtimeOutputs(context));
    }
    // An operator may not be of the run that closed the site: what that run is still at is left alone.
    const accepted: WindowState[] = options.reopenHeld
      ? ['held', 'reopening']
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
    await record.become('reopening');
    await liftFlag(context, phase);
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

/** Lifts the flag and proves the application's answer; `rollback` reopens by the same step. */
export async function liftFlag(context: PhaseContext, callingPhase: string): Promise<void> {
  const { plan, http, clock, record } = context;
  const mode = requireMode(context);
  const url = requirePublicUrl(context);
  const timeoutSeconds = plan.disableMaintenance.openTimeout;
  const look = (seconds: number) =>
    watchFor({ http, clock, url, timeoutSeconds: seconds }, (view) => view.kind === 'application');
  await runStep(context, callingPhase, {
    id: 'lift-flag',
    title: 'Open the site to the public',
    blast: 'app',
    observe: async () => {
      const { maintenance } = record.status;
      if (maintenance?.reopenedAt === undefined || (await mode.state()).kind !== 'open')
        return undefined;
      const view = await look(2);
      return view.kind === 'seen'
        ? { reopenedAt: maintenance.reopenedAt, observed: view.observed, seconds: view.seconds }
        : undefined;
    },
    perform: async () => {
      await mode.open();
      const view = await look(timeoutSeconds);
      if (view.kind === 'not-seen') {
        return fail({
          code: 'not-open',
          message: `The public URL ${url} did not answer from the application within ${formatDuration(timeoutSeconds)}; it answered ${view.observed}.`,
          state: 'The flag is lifted, but the application is not proved to answer the public.',
          next: 'Look at the application and at what stands before it; `rollback` closes again and goes back.',
        });
      }
      const reopenedAt = view.at.toISOString();
      if (record.status.maintenance !== undefined) {
        await record.update({ maintenance: { ...record.status.maintenance, reopenedAt } });
      }
      return { reopenedAt, observed: view.observed, seconds: view.seconds };
    },
    describe: (result) =>
      `the public sees ${result.observed} after ${formatDuration(result.seconds)}`,
  });
}

/** Gives the site files back as they were; with `hook: keep` it stays for the next window. */
export async function giveBack(context: PhaseContext, callingPhase: string): Promise<void> {
  const { plan, record } = context;
  const mode = requireMode(context);
  if (plan.disableMaintenance.hook === 'keep') {
    await skipStep(
      context,
      callingPhase,
      { id: 'give-back', title: 'Give the site files back' },
      'the plan keeps the hook',
    );
    return;
  }
  const prior = record.status.maintenance?.prior;
  if (prior === undefined) return;
  await runStep(context, callingPhase, {
    id: 'give-back',
    title: 'Give the site files back',
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
  const isResumed =
    record.status.state === 'reopening' && record.status.writesAtReopening !== undefined;
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
