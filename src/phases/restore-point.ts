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
import { runStep } from '../record/step.ts';
import type { PhaseContext } from './phase.ts';
import { chooseRestorePoint, obstaclesFor } from './restore-points/choice.ts';
import { clonePoint } from './restore-points/clone.ts';
import { dumpPoint, goBackToBackup } from './restore-points/dump.ts';
import type { ReleaseContext, RestorePointMaker } from './restore-points/kind.ts';
import { propertiesBefore } from './restore-points/name-swap.ts';
import { recordProperties, unseal } from './sealed-database.ts';
import { demandTime } from './time-budget.ts';

const phase = 'run-db-maintenance';

/** Who takes a restore point of a kind, and goes back to it. */
export function makerOf(kind: RestorePointKind): RestorePointMaker {
  const makers: Partial<Record<RestorePointKind, unknown>> = { clone: clonePoint, dump: dumpPoint };
  return makers[kind] as RestorePointMaker;
}

/** The steps that take a restore point, for the time that they need. */
const takingSteps: Readonly<Record<RestorePointKind, readonly string[]>> = {
  clone: ['clone'],
  standby: ['stop-standby'],
  dump: ['dump-closed', 'restore-test-closed'],
  command: ['take-snapshot'],
};

/** Takes what a rollback goes back to; the site is closed. Idempotent over the record. */
export async function takeRestorePoint(context: PhaseContext): Promise<RestorePoint> {
  const { record } = context;
  if (record.status.restorePoint !== undefined) {
    await unseal(context, phase);
    return record.status.restorePoint;
  }
  await recordProperties(context, phase);
  const wanted = context.plan.runDbMaintenance.restorePoint;
  // Written down before the database is sealed: afterwards nobody can look into it to choose again.
  const choice = await runStep(context, phase, {
    id: 'choose-restore-point',
    title: 'Choose the restore point',
    blast: 'none',
    perform: async () =>
      chooseRestorePoint(
        wanted,
        await obstaclesFor(wanted, (kind) => makerOf(kind).obstacle(context)),
      ),
    describe: (chosen) =>
      chosen.kind === 'impossible'
        ? `${chosen.wanted}: ${chosen.reason}`
        : `${chosen.kind}: ${chosen.reason}`,
  });
  if (choice.kind === 'impossible') {
    return fail({
      code: 'no-restore-point',
      message: `The plan asks for a ${choice.wanted} as restore point, but ${choice.reason}.`,
      state: 'The site is closed; nothing of the database was changed.',
      next: 'Remove what stands in the way, or use restore-point: auto.',
    });
  }
  if (choice.kind !== 'clone') {
    context.progress.info(`restore point by ${choice.kind}: ${choice.reason}`);
  }
  await demandTime(context, {
    phase,
    steps: takingSteps[choice.kind],
    title: `A ${choice.kind} as restore point`,
    whenLate: 'abort',
  });
  return makerOf(choice.kind).take(context);
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
