import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { outcomeOf, parseJournal, type JournalLine } from '../../src/record/journal.ts';

function line(change: Partial<JournalLine> = {}): JournalLine {
  return {
    at: '2026-11-22T02:00:00.000Z',
    windowId: 'mw-20261122-020000-1a2b',
    runId: '7',
    phase: 'backup-db',
    step: 'dump',
    title: 'Dump the database',
    event: 'intent',
    blast: 'none',
    ...change,
  };
}

function textOf(lines: readonly JournalLine[]): string {
  return lines.map((entry) => `${JSON.stringify(entry)}\n`).join('');
}

describe('parseJournal', () => {
  test('reads what was written', () => {
    const lines = [
      line(),
      line({ event: 'done', seconds: 1.5, detail: 'it is there', data: { rows: 3, at: [null] } }),
      line({
        event: 'failed',
        failure: { code: 'x', message: 'a\nb', state: 'c', next: 'd' },
      }),
    ];
    expect(parseJournal(textOf(lines))).toEqual(lines);
    expect(parseJournal('')).toEqual([]);
  });

  test('wherever a kill cuts it, the whole lines before remain', () => {
    const lines = [
      line(),
      line({ event: 'done', detail: 'Größe: 1 MiB' }),
      line({ step: 'restore' }),
    ];
    const text = textOf(lines);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length }), (length) => {
        const cut = text.slice(0, length);
        const whole = cut.split('\n').length - 1;
        expect(parseJournal(cut)).toEqual(lines.slice(0, whole));
      }),
    );
  });

  test.each([
    ['not JSON', 'mw'],
    ['no line of ours', '{"step":"dump"}'],
    ['an event of the future', JSON.stringify({ ...line(), event: 'paused' })],
  ])('a whole line that is %s is not passed over', (_, bad) => {
    expect(() => parseJournal(`${textOf([line()])}${bad}\n${textOf([line()])}`)).toThrow(
      'journal line 2 cannot be read',
    );
  });
});

describe('outcomeOf', () => {
  const intent = line();
  const done = line({ event: 'done' });
  const failed = line({ event: 'failed' });
  const other = line({ step: 'restore', event: 'done' });

  test.each([
    ['a done step', [intent, done], done],
    ['a step that failed first', [intent, failed, intent, done], done],
    ['a step with a note after it', [intent, done, line({ event: 'note' })], done],
    ['a step found done', [done], done],
    ['a step that was begun again', [intent, done, intent], undefined],
    ['a step that failed after it was done', [intent, done, intent, failed], undefined],
    ['a skipped step', [line({ event: 'skipped' })], undefined],
    ['a step that nobody began', [other], undefined],
    ['the same step of another phase', [line({ phase: 'rollback', event: 'done' })], undefined],
  ])('%s', (_, journal, outcome) => {
    expect(outcomeOf(journal, 'backup-db', 'dump')).toEqual(outcome);
  });
});
