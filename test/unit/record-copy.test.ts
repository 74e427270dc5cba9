import { deflateSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { failureOf } from '../../src/ports/failure.ts';
import { newestCopy, packRecord, unpackRecord } from '../../src/record/copy.ts';
import type { RecordCopy } from '../../src/record/window-record.ts';
import {
  at,
  goodWindow,
  killedWhileClosing,
  scenarios,
  statusOf,
} from '../fixtures/record-factory.ts';

function packed(json: unknown): string {
  return `mw1:${deflateSync(Buffer.from(JSON.stringify(json))).toString('base64')}`;
}

function refusal(text: string): { code: string; message: string } {
  try {
    unpackRecord(text);
  } catch (error) {
    return failureOf(error);
  }
  return { code: 'none', message: 'it was read' };
}

describe('a packed record', () => {
  test.each(Object.entries(scenarios))('of %s comes back as it was', (_name, input) => {
    const { record } = input();
    expect(unpackRecord(packRecord(record))).toEqual(record);
  });

  test('is one line of text, smaller than its JSON', () => {
    const { record } = goodWindow();
    const text = packRecord(record);
    expect(text).toMatch(/^mw1:[A-Za-z0-9+/]+=*$/);
    expect(text.length).toBeLessThan(JSON.stringify(record).length / 2);
  });

  test('survives white space around it', () => {
    const { record } = goodWindow();
    expect(unpackRecord(`  ${packRecord(record)}\n`).status.windowId).toBe(record.status.windowId);
  });

  test('leaves out lines of another window', () => {
    const { record } = goodWindow();
    const [line] = record.journal;
    const stray = { ...line!, windowId: 'mw-20200101-000000-ffff' };
    expect(unpackRecord(packRecord({ ...record, journal: [stray, ...record.journal] }))).toEqual(
      record,
    );
  });
});

describe('an unreadable copy is refused', () => {
  const good = packRecord(goodWindow().record);
  const refused: [name: string, text: string, message: RegExp][] = [
    ['of another format', good.replace('mw1:', 'mw2:'), /does not begin with/],
    ['that is empty behind its prefix', 'mw1:', /base64/],
    ['that was cut off', good.slice(0, good.length - 41), /base64|unpacked|JSON/],
    ['that was cut off at a whole group', good.slice(0, 4 + 4 * 20), /unpacked/],
    ['with foreign characters', `${good.slice(0, 40)}\u00e9${good.slice(41)}`, /base64/],
    [
      'that is no deflated text',
      `mw1:${Buffer.from('hello there').toString('base64')}`,
      /unpacked/,
    ],
    ['that holds no JSON', `mw1:${deflateSync('no json').toString('base64')}`, /JSON/],
    [
      'of a record of a later version',
      packed({ status: { ...statusOf(), schemaVersion: 2 }, journal: [] }),
      /schemaVersion/,
    ],
    ['without a journal', packed({ status: statusOf() }), /journal/],
  ];
  test.each(refused)('%s', (_name, text, message) => {
    const failure = refusal(text);
    expect(failure.code).toBe('record-copy-unreadable');
    expect(failure.message).toMatch(message);
  });

  test('that would fill the memory', () => {
    const bomb = `mw1:${deflateSync(Buffer.alloc(64 * 1024 * 1024)).toString('base64')}`;
    expect(bomb.length).toBeLessThan(200_000);
    expect(refusal(bomb).message).toMatch(/more than 8 MiB/);
  });
});

describe('the newest copy', () => {
  const early: RecordCopy = killedWhileClosing().record;
  const late: RecordCopy = goodWindow().record;

  test('is the one that was written last, wherever it stands', () => {
    for (const texts of [
      [early, late],
      [late, early],
    ]) {
      expect(newestCopy(texts.map(packRecord))?.status.state).toBe('reopened');
    }
  });

  test('counts the journal, which may be younger than the status file', () => {
    const behind = { status: statusOf({ updatedAt: at(0) }), journal: late.journal };
    const ahead = { status: statusOf({ updatedAt: at(30) }), journal: [] };
    expect(newestCopy([packRecord(behind), packRecord(ahead)])?.journal).toHaveLength(
      late.journal.length,
    );
  });

  test('has the longer journal where the times are equal', () => {
    const status = statusOf({ updatedAt: at(100) });
    const texts = [late.journal.slice(0, 2), late.journal.slice(0, 3)].map((journal) =>
      packRecord({ status, journal }),
    );
    expect(newestCopy(texts)?.journal).toHaveLength(3);
  });

  test('of jobs that did not run is none', () => {
    expect(newestCopy(['', '  \n'])).toBeUndefined();
    expect(newestCopy(['', packRecord(early)])?.status.state).toBe('closing');
  });

  test('is not looked for behind an unreadable one', () => {
    expect(() => newestCopy([packRecord(early), 'mw1:AAAA'])).toThrow(/cannot be read/);
  });
});
