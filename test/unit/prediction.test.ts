import { describe, expect, test } from '@jest/globals';
import {
  predict,
  predictedDowntime,
  refinedByBackup,
  type PredictableStep,
} from '../../src/plan/prediction.ts';
import { predictableSteps } from '../../src/assembly/predictable-steps.ts';
import type { RecordCopy } from '../../src/record/window-record.ts';
import { journalOf, planOf, statusOf, type Written } from '../fixtures/record-factory.ts';

const dump: PredictableStep = {
  phase: 'backup-db',
  step: 'dump-online',
  closed: false,
  work: 'dump',
};
const facts = { bytes: 600e6, indexBytes: 90e6 };

/** A window in which the dump took so many seconds. */
function windowWith(seconds: number, change: Partial<Written> = {}): RecordCopy {
  const line = { at: 0, seconds, phase: 'backup-db', step: 'dump-online', title: 'Dump' };
  return { status: statusOf(), journal: journalOf([{ ...line, outcome: 'done', ...change }]) };
}

function one(history: readonly RecordCopy[], step: PredictableStep = dump, known = true) {
  return predict([step], known ? facts : undefined, history)[0];
}

describe('predicting a step', () => {
  test('the slowest of the earlier windows counts', () => {
    expect(one([windowWith(3), windowWith(9), windowWith(4)])).toEqual({
      step: 'backup-db: dump-online',
      closed: false,
      seconds: 9,
      basis: 'slowest of 3 earlier',
      measured: true,
    });
  });

  test('but of the last five only', () => {
    const windows = [99, 1, 2, 3, 4, 5].map((seconds) => windowWith(seconds));
    expect(one(windows)).toMatchObject({ seconds: 5, basis: 'slowest of 5 earlier' });
  });

  test.each<[string, RecordCopy]>([
    ['that failed', windowWith(77, { outcome: 'failed' })],
    ['that was killed', windowWith(77, { outcome: 'none' })],
    ['that was found done', windowWith(0)],
    ['of another phase', windowWith(77, { phase: 'rollback' })],
    ['of another name', windowWith(77, { step: 'dump-closed' })],
  ])('a step %s tells nothing', (_, window) => {
    expect(one([window])).toMatchObject({ seconds: 10, basis: 'database size' });
    expect(one([window, windowWith(4)])).toMatchObject({
      seconds: 4,
      basis: 'slowest of 1 earlier',
    });
  });

  test.each([
    ['dump', 600e6 / 60e6],
    ['restore', 600e6 / 20e6],
    ['copy', 600e6 / 200e6],
    ['scan', 600e6 / 150e6],
    // Of a rebuild only the indexes count.
    ['rebuild', 90e6 / 30e6],
  ] as const)('without history a %s goes by size', (work, seconds) => {
    expect(one([], { ...dump, work })).toMatchObject({ seconds, basis: 'database size' });
  });

  test('a small database takes a second all the same', () => {
    expect(predict([dump], { bytes: 8e6, indexBytes: 0 }, [])[0]?.seconds).toBe(1);
  });

  test('a moment is a moment whatever the size; so is everything without facts', () => {
    const moment = { ...dump, work: 'moment' } as const;
    expect(one([], moment)).toMatchObject({ seconds: 1, basis: 'a moment' });
    expect(one([], dump, false)).toMatchObject({ seconds: 1, basis: 'a moment' });
    expect(one([windowWith(6)], dump, false)).toMatchObject({ seconds: 6 });
  });
});

test('the downtime is the sum of the steps with the site closed', () => {
  const steps = predict(
    [
      dump,
      { ...dump, step: 'clone', work: 'copy', closed: true },
      { ...dump, step: 'flag', work: 'moment', closed: true },
    ],
    facts,
    [],
  );
  expect(predictedDowntime(steps)).toBe(4);
  expect(predictedDowntime([])).toBe(0);
});

describe('what a step works through', () => {
  test('counts instead of the whole database', () => {
    const size = { bytes: 300e6, indexBytes: 45e6 };
    expect(one([], { ...dump, work: 'rebuild', size })).toMatchObject({
      seconds: 1.5,
      basis: 'size of its tables',
    });
  });

  test('may be left out, as the plan says', () => {
    expect(one([], { ...dump, skippable: true })).toHaveProperty('skippable', true);
    expect(one([])).not.toHaveProperty('skippable');
  });
});

test('the backup of a window tells what retaking it takes', () => {
  const closed = (step: string) => ({ ...dump, phase: 'run-db-maintenance', step, closed: true });
  const retaken = ['dump-closed', 'restore-test-closed', 'checksum-closed'].map(closed);
  const steps = predict([...retaken, dump], facts, []);
  const backup = { dumpSeconds: 3, restoreSeconds: 7, verification: { seconds: 2 } };
  const refined = refinedByBackup(steps, backup);
  expect(refined.map(({ seconds, measured }) => [seconds, measured])).toEqual([
    [3, true],
    [7, true],
    [2, true],
    [10, undefined],
  ]);
});

describe('a dump as restore point', () => {
  test.each([
    ['checksum', 'checksum-closed', 600e6 / 150e6],
    ['restore', 'restore-test-closed', 600e6 / 20e6],
    ['restore-and-compare', 'restore-test-closed', 600e6 / 20e6],
  ])('is predicted with the proof that the plan asks for: %s', (verify, step, seconds) => {
    const plan = planOf({
      'backup-db': { verify },
      'run-db-maintenance': { tasks: [{ task: 'sql', sql: 'SELECT 1', blast: 'data' }] },
    });
    const steps = predict(predictableSteps(plan, new Map(), 'dump'), facts, []);
    const proofs = steps.filter((one) => /: (?:restore-test|checksum)-closed$/.test(one.step));
    expect(proofs).toEqual([
      { step: `run-db-maintenance: ${step}`, closed: true, seconds, basis: 'database size' },
    ]);
    expect(steps.find((one) => one.step.endsWith('dump-closed'))?.seconds).toBe(10);
  });
});
