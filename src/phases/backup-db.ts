import { posix } from 'node:path';
import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import type { Database, DumpManifest, RowCounts } from '../ports/database.ts';
import { fail } from '../ports/failure.ts';
import { runStep } from '../record/step.ts';
import type { BackupReceipt } from '../record/status.ts';
import { databaseName } from './database-names.ts';
import { tagCode } from './code.ts';
import { requireDatabase } from './requirements.ts';
import { conclude, done, type PhaseContext, type PhaseOutcome } from './phase.ts';

const phase = 'backup-db';

/** Dumps the database while the site is up and proves the dump by restoring it. */
export function backupDb(context: PhaseContext): Promise<PhaseOutcome> {
  return conclude(async () => {
    const receipt = await verifiedBackup(context, phase, 'online');
    await context.record.update({ backup: receipt });
    const tag = await tagCode(context, phase);
    return done(describeReceipt(receipt), {
      ...backupOutputs(receipt),
      ...(tag === undefined ? {} : { 'code-tag': tag }),
    });
  });
}

export function backupOutputs(receipt: BackupReceipt): Record<string, string> {
  return {
    directory: receipt.directory,
    sha256: receipt.sha256,
    bytes: String(receipt.bytes),
    'restore-seconds': receipt.restoreSeconds.toFixed(3),
  };
}

/**
 * Takes and proves a backup; `moment` tells the one taken online from the one retaken while closed.
 * @throws FailureError `backup-…` or `database-…`; then nothing is left that looks like a good backup
 */
export async function verifiedBackup(
  context: PhaseContext,
  callingPhase: string,
  moment: 'online' | 'closed',
): Promise<BackupReceipt> {
  const { record, plan, clock, progress } = context;
  // The dump is written by the database's client programs, where these run.
  const host = context.fleet.database;
  const database = requireDatabase(context);
  const { windowId, name } = record.status;
  const folder = plan.backupDb.directory ?? posix.join(record.place.folder, 'backups');
  const directory = posix.join(
    folder,
    `${name}-${windowId}${moment === 'closed' ? '-closed' : ''}`,
  );
  const { jobs } = plan.backupDb;

  const manifest = await runStep(context, callingPhase, {
    id: `dump-${moment}`,
    title: `Dump ${database.name} to ${directory}`,
    blast: 'none',
    observe: () => readManifest(context, directory),
    perform: async () => {
      await host.makeDirectory(folder, 0o700);
      const dumped = await database.dump({
        directory,
        windowId,
        jobs,
        onProgress: (line) => {
          progress.info(line);
        },
      });
      return asJson(dumped);
    },
    describe: (dumped) =>
      `${formatBytes(dumped.bytes)} in ${formatDuration(dumped.seconds)}, ${Object.keys(dumped.rows).length} tables, ${total(dumped.rows)} rows, sha256 ${dumped.sha256.slice(0, 12)}…`,
  });

  const proof = await runStep(context, callingPhase, {
    id: `restore-test-${moment}`,
    title: 'Restore the dump into a scratch database and compare every table',
    blast: 'none',
    perform: () => restoreTest(context, database, manifest, directory),
    describe: (result) =>
      `restored in ${formatDuration(result.restoreSeconds)}; ${total(manifest.rows)} rows in ${Object.keys(manifest.rows).length} tables are equal`,
  });

  return {
    directory,
    takenAt: manifest.startedAt,
    bytes: manifest.bytes,
    sha256: manifest.sha256,
    serverVersion: manifest.serverVersion,
    dumpVersion: manifest.dumpVersion,
    rows: manifest.rows,
    totalRows: total(manifest.rows),
    tocEntries: manifest.tocEntries,
    dumpSeconds: manifest.seconds,
    restoreSeconds: proof.restoreSeconds,
    verifiedAt: clock.now().toISOString(),
  };
}

async function restoreTest(
  context: PhaseContext,
  database: Database,
  manifest: DumpManifest,
  directory: string,
): Promise<{ restoreSeconds: number }> {
  const { plan, record } = context;
  const host = context.fleet.database;
  const scratch = databaseName(database.name, record.status.windowId, 'scratch');
  try {
    // A killed run may have left one.
    await database.drop(scratch);
    await database.createEmpty(scratch, manifest.database);
    const { seconds } = await database.restore({
      directory,
      database: scratch,
      jobs: plan.backupDb.jobs,
    });
    const difference = compareRows(manifest.rows, await database.countRows(scratch));
    if (difference !== undefined) {
      fail({
        code: 'backup-differs',
        message: `The restored backup differs from the database's snapshot: ${difference}.`,
        state: `The site is unchanged. The backup was set aside as ${directory}.unverified.`,
        next: 'Do not rely on this backup; find out why it differs (triggers, extensions, a concurrent restore) and back up again.',
      });
    }
    return { restoreSeconds: seconds };
  } catch (error) {
    await host.remove(`${directory}.unverified`);
    await host.rename(directory, `${directory}.unverified`);
    throw error;
  } finally {
    await database.drop(scratch);
  }
}

/** The first difference between two counts, in words; `undefined` when they are equal. */
export function compareRows(expected: RowCounts, actual: RowCounts): string | undefined {
  for (const [table, rows] of Object.entries(expected)) {
    const found = actual[table];
    if (found === undefined) return `table ${table} is missing`;
    if (found !== rows) return `table ${table} has ${found} rows instead of ${rows}`;
  }
  const extra = Object.keys(actual).find((table) => expected[table] === undefined);
  return extra === undefined ? undefined : `table ${extra} is not in the backup`;
}

async function readManifest(
  context: PhaseContext,
  directory: string,
): Promise<Json<DumpManifest> | undefined> {
  const bytes = await context.fleet.database.readFile(posix.join(directory, 'manifest.json'));
  return bytes === undefined
    ? undefined
    : (JSON.parse(new TextDecoder().decode(bytes)) as Json<DumpManifest>);
}

function total(rows: RowCounts): number {
  return Object.values(rows).reduce((sum, count) => sum + count, 0);
}

function describeReceipt(receipt: BackupReceipt): string {
  return `backup ${receipt.directory}: ${formatBytes(receipt.bytes)}, ${receipt.totalRows} rows, restored in ${formatDuration(receipt.restoreSeconds)}`;
}

type Json<T> = T extends readonly (infer E)[]
  ? Json<E>[]
  : T extends object
    ? { [K in keyof T]: Json<T[K]> }
    : T;

function asJson(manifest: DumpManifest): Json<DumpManifest> {
  return manifest as Json<DumpManifest>;
}
