import { beforeEach, describe, expect, test } from '@jest/globals';
import { FailureError } from '../../src/ports/failure.ts';
import { readHistory, readRecord } from '../../src/record/record-files.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import {
  openRecord,
  takeRecord,
  windowId,
  type OpenRequest,
} from '../../src/record/window-record.ts';
import { Killed, MemoryHost, StillClock } from '../fixtures/memory-host.ts';

const statusFile = '/state/shop/window.json';
const journalFile = '/state/shop/journal.ndjson';
const place = { stateDir: '/state', name: 'shop' };

let host: MemoryHost;
let clock: StillClock;

beforeEach(() => {
  host = new MemoryHost();
  clock = new StillClock('2026-11-22T02:00:00.000Z');
});

/** Opens the record for a run, by default for run 7 with a lease of an hour. */
function open(runId = '7', change: Partial<OpenRequest> = {}, on = host) {
  return openRecord(on, clock, {
    ...place,
    run: { id: runId, attempt: 1, actor: 'ada' },
    settings: { name: 'shop' },
    deadline: new Date('2026-11-22T03:00:00.000Z'),
    leaseUntil: new Date('2026-11-22T03:00:00.000Z'),
    suffix: `000${runId}`,
    ...change,
  });
}

function take(runId = '9') {
  return takeRecord(host, clock, { ...place, runId });
}

const note = { phase: 'p', step: 's', title: 'T', event: 'note', blast: 'none' } as const;

async function failure(promise: Promise<unknown>) {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FailureError)) throw new Error(`no failure: ${String(error)}`);
  return error.failure;
}

function statusOnDisk(): WindowStatus {
  return JSON.parse(host.text(statusFile) ?? '') as WindowStatus;
}

describe('a new record', () => {
  test('is on disk, private, and says who holds it', async () => {
    const record = await open();
    expect(record.status).toMatchObject({
      windowId: 'mw-20261122-020000-0007',
      state: 'planned',
      blast: 'none',
      run: { id: '7', actor: 'ada' },
      settings: { name: 'shop' },
    });
    expect(statusOnDisk()).toEqual(record.status);
    expect(host.files.get(statusFile)?.mode).toBe(0o600);
    // Workers of the web server pass through it to the mode folder, but cannot list it.
    expect(host.directories.get('/state/shop')).toBe(0o711);
  });

  test('has an id that sorts by time and is safe in names', () => {
    const ids = ['2026-11-22T02:00:00Z', '2026-11-22T02:00:01Z', '2026-12-01T00:00:00Z'].map(
      (moment) => windowId(new Date(moment), 'ab12'),
    );
    expect([...ids].sort()).toEqual(ids);
    expect(ids[0]).toMatch(/^[a-z0-9-]+$/);
  });
});

describe('the lock', () => {
  test('the same run goes on, with all that was written', async () => {
    const first = await open();
    await first.append({ ...note, detail: 'one' });
    await first.become('prepared', { checks: [] });
    const again = await open('7', {}, host.sibling());
    expect(again.status).toEqual(first.status);
    expect(again.journal).toEqual(first.journal);
  });

  test('another run is refused and told who holds it', async () => {
    await open();
    const refused = await failure(open('8'));
    expect(refused.code).toBe('window-held');
    expect(refused.message).toContain('window mw-20261122-020000-0007 (run 7, started by ada)');
    expect(refused.message).toContain('planned and holds its lease until 2026-11-22T03:00:00.000Z');
    expect(refused.state).toBe('Nothing was touched.');
    expect(statusOnDisk().run.id).toBe('7');
  });

  test('of two runs at once one gets it', async () => {
    const outcomes = await Promise.allSettled(
      ['7', '8', '9'].map((runId) => open(runId, {}, host.sibling())),
    );
    const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    expect(statusOnDisk().windowId).toBe(winners[0]?.value.status.windowId);
  });

  test('a window that stands closed is not superseded when its lease is over', async () => {
    const record = await open();
    await record.become('closing');
    clock.pass(86_400);
    expect((await failure(open('8'))).message).toContain('closing and owes the site its end');
  });

  test('every sign of life renews the lease; giving it up ends it', async () => {
    const record = await open('7', { leaseUntil: new Date('2026-11-22T02:00:00.000Z') });
    clock.pass(3600);
    await record.update({ blast: 'none' });
    expect(record.status.leaseUntil).toBe('2026-11-22T03:10:00.000Z');
    expect((await failure(open('8'))).code).toBe('window-held');
    await record.release();
    expect((await open('8')).status.run.id).toBe('8');
  });

  test.each(['{"schemaVersion": 1', '{}', '', '[]', '{"schemaVersion":2}'])(
    'a record that cannot be read keeps everybody out: %j',
    async (text) => {
      await open();
      host.files.set(statusFile, { text, mode: 0o600 });
      for (const attempt of [open('7'), open('8'), take()]) {
        const refused = await failure(attempt);
        expect(refused.code).toBe('record-unreadable');
        expect(refused.message).toContain(statusFile);
      }
      expect(host.text(statusFile)).toBe(text);
    },
  );

  test('so does a record of a version to come', async () => {
    const record = await open();
    const text = JSON.stringify({ ...record.status, schemaVersion: 2 });
    host.files.set(statusFile, { text, mode: 0o600 });
    expect((await failure(open('7'))).message).toContain('schemaVersion');
  });
});

