import { formatDuration } from '../../plan/duration.ts';
import type { DumpManifest } from '../../ports/database.ts';
import { runStep } from '../../record/step.ts';
import { databaseName } from '../database-names.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import type { TakenDump } from './dump.ts';
import { restoreBackup } from './restoration.ts';
import { refuseDifference } from './row-comparison.ts';

/** What the proof of a backup showed. */
export interface BackupProof {
  /** Seconds that the restore took. */
  readonly restoreSeconds: number;
}

/**
 * Proves a dump by restoring it into a scratch database and counting; one that fails is set aside.
 * @throws FailureError `backup-…` or `database-…`
 */
export function verifyDump(
  context: PhaseContext,
  callingPhase: string,
  moment: 'online' | 'closed',
  dump: TakenDump,
): Promise<BackupProof> {
  const { manifest } = dump;
  return runStep(context, callingPhase, {
    id: `restore-test-${moment}`,
    title: 'Restore the dump into a scratch database and compare every table',
    blast: 'none',
    perform: () => restoreTest(context, dump),
    describe: (result) =>
      `restored in ${formatDuration(result.restoreSeconds)}; ${totalRows(manifest)} rows in ${Object.keys(manifest.rows).length} tables are equal`,
  });
}

/** Rows of all tables of a dump. */
export function totalRows({ rows }: Pick<DumpManifest, 'rows'>): number {
  return Object.values(rows).reduce((sum, count) => sum + count, 0);
}

async function restoreTest(
  context: PhaseContext,
  { directory, manifest }: TakenDump,
): Promise<{ restoreSeconds: number }> {
  const { record } = context;
  const database = requireDatabase(context);
  const host = context.fleet.database;
  const scratch = databaseName(database.name, record.status.windowId, 'scratch');
  try {
    // A killed run may have left one.
    await database.drop(scratch);
    await database.createEmpty(scratch, manifest.database);
    const { seconds } = await restoreBackup(context, { directory }, scratch);
    refuseDifference(manifest.rows, await database.countRows(scratch), {
      message: "The restored backup differs from the database's snapshot",
      state: `The site is unchanged. The backup was set aside as ${directory}.unverified.`,
      next: 'Do not rely on this backup; find out why it differs (triggers, extensions, a concurrent restore) and back up again.',
    });
    return { restoreSeconds: seconds };
  } catch (error) {
    await host.remove(`${directory}.unverified`);
    await host.rename(directory, `${directory}.unverified`);
    throw error;
  } finally {
    await database.drop(scratch);
  }
}
