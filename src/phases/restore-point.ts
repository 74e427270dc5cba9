import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import { fail } from '../ports/failure.ts';
import {
  bytesOf,
  liveRestorePoint,
  placeOf,
  type RestorePoint,
  type RestorePointKind,
} from '../record/restore-point.ts';
import { outcomeOf } from '../record/journal.ts';
import { runStep } from '../record/step.ts';
import type { WindowRecord } from '../record/window-record.ts';
import type { PhaseContext } from './phase.ts';
import type { WantedRestorePoint } from './restore-points/choice.ts';
import {
  considerRestorePoint,
  type ConsideredRestorePoint,
} from './restore-points/consideration.ts';
import { takingSteps } from './restore-points/expected-time.ts';
import { goBackToBackup } from './restore-points/dump.ts';
import type { ReleaseContext } from './restore-points/kind.ts';
import { makerOf } from './restore-points/makers.ts';
import { propertiesBefore } from './restore-points/properties-before.ts';
import { recordProperties, unseal } from './sealed-database.ts';
import { demandTime } from './time-budget.ts';

const phase = 'run-db-maintenance';

/** Takes what a rollback goes back to; the site is closed. Idempotent over the record. */
export async function takeRestorePoint(context: PhaseContext): Promise<RestorePoint> {
  const { record } = context;
  if (record.status.restorePoint !== undefined) {
    await unseal(context, phase);
    return record.status.restorePoint;
  }
  const kind = await chooseRestorePointOnce(context);
  // Mostly they were, right before the site was closed.
  if (record.status.database === undefined) await recordProperties(context, phase);
  await demandTime(context, {
    phase,
    steps: takingSteps(kind, context.plan).map(({ step }) => step),
    title: `A ${kind} as restore point`,
    whenLate: 'abort',
  });
  return makerOf(kind).take(context);
}

/**
 * Chooses the kind of the restore point, or finds it chosen: at the latest before the database is sealed, for nobody
 * can look into it afterwards; mostly before the site is closed, so that choosing is no downtime.
 * @throws FailureError `no-restore-point`
 */
export async function chooseRestorePointOnce(context: PhaseContext): Promise<RestorePointKind> {
  const { record, plan } = context;
  const wanted = plan.runDbMaintenance.restorePoint;
  const id = 'choose-restore-point';
  const choice = await runStep<ConsideredRestorePoint>(context, phase, {
    id,
    title: 'Choose the restore point',
    blast: 'none',
    observe: () => Promise.resolve(chosenBefore(record, id, wanted)),
    perform: () => considerRestorePoint(context),
    describe: ({ kind, reason }) => `${kind === 'impossible' ? wanted : kind}: ${reason}`,
  });
  if (choice.kind === 'impossible') {
    return fail({
      code: 'no-restore-point',
      message: `The plan asks for ${wanted === 'auto' ? 'any' : `a ${wanted} as`} restore point, but ${choice.reason}.`,
      state: `The window is ${record.status.state}; nothing of the database was changed.`,
      next: 'Remove what stands in the way, or use restore-point: auto.',
    });
  }
  if (choice.kind !== 'clone') {
    context.progress.info(`restore point by ${choice.kind}: ${choice.reason}`);
  }
  return choice.kind;
}

/** What was chosen for the same wish, and was possible. */
function chosenBefore(
  { journal }: WindowRecord,
  step: string,
  wanted: WantedRestorePoint,
): ConsideredRestorePoint | undefined {
  const data = outcomeOf(journal, phase, step)?.data as Partial<ConsideredRestorePoint> | undefined;
  return data?.wanted === wanted && data.kind !== 'impossible'
    ? (data as ConsideredRestorePoint)
    : undefined;
}

/**
 * Makes the database what it was at the restore point, or at the online backup where there is none.
 * @returns where the failed database is kept
 */
export async function goBack(context: PhaseContext): Promise<string> {
  const { status } = context.record;
  propertiesBefore(context);
  const point = liveRestorePoint(status);
  if (point !== undefined) return makerOf(point.kind).goBack(context, point);
  if (status.backup === undefined) throw new Error('the policy restores only with a source');
  return goBackToBackup(context, status.backup);
}

/** Lets go of the restore point of a window; written down. */
export async function releaseRestorePoint(
  context: ReleaseContext,
  point: RestorePoint,
): Promise<void> {
  await makerOf(point.kind).release(context, point);
  await context.record.update({
    restorePoint: { ...point, droppedAt: context.clock.now().toISOString() },
  });
}

/** A restore point for people. */
export function describeRestorePoint(point: RestorePoint): string {
  const bytes = bytesOf(point);
  return `${point.kind} ${placeOf(point)}${bytes === undefined ? '' : ` (${formatBytes(bytes)})`}, taken while closed in ${formatDuration(point.seconds)}`;
}
