import { beforeEach, describe, expect, test } from '@jest/globals';
import { readRecord } from '../../src/record/record-files.ts';
import { reviveRecord } from '../../src/record/revival.ts';
import { openRecord } from '../../src/record/window-record.ts';
import { MemoryHost, StillClock } from '../fixtures/memory-host.ts';

const place = { stateDir: '/state', name: 'shop' };
const statusFile = '/state/shop/window.json';

let host: MemoryHost;
let clock: StillClock;

beforeEach(() => {
  host = new MemoryHost();
  clock = new StillClock('2026-11-22T02:00:00.000Z');
});

/** A window that ended well, its books closed; returns its id. */
async function ended(suffix: string): Promise<string> {
  const record = await openRecord(host, clock, {
    ...place,
    run: { id: suffix, attempt: 1 },
    settings: { name: 'shop' },
    deadline: new Date('2026-11-22T03:00:00.000Z'),
    leaseUntil: new Date('2026-11-22T03:00:00.000Z'),
    suffix,
  });
  for (const state of ['closing', 'closed', 'changed', 'reopening', 'reopened'] as const) {
    await record.become(state);
  }
  await record.archive();
  return record.status.windowId;
}

describe('a window whose books are closed', () => {
  test('is taken back out of the history, by its id too', async () => {
    await ended('0001');
    const newest = await ended('0002');
    const record = await reviveRecord(host, clock, { ...place, runId: '9', windowId: newest });
    expect(record?.status).toMatchObject({ windowId: newest, state: 'reopened' });
    expect((await readRecord(host, place))?.status.windowId).toBe(newest);
  });

  test('is left alone when a later window has ended since', async () => {
    const older = await ended('0001');
    await ended('0002');
    const at = { ...place, runId: '9', windowId: older };
    expect(await reviveRecord(host, clock, at)).toBeUndefined();
    expect(host.text(statusFile)).toBeUndefined();
    // Without the id the newest is meant.
    expect(
      (await reviveRecord(host, clock, { ...at, windowId: undefined }))?.status.windowId,
    ).toMatch(/0002$/);
  });
});