describe('superseding', () => {
  async function finished(): Promise<void> {
    const record = await open();
    await record.append({ ...note, detail: 'of the first window' });
    await record.become('rolling-back');
    await record.become('rolled-back');
  }

  test('archives the window that is over, and begins with an empty journal', async () => {
    await finished();
    clock.pass(60);
    const record = await open('8');
    expect(record.status).toMatchObject({ windowId: 'mw-20261122-020100-0008', state: 'planned' });
    expect(record.journal).toEqual([]);
    const [archived, ...more] = await readHistory(host, place);
    expect(more).toEqual([]);
    expect(archived).toMatchObject({
      status: { windowId: 'mw-20261122-020000-0007', state: 'rolled-back' },
      journal: [{ detail: 'of the first window' }],
    });
    expect(await host.list('/state/shop/history/mw-20261122-020000-0007')).toEqual([
      'journal.ndjson',
      'window.json',
    ]);
  });

  test('the slower of two runs does not move the lock of the faster one away', async () => {
    await finished();
    // The slower one has read the old record, and sleeps until the faster one holds the new one.
    const slower = host.sibling();
    let winner: string | undefined;
    slower.before = async () => {
      if (winner !== undefined) return;
      winner = 'opening';
      winner = (await open('8')).status.windowId;
    };
    expect((await failure(open('9', {}, slower))).code).toBe('window-held');
    expect(statusOnDisk().windowId).toBe(winner);
    expect((await readHistory(host, place)).map(({ status }) => status.windowId)).toEqual([
      'mw-20261122-020000-0007',
    ]);
  });

  test('wherever three runs meet, one gets it and nothing of the old window is lost', async () => {
    for (let turn = 0; turn < 200; turn += 1) {
      host = new MemoryHost();
      clock = new StillClock('2026-11-22T02:00:00.000Z');
      await finished();
      clock.pass(60);
      let seed = turn;
      const runs = ['7', '8', '9'].map((runId) => {
        const own = host.sibling();
        own.before = async () => {
          // Each change waits a few turns of the event loop, another few in every round.
          seed = (seed * 16_807 + 11) % 2_147_483_647;
          for (let i = seed % 60; i > 0; i -= 1) await Promise.resolve();
        };
        return open(runId, runId === '7' ? { run: { id: '7', attempt: 2 } } : {}, own);
      });
      const outcomes = await Promise.allSettled(runs);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const history = await readHistory(host, place);
      const current = host.text(statusFile) === undefined ? [] : [statusOnDisk().windowId];
      expect(history.map(({ status }) => status.state)).toEqual(['rolled-back']);
      expect(current).toHaveLength(1);
    }
  });

  test('killed anywhere, the next run gets the record, after a minute at most', async () => {
    await finished();
    const before = { files: new Map(host.files), directories: new Map(host.directories) };
    let changes = Number.POSITIVE_INFINITY;
    for (let alive = 0; alive < changes; alive += 1) {
      const dying = new MemoryHost();
      for (const [path, entry] of before.files) dying.files.set(path, entry);
      for (const [path, mode] of before.directories) dying.directories.set(path, mode);
      let done = 0;
      dying.before = () => {
        if (done >= alive) throw new Killed();
        done += 1;
      };
      const outcome = await open('8', {}, dying).catch((error: unknown) => error);
      if (!(outcome instanceof Killed)) changes = done;
      const next = dying.sibling();
      const isHeld = (error: unknown) => error instanceof FailureError;
      const first = await open('9', { leaseUntil: clock.now() }, next).catch(
        (error: unknown) => error,
      );
      if (isHeld(first) && changes === Number.POSITIVE_INFINITY) {
        clock.pass(61);
        expect((await open('9', {}, next)).status.run.id).toBe('9');
      }
      const history = await readHistory(next, place);
      expect(history[0]).toMatchObject({
        status: { windowId: 'mw-20261122-020000-0007' },
        journal: [{ detail: 'of the first window' }],
      });
    }
    expect(changes).toBeGreaterThan(5);
  });

  test('killed between journal and status, the same run has its journal back', async () => {
    const record = await open();
    await record.append({ ...note, detail: 'of the first window' });
    host.before = (change) => {
      if (change === `rename ${statusFile}`) throw new Killed();
    };
    await expect(record.archive()).rejects.toThrow(Killed);
    expect(host.text(journalFile)).toBeUndefined();
    expect((await readRecord(host.sibling(), place))?.journal).toHaveLength(1);
    const again = await open('7', {}, host.sibling());
    expect(again.journal).toMatchObject([{ detail: 'of the first window' }]);
    await again.append({ ...note, detail: 'two' });
    await again.archive();
    const [archived] = await readHistory(host, place);
    expect(archived?.journal.map(({ detail }) => detail)).toEqual(['of the first window', 'two']);
  });
});

