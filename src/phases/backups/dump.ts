import { posix } from 'node:path';
import { formatBytes } from '../../plan/bytes.ts';
import { formatDuration } from '../../plan/duration.ts';
import type { DumpManifest } from '../../ports/database.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { totalRows } from './verification.ts';

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
  moment: 'online' | 'closed',
): Promise<TakenDump> {
  const { record, plan, progress } = context;
  // The dump is written by the database's client programs, where these run.
  const host = context.fleet.database;
  const database = requireDatabase(context);
  const { windowId, name } = record.status;
  const folder = plan.backupDb.directory ?? posix.join(record.place.folder, 'backups');
  const directory = posix.join(
    folder,
    `${name}-${windowId}${moment === 'closed' ? '-closed' : ''}`,
  );
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
        jobs: plan.backupDb.jobs,
        contents: plan.backupDb.verify === 'restore-and-compare',
        onProgress: (line) => {
          progress.info(line);
        },
      });
      return dumped as Json<DumpManifest>;
    },
    describe: (dumped) =>
      `${formatBytes(dumped.bytes)} in ${formatDuration(dumped.seconds)}, ${Object.keys(dumped.rows).length} tables, ${totalRows(dumped)} rows, sha256 ${dumped.sha256.slice(0, 12)}…`,
  });
  return { directory, manifest };
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

/** What is written into a journal is mutable by type. */
type Json<T> = T extends readonly (infer E)[]
  ? Json<E>[]
  : T extends object
    ? { [K in keyof T]: Json<T[K]> }
    : T;
