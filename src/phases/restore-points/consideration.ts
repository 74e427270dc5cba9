import { formatDuration } from '../../plan/duration.ts';
import { failureOf } from '../../ports/failure.ts';
import type { Check } from '../../ports/maintenance-mode.ts';
import type { RestorePointKind } from '../../record/restore-point.ts';
import type { PhaseContext } from '../phase.ts';
import {
  chooseRestorePoint,
  obstaclesFor,
  type ExpectedTime,
  type WantedRestorePoint,
} from './choice.ts';
import { expectedTimes } from './expected-time.ts';
import type { ObstacleContext } from './kind.ts';
import { makerOf } from './makers.ts';

/** Which restore point would be taken now. */
export type ConsideredRestorePoint = {
  wanted: WantedRestorePoint;
  kind: RestorePointKind | 'impossible';
  reason: string;
};

/** Looks which kinds are possible, and chooses; changes nothing. */
export async function considerRestorePoint(
  context: ObstacleContext & Pick<PhaseContext, 'host'>,
): Promise<ConsideredRestorePoint> {
  const { plan } = context;
  const wanted = plan.runDbMaintenance.restorePoint;
  const obstacles = await obstaclesFor(wanted, context.standby !== undefined, (kind) =>
    makerOf(kind).obstacle(context),
  );
  const isTied =
    'standby' in obstacles && obstacles.clone === undefined && obstacles.standby === undefined;
  const times =
    wanted === 'auto' && isTied ? await expectedTimes(context, ['clone', 'standby']) : {};
  const { kind, reason } = chooseRestorePoint(wanted, obstacles, times);
  return { wanted, kind, reason };
}

/** The choice as preflight tells it. */
export function restorePointCheck(
  { wanted, kind, reason }: ConsideredRestorePoint,
  time: ExpectedTime | undefined,
): Check {
  const head = { id: 'restore-point', title: 'Restore point', limit: 'one can be taken' };
  if (kind === 'impossible') {
    return {
      ...head,
      verdict: 'failed',
      value: `${wanted === 'auto' ? 'none' : `no ${wanted}`}: ${reason}`,
      next: 'Remove what stands in the way, or choose another restore-point.',
    };
  }
  const expected =
    time === undefined
      ? ''
      : `; expected to take ${formatDuration(time.seconds)} while closed (${time.basis})`;
  return { ...head, verdict: 'passed', value: `${kind}: ${reason}${expected}` };
}

/** Which restore point the window would take, for preflight: why, and how long it would keep the site closed. */
export async function previewRestorePoint(
  context: ObstacleContext & Pick<PhaseContext, 'host'>,
): Promise<{ readonly check: Check; readonly kind: RestorePointKind | undefined }> {
  try {
    const considered = await considerRestorePoint(context);
    const { kind } = considered;
    if (kind === 'impossible') {
      return { check: restorePointCheck(considered, undefined), kind: undefined };
    }
    const times = await expectedTimes(context, [kind]);
    return { check: restorePointCheck(considered, times[kind]), kind };
  } catch (error) {
    const { message, next } = failureOf(error);
    const head = { id: 'restore-point', title: 'Restore point', limit: 'one can be taken' };
    return { check: { ...head, verdict: 'failed', value: message, next }, kind: undefined };
  }
}
