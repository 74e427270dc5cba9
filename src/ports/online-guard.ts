import { FailureError, type Failure } from './failure.ts';

/** What work keeps to while the public is served. */
export interface OnlineTerms {
  /** Seconds that a session of others may wait for one of ours; ours gives way before they are over. */
  readonly maxBlockedSeconds: number;
  /** How often a piece of work is tried before it is given up. */
  readonly tries: number;
  /**
   * How the public is harmed now, as a clause such as `the application answers in 900 ms instead of 80 ms`;
   * `undefined` when nothing is wrong. Asked many times a second.
   */
  readonly harm: () => string | undefined;
}

/** What the guard had to do. */
export interface GuardFigures {
  /** Times that work had to wait for its turn. */
  readonly heldBack: number;
  /** Statements of ours that were cancelled for somebody else's sake. */
  readonly cancelled: number;
  /** At most this long a session of others waited for one of ours, as far as was seen; seconds. */
  readonly longestWaitSeconds: number;
  /** Why we gave way the last time, as a clause; `undefined` when we never had to. */
  readonly lastReason: string | undefined;
}

/** Work of ours that clients of their own do on the database, so that their sessions are told by what they are. */
export type WatchedWork =
  /** The dump of a window. */
  | { readonly kind: 'dump'; readonly windowId: string }
  /** The restore into a database that is ours alone. */
  | { readonly kind: 'restore'; readonly database: string };

/** A watch over sessions of ours that is on until it is ended. */
export interface OnlineWatch {
  readonly terms: OnlineTerms;
  /** Sessions of ours that were told to give way so far. */
  readonly cancelled: number;
  /** Why the last one was, as a clause; empty when none was. */
  readonly lastReason: string;
  /** Resolves when nobody is harmed, to `undefined`; or, after a bounded time, to what is still wrong. */
  turn(): Promise<string | undefined>;
  /** Ends the watch; repeated, it tells the same. */
  end(): Promise<GuardFigures>;
}

/** The failure codes of work that gave way to the public. */
export const heldBack = 'database-held-back';
export const givenUp = 'database-online-harmful';

/** Work that was not done for the public's sake, with what the guard saw until then. */
export class GaveWayError extends FailureError {
  readonly figures: Readonly<Record<string, number>>;

  constructor(failure: Failure, figures: Readonly<Record<string, number>>, cause?: unknown) {
    super(failure, { cause });
    this.name = 'GaveWayError';
    this.figures = figures;
  }
}

/** Figures of a guard for the report. */
export function guardFigures(figures: GuardFigures): Record<string, number> {
  return {
    'times-held-back': figures.heldBack,
    'statements-that-gave-way': figures.cancelled,
    'longest-wait-of-others-seconds': Math.round(figures.longestWaitSeconds * 1000) / 1000,
  };
}
