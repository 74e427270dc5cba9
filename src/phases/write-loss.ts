import type { WriteCounters } from '../ports/database.ts';
import { fail } from '../ports/failure.ts';
import { liveRestorePoint } from '../record/status.ts';
import type { PhaseContext } from './phase.ts';
import { requireDatabase } from './requirements.ts';

/** Refuses to throw away what users wrote since the site reopened, unless they consent. */
export async function refuseLoss(
  context: PhaseContext,
  options: { readonly acceptDataLoss: boolean },
): Promise<void> {
  if (options.acceptDataLoss) return;
  const { status } = context.record;
  const isDropped = liveRestorePoint(status) === undefined;
  if (status.blast === 'none' || status.blast === 'app') return;
  const before = status.writesAtReopening;
  const now = await requireDatabase(context).writeCounters();
  const lost = before === undefined ? 'an unknown number of writes' : describeWrites(before, now);
  if (lost === undefined) return;
  fail({
    code: 'writes-would-be-lost',
    message: `Since the site reopened at ${status.maintenance?.reopenedAt ?? 'an unknown time'} users have written: ${lost}. Going back to ${isDropped ? `the backup of ${status.backup?.takenAt ?? 'an unknown time'} loses that, and what was written between backup and closing` : 'the restore point loses that'}.`,
    state: 'The site is open on the changed database; nothing was done.',
    next: 'Save those writes first, or consent with accept-data-loss.',
  });
}

/** Writes between two looks, in words; `undefined` when there were none. */
export function describeWrites(before: WriteCounters, now: WriteCounters): string | undefined {
  const parts: string[] = [];
  for (const [table, counters] of Object.entries(now)) {
    const base = before[table] ?? { inserted: 0, updated: 0, deleted: 0 };
    const changes = (['inserted', 'updated', 'deleted'] as const)
      .map((kind) => ({ kind, count: counters[kind] - base[kind] }))
      .filter(({ count }) => count !== 0)
      // Counters that went back were reset: how much was written is unknown.
      .map(({ kind, count }) => (count < 0 ? `an unknown number ${kind}` : `${count} ${kind}`));
    if (changes.length > 0) parts.push(`${table}: ${changes.join(', ')}`);
  }
  for (const table of Object.keys(before)) {
    if (now[table] === undefined) parts.push(`${table}: gone`);
  }
  return parts.length === 0 ? undefined : parts.join('; ');
}
