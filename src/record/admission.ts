import { isObliged, isOver } from './life.ts';
import { owedByReopening } from './owed-by-reopening.ts';
import type { WindowStatus } from './status.ts';

/** Who asks for the record, and what for. */
export interface AdmissionRequest {
  readonly runId: string;
  /** Counts the re-runs of one run; a re-run begins a new window where the earlier attempt left nothing open. */
  readonly attempt: number;
  /** `rollback` and an operator at night may go on with another run's record; a new window may not. */
  readonly mayTakeOver: boolean;
  /** Goes on with this window or with none. */
  readonly windowId?: string | undefined;
  readonly now: Date;
}

export type ExistingRecord =
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable'; readonly reason: string }
  | { readonly kind: 'status'; readonly status: WindowStatus };

/** Whether a run may have the window's record: the lock's decision. */
export type Admission =
  | { readonly kind: 'create' }
  | { readonly kind: 'continue' }
  | { readonly kind: 'take-over'; readonly from: string }
  /** The old record owes nothing any more: it is archived and a new one created. */
  | { readonly kind: 'supersede'; readonly windowId: string }
  /** The window that was asked for is not the open one. */
  | { readonly kind: 'other-window'; readonly open: string | undefined }
  | { readonly kind: 'refuse'; readonly holder: string; readonly reason: string };

/** Decides on the lock. An unreadable record fails closed. */
export function admit(existing: ExistingRecord, request: AdmissionRequest): Admission {
  const { windowId } = request;
  if (existing.kind === 'none') {
    return windowId === undefined ? { kind: 'create' } : { kind: 'other-window', open: undefined };
  }
  if (existing.kind === 'unreadable') {
    return {
      kind: 'refuse',
      holder: 'unknown',
      reason: `the record cannot be read: ${existing.reason}`,
    };
  }
  const { status } = existing;
  if (windowId !== undefined && status.windowId !== windowId) {
    return { kind: 'other-window', open: status.windowId };
  }
  if (request.mayTakeOver) {
    return status.run.id === request.runId
      ? { kind: 'continue' }
      : { kind: 'take-over', from: status.run.id };
  }
  if (status.run.id === request.runId) {
    // Only what may begin a new window does: a re-run of a later job goes on, or is refused by its phase.
    if (windowId !== undefined) return { kind: 'continue' };
    const isAnew = request.attempt > status.run.attempt;
    const owesNothing =
      status.state === 'planned' ||
      (isOver(status.state) && owedByReopening(status, 'keep').services.length === 0);
    return isAnew && owesNothing
      ? { kind: 'supersede', windowId: status.windowId }
      : { kind: 'continue' };
  }
  const holder = holderOf(status);
  if (windowId !== undefined) {
    return { kind: 'refuse', holder, reason: `that window is ${status.state} and another run's` };
  }
  if (isObliged(status.state)) {
    return {
      kind: 'refuse',
      holder,
      reason: `that window is ${status.state} and owes the site its end`,
    };
  }
  if (isOver(status.state)) {
    const { services } = owedByReopening(status, 'keep');
    // A new window would take what this one stopped for stopped before, and never start it.
    return services.length === 0
      ? { kind: 'supersede', windowId: status.windowId }
      : {
          kind: 'refuse',
          holder,
          reason: `the site is open, but that window still owes: ${services.join(', ')} is to run again`,
        };
  }
  if (Date.parse(status.leaseUntil) > request.now.getTime()) {
    return {
      kind: 'refuse',
      holder,
      reason: `that window is ${status.state} and holds its lease until ${status.leaseUntil}`,
    };
  }
  return { kind: 'supersede', windowId: status.windowId };
}

/** The holder in words: window, run, who started it. */
export function holderOf(status: WindowStatus): string {
  const run = status.run.url ?? `run ${status.run.id}`;
  const actor = status.run.actor === undefined ? '' : `, started by ${status.run.actor}`;
  return `window ${status.windowId} (${run}${actor})`;
}
