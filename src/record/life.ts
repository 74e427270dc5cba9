/**
 * The life of a maintenance window, from `docs/architecture.md`. Where it stands decides what a failure,
 * a kill or another run may do next.
 */
export const windowStates = [
  /** Recorded; nothing was touched. */
  'planned',
  /** The hook, the backup or online tasks may be in place; the public is served as ever. */
  'prepared',
  /** Closing began; the public may see either answer. */
  'closing',
  /** Proved closed; nothing of the application's schema or data was changed. */
  'closed',
  /** A change began; its outcome is not proved yet. */
  'changing',
  /** All changes are proved; still closed. */
  'changed',
  /** Opening began; the public may see either answer. */
  'reopening',
  /** Proved open, on the changed system. */
  'reopened',
  /** Rollback began; closed while it works. */
  'rolling-back',
  /** Proved open (or never closed), on the system as it was before. */
  'rolled-back',
  /** Kept closed on purpose; people are called. */
  'held',
] as const;

export type WindowState = (typeof windowStates)[number];

/** What a step can do to the system when it goes wrong, from harmless to worst. */
export const blastClasses = ['none', 'app', 'schema', 'data'] as const;
export type BlastClass = (typeof blastClasses)[number];

/** The worse of two. */
export function worst(a: BlastClass, b: BlastClass): BlastClass {
  return blastClasses.indexOf(a) >= blastClasses.indexOf(b) ? a : b;
}

const after: Readonly<Record<WindowState, readonly WindowState[]>> = {
  planned: ['prepared', 'closing', 'rolling-back', 'rolled-back'],
  prepared: ['closing', 'rolling-back', 'rolled-back', 'held'],
  closing: ['closed', 'rolling-back', 'rolled-back', 'prepared', 'held'],
  closed: ['changing', 'changed', 'reopening', 'rolling-back', 'held'],
  changing: ['changed', 'rolling-back', 'held'],
  changed: ['changing', 'reopening', 'rolling-back', 'held'],
  // Back to where it came from when one of several web hosts did not open and the others were closed again.
  reopening: ['reopened', 'closed', 'changed', 'rolling-back', 'held'],
  reopened: ['rolling-back'],
  // Back to `reopened` when writes of users turn up that nobody consented to lose.
  'rolling-back': ['rolled-back', 'reopened', 'held'],
  'rolled-back': [],
  held: ['rolling-back', 'reopening'],
};

/** Whether the life may go from one state to another (to stay is always allowed). */
export function mayBecome(from: WindowState, to: WindowState): boolean {
  return from === to || after[from].includes(to);
}

/**
 * Whether this window still owes the system something: a closed door, a half-made change. Such a record is
 * never superseded by another run; only the same run or `rollback` goes on with it.
 */
export function isObliged(state: WindowState): boolean {
  return !['planned', 'prepared', 'reopened', 'rolled-back'].includes(state);
}

/** Whether the life of the window is over. */
export function isOver(state: WindowState): boolean {
  return state === 'reopened' || state === 'rolled-back';
}
