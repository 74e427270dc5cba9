import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  decideRetention,
  type KeptBackup,
  type RetentionQuestion,
} from '../../src/phases/backups/retention-decision.ts';
import type { KeepRules } from '../../src/plan/settings/backup-copies.ts';
import { runs } from '../fixtures/property-runs.ts';

const now = new Date('2026-11-22T02:00:00Z');

function backup(
  name: string,
  takenAt: string,
  size: { bytes?: number; rows?: number } = {},
): KeptBackup {
  return { name, takenAt, bytes: size.bytes ?? 1000, rows: size.rows ?? 100 };
}

/** The n-th backup of a row of daily ones, the newest first: 0 is today's. */
function daily(count: number): KeptBackup[] {
  return Array.from({ length: count }, (_, index) =>
    backup(`b${index}`, new Date(now.getTime() - index * 86_400_000).toISOString()),
  );
}

function ask(
  backups: readonly KeptBackup[],
  rules: Partial<KeepRules>,
  change: Partial<RetentionQuestion> = {},
): ReturnType<typeof decideRetention> {
  return decideRetention({
    backups,
    newName: 'b0',
    rules: { smallest: 0.5, ...rules },
    inUse: new Map(),
    timeZone: 'UTC',
    now,
    ...change,
  });
}

/** Names that stay, sorted; all of them when nothing may be removed. */
function kept(...args: Parameters<typeof ask>): string[] {
  const decision = ask(...args);
  const names =
    decision.kind === 'hold'
      ? args[0].map(({ name }) => name)
      : decision.fates.filter(({ keep }) => keep).map(({ name }) => name);
  return names.sort();
}

describe('rules', () => {
  test.each<[string, Partial<KeepRules>, string[]]>([
    ['the last three', { last: 3 }, ['b0', 'b1', 'b2']],
    ['younger than two and a half days', { within: 2.5 * 86_400 }, ['b0', 'b1', 'b2']],
    ['two days', { daily: 2 }, ['b0', 'b1']],
    // 22 November 2026 is a Sunday: its week began on the 16th.
    ['two weeks', { weekly: 2 }, ['b0', 'b7']],
    ['two months', { monthly: 2 }, ['b0', 'b22']],
    ['two years', { yearly: 2 }, ['b0', 'b326']],
    ['last and monthly together', { last: 2, monthly: 2 }, ['b0', 'b1', 'b22']],
  ])('%s', (_, rules, names) => {
    expect(kept(daily(400), rules)).toEqual([...names].sort());
  });

  test('days are those of the time zone, and of each the newest stays', () => {
    const backups = [
      backup('b0', '2026-11-22T01:00:00Z'),
      // 00:30 on the 22nd in Berlin, the 21st in UTC.
      backup('late', '2026-11-21T23:30:00Z'),
      backup('early', '2026-11-21T10:00:00Z'),
    ];
    expect(kept(backups, { daily: 5 })).toEqual(['b0', 'late']);
    expect(kept(backups, { daily: 5 }, { timeZone: 'Europe/Berlin' })).toEqual(['b0', 'early']);
  });

  test('days without a backup do not count', () => {
    const backups = [backup('b0', '2026-11-22T01:00:00Z'), backup('old', '2024-02-29T01:00:00Z')];
    expect(kept(backups, { daily: 2 })).toEqual(['b0', 'old']);
  });

  test('every backup has its reasons', () => {
    const decision = ask(
      daily(4),
      { last: 2, daily: 1 },
      { inUse: new Map([['b2', 'a window goes back to it']]) },
    );
    expect(decision).toEqual({
      kind: 'decided',
      fates: [
        {
          name: 'b0',
          keep: true,
          reason: 'it was just verified, 1 of the last 2, daily 1 of 1: 2026-11-22',
        },
        { name: 'b1', keep: true, reason: '2 of the last 2' },
        { name: 'b2', keep: true, reason: 'a window goes back to it' },
        { name: 'b3', keep: false, reason: 'no rule keeps it' },
      ],
    });
  });
});

