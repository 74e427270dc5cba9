import { describe, expect, test } from '@jest/globals';
import { admit, type AdmissionRequest } from '../../src/record/admission.ts';
import type { WindowState } from '../../src/record/life.ts';
import { recordVersion, type WindowStatus } from '../../src/record/status.ts';

const now = new Date('2026-11-22T03:00:00Z');
const asked = 'mw-20261122-020000-1a2b';

function windowOf(state: WindowState, change: Partial<WindowStatus> = {}): WindowStatus {
  return {
    schemaVersion: recordVersion,
    windowId: asked,
    name: 'shop',
    state,
    blast: 'none',
    run: { id: '7', attempt: 1 },
    startedAt: '2026-11-22T02:00:00Z',
    updatedAt: '2026-11-22T02:30:00Z',
    deadline: '2026-11-22T02:45:00Z',
    // The lease is over: an approval can take longer than the window.
    leaseUntil: '2026-11-22T02:45:00Z',
    settings: {},
    ...change,
  };
}

function ask(status: WindowStatus | undefined, request: Partial<AdmissionRequest> = {}) {
  return admit(status === undefined ? { kind: 'none' } : { kind: 'status', status }, {
    runId: '7',
    attempt: 1,
    mayTakeOver: false,
    windowId: asked,
    now,
    ...request,
  });
}

describe('a job that goes on with the window of an earlier one', () => {
  test('goes on with it', () => {
    expect(ask(windowOf('prepared'))).toEqual({ kind: 'continue' });
    expect(ask(windowOf('changing'))).toEqual({ kind: 'continue' });
  });

  // GitHub's "re-run failed jobs" runs `maintain` without a new preflight and without a new approval.
  test('begins no window when it is run again after the window ended', () => {
    expect(ask(undefined, { attempt: 2 })).toEqual({ kind: 'other-window', open: undefined });
    // Without the id it would begin one.
    expect(ask(undefined, { attempt: 2, windowId: undefined })).toEqual({ kind: 'create' });
  });

  test('does not supersede what the run left, as a new window would', () => {
    expect(ask(windowOf('planned'), { attempt: 2 })).toEqual({ kind: 'continue' });
    expect(ask(windowOf('planned'), { attempt: 2, windowId: undefined })).toEqual({
      kind: 'supersede',
      windowId: asked,
    });
  });

  test('leaves a window alone that began meanwhile', () => {
    const other = windowOf('changing', {
      windowId: 'mw-20261122-025000-ffff',
      run: { id: '8', attempt: 1 },
    });
    expect(ask(other)).toEqual({ kind: 'other-window', open: other.windowId });
    // The rollback of a rejected window as well, although it may take a record over.
    expect(ask(other, { mayTakeOver: true })).toEqual({
      kind: 'other-window',
      open: other.windowId,
    });
    expect(ask(other, { mayTakeOver: true, windowId: undefined })).toMatchObject({
      kind: 'take-over',
    });
  });

  test.each<WindowState>(['planned', 'changing', 'reopened'])(
    'does not take the window of another run that is %s',
    (state) => {
      const foreign = windowOf(state, { run: { id: '8', attempt: 1 } });
      expect(ask(foreign)).toMatchObject({ kind: 'refuse' });
      expect(ask(foreign, { mayTakeOver: true })).toEqual({ kind: 'take-over', from: '8' });
    },
  );

  test('fails closed on a record that cannot be read', () => {
    const admission = admit(
      { kind: 'unreadable', reason: 'it is not JSON' },
      { runId: '7', attempt: 1, mayTakeOver: true, windowId: asked, now },
    );
    expect(admission).toMatchObject({ kind: 'refuse' });
  });
});
