import { posix } from 'node:path';
import { formatDuration } from '../../plan/duration.ts';
import type { DumpPlace } from '../../ports/backup-proof.ts';
import type { DumpManifest } from '../../ports/dump-manifest.ts';
import { fail } from '../../ports/failure.ts';
import type { BackupReceipt, VerificationLevel } from '../../record/backup-receipt.ts';
import { runStep } from '../../record/step.ts';
import { readHistory } from '../../record/window-record.ts';
import { databaseName } from '../database-names.ts';
import { guarded } from '../online/guarded.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { compareContents, fewOf } from './content-comparison.ts';
import type { TakenDump } from './dump.ts';
import { keeperOf } from './keeper.ts';
import { restoreBackup } from './restoration.ts';
import { estimateRestore } from './restore-estimate.ts';
import { refuseDifference } from './row-comparison.ts';
import { withScratch, type Scratch } from './scratch-database.ts';
import { backupWorkers, type Moment } from './workers.ts';

/** What the proof of a backup showed. */
export interface BackupProof {
  readonly level: VerificationLevel;
  /** What was observed, a line each. */
  readonly observed: readonly string[];
  /** Seconds that the proof took. */
  readonly seconds: number;
  /** Seconds that the restore took, or is guessed to take. */
  readonly restoreSeconds: number;
  readonly restoreBasis: NonNullable<BackupReceipt['restoreBasis']>;
}

function dumpPlace(context: PhaseContext, { directory }: TakenDump): DumpPlace {
  return { directory, keeper: keeperOf(context, {}), encryption: context.encryption?.() };
}

/** So many differences stand in a failure, and so many remarks in a receipt. */
const namedAtMost = 8;

/**
 * Proves a dump as the plan asks for it; one that fails is set aside. When the plan asks for a look at the source, that
 * comes last, and what it finds says nothing against the backup.
 * @throws FailureError `backup-…`, `scratch-…` or `database-…`
 */
export async function verifyDump(
  context: PhaseContext,
  callingPhase: string,
  moment: Moment,
  dump: TakenDump,
): Promise<BackupProof> {
  const level = context.plan.backupDb.verify;
  const proof = await runStep(context, callingPhase, {
    ...(level === 'checksum'
      ? { id: `checksum-${moment}`, title: 'Read the files of the dump again' }
      : { id: `restore-test-${moment}`, title: titleOf(level) }),
    blast: 'none',
    perform: () =>
      timed(context, () =>
        orSetAside(context, dump, () =>
          level === 'checksum'
            ? readAgain(context, dump)
            : gentleTest(context, dump, level, moment),
        ),
      ),
    describe: ({ observed }) => observed.join('; '),
  });
  const source = await checkSource(context, callingPhase, moment, dump);
  return { level, ...proof, observed: [...proof.observed, ...source] };
}

function titleOf(level: Exclude<VerificationLevel, 'checksum'>): string {
  return level === 'restore'
    ? 'Restore the dump into a scratch database and compare every table'
    : 'Restore the dump into a scratch database and compare schema, sequences and contents';
}

/** Rows of all tables of a dump. */
export function totalRows({ rows }: Pick<DumpManifest, 'rows'>): number {
  return Object.values(rows).reduce((sum, count) => sum + count, 0);
}

/** What a proof shows. */
interface Shown {
  readonly observed: string[];
  readonly restoreSeconds: number;
  readonly restoreBasis: BackupProof['restoreBasis'];
}

async function timed(
  { clock }: PhaseContext,
  work: () => Promise<Shown>,
): Promise<Pick<Shown, keyof Shown> & { readonly seconds: number }> {
  const begun = clock.monotonicSeconds();
  const { observed, restoreSeconds, restoreBasis } = await work();
  const seconds = Math.round((clock.monotonicSeconds() - begun) * 1000) / 1000;
  return { observed, restoreSeconds, restoreBasis, seconds };
}

