import { Temporal } from 'temporal-polyfill';
import { formatBytes } from '../../plan/bytes.ts';
import { formatDuration } from '../../plan/duration.ts';
import type { KeepRules } from '../../plan/settings/backup-copies.ts';

/** A verified backup in one place; only such ones are ever asked about. */
export interface KeptBackup {
  readonly name: string;
  /** ISO 8601. */
  readonly takenAt: string;
  /** Of the dump itself, so that it can be compared between places. */
  readonly bytes: number;
  /** In all tables. */
  readonly rows: number;
}

export interface RetentionQuestion {
  readonly backups: readonly KeptBackup[];
  /** The one that was just verified in this place. */
  readonly newName: string;
  readonly rules: KeepRules;
  /** Backups that something refers to, and what. */
  readonly inUse: ReadonlyMap<string, string>;
  readonly timeZone: string;
  readonly now: Date;
}

export interface Fate {
  readonly name: string;
  readonly keep: boolean;
  /** Why, for people. */
  readonly reason: string;
}

export type RetentionDecision =
  /** Nothing may be removed now. */
  | { readonly kind: 'hold'; readonly reason: string }
  | { readonly kind: 'decided'; readonly fates: readonly Fate[] };

/**
 * Which backups of one place stay: whatever any rule keeps, what is in use, and always the new and the newest one.
 * Nothing is removed unless the new one is there and believable beside those before it.
 */
export function decideRetention(question: RetentionQuestion): RetentionDecision {
  const { backups, newName, rules, inUse } = question;
  const ordered = [...backups].sort(newestFirst);
  const fresh = ordered.find(({ name }) => name === newName);
  if (fresh === undefined) {
    return { kind: 'hold', reason: `the new backup ${newName} is not among those of this place` };
  }
  const before = ordered.filter((backup) => backup !== fresh);
  const doubt = suspicion(fresh, before, rules.smallest);
  if (doubt !== undefined) return { kind: 'hold', reason: doubt };
  const kept = keptByRules(ordered, question);
  return {
    kind: 'decided',
    fates: ordered.map((backup, index) => {
      const reasons = [
        ...(backup === fresh ? ['it was just verified'] : index === 0 ? ['it is the newest'] : []),
        ...(inUse.has(backup.name) ? [inUse.get(backup.name) ?? ''] : []),
        ...(kept.get(backup.name) ?? []),
      ];
      return reasons.length > 0
        ? { name: backup.name, keep: true, reason: reasons.join(', ') }
        : { name: backup.name, keep: false, reason: 'no rule keeps it' };
    }),
  };
}

function newestFirst(a: KeptBackup, b: KeptBackup): number {
  return Date.parse(b.takenAt) - Date.parse(a.takenAt) || (a.name < b.name ? 1 : -1);
}

/** Why a new backup looks as if something were missing; `undefined` when it does not. */
function suspicion(
  fresh: KeptBackup,
  before: readonly KeptBackup[],
  smallest: number,
): string | undefined {
  if (before.length === 0) return undefined;
  const bytes = median(before.map((backup) => backup.bytes));
  const rows = median(before.map((backup) => backup.rows));
  const than = `those before it (median of ${before.length}); less than ${Math.round(smallest * 100)}% is suspicious`;
  if (fresh.bytes < bytes * smallest) {
    return `the new backup has ${formatBytes(fresh.bytes)} and ${formatBytes(bytes)} had ${than}`;
  }
  if (fresh.rows < rows * smallest) {
    return `the new backup has ${fresh.rows} rows and ${rows} had ${than}`;
  }
  return undefined;
}

/** The larger of the two in the middle: in doubt, the more cautious one. */
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Reasons by backup. */
function keptByRules(
  ordered: readonly KeptBackup[],
  { rules, timeZone, now }: Pick<RetentionQuestion, 'rules' | 'timeZone' | 'now'>,
): ReadonlyMap<string, readonly string[]> {
  const reasons = new Map<string, string[]>();
  const keep = (name: string, reason: string): void => {
    reasons.set(name, [...(reasons.get(name) ?? []), reason]);
  };
  const { last = 0, within } = rules;
  ordered.slice(0, last).forEach(({ name }, index) => {
    keep(name, `${index + 1} of the last ${last}`);
  });
  if (within !== undefined) {
    for (const { name, takenAt } of ordered) {
      if (Date.parse(takenAt) >= now.getTime() - within * 1000) {
        keep(name, `younger than ${formatDuration(within)}`);
      }
    }
  }
  for (const [period, limit] of periodsOf(rules)) {
    const seen = new Set<string>();
    for (const { name, takenAt } of ordered) {
      const bucket = bucketOf(takenAt, period, timeZone);
      if (seen.has(bucket) || seen.size === limit) continue;
      seen.add(bucket);
      keep(name, `${period} ${seen.size} of ${limit}: ${bucket}`);
    }
  }
  return reasons;
}

type Period = 'daily' | 'weekly' | 'monthly' | 'yearly';

function periodsOf(rules: KeepRules): readonly (readonly [Period, number])[] {
  return (['daily', 'weekly', 'monthly', 'yearly'] as const).flatMap((period) => {
    const limit = rules[period];
    return limit === undefined ? [] : [[period, limit] as const];
  });
}

/** The day, week, month or year of a moment where the window is planned. */
function bucketOf(takenAt: string, period: Period, timeZone: string): string {
  const date = Temporal.Instant.from(takenAt).toZonedDateTimeISO(timeZone).toPlainDate();
  switch (period) {
    case 'daily':
      return date.toString();
    case 'weekly':
      return `${date.yearOfWeek ?? date.year}-W${String(date.weekOfYear).padStart(2, '0')}`;
    case 'monthly':
      return date.toPlainYearMonth().toString();
    case 'yearly':
      return String(date.year);
  }
}
