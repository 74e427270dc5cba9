import { describe, expect, test } from '@jest/globals';
import { describePeculiarities } from '../../src/databases/postgresql/peculiarities.ts';
import { restoreEntries } from '../../src/databases/postgresql/restore-stage.ts';
import {
  orderWithoutEvents,
  readToc,
  tablesWithData,
} from '../../src/databases/postgresql/table-of-contents.ts';

const listing = `;
; Archive created at 2026-11-22 03:50:00 UTC
;     TOC Entries: 7
;
6; 2615 16385 SCHEMA - shop owner
3451; 0 16400 TABLE DATA public orders owner
3452; 0 16401 TABLE DATA public EVENT TRIGGER owner
3726; 3466 17394 EVENT TRIGGER - note_commands postgres
3727; 0 0 COMMENT - EVENT TRIGGER note_commands postgres
3969; 0 17346 MATERIALIZED VIEW DATA shop totals postgres
`;

describe('a table of contents', () => {
  test('is read without its comments', () => {
    const toc = readToc(listing);
    expect(toc.map(({ id }) => id)).toEqual([6, 3451, 3452, 3726, 3727, 3969]);
    expect(tablesWithData(toc)).toBe(2);
  });

  test('has event triggers after the refreshing that would fire them', () => {
    expect(orderWithoutEvents(readToc(listing))).toEqual({
      first: [6, 3451, 3452, 3969],
      last: [3726, 3727],
    });
  });

  test.each(['EVENT TRIGGER', 'MATERIALIZED VIEW DATA '])(
    'is restored as it is without %s',
    (kind) => {
      const rest = listing.split('\n').filter((line) => !line.includes(kind));
      expect(orderWithoutEvents(readToc(rest.join('\n')))).toBeNull();
    },
  );

  test('of any length fits into the arguments of a command', () => {
    const entries = Array.from({ length: 60_000 }, (_, index) => index + 1);
    const { argv } = restoreEntries({ argv: ['pg_restore'], env: {} }, entries);
    const [, , , , chunks, ...rest] = argv;
    const lists = rest.slice(0, Number(chunks));
    expect(Number(chunks)).toBeGreaterThan(1);
    for (const list of lists) expect(list.length).toBeLessThan(131_072);
    expect(lists.join('').trim().split('\n').map(Number)).toEqual(entries);
    expect(rest.slice(Number(chunks))).toEqual(['pg_restore']);
  });
});

describe('what is told of a dump', () => {
  const nothing = { subscriptions: [], refreshed: [], unlogged: [], eventTriggers: [] };

  test('is nothing of an ordinary database', () => {
    expect(describePeculiarities(nothing)).toEqual([]);
    expect(describePeculiarities({ ...nothing, eventTriggers: ['a'] })).toEqual([]);
  });

  test('names some and counts the rest', () => {
    const unlogged = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    expect(describePeculiarities({ ...nothing, unlogged })).toEqual([
      expect.stringContaining('a, b, c, d, e and 2 more'),
    ]);
  });
});