async function orSetAside<T>(
  context: PhaseContext,
  dump: TakenDump,
  work: () => Promise<T>,
): Promise<T> {
  const host = keeperOf(context, {});
  const { directory } = dump;
  try {
    return await work();
  } catch (error) {
    await host.remove(`${directory}.unverified`);
    await host.rename(directory, `${directory}.unverified`);
    throw error;
  }
}

/** The files alone: nothing is restored, and the way back is timed by a guess. */
async function readAgain(context: PhaseContext, dump: TakenDump): Promise<Shown> {
  const { record, plan } = context;
  const database = requireDatabase(context);
  const check = await database.checkDump(dumpPlace(context, dump));
  const history = await readHistory(context.host, {
    stateDir: plan.stateDir,
    name: record.status.name,
  });
  const { seconds, basis } = estimateRestore(history, {
    backupBytes: dump.manifest.bytes,
    databaseBytes: (await database.identify({ name: database.name }))?.bytes ?? 0,
  });
  return {
    observed: [
      `${check.files} files have the checksums of the manifest; ${check.entries} entries and the data of ${check.tables} tables can be read`,
      `nothing was restored, so that it can be is not proved; ${formatDuration(seconds)} for a restore is ${basis}`,
    ],
    restoreSeconds: seconds,
    restoreBasis: 'estimated',
  };
}

/** While the public is served the test gives way to it; what happens on another server is nobody's load here. */
async function gentleTest(
  context: PhaseContext,
  dump: TakenDump,
  level: Exclude<VerificationLevel, 'checksum'>,
  moment: Moment,
): Promise<Shown> {
  if (context.scratch !== undefined) return restoreTest(context, dump, level, moment);
  const sessions = {
    kind: 'restore',
    database: databaseName(
      requireDatabase(context).name,
      context.record.status.windowId,
      'scratch',
    ),
  } as const;
  const { value, told } = await guarded(
    context,
    { what: 'The restore test', sessions },
    (attempt) => restoreTest(attempt === 1 ? context : withOneJob(context), dump, level, moment),
  );
  return told === '' ? value : { ...value, observed: [...value.observed, told] };
}

/** What was too much for the server with several jobs is tried with one. */
function withOneJob(context: PhaseContext): PhaseContext {
  const { plan } = context;
  return { ...context, plan: { ...plan, backupDb: { ...plan.backupDb, jobs: 1 } } };
}

function restoreTest(
  context: PhaseContext,
  dump: TakenDump,
  level: Exclude<VerificationLevel, 'checksum'>,
  moment: Moment,
): Promise<Shown> {
  const { manifest } = dump;
  const { amcheck } = context.plan.backupDb;
  return withScratch(context, manifest.database, async (scratch) => {
    const { server, database, elsewhere, place, told } = scratch;
    const restoring = { ...context, database: server };
    const { seconds } = await restoreBackup(restoring, dump, database, moment);
    const observed = [`restored into ${place} in ${formatDuration(seconds)}`, ...told];
    observed.push(
      ...(level === 'restore'
        ? await compareCounts(dump, scratch)
        : await compareEverything(context, dump, scratch, moment)),
    );
    // While the site is closed, every second counts.
    if (moment === 'online' && (amcheck === 'restored' || amcheck === 'both')) {
      observed.push(await checkRestored(context, dump, scratch));
    }
    return {
      observed,
      restoreSeconds: seconds,
      restoreBasis: elsewhere ? 'measured-elsewhere' : 'measured',
    };
  });
}

/** @throws FailureError `backup-differs` */
async function compareCounts(
  { directory, manifest }: TakenDump,
  scratch: Scratch,
): Promise<string[]> {
  const { server, database } = scratch;
  refuseDifference(manifest.rows, await server.countRows(database), {
    message: "The restored backup differs from the database's snapshot",
    state: setAsideState(directory),
    next: 'Do not rely on this backup; find out why it differs (triggers, extensions, a concurrent restore) and back up again.',
  });
  return [`${totalRows(manifest)} rows in ${Object.keys(manifest.rows).length} tables are equal`];
}

