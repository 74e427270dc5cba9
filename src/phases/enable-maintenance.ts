import { formatDuration } from '../plan/duration.ts';
import type { ModeName } from '../plan/modes.ts';
import { fail, failureOf } from '../ports/failure.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import { runStep, skipStep } from '../record/step.ts';
import { prepareClosedTasks } from './closing-preparation.ts';
import { notUndone, undoClosing } from './closing-undone.ts';
import { doorsToClose, missingInWords, proveWaysIn, watchDoors } from './doors.ts';
import { leaveLoadBalancer, requireDrainable } from './load-balancer.ts';
import { conclude, done, type PhaseContext, type PhaseOutcome } from './phase.ts';
import { closedAnswer, isClosedFor } from './public-view.ts';
import { requireMode, requireState } from './requirements.ts';
import { demandServices } from './services/check.ts';
import { stopServices } from './services/stop.ts';
import { demandTimeToClose } from './time-budget.ts';
import { markLogs } from './smoke-checks/log-marks.ts';

const phase = 'enable-maintenance';

/**
 * Closes the site: the mode is got ready (ahead of time, with `prepareOnly`), flag, proof from outside, drain. When the
 * proof or the drain fails, everything is undone.
 */
export function enableMaintenance(
  context: PhaseContext,
  options: { readonly prepareOnly: boolean },
): Promise<PhaseOutcome> {
  return conclude(async () => {
    const { record } = context;
    const { state } = record.status;
    if (state === 'changing' || state === 'changed') {
      return done(`the site is closed already (the window is ${state})`, closedOutputs(context));
    }
    requireState(
      context,
      phase,
      ['planned', 'prepared', 'closing', 'closed'],
      'Start a new window, or make this one safe with `rollback`.',
    );
    refuseAfterDeadline(context);
    requireDrainable(context);
    await markLogs(context, 'window');
    await installHook(context);
    if (state === 'planned' || state === 'prepared') await prepareClosedTasks(context);
    if (options.prepareOnly) return done(preparedWords(requireMode(context)));
    if (record.status.state === 'prepared') demandTimeToClose(context);
    await closeDoor(context);
    return done(
      `the public sees 503 since ${record.status.maintenance?.closedAt ?? '?'}`,
      closedOutputs(context),
    );
  });
}

function preparedWords({ shows }: MaintenanceMode): string {
  return shows === 'header'
    ? 'the hook is in place; closing is a flag now'
    : 'what was there before is recorded; the site is still open';
}

/** Gets the mode ready to close (for nginx: puts the hook in place and proves it); used by `rollback` too. */
export async function installHook(context: PhaseContext, callingPhase = phase): Promise<void> {
  const { record } = context;
  const mode = requireMode(context);
  await runStep(context, callingPhase, {
    id: 'hook',
    title: `Get maintenance mode ready (${mode.kind})`,
    blast: 'app',
    observe: async () => {
      const prior = record.status.maintenance?.prior;
      return prior !== undefined && (await mode.installed(prior)) ? { live: true } : undefined;
    },
    perform: async () => {
      // What a killed attempt recorded is the truth about the state before; it is computed again only when
      // everything was given back since.
      const { maintenance } = record.status;
      if (maintenance === undefined || maintenance.restoration !== undefined) {
        const { restoration: given, ...rest } = maintenance ?? {
          mode: mode.kind,
          restoration: undefined,
        };
        context.progress.info(
          given === undefined
            ? 'recording the state before'
            : `recording the state again: ${given}`,
        );
        const prior = (await mode.plan()) as NonNullable<typeof maintenance>['prior'];
        await record.update({ maintenance: { ...rest, prior } });
      }
      if (record.status.state === 'planned') await record.become('prepared');
      await mode.install(record.status.maintenance?.prior);
      return { live: true };
    },
    describe: () =>
      mode.shows === 'header'
        ? 'the hook answers at the public URL; the site is still open'
        : preparedWords(mode),
  });
}

/** Sets the flag and proves the public's view; `rollback` closes by the same step. */
export async function setFlag(context: PhaseContext, callingPhase: string): Promise<void> {
  const { plan, record } = context;
  const mode = requireMode(context);
  const timeoutSeconds = plan.enableMaintenance.closeTimeout;
  const doors = doorsToClose(context);
  const accepted = isClosedFor(mode, record.status.windowId);
  await runStep(context, callingPhase, {
    id: 'flag',
    title: 'Close the site to the public',
    blast: 'app',
    observe: async () => {
      // A host that cannot be looked at fails the step itself, which is written down.
      const state = await mode.state().catch(() => undefined);
      const { closedAt } = record.status.maintenance ?? {};
      if (state?.kind !== 'closed' || closedAt === undefined) return undefined;
      const view = await watchDoors(context, doors, { accepted, timeoutSeconds: 2 });
      return view.kind === 'seen'
        ? { closedAt, observed: view.observed, seconds: view.seconds }
        : undefined;
    },
    perform: async () => {
      await markLogs(context, 'closed');
      await mode.close();
      const view = await watchDoors(context, doors, { accepted, timeoutSeconds });
      if (view.kind === 'not-seen') {
        return fail({
          code: 'not-closed',
          message: missingInWords(view.missing, closedAnswer(mode), timeoutSeconds),
          state: 'The site is being opened again.',
          next: notClosedAdvice(context),
        });
      }
      await proveWaysIn(context);
      // From the first closed door on somebody is kept out, and that counts as downtime.
      const closedAt = record.status.maintenance?.closedAt ?? view.first.toISOString();
      if (record.status.maintenance !== undefined) {
        await record.update({ maintenance: { ...record.status.maintenance, closedAt } });
      }
      return { closedAt, observed: view.observed, seconds: view.seconds };
    },
    describe: (result) =>
      `the public sees ${result.observed} after ${formatDuration(result.seconds)}`,
  });
}

