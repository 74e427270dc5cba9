import type { WriteCounters } from '../ports/database.ts';
import { fail, type Failure } from '../ports/failure.ts';
import { liveRestorePoint } from '../record/restore-point.ts';
import type { WindowStatus } from '../record/status.ts';
import type { PhaseContext } from './phase.ts';
import { requireDatabase } from './requirements.ts';
import { seal, unseal } from './sealed-database.ts';

/**
 * Refuses to throw away what users wrote since the site reopened, unless they consent. The site is open, so this is
 * only the first look: {@link lossFoundClosed} has the last word.
 */
export async function refuseLoss(
  context: PhaseContext,
  options: { readonly acceptDataLoss: boolean },
): Promise<void> {
  if (options.acceptDataLoss) return;
  const { blast } = context.record.status;
  if (blast === 'none' || blast === 'app') return;
  const lost = await lostWrites(context);
  if (lost === undefined) return;
  fail({
    ...describeLoss(context, `at least ${lost}`),
    state: 'The site is open on the changed database; nothing was done.',
  });
}

/**
 * What users wrote since the site reopened, looked for with the public kept out. A session's writes are counted with
 * delay (manual, 28.2), at the latest when it ends; and some may have come between the first look and the closing.
 * @returns `undefined` when nothing was written, an operator accepted the loss, or the swap was made already
 */
export async function lossFoundClosed(
  context: PhaseContext,
  callingPhase: string,
): Promise<Omit<Failure, 'state'> | undefined> {
  const { rollback, database: before, writesAtReopening } = context.record.status;
  if (rollback === undefined || rollback.acceptedLoss === acceptedLoss) return undefined;
  // A window that was about to reopen may have been open, although nobody could prove it.
  const mayHaveOpened = rollback.from === 'reopened' || writesAtReopening !== undefined;
  if (!mayHaveOpened) return undefined;
  // A promoted replica has the database under the same oid, and counts writes anew.
  if (standbySwapBegan(context)) return undefined;
  const database = requireDatabase(context);
  if (
    before === undefined ||
    (await database.identify({ oid: before.oid }))?.name !== database.name
  )
    return undefined;
  await seal(context, callingPhase);
  await unseal(context, callingPhase);
  const lost = await lostWrites(context);
  return lost === undefined ? undefined : describeLoss(context, lost);
}

/** Whether a rollback to a replica has begun to stop the failed primary: what was written has been looked at. */
function standbySwapBegan({ record: { status, journal } }: PhaseContext): boolean {
  return (
    liveRestorePoint(status)?.kind === 'standby' &&
    journal.some(({ phase, step }) => phase === 'rollback' && step === 'keep-failed')
  );
}

/** What the record says of a loss that an operator consented to. */
export const acceptedLoss = 'accepted';

async function lostWrites(context: PhaseContext): Promise<string | undefined> {
  const { writesAtReopening: before } = context.record.status;
  if (before === undefined) return 'an unknown number of writes';
  return describeWrites(before, await requireDatabase(context).writeCounters());
}

function describeLoss(context: PhaseContext, lost: string): Omit<Failure, 'state'> {
  const { status } = context.record;
  const loses =
    liveRestorePoint(status) === undefined
      ? `the backup of ${status.backup?.takenAt ?? 'an unknown time'} loses that, and what was written between backup and closing`
      : 'the restore point loses that';
  return {
    code: 'writes-would-be-lost',
    message: `Since the site ${firstReopening(status)} users have written: ${lost}. Going back to ${loses}.`,
    next: 'Save those writes first, or consent with accept-data-loss.',
  };
}

/** A rollback that took itself back has closed and reopened the site once more. */
function firstReopening({ earlierClosures = [], maintenance }: WindowStatus): string {
  const reopenedAt = earlierClosures[0]?.reopenedAt ?? maintenance?.reopenedAt;
  return reopenedAt === undefined ? 'was about to reopen' : `reopened at ${reopenedAt}`;
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
