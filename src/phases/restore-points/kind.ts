import type { RestorePoint } from '../../record/restore-point.ts';
import type { PhaseContext } from '../phase.ts';

/** One way to have something that a rollback goes back to. */
export interface RestorePointMaker<Point extends RestorePoint = RestorePoint> {
  /** Why it cannot be taken here, as the end of a sentence; `undefined` when it can. Changes nothing. */
  obstacle(context: ObstacleContext): Promise<string | undefined>;
  /** Takes and proves it; the site is closed. Whatever it had to stop or to seal is as before afterwards. */
  take(context: PhaseContext): Promise<Point>;
  /**
   * Makes the application's database what it was at the restore point, and keeps the failed one. Every step looks
   * first, so that a killed rollback is gone on with.
   * @returns where the failed database is kept
   */
  goBack(context: PhaseContext, point: Point): Promise<string>;
  /** Lets go of it, once nobody may want to go back; observed. */
  release(context: ReleaseContext, point: Point): Promise<void>;
}

/** What can be asked before there is a record, as preflight does. */
export type ObstacleContext = Pick<
  PhaseContext,
  'plan' | 'fleet' | 'database' | 'standby' | 'variable'
>;

/** What the books are closed with. */
export type ReleaseContext = Pick<
  PhaseContext,
  | 'record'
  | 'plan'
  | 'clock'
  | 'progress'
  | 'database'
  | 'standby'
  | 'fleet'
  | 'runner'
  | 'workspace'
  | 'variable'
>;