const closingAdvice: Readonly<Record<ModeName, string>> = {
  nginx:
    'Check that public-url leads to the server blocks of site-files, and that no cache or proxy before them answers.',
  app: 'Check that the application answers 503 at public-url when app-key is set and app-reload-command has run (a slow restart needs a longer close-timeout), and that no cache or proxy before it answers.',
  command:
    'Check that the site answers 503 at public-url after close-command (a slow one needs a longer close-timeout), and that no cache or proxy before it answers.',
};

function notClosedAdvice({ plan, fleet }: PhaseContext): string {
  const advice = closingAdvice[plan.enableMaintenance.mode];
  return fleet.web.some(({ address }) => address !== undefined) &&
    plan.loadBalancer.healthPath === undefined
    ? `${advice} Where a load balancer stands before the web hosts, name its load-balancer.health-path.`
    : advice;
}

async function closeDoor(context: PhaseContext): Promise<void> {
  const { record } = context;
  await demandServices(context);
  if (record.status.state !== 'closed') await record.become('closing');
  try {
    await setFlag(context, phase);
    await leaveLoadBalancer(context, phase);
    await stopServices(context, phase, 'before-drain');
    await drain(context, phase);
    await stopServices(context, phase, 'after-drain');
  } catch (error) {
    const failure = failureOf(error);
    // Since it was proved shut, more may have been done behind the door; `rollback` takes that back in order.
    if (record.status.state === 'closed') {
      fail(
        {
          ...failure,
          state: 'The window is closed, but the public is not proved to be kept out.',
          next: `${failure.next} Then run it again, or \`rollback\`, which reopens the site.`,
        },
        error,
      );
    }
    const obstacle = await undoClosing(context, phase).then(() => undefined, failureOf);
    fail(
      obstacle === undefined
        ? {
            ...failure,
            state:
              'Everything was undone: the site is open, and what closes it is as it was before.',
          }
        : await notUndone(context, failure, obstacle),
      error,
    );
  }
  await record.become('closed');
}

/** Waits for what the public had begun before the door was closed; used by `rollback` too, when it closes. */
export async function drain(context: PhaseContext, callingPhase: string): Promise<void> {
  const { database, clock, plan } = context;
  if (database === undefined) {
    await skipStep(
      context,
      callingPhase,
      { id: 'drain', title: 'Wait for requests under way' },
      'no database to see them by',
    );
    return;
  }
  const limit = plan.enableMaintenance.drainTimeout;
  await runStep(context, callingPhase, {
    id: 'drain',
    title: 'Wait for requests under way',
    blast: 'app',
    // An earlier look says nothing of now.
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const begun = clock.monotonicSeconds();
      for (;;) {
        const busy = await database.busySessions();
        if (busy === 0) break;
        if (clock.monotonicSeconds() - begun > limit) {
          return fail({
            code: 'not-drained',
            message: `After ${formatDuration(limit)} ${busy} database session(s) are still at work.`,
            state: 'The site is closed.',
            next: 'Find out what they do (pg_stat_activity), end long jobs before the window, or raise drain-timeout.',
          });
        }
        await clock.wait(0.05);
      }
      return { seconds: clock.monotonicSeconds() - begun };
    },
    describe: (result) => `no database session at work after ${formatDuration(result.seconds)}`,
  });
}

function refuseAfterDeadline(context: PhaseContext): void {
  const { deadline, state } = context.record.status;
  if (state === 'closing' || state === 'closed') return;
  if (context.clock.now().getTime() >= Date.parse(deadline)) {
    fail({
      code: 'window-over',
      message: `The window ended at ${deadline}; the site is not closed after that.`,
      state: 'The site is open.',
      next: 'Start again in the next window, or with ignore-window.',
    });
  }
}

function closedOutputs(context: PhaseContext): Record<string, string> {
  const closedAt = context.record.status.maintenance?.closedAt;
  return closedAt === undefined ? {} : { 'closed-at': closedAt };
}
