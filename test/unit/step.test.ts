import { beforeEach, describe, expect, test } from '@jest/globals';
import { fail, FailureError } from '../../src/ports/failure.ts';
import { runStep, skipStep, type Step, type StepContext } from '../../src/record/step.ts';
import { openRecord, type WindowRecord } from '../../src/record/window-record.ts';
import { Killed, MemoryHost, ProgressLines, StillClock } from '../fixtures/memory-host.ts';

const place = '/state/shop';

let host: MemoryHost;
let clock: StillClock;
let progress: ProgressLines;
let record: WindowRecord;

beforeEach(async () => {
  host = new MemoryHost();
  clock = new StillClock('2026-11-22T02:00:00.000Z');
  progress = new ProgressLines();
  record = await open(host);
  host.changes.length = 0;
});

function open(on: MemoryHost): Promise<WindowRecord> {
  return openRecord(on, clock, {
    stateDir: '/state',
    name: 'shop',
    run: { id: '7', attempt: 1 },
    settings: {},
    deadline: new Date('2026-11-22T03:00:00.000Z'),
    leaseUntil: new Date('2026-11-22T03:00:00.000Z'),
    suffix: '1a2b',
  });
}

/** A step that counts, and that notes when it was performed among the host's changes. */
function counting(change: Partial<Step<{ n: number }>> = {}): Step<{ n: number }> {
  let n = 0;
  return {
    id: 'count',
    title: 'Count',
    blast: 'schema',
    perform: async () => {
      host.changes.push('write the world');
      clock.pass(2.0004);
      n += 1;
      return { n };
    },
    describe: ({ n: count }) => `counted to ${count}`,
    ...change,
  };
}

function run(step: Step<{ n: number }>, over: WindowRecord = record): Promise<{ n: number }> {
  const context: StepContext = { record: over, clock, progress };
  return runStep(context, 'phase', step);
}

function events(): string[] {
  return record.journal.map(({ event, detail }) =>
    detail === undefined ? event : `${event}: ${detail}`,
  );
}

describe('a step', () => {
  test('writes down class and intent before its effect, and the outcome after it', async () => {
    expect(await run(counting())).toEqual({ n: 1 });
    expect(host.changes).toEqual([
      `write ${place}/window.json`,
      `append ${place}/journal.ndjson`,
      'write the world',
      `append ${place}/journal.ndjson`,
    ]);
    expect(record.status.blast).toBe('schema');
    expect(record.journal).toMatchObject([
      { phase: 'phase', step: 'count', event: 'intent', blast: 'schema', runId: '7' },
      { event: 'done', seconds: 2, detail: 'counted to 1', data: { n: 1 } },
    ]);
    expect(progress.lines).toEqual(['begin phase count', 'done phase count: counted to 1']);
  });

  test('that is done is not done again', async () => {
    const step = counting();
    await run(step);
    expect(await run(step)).toEqual({ n: 1 });
    expect(events()).toEqual(['intent', 'done: counted to 1']);
  });

  test('that was done by an earlier process of the run is not done again', async () => {
    await run(counting());
    const again = await open(host.sibling());
    const step = counting({ perform: () => Promise.reject(new Error('done twice')) });
    expect(await run(step, again)).toEqual({ n: 1 });
  });

  test('that failed tells what happened, is written down, and may be tried again', async () => {
    let attempts = 0;
    const step = counting({
      perform: async () => {
        attempts += 1;
        if (attempts > 1) return { n: attempts };
        return fail({ code: 'no-luck', message: 'No luck.', state: 'As before.', next: 'Again.' });
      },
    });
    await expect(run(step)).rejects.toThrow('No luck.');
    expect(record.journal.at(-1)).toMatchObject({ event: 'failed', failure: { code: 'no-luck' } });
    expect(await run(step)).toEqual({ n: 2 });
    expect(events()).toEqual(['intent', 'failed: No luck.', 'intent', 'done: counted to 2']);
    expect(progress.lines).toContain('failed phase count: No luck.');
  });

  test('that throws anything else leaves a failure that can be read', async () => {
    const step = counting({ perform: () => Promise.reject(new TypeError('x is not a function')) });
    await expect(run(step)).rejects.toThrow(TypeError);
    expect(record.journal.at(-1)).toMatchObject({
      event: 'failed',
      failure: { code: 'unexpected', message: 'x is not a function' },
    });
  });

  test('that fails on a full disk tells its own failure, not that of the journal', async () => {
    const full = { code: 'host-disk-full', message: 'Disk full.', state: 's', next: 'n' };
    const step = counting({
      perform: async () => {
        host.before = () => fail(full);
        return fail({ ...full, message: 'The dump did not fit.' });
      },
    });
    await expect(run(step)).rejects.toThrow('The dump did not fit.');
    expect(progress.lines).toEqual([
      'begin phase count',
      'warning The failure could not be written down: Disk full.',
      'failed phase count: The dump did not fit.',
    ]);
  });

  test('is not begun when its intent cannot be written', async () => {
    host.before = (change) => {
      if (change.startsWith('append'))
        throw new FailureError({ code: 'x', message: 'Disk full.', state: '', next: '' });
    };
    await expect(run(counting())).rejects.toThrow('Disk full.');
    expect(host.changes).not.toContain('write the world');
  });
});

