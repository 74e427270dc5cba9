import type { Replica } from '../../rehearsal/replica.ts';
import type { Site } from '../../rehearsal/site.ts';
import type { JournalLine } from '../../src/record/journal.ts';

/** Who does the maintenance: a person by the runbook, or a window of ours with one or the other restore point. */
export const sideNames = ['runbook', 'clone', 'standby'] as const;
export type SideName = (typeof sideNames)[number];
export type WindowName = Exclude<SideName, 'runbook'>;
export const windowNames = ['clone', 'standby'] as const satisfies readonly WindowName[];

/** As the page names them. */
export const sideLabels: Readonly<Record<SideName, string>> = {
  runbook: 'runbook',
  clone: 'window, clone',
  standby: 'window, standby',
};

/** `maintenance` succeeds; in `rollback` the second migration fails, after the first changed rows. */
export type RunKind = 'maintenance' | 'rollback';

/** What a side did and when. Times are milliseconds since the epoch. */
export type SideRun = {
  readonly beganAt: number;
  /** Right before the first thing that closes the site. */
  readonly closingAt: number;
  /** When the last thing that opens it was over, and could have no effect on requests any more. */
  readonly openAt: number;
  readonly endedAt: number;
  /** When the failing migration had failed; only in a rollback. */
  readonly failedAt?: number;
  /** Everything that was done in the closed part, in order. */
  readonly closedSteps: readonly ClosedStep[];
  /** Of our own process; only for a window. */
  readonly peakMemoryBytes?: number;
  /** Only for a window. */
  readonly journal?: readonly JournalLine[];
};

export type ClosedStep = { readonly name: string; readonly milliseconds: number };

/** What a side works on. */
export type Arena = {
  readonly site: Site;
  /** A streaming replica of the site's database; only where the side wants one. */
  readonly replica?: Replica;
};

export type Side = (arena: Arena, kind: RunKind, signal: AbortSignal) => Promise<SideRun>;

/** Milliseconds since the epoch, finer than Date's. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}
