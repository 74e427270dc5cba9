import { formatDuration } from '../../plan/duration.ts';
import type { RestorePointKind } from '../../record/restore-point.ts';

export type WantedRestorePoint = 'auto' | RestorePointKind;
/** Why each kind that was asked about cannot be taken; `undefined` when it can. */
export type Obstacles = Partial<Record<RestorePointKind, string | undefined>>;

/** How long taking a kind is expected to keep the site closed; seconds. */
export interface ExpectedTime {
  readonly seconds: number;
  /** Where the figure comes from. */
  readonly basis: string;
}

export type RestorePointChoice =
  | { kind: RestorePointKind; reason: string }
  | { kind: 'impossible'; wanted: RestorePointKind; reason: string };

/**
 * Asks the kinds in question, no further than needed. `auto` never takes a `command`: only the user knows what his
 * snapshot takes back with it.
 * @param hasStandby whether the plan names a replica
 */
export async function obstaclesFor(
  wanted: WantedRestorePoint,
  hasStandby: boolean,
  ask: (kind: RestorePointKind) => Promise<string | undefined>,
): Promise<Obstacles> {
  if (wanted !== 'auto') return { [wanted]: await ask(wanted) };
  const obstacles: Obstacles = { clone: await ask('clone') };
  if (hasStandby) obstacles.standby = await ask('standby');
  const isQuickPossible = Object.values(obstacles).includes(undefined);
  if (!isQuickPossible) obstacles.dump = await ask('dump');
  return obstacles;
}

/**
 * Decides which restore point is taken. Of a clone and a replica the quicker one: a replica takes no longer for a
 * large database, but while it is stopped it protects nobody, so a clone that is as quick comes first.
 */
export function chooseRestorePoint(
  wanted: WantedRestorePoint,
  obstacles: Obstacles,
  times: Partial<Record<RestorePointKind, ExpectedTime>> = {},
): RestorePointChoice {
  if (wanted !== 'auto') {
    const reason = obstacles[wanted];
    return reason === undefined
      ? { kind: wanted, reason: 'the plan asks for it' }
      : { kind: 'impossible', wanted, reason };
  }
  const against = (['standby', 'clone', 'dump'] as const).flatMap((kind) =>
    obstacles[kind] === undefined ? [] : [`no ${kind}: ${obstacles[kind]}`],
  );
  const can = (kind: RestorePointKind): boolean =>
    kind in obstacles && obstacles[kind] === undefined;
  if (can('clone') && can('standby')) return quicker(times);
  const kind = (['clone', 'standby', 'dump'] as const).find(can);
  return kind === undefined
    ? { kind: 'impossible', wanted: 'dump', reason: against.join('; ') }
    : { kind, reason: against.length === 0 ? 'the quickest way back' : against.join('; ') };
}

function quicker({
  clone,
  standby,
}: Partial<Record<RestorePointKind, ExpectedTime>>): RestorePointChoice {
  if (clone === undefined || standby === undefined) {
    return { kind: 'standby', reason: 'it takes as long for a large database as for a small one' };
  }
  const words = `copying is expected to take ${formatDuration(clone.seconds)} (${clone.basis}), stopping the replica ${formatDuration(standby.seconds)} (${standby.basis})`;
  return clone.seconds <= standby.seconds
    ? { kind: 'clone', reason: `${words}; and the replica goes on` }
    : { kind: 'standby', reason: words };
}