describe('taking over', () => {
  test('rollback takes the record of another run, and its lines say so', async () => {
    const record = await open();
    await record.become('closing');
    const taken = await take('9');
    await taken?.append({ ...note, detail: 'by the operator' });
    expect(taken?.status.windowId).toBe(record.status.windowId);
    expect(taken?.journal).toMatchObject([{ runId: '9', detail: 'by the operator' }]);
    expect(statusOnDisk().run.id).toBe('7');
  });

  test('where there is no window, there is nothing to take', async () => {
    expect(await take()).toBeUndefined();
    expect(host.changes).toEqual([]);
  });
});

describe('the life', () => {
  test('goes only where it may, and a refusal changes nothing', async () => {
    const record = await open();
    const refused = await failure(record.become('changed', { blast: 'data' }));
    expect(refused.code).toBe('window-state');
    expect(refused.message).toBe(
      'Window mw-20261122-020000-0007 is planned; it cannot become changed.',
    );
    expect(statusOnDisk()).toMatchObject({ state: 'planned', blast: 'none' });
  });

  test('the worst class is raised and never lowered, durably', async () => {
    const record = await open();
    await record.begin('data');
    await record.begin('app');
    expect(record.status.blast).toBe('data');
    expect(statusOnDisk().blast).toBe('data');
  });

  test('what could not be written did not happen', async () => {
    const record = await open();
    host.before = () => {
      throw new Killed();
    };
    await expect(record.become('closing')).rejects.toThrow(Killed);
    await expect(record.append(note)).rejects.toThrow(Killed);
    expect(record.status.state).toBe('planned');
    expect(record.journal).toEqual([]);
  });
});

describe('a journal', () => {
  test('that was cut off goes on with a whole line', async () => {
    const record = await open();
    await record.append({ ...note, detail: 'one' });
    const whole = host.text(journalFile) ?? '';
    host.files.set(journalFile, { text: `${whole}{"at":"2026-11-22T02`, mode: 0o600 });
    expect((await readRecord(host, place))?.journal).toHaveLength(1);
    const again = await open('7', {}, host.sibling());
    expect(again.journal).toMatchObject([{ detail: 'one' }]);
    await again.append({ ...note, detail: 'two' });
    expect((await open('7', {}, host.sibling())).journal).toMatchObject([
      { detail: 'one' },
      { detail: 'two' },
    ]);
    expect(host.files.get(journalFile)?.mode).toBe(0o600);
  });

  test('that was cut off in its first line begins anew', async () => {
    await open();
    host.files.set(journalFile, { text: '{"at"', mode: 0o600 });
    const again = await open('7', {}, host.sibling());
    await again.append(note);
    expect((await open('7', {}, host.sibling())).journal).toHaveLength(1);
  });

  test('with a line that is damaged in the middle keeps everybody out, and names the line', async () => {
    const record = await open();
    await record.append(note);
    host.files.set(journalFile, { text: `garbage\n${host.text(journalFile) ?? ''}`, mode: 0o600 });
    for (const attempt of [open('7'), take(), readRecord(host, place)]) {
      const refused = await failure(attempt);
      expect(refused.code).toBe('record-unreadable');
      expect(refused.message).toContain('journal line 1 cannot be read');
    }
  });

  test('lines of another window are none of ours', async () => {
    const record = await open();
    await record.append(note);
    const [line] = record.journal;
    const other = JSON.stringify({ ...line, windowId: 'mw-20200101-000000-0000' });
    host.files.set(journalFile, { text: `${other}\n${host.text(journalFile) ?? ''}`, mode: 0o600 });
    expect((await open('7', {}, host.sibling())).journal).toHaveLength(1);
  });
});

describe('reading without taking', () => {
  test('gives the newest of the history when no window is open', async () => {
    expect(await readRecord(host, place)).toBeUndefined();
    for (const runId of ['7', '8']) {
      const record = await open(runId);
      await record.append({ ...note, detail: `run ${runId}` });
      await record.archive();
      clock.pass(3600);
    }
    expect((await readRecord(host, place))?.journal).toMatchObject([{ detail: 'run 8' }]);
    expect((await readHistory(host, place)).map(({ status }) => status.run.id)).toEqual(['7', '8']);
  });

  test('of the history, what cannot be read is left out', async () => {
    for (const runId of ['7', '8', '9']) {
      const record = await open(runId);
      await record.append(note);
      await record.archive();
      clock.pass(1);
    }
    const folder = '/state/shop/history';
    host.files.set(`${folder}/mw-20261122-020000-0007/window.json`, { text: '{', mode: 0o600 });
    host.files.set(`${folder}/mw-20261122-020001-0008/journal.ndjson`, {
      text: 'x\n',
      mode: 0o600,
    });
    expect((await readHistory(host, place)).map(({ status }) => status.run.id)).toEqual(['9']);
  });
});