/** @throws FailureError `backup-differs`, `database-dump-without-contents` */
async function compareEverything(
  context: PhaseContext,
  dump: TakenDump,
  { server, database, elsewhere }: Scratch,
  moment: Moment,
): Promise<string[]> {
  const jobs = await backupWorkers(context, moment);
  const expected = await requireDatabase(context).dumpContents(dumpPlace(context, dump));
  const found = await server.contents(database, {
    jobs,
    rowHash: expected.rowHash,
  });
  const { differences, told } = compareContents(expected, found, { elsewhere });
  if (differences.length > 0) {
    fail({
      code: 'backup-differs',
      message: `The restored backup differs from the database's snapshot in ${differences.length} ${differences.length === 1 ? 'thing' : 'things'}: ${fewOf(differences, namedAtMost)}.`,
      state: setAsideState(dump.directory),
      next: 'Do not rely on this backup. Compare the two by hand (the .unverified folder can be restored); where the difference is lawful, for instance an extension in another version, mend it at the source, or verify by restore alone.',
    });
  }
  const { tables, sequences, largeObjects, catalogue } = expected;
  const objects = Object.values(largeObjects).reduce((sum, part) => sum + part.objects, 0);
  return [
    `equal to the dump's own snapshot: ${Object.keys(catalogue).length} definitions, ${Object.keys(sequences).length} sequences, ${totalRows(dump.manifest)} rows in ${Object.keys(tables).length} tables by their hashes, ${objects} large objects`,
    ...(told.length === 0 ? [] : [`told: ${fewOf(told, namedAtMost)}`]),
  ];
}

/** @throws FailureError `backup-damaged`, `database-amcheck-failed` */
async function checkRestored(
  context: PhaseContext,
  { directory }: TakenDump,
  { server, database }: Scratch,
): Promise<string> {
  const jobs = await backupWorkers(context, 'online');
  const { damaged, damagedObjects, seconds } = await server.amcheck(database, {
    jobs,
    own: true,
  });
  if (damagedObjects > 0) {
    fail({
      code: 'backup-damaged',
      message: `pg_amcheck found ${damagedObjects} damaged objects in the restored database: ${fewOf(damaged, namedAtMost)}.`,
      state: setAsideState(directory),
      next: 'What was just written is damaged already: look at the disk, the memory and the file system of that server before anything else.',
    });
  }
  return `pg_amcheck found no damage in the restored database (${formatDuration(seconds)})`;
}

function setAsideState(directory: string): string {
  return `The site is unchanged. The backup was set aside as ${directory}.unverified.`;
}

/**
 * Looks for damage in the application's own database, which no dump shows: it reads tables and not indexes.
 * @throws FailureError `database-damaged`
 */
async function checkSource(
  context: PhaseContext,
  callingPhase: string,
  moment: Moment,
  { directory }: TakenDump,
): Promise<string[]> {
  const { plan } = context;
  const { amcheck } = plan.backupDb;
  if (moment === 'closed' || (amcheck !== 'source' && amcheck !== 'both')) return [];
  const database = requireDatabase(context);
  const { observed } = await runStep(context, callingPhase, {
    id: 'amcheck-source',
    title: `Look for damaged tables and indexes in ${database.name}`,
    blast: 'none',
    perform: async () => {
      const jobs = await backupWorkers(context, 'online');
      const { damaged, damagedObjects, seconds } = await database.amcheck(database.name, {
        jobs,
        own: false,
      });
      if (damagedObjects > 0) {
        fail({
          code: 'database-damaged',
          message: `pg_amcheck found ${damagedObjects} damaged objects in ${database.name}: ${fewOf(damaged, namedAtMost)}.`,
          state: `The site is unchanged. The backup ${posix.basename(directory)} was taken and proved before, and stays: a dump reads tables and not indexes.`,
          next: 'Damaged indexes are mended by REINDEX. For damaged tables, keep this backup and older ones, look at the disk, and restore.',
        });
      }
      return {
        observed: `pg_amcheck found no damage in ${database.name} itself (${formatDuration(seconds)})`,
      };
    },
    describe: (result) => result.observed,
  });
  return [observed];
}