describe('a step that looks at the world', () => {
  test('is not performed when its effect is there, and says that it was found', async () => {
    const step = counting({ observe: async () => ({ n: 5 }) });
    expect(await run(step)).toEqual({ n: 5 });
    expect(await run(step)).toEqual({ n: 5 });
    expect(events()).toEqual(['done: counted to 5 (found done)']);
    expect(host.changes).not.toContain('write the world');
    expect(record.status.blast).toBe('none');
  });

  test('believes the world and not the journal', async () => {
    let isThere = false;
    const step = counting({
      observe: async () => (isThere ? { n: 9 } : undefined),
    });
    await run(step);
    // Somebody took it away: it is done again although the journal has it.
    expect(await run(step)).toEqual({ n: 2 });
    isThere = true;
    expect(await run(step)).toEqual({ n: 9 });
    expect(events()).toEqual(['intent', 'done: counted to 1', 'intent', 'done: counted to 2']);
  });
});

describe('killed between intent and outcome', () => {
  /** Runs a step in a process that is dead from the second journal line on. */
  async function killAtOutcome(step: Step<{ n: number }>): Promise<WindowRecord> {
    let appended = 0;
    host.before = (change) => {
      if (change.startsWith('append')) appended += 1;
      if (appended > 1) throw new Killed();
    };
    await expect(run(step)).rejects.toThrow(Killed);
    return open(host.sibling());
  }

  test('the next process finds the intent only, and does it again', async () => {
    const again = await killAtOutcome(counting());
    expect(again.journal.map(({ event }) => event)).toEqual(['intent']);
    expect(again.status.blast).toBe('schema');
    expect(await run(counting(), again)).toEqual({ n: 1 });
    expect(again.journal.map(({ event }) => event)).toEqual(['intent', 'intent', 'done']);
  });

  test('or sees the effect, and does not', async () => {
    const again = await killAtOutcome(counting());
    const step = counting({
      observe: async () => ({ n: 1 }),
      perform: () => Promise.reject(new Error('done twice')),
    });
    expect(await run(step, again)).toEqual({ n: 1 });
    expect(again.journal.map(({ event }) => event)).toEqual(['intent', 'done']);
  });
});

test('a skipped step has its reason in the journal, and counts as not done', async () => {
  await skipStep(
    { record, clock, progress },
    'phase',
    { id: 'count', title: 'Count' },
    'nothing to count',
  );
  expect(record.journal).toMatchObject([
    { event: 'skipped', detail: 'nothing to count', blast: 'none' },
  ]);
  expect(progress.lines).toEqual(['skipped phase count: nothing to count']);
  expect(await run(counting())).toEqual({ n: 1 });
});
