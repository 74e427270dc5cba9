import { describe, expect, test } from '@jest/globals';
import { describeRecord } from '../../src/cli/window-status.ts';
import { isObliged, windowStates } from '../../src/record/life.ts';
import {
  at,
  goodWindow,
  killedWhileClosing,
  statusOf,
  heldWindow,
} from '../fixtures/record-factory.ts';

const lastLine = (text: string): string | undefined => text.split('\n').at(-1);

describe('a record for an operator', () => {
  test('tells where the window stands, who began it, and what there is to go back to', () => {
    const lines = describeRecord(heldWindow().record).split('\n');
    expect(lines.slice(0, 3)).toEqual([
      `window mw-20261122-010000-1a2b of shop is held since ${at(44.5)}`,
      'run https://github.example/acme/shop/actions/runs/19876543210, started by ada; planned until 2026-11-22T02:30:00.000Z',
      'worst change begun: schema; restore point: clone; backup: /var/lib/maintenance-window/shop/backups/shop-mw-20261122-010000-1a2b',
    ]);
  });

  test('of a window that did nothing yet tells so', () => {
    const status = statusOf({ run: { id: 'cli-1', attempt: 1 } });
    expect(describeRecord({ status, journal: [] }).split('\n').slice(1)).toEqual([
      'run cli-1; planned until 2026-11-22T02:30:00.000Z',
      'worst change begun: none; restore point: none; backup: none',
      'nothing is left to do',
    ]);
  });

  test.each([
    [{ keptUntil: at(90_000) }, `restore point: clone shop_mw_rp, kept until ${at(90_000)};`],
    [{ droppedAt: at(60) }, `restore point: clone, dropped at ${at(60)};`],
  ])('tells how long a restore point is there (%j)', (kept, words) => {
    const restorePoint = {
      kind: 'clone',
      takenAt: at(41),
      seconds: 1,
      database: 'shop_mw_rp',
      oid: 7,
      bytes: 1,
      ...kept,
    } as const;
    const status = statusOf({ state: 'reopened', restorePoint });
    expect(describeRecord({ status, journal: [] })).toContain(words);
  });

  test('has the last ten lines of the journal, newest last', () => {
    const { record } = goodWindow();
    const lines = describeRecord(record).split('\n');
    const told = lines.filter((line) => line.startsWith('  '));
    expect(record.journal.length).toBeGreaterThan(10);
    expect(told).toHaveLength(10);
    expect(told.at(-1)).toBe(`  ${at(55.1)} done    report drop-restore-point: it is gone`);
    expect(told.at(-2)).toBe(
      `  ${at(55)} intent  report drop-restore-point: Drop the restore point`,
    );
  });

  test('names the step in which a run was interrupted, and no other', () => {
    expect(describeRecord(killedWhileClosing().record)).toContain(
      '\ninterrupted in enable-maintenance flag: its effect is looked at by the next run\n',
    );
    expect(describeRecord(goodWindow().record)).not.toContain('interrupted');
  });

  test.each([
    [
      'remove',
      'left to do: what was there before maintenance mode is to be given back; `maintenance-window rollback` does it, and leaves the site open',
    ],
    ['keep', 'nothing is left to do'],
  ] as const)('whose reopening was cut off says what is owed (hook: %s)', (hook, line) => {
    const maintenance = { mode: 'nginx', prior: null, closedAt: at(40), reopenedAt: at(45) };
    const status = statusOf({ state: 'reopened', maintenance });
    expect(lastLine(describeRecord({ status, journal: [] }, hook))).toBe(line);
  });

  test('that put the mode in place and never closed says who takes it back', () => {
    expect(lastLine(describeRecord({ status: statusOf({ state: 'prepared' }), journal: [] }))).toBe(
      'the site was not closed; unless its run goes on, `maintenance-window rollback` takes the preparations back',
    );
  });

  test.each(windowStates.filter((state) => state !== 'prepared'))(
    'that is %s says whether something is left to do',
    (state) => {
      expect(lastLine(describeRecord({ status: statusOf({ state }), journal: [] }))).toBe(
        isObliged(state)
          ? 'left to do: `maintenance-window rollback` makes it safe'
          : 'nothing is left to do',
      );
    },
  );
});