describe('guards', () => {
  test.each<[string, Partial<KeptBackup>, string]>([
    ['empty', { bytes: 20 }, 'the new backup has 20 B and 1000 B had'],
    ['without rows', { rows: 0 }, 'the new backup has 0 rows and 100 had'],
    ['below the limit by a byte', { bytes: 499 }, 'less than 50% is suspicious'],
  ])('nothing goes when the new one is %s', (_, change, reason) => {
    const backups = daily(6).map((entry, index) => (index === 0 ? { ...entry, ...change } : entry));
    const decision = ask(backups, { last: 1 });
    expect(decision).toMatchObject({ kind: 'hold', reason: expect.stringContaining(reason) });
  });

  test('one that is just large enough is believed', () => {
    const small = { bytes: 500, rows: 50 };
    const backups = daily(3).map((entry, index) => (index === 0 ? { ...entry, ...small } : entry));
    expect(kept(backups, { last: 1 })).toEqual(['b0']);
  });

  test('an empty one that slipped through before does not make the next empty one believable', () => {
    const backups = daily(6).map((entry, index) => (index < 3 ? { ...entry, bytes: 20 } : entry));
    expect(ask(backups, { last: 1 }).kind).toBe('hold');
    // Two before it, one of them empty: the larger one counts.
    const two = daily(3).map((entry, index) => (index < 2 ? { ...entry, bytes: 20 } : entry));
    expect(ask(two, { last: 1 }).kind).toBe('hold');
  });

  test('nothing goes when the new one is not in the place', () => {
    expect(ask(daily(5), { last: 1 }, { newName: 'elsewhere' })).toEqual({
      kind: 'hold',
      reason: 'the new backup elsewhere is not among those of this place',
    });
  });

  test('a clock that goes back loses neither the new one nor the newest', () => {
    const backups = [backup('b0', '2020-01-01T00:00:00Z'), ...daily(5).slice(1)];
    expect(kept(backups, { last: 1 })).toEqual(['b0', 'b1']);
  });
});

const ruleSet: fc.Arbitrary<Partial<KeepRules>> = fc
  .record(
    {
      last: fc.integer({ min: 1, max: 12 }),
      within: fc.integer({ min: 1, max: 800 * 86_400 }),
      daily: fc.integer({ min: 1, max: 12 }),
      weekly: fc.integer({ min: 1, max: 12 }),
      monthly: fc.integer({ min: 1, max: 12 }),
      yearly: fc.integer({ min: 1, max: 4 }),
    },
    { requiredKeys: [] },
  )
  .filter((rules) => Object.keys(rules).length > 0);

/** Backups of like size, the new one among them anywhere in time. */
const backupSet: fc.Arbitrary<KeptBackup[]> = fc
  .uniqueArray(fc.integer({ min: 0, max: 3 * 365 * 24 }), { minLength: 1, maxLength: 60 })
  .map((hours) =>
    hours.map((ago, index) =>
      backup(`b${index}`, new Date(now.getTime() - ago * 3_600_000).toISOString()),
    ),
  );
const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Apia');

describe('whatever the backups and rules', () => {
  test('the newest, the new one and what is in use stay', () => {
    fc.assert(
      fc.property(backupSet, ruleSet, zone, fc.nat(), (backups, rules, timeZone, pick) => {
        const used = backups[pick % backups.length]?.name ?? '';
        const newest = [...backups].sort((a, b) => (a.takenAt < b.takenAt ? 1 : -1))[0]?.name;
        const names = kept(backups, rules, { timeZone, inUse: new Map([[used, 'in use']]) });
        expect(names).toEqual(expect.arrayContaining(['b0', newest, used]));
      }),
      { numRuns: runs(150) },
    );
  });

  test('several rules keep what each keeps alone, and nothing else', () => {
    fc.assert(
      fc.property(backupSet, ruleSet, zone, (backups, rules, timeZone) => {
        const alone = Object.entries(rules).flatMap(([rule, value]) =>
          kept(backups, { [rule]: value }, { timeZone }),
        );
        expect(kept(backups, rules, { timeZone })).toEqual([...new Set(alone)].sort());
      }),
      { numRuns: runs(150) },
    );
  });

  test('a larger number never removes more, and what stays, stays when asked again', () => {
    fc.assert(
      fc.property(backupSet, ruleSet, zone, (backups, rules, timeZone) => {
        const names = kept(backups, rules, { timeZone });
        const larger = Object.fromEntries(
          Object.entries(rules).map(([rule, value]) => [rule, (value ?? 0) + 1]),
        );
        expect(kept(backups, larger, { timeZone })).toEqual(expect.arrayContaining(names));
        const left = backups.filter(({ name }) => names.includes(name));
        expect(kept(left, rules, { timeZone })).toEqual(names);
      }),
      { numRuns: runs(150) },
    );
  });

  test('the order in which they are listed does not matter', () => {
    fc.assert(
      fc.property(backupSet, ruleSet, (backups, rules) => {
        expect(ask([...backups].reverse(), rules)).toEqual(ask(backups, rules));
      }),
      { numRuns: runs(80) },
    );
  });

  test('a suspiciously small new one removes nothing', () => {
    fc.assert(
      fc.property(backupSet, ruleSet, fc.integer({ min: 0, max: 499 }), (backups, rules, bytes) => {
        fc.pre(backups.length > 1);
        const changed = backups.map((entry) => (entry.name === 'b0' ? { ...entry, bytes } : entry));
        expect(kept(changed, rules)).toHaveLength(backups.length);
      }),
      { numRuns: runs(80) },
    );
  });
});
