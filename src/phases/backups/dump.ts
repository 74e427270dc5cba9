import { posix } from 'node:path';
import { formatBytes } from '../../plan/bytes.ts';
import { formatDuration } from '../../plan/duration.ts';
import type { DumpManifest } from '../../ports/dump-manifest.ts';
import { runStep } from '../../record/step.ts';
import { guarded } from '../online/guarded.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { keeperOf } from './keeper.ts';
import { totalRows } from './verification.ts';
import { backupWorkers, type Moment } from './workers.ts';

/** A dump that is whole, and not proved yet. */
export interface TakenDump {
  /** Absolute path of its folder. */
  readonly directory: string;
  readonly manifest: DumpManifest;
}

/** Dumps the database; a dump of this window that is whole is found again. */
export async function takeDump(
  context: PhaseContext,
  callingPhase: string,
  moment: Moment,
): Promise<TakenDump> {
  const { record, plan, progress } = context;
  // The dump is written by the database's client programs where these run, or streamed from there.
  const { backups } = context.fleet;
  const keeper = keeperOf(context, {});
  const database = requireDatabase(context);
  const { windowId, name } = record.status;
  const folder = plan.backupDb.directory ?? posix.join(record.place.folder, 'backups');
  const directory = posix.join(
    folder,
    `${name}-${windowId}${moment === 'closed' ? '-closed' : ''}`,
  );
  const manifest = await runStep(context, callingPhase, {
    id: `dump-${moment}`,
    title: `Dump ${database.name} to ${directory}${backups === undefined ? '' : ` on ${backups.name}`}`,
    blast: 'none',
    observe: () => readManifest(context, directory),
    perform: async () => {
      await keeper.makeDirectory(folder, 0o700);
      const sessions = { kind: 'dump', windowId } as const;
      const jobs = await backupWorkers(context, moment);
      const { value: dumped, told } = await guarded(context, { what: 'The dump', sessions }, () =>
        database.dump({
          directory,
          windowId,
          jobs,
          compression: plan.backupDb.compression,
          keeper: backups,
          encryption: backups === undefined ? undefined : context.encryption?.(),
          contents: plan.backupDb.verify === 'restore-and-compare',
          onProgress: (line) => {
            progress.info(line);
          },
        }),
      );
      if (told !== '') progress.info(`The dump gave way to the public: ${told}`);
      for (const note of dumped.notes) progress.info(note);
      return dumped as Json<DumpManifest>;
    },
    describe: (dumped) =>
      `${formatBytes(dumped.bytes)} in ${formatDuration(dumped.seconds)}, ${Object.keys(dumped.rows).length} tables, ${totalRows(dumped)} rows, ${describeCompression(dumped)}, sha256 ${dumped.sha256.slice(0, 12)}…`,
  });
  return { directory, manifest };
}

function describeCompression({ compression, encrypted }: DumpManifest): string {
  const { chosen, reason } = compression;
  return `${chosen} (${reason})${encrypted ? ', encrypted' : ''}`;
}

async function readManifest(
  context: PhaseContext,
  directory: string,
): Promise<Json<DumpManifest> | undefined> {
  const keeper = keeperOf(context, {});
  const bytes = await keeper.readFile(posix.join(directory, 'manifest.json'));
  return bytes === undefined
    ? undefined
    : (JSON.parse(new TextDecoder().decode(bytes)) as Json<DumpManifest>);
}

/** What is written into a journal is mutable by type. */
type Json<T> = T extends readonly (infer E)[]
  ? Json<E>[]
  : T extends object
    ? { [K in keyof T]: Json<T[K]> }
    : T;
