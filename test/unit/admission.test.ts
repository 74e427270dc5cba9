import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { admit, holderOf, type AdmissionRequest } from '../../src/record/admission.ts';
import { isObliged, isOver, windowStates, type WindowState } from '../../src/record/life.ts';
import { recordVersion, type WindowStatus } from '../../src/record/status.ts';

const now = new Date('2026-11-22T02:30:00.000Z');
const later = '2026-11-22T03:30:00.000Z';
const earlier = '2026-11-22T02:29:59.999Z';

function statusOf(state: WindowState, change: Partial<WindowStatus> = {}): WindowStatus {
  return {
    schemaVersion: recordVersion,
    windowId: 'mw-20261122-020000-1a2b',
    name: 'shop',
    state,
    blast: 'none',
    run: { id: '7', attempt: 1 },
    startedAt: '2026-11-22T02:00:00.000Z',
    updatedAt: '2026-11-22T02:10:00.000Z',
    deadline: later,
    leaseUntil: later,
    settings: {},
    ...change,
  };
}

function ask(status: WindowStatus, request: Partial<AdmissionRequest> = {}) {
  const existing = { kind: 'status', status } as const;
  return admit(existing, { runId: '8', attempt: 1, mayTakeOver: false, now, ...request });
}

describe('without a record', () => {
  test('one is created', () => {
    const request = { runId: '8', attempt: 1, mayTakeOver: false, now };
    expect(admit({ kind: 'none' }, request)).toEqual({ kind: 'create' });
  });
});

describe('a record that cannot be read', () => {
  test.each([true, false])('keeps everybody out, also who may take over (%s)', (mayTakeOver) => {
    const request = { runId: '7', attempt: 1, mayTakeOver, now };
    expect(admit({ kind: 'unreadable', reason: 'it is not JSON' }, request)).toMatchObject({
      kind: 'refuse',
      reason: 'the record cannot be read: it is not JSON',
    });
  });
});

describe('the same run', () => {
  test.each(windowStates)('goes on with a window that is %s', (state) => {
    expect(ask(statusOf(state), { runId: '7' })).toEqual({ kind: 'continue' });
  });

  test.each(windowStates)('run again, begins anew only where %s leaves nothing open', (state) => {
    const kind = isOver(state) || state === 'planned' ? 'supersede' : 'continue';
    expect(ask(statusOf(state), { runId: '7', attempt: 2 }).kind).toBe(kind);
  });
});

describe('a window that is over and has stopped a service for good', () => {
  const entry = {
    id: 'cron',
    host: 'local',
    kind: 'cron',
    title: 'cron file shop',
    resume: 'when-open',
    prior: 'running',
    priorDetail: 'in place',
    stopBegunAt: '2026-11-22T02:05:00.000Z',
  } as const;
  const owing = statusOf('reopened', { services: [entry] });

  test('keeps a new window out, and says what it owes', () => {
    const reason = 'the site is open, but that window still owes: cron on local is to run again';
    expect(ask(owing)).toMatchObject({ kind: 'refuse', reason });
  });

  test('is gone on with by the same run, also by a re-run, and taken over by an operator', () => {
    expect(ask(owing, { runId: '7' })).toEqual({ kind: 'continue' });
    expect(ask(owing, { runId: '7', attempt: 2 })).toEqual({ kind: 'continue' });
    expect(ask(owing, { mayTakeOver: true })).toEqual({ kind: 'take-over', from: '7' });
  });

  test.each([
    ['runs again', { startedAt: '2026-11-22T02:06:00.000Z' }],
    ['was left to an operator', { note: 'not started again; an operator answers for it' }],
    ['was never stopped', { stopBegunAt: undefined }],
  ])('is superseded when it %s', (_name, change) => {
    const { stopBegunAt, ...rest } = { ...entry, ...change };
    const service = stopBegunAt === undefined ? rest : { ...rest, stopBegunAt };
    expect(ask(statusOf('reopened', { services: [service] })).kind).toBe('supersede');
  });
});

describe('another run', () => {
  test.each(windowStates.filter(isObliged))(
    'is refused by a window that is %s, however old it is',
    (state) => {
      expect(ask(statusOf(state, { leaseUntil: '2020-01-01T00:00:00.000Z' }))).toEqual({
        kind: 'refuse',
        holder: 'window mw-20261122-020000-1a2b (run 7)',
        reason: `that window is ${state} and owes the site its end`,
      });
    },
  );

  test.each(windowStates.filter(isOver))('supersedes a window that is %s', (state) => {
    expect(ask(statusOf(state))).toEqual({
      kind: 'supersede',
      windowId: 'mw-20261122-020000-1a2b',
    });
  });

  test.each(['planned', 'prepared'] as const)(
    'is refused by a window that is %s while its lease lasts, and supersedes it afterwards',
    (state) => {
      expect(ask(statusOf(state))).toMatchObject({
        kind: 'refuse',
        reason: `that window is ${state} and holds its lease until ${later}`,
      });
      expect(ask(statusOf(state, { leaseUntil: earlier })).kind).toBe('supersede');
    },
  );

  test.each(windowStates)('that may take over does, from a window that is %s', (state) => {
    expect(ask(statusOf(state), { mayTakeOver: true })).toEqual({ kind: 'take-over', from: '7' });
    expect(ask(statusOf(state), { mayTakeOver: true, runId: '7' })).toEqual({ kind: 'continue' });
  });

  test('whatever else is the case, never replaces a window that owes the site something', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...windowStates.filter(isObliged)),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom('7', '8'),
        fc.date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true }),
        (state, mayTakeOver, attempt, runId, moment) => {
          const { kind } = ask(statusOf(state), { mayTakeOver, attempt, runId, now: moment });
          expect(['continue', 'take-over', 'refuse']).toContain(kind);
        },
      ),
    );
  });
});

test('the holder is named by window, run and who started it', () => {
  const url = 'https://github.com/example/shop/actions/runs/7';
  expect(holderOf(statusOf('closed', { run: { id: '7', attempt: 1, url, actor: 'ada' } }))).toBe(
    `window mw-20261122-020000-1a2b (${url}, started by ada)`,
  );
});
