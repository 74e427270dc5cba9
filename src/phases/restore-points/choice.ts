import { restorePointKinds, type RestorePointKind } from '../../record/restore-point.ts';

export type WantedRestorePoint = 'auto' | RestorePointKind;
/** Why each kind that was asked about cannot be taken; `undefined` when it can. */
export type Obstacles = Partial<Record<RestorePointKind, string | undefined>>;

export type RestorePointChoice =
  | { kind: RestorePointKind; reason: string }
  | { kind: 'impossible'; wanted: RestorePointKind; reason: string };

/** What `auto` tries, the one that rolls back best first. */
const byPreference = ['clone', 'dump'] as const satisfies readonly RestorePointKind[];

/** Asks the kinds in question, no further than needed. */
export async function obstaclesFor(
  wanted: WantedRestorePoint,
  ask: (kind: RestorePointKind) => Promise<string | undefined>,
): Promise<Obstacles> {
  const obstacles: Obstacles = {};
  for (const kind of wanted === 'auto' ? byPreference : [wanted]) {
    obstacles[kind] = await ask(kind);
    if (obstacles[kind] === undefined) break;
  }
  return obstacles;
}

/** Decides which restore point is taken. */
export function chooseRestorePoint(
  wanted: WantedRestorePoint,
  obstacles: Obstacles,
): RestorePointChoice {
  if (wanted !== 'auto') {
    const reason = obstacles[wanted];
    return reason === undefined
      ? { kind: wanted, reason: 'the plan asks for it' }
      : { kind: 'impossible', wanted, reason };
  }
  const given = restorePointKinds.flatMap((kind) =>
    obstacles[kind] === undefined ? [] : [`no ${kind}: ${obstacles[kind]}`],
  );
  const kind = byPreference.find((one) => one in obstacles && obstacles[one] === undefined);
  return kind === undefined
    ? { kind: 'impossible', wanted: 'dump', reason: given.join('; ') }
    : { kind, reason: given.length === 0 ? 'the quickest way back' : given.join('; ') };
}
