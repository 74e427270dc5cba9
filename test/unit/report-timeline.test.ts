import { describe, expect, test } from '@jest/globals';
import type { JournalLine } from '../../src/record/journal.ts';
import { downtimeOf } from '../../src/report/downtime.ts';
import { comparePrediction } from '../../src/report/prediction.ts';
import { phaseDurations, timelineOf } from '../../src/report/timeline.ts';
import { at, goodWindow, statusOf } from '../fixtures/record-factory.ts';

function line(
  seconds: number,
  event: JournalLine['event'],
  more: Partial<JournalLine> = {},
): JournalLine {
  return {
    at: at(seconds),
    windowId: 'mw-1',
    runId: '1',
    phase: 'backup-db',
    step: 'dump',
    title: 'Dump',
    event,
    blast: 'none',
    ...more,
  };
}

describe('the timeline', () => {
  test('puts intent and outcome into one row', () => {
    const rows = timelineOf([line(1, 'intent'), line(4, 'done', { seconds: 3, detail: '11 MiB' })]);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      at: at(1),
      endedAt: at(4),
      outcome: 'done',
      seconds: 3,
      detail: '11 MiB',
    });
  });

  test('tells an intent without an outcome as what it is', () => {
    expect(timelineOf([line(1, 'intent')])[0]).toMatchObject({
      outcome: 'unfinished',
      endedAt: null,
      seconds: null,
    });
  });

  test('tells a step that was killed and done again twice', () => {
    const rows = timelineOf([
      line(1, 'intent'),
      line(9, 'intent'),
      line(12, 'done', { seconds: 3 }),
    ]);
    expect(rows.map(({ outcome }) => outcome)).toEqual(['interrupted', 'done']);
  });

  test('does not give an effect that was found to the attempt that was killed', () => {
    const found = timelineOf([
      line(1, 'intent'),
      line(9, 'done', { seconds: 0, detail: '11 MiB (found done)' }),
    ]);
    expect(found.map(({ outcome, at: when }) => [outcome, when])).toEqual([
      ['interrupted', at(1)],
      ['done', at(9)],
    ]);
    const byAnother = timelineOf([line(1, 'intent'), line(9, 'failed', { runId: '2' })]);
    expect(byAnother.map(({ outcome }) => outcome)).toEqual(['interrupted', 'failed']);
  });

  test('keeps steps of one name in two phases apart', () => {
    const rows = timelineOf([
      line(1, 'intent', { step: 'flag', phase: 'enable-maintenance' }),
      line(2, 'done', { step: 'flag', phase: 'enable-maintenance' }),
      line(3, 'intent', { step: 'flag', phase: 'rollback' }),
    ]);
    expect(rows.map(({ phase, outcome }) => `${phase} ${outcome}`)).toEqual([
      'enable-maintenance done',
      'rollback unfinished',
    ]);
  });

  test('has skipped steps and notes', () => {
    const rows = timelineOf([
      line(1, 'skipped', { detail: 'no database' }),
      line(2, 'note', { detail: 'hm' }),
    ]);
    expect(rows.map(({ outcome, detail }) => `${outcome}: ${detail}`)).toEqual([
      'skipped: no database',
      'note: hm',
    ]);
  });

  test('adds the work of a phase up, without the pauses between', () => {
    const rows = timelineOf([
      line(0, 'intent'),
      line(2, 'done', { seconds: 2 }),
      line(100, 'intent', { step: 'restore' }),
      line(103.5, 'failed', { step: 'restore', seconds: 3.5 }),
    ]);
    expect(phaseDurations(rows)).toEqual([
      { phase: 'backup-db', at: at(0), endedAt: at(103.5), seconds: 5.5, steps: 2, failed: 1 },
    ]);
  });

  test('sets predictions against what steps took', () => {
    const rows = timelineOf(goodWindow().record.journal);
    const prediction = [
      { step: 'run-db-maintenance: clone', seconds: 2, closed: true, basis: '' },
      { step: 'backup-db: nothing', seconds: 1, closed: false, basis: '' },
    ];
    expect(comparePrediction(prediction, rows, { seconds: 1.5 })).toEqual({
      steps: [
        { step: 'run-db-maintenance: clone', closed: true, predicted: 2, actual: 0.7, basis: '' },
        { step: 'backup-db: nothing', closed: false, predicted: 1, actual: null, basis: '' },
      ],
      downtime: { predicted: 2, actual: 1.5 },
    });
    expect(comparePrediction(undefined, rows, { seconds: null })).toBeNull();
  });
});

describe('the downtime', () => {
  const now = new Date(at(100));
  const maintenance = { mode: 'nginx', prior: null };

  test('is measured between the two proofs', () => {
    const status = statusOf({
      state: 'reopened',
      maintenance: { ...maintenance, closedAt: at(10), reopenedAt: at(12.5) },
    });
    expect(downtimeOf(status, now)).toMatchObject({ kind: 'reopened', seconds: 2.5 });
  });

  test('goes on while the site is closed', () => {
    const status = statusOf({ state: 'held', maintenance: { ...maintenance, closedAt: at(10) } });
    expect(downtimeOf(status, now)).toMatchObject({
      kind: 'still-closed',
      seconds: 90,
      spans: [{ from: at(10), to: null }],
    });
  });

  test('is the sum where a rollback closed a second time', () => {
    const status = statusOf({
      state: 'rolled-back',
      earlierClosures: [{ closedAt: at(10), reopenedAt: at(12) }],
      maintenance: { ...maintenance, closedAt: at(50), reopenedAt: at(53) },
    });
    expect(downtimeOf(status, now)).toMatchObject({ kind: 'reopened', seconds: 5 });
  });

  test('is not known where closing or opening was not proved', () => {
    expect(downtimeOf(statusOf({ state: 'closing', maintenance }), now).kind).toBe('uncertain');
    expect(
      downtimeOf(
        statusOf({ state: 'reopening', maintenance: { ...maintenance, closedAt: at(10) } }),
        now,
      ).kind,
    ).toBe('uncertain');
    expect(downtimeOf(statusOf({ state: 'rolled-back', maintenance }), now)).toEqual({
      kind: 'never-proved-closed',
      spans: [],
      seconds: null,
    });
  });

  test('is none where the site was never closed', () => {
    expect(downtimeOf(statusOf({ state: 'prepared', maintenance }), now)).toEqual({
      kind: 'never-closed',
      spans: [],
      seconds: null,
    });
  });
});
