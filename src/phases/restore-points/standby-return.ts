import { formatDuration } from '../../plan/duration.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import type { LogPosition } from '../../ports/log-position.ts';
import type { ReplicaProgress } from '../../ports/standby.ts';
import { owedStandby, type BorrowedStandby } from '../../record/standby.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { hasAll, requireStandby, until } from './standby-borrowing.ts';

/** What giving a replica back needs; at the end of a window as well. */
export type StandbyContext = Pick<
  PhaseContext,
  'record' | 'clock' | 'progress' | 'plan' | 'standby'
>;

/**
 * Starts a stopped replica again and has it follow the primary as before; drops the slot that we made. Does nothing
 * when there is none, or it was promoted.
 * @throws FailureError `standby-not-following`
 */
export async function giveStandbyBack(
  context: StandbyContext,
  callingPhase: string,
  stepId: string,
): Promise<void> {
  const { record, clock } = context;
  const borrowed = owedStandby(record.status);
  if (borrowed === undefined) return;
  const standby = requireStandby(context);
  const { replica, slot } = borrowed;
  const { windowId } = record.status;
  await runStep(context, callingPhase, {
    id: stepId,
    title: `Start the ${standby.label} again, following the primary`,
    blast: 'none',
    observe: async () => {
      const { isRunning } = await standby.state('replica', replica);
      const isOwn = (await standby.ownSettings(replica, windowId)) === 'none';
      if (!isRunning || !isOwn) return undefined;
      const { isStreaming, replayed } = await standby.progress('replica');
      return isStreaming ? { replayed: replayed ?? '' } : undefined;
    },
    perform: async () => ({ replayed: await follow(context, borrowed) }),
    describe: ({ replayed }) => `it streams, and is at ${replayed}`,
  });
  if (slot !== undefined) {
    await runStep(context, callingPhase, {
      id: `${stepId}-slot`,
      title: `Drop the replication slot ${slot}`,
      blast: 'none',
      observe: async () => ((await standby.hasSlot(slot)) ? undefined : { slot }),
      perform: async () => {
        await standby.dropSlot(slot);
        return { slot };
      },
      describe: () => 'it is gone',
    });
  }
  await record.update({ standby: { ...borrowed, resumedAt: clock.now().toISOString() } });
}

async function follow(
  context: StandbyContext,
  { replica, slot, timeline }: BorrowedStandby,
): Promise<LogPosition> {
  const { record, plan } = context;
  const standby = requireStandby(context);
  const { windowId } = record.status;
  const seconds = plan.standby.serverTimeout;
  const state = await standby.state('replica', replica);
  if (state.timeline !== timeline || state.systemIdentifier !== replica.systemIdentifier) {
    fail({
      code: 'standby-not-following',
      message: `The replica in ${replica.dataDirectory} on ${replica.host} is on timeline ${state.timeline}, and was on ${timeline}: somebody promoted it.`,
      state: 'It was not touched.',
      next: 'Find out which of both servers the application works on; make the other a replica anew.',
    });
  }
  if ((await standby.ownSettings(replica, windowId)) !== 'none') {
    // It reads them when it starts.
    if (state.isRunning) await standby.stop('replica', replica, { seconds, force: false });
    await standby.writeOwnSettings(replica, windowId, 'none');
  }
  await standby.start('replica', replica, { seconds });
  // With what sessions committed that do not wait for the disk.
  const wanted = await standby.markPosition(windowId);
  const unseen: ReplicaProgress = { replayed: undefined, isPaused: false, isStreaming: false };
  const progress = await until(
    context,
    plan.standby.catchUp,
    // It may still be starting up.
    () => standby.progress('replica').catch(() => unseen),
    (seen) => seen.isStreaming && hasAll(seen, wanted),
  );
  if (progress.isStreaming && hasAll(progress, wanted)) return progress.replayed ?? '';
  const kept =
    slot === undefined ? '' : ` The primary keeps its log for it in slot ${slot}, on its disk.`;
  const drop =
    slot === undefined ? '' : `, and drop the slot with SELECT pg_drop_replication_slot('${slot}')`;
  return fail({
    code: 'standby-not-following',
    message: `The ${standby.label} runs again, but after ${formatDuration(plan.standby.catchUp)} it ${progress.isStreaming ? `is at ${progress.replayed ?? 'nowhere'}, and the primary at ${wanted}` : 'does not stream from the primary'}.`,
    state: `The application is not concerned; the primary has no caught-up replica.${kept}`,
    next: `Look at the log of the replica: when it streams later, nothing is to be done${slot === undefined ? '' : ' but to drop the slot'}; when a segment of the log has been removed, make it anew with pg_basebackup${drop}.`,
  });
}

/** After a failure: gives the replica back, and says so when that does not succeed either. */
export async function giveBackAfter(context: StandbyContext, error: unknown): Promise<never> {
  const failure = failureOf(error);
  try {
    await giveStandbyBack(context, 'run-db-maintenance', 'return-standby');
  } catch (second) {
    const { message, next } = failureOf(second);
    fail(
      {
        ...failure,
        state: `${failure.state} The replica is not back: ${message}`,
        next: `${failure.next} ${next}`,
      },
      error,
    );
  }
  throw error;
}
