import { posix } from 'node:path';
import type { KeepRules } from '../../plan/settings/backup-copies.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import type { BackupReceipt, BackupRetention } from '../../record/backup-receipt.ts';
import { readStatus } from '../../record/record-files.ts';
import { archivedPlace } from '../../record/record-place.ts';
import { liveRestorePoint } from '../../record/restore-point.ts';
import { runStep } from '../../record/step.ts';
import type { WindowStatus } from '../../record/status.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import {
  keptBackup,
  noteLimitBytes,
  objectsOf,
  readNote,
  windowIdIn,
  type BackupNote,
} from './backup-note.ts';
import { noteAt, type CopyPlace } from './copies.ts';
import { keeperOf } from './keeper.ts';
import { decideRetention, type Fate } from './retention-decision.ts';

const phase = 'backup-db';

/** The reasons of those that stay are in the journal's data. */
function describeFates(fates: readonly Fate[]): string {
  const gone = fates.filter(({ keep }) => !keep).map(({ name }) => name);
  const stay = `of ${fates.length} verified ${fates.length - gone.length} stay`;
  return gone.length === 0 ? stay : `${stay}; no rule keeps ${gone.join(', ')}`;
}

/** Where verified backups of this application are: the folder on the host, or a place of copies. */
interface BackupPlace {
  readonly id: string;
  readonly label: string;
  readonly rules: KeepRules | undefined;
  /** Notes of the backups that are whole. */
  notes(): Promise<readonly BackupNote[]>;
  /** Removes one, its note first. */
  remove(backup: string): Promise<void>;
  /** Whether anything of it is still there. */
  has(backup: string): Promise<boolean>;
}

/**
 * Removes older backups as the plan's rules say, on the host and in each place where the new one was just proved.
 * What cannot be removed is a warning: no backup is lost by it.
 * @param copied ids of the copies that are proved
 */
export async function pruneBackups(
  context: PhaseContext,
  receipt: BackupReceipt,
  copied: readonly string[],
  places: readonly CopyPlace[],
): Promise<readonly BackupRetention[]> {
  const inUse = await backupsInUse(context);
  const results: BackupRetention[] = [];
  const proved = places.filter(({ settings }) => copied.includes(settings.id));
  const all = [onHost(context, receipt), ...proved.map((place) => atDestination(context, place))];
  for (const place of all) {
    if (place.rules === undefined) continue;
    try {
      results.push(await prune(context, place, posix.basename(receipt.directory), inUse));
    } catch (error) {
      const { code, message } = failureOf(error);
      if (code === 'cancelled' || code === 'unexpected') throw error;
      context.progress.warning(`Older backups in ${place.label} were not all removed: ${message}`);
      const { id, label } = place;
      results.push({ id, label, kept: 0, removed: [], failed: message });
    }
  }
  return results;
}

async function prune(
  context: PhaseContext,
  place: BackupPlace,
  newName: string,
  inUse: ReadonlyMap<string, string>,
): Promise<BackupRetention> {
  const { id, label, rules } = place;
  if (rules === undefined) throw new Error('nothing is removed without rules');
  // Written down before anything is removed: afterwards nobody could tell why, nor what.
  const decision = await runStep(context, phase, {
    id: `retention-${id}`,
    title: `Decide which backups stay in ${label}`,
    blast: 'none',
    perform: async () => {
      const decided = decideRetention({
        backups: (await place.notes()).map(keptBackup),
        newName,
        rules,
        inUse,
        timeZone: context.plan.window.timeZone,
        now: context.clock.now(),
      });
      const fates = decided.kind === 'hold' ? [] : decided.fates.map((fate) => ({ ...fate }));
      return { held: decided.kind === 'hold' ? decided.reason : null, fates };
    },
    describe: ({ held, fates }) =>
      held === null ? describeFates(fates) : `nothing is removed: ${held}`,
  });
  const kept = decision.fates.filter(({ keep }) => keep).length;
  if (decision.held !== null) {
    context.progress.warning(`Nothing is removed from ${label}: ${decision.held}`);
    return { id, label, kept, removed: [], held: decision.held };
  }
  const doomed = decision.fates.filter(({ keep }) => !keep).map(({ name }) => name);
  if (doomed.length === 0) return { id, label, kept, removed: [] };
  const { removed } = await runStep(context, phase, {
    id: `remove-${id}`,
    title: `Remove ${doomed.length === 1 ? 'an older backup' : `${doomed.length} older backups`} from ${label}`,
    blast: 'none',
    perform: async () => {
      for (const backup of doomed) await place.remove(backup);
      for (const backup of doomed) {
        if (await place.has(backup)) {
          fail({
            code: 'copy-not-removed',
            message: `${backup} is still in ${label} after it was removed.`,
            state: 'The new backup is verified; nothing that was to be kept is gone.',
            next: 'See who may remove there, and whether the place keeps what is removed.',
          });
        }
      }
      return { removed: doomed };
    },
    describe: (result) => `${result.removed.join(', ')}; gone as the list shows`,
  });
  return { id, label, kept, removed };
}

function onHost(context: PhaseContext, receipt: BackupReceipt): BackupPlace {
  const host = keeperOf(context, receipt);
  const folder = posix.dirname(receipt.directory);
  const pathOf = (name: string): string => posix.join(folder, name);
  return {
    id: 'host',
    label: `${folder} on ${host.name}`,
    rules: context.plan.backupDb.keep,
    notes: async () => {
      const names = await host.list(folder);
      return notesOf(context, names, async (backup) => {
        if (!names.includes(backup)) return undefined;
        return noteOnHost(host, pathOf(`${backup}.json`));
      });
    },
    remove: async (backup) => {
      await host.remove(pathOf(`${backup}.json`));
      await host.remove(pathOf(backup));
    },
    has: async (backup) => {
      const names = await host.list(folder);
      return names.includes(backup) || names.includes(`${backup}.json`);
    },
  };
}

async function noteOnHost(host: Host, path: string): Promise<BackupNote | undefined> {
  const status = await host.status(path);
  if (status?.kind !== 'file' || status.bytes > noteLimitBytes) return undefined;
  const bytes = await host.readFile(path);
  return bytes === undefined ? undefined : readNote(new TextDecoder().decode(bytes));
}

function atDestination(context: PhaseContext, { settings, destination }: CopyPlace): BackupPlace {
  const { keep } = context.plan.backupDb;
  // A copy may have been made before there were recipients, or after.
  const kinds = [true, false];
  return {
    id: settings.id,
    label: destination.label,
    // GitHub removes artifacts by their days.
    rules: settings.to === 'artifact' ? undefined : (settings.keep ?? keep),
    notes: async () => {
      const listed = await destination.list();
      const names = listed.map(({ name }) => name);
      return notesOf(context, names, async (backup) => {
        for (const encrypted of kinds) {
          const note = await noteAt(destination, listed, objectsOf(backup, encrypted));
          if (note !== undefined) return note;
        }
        return undefined;
      });
    },
    remove: async (backup) => {
      await destination.remove(`${backup}.json`);
      const names = (await destination.list()).map(({ name }) => name);
      for (const encrypted of kinds) {
        const { archive } = objectsOf(backup, encrypted);
        if (names.includes(archive)) await destination.remove(archive);
      }
    },
    has: async (backup) => {
      const names = (await destination.list()).map(({ name }) => name);
      const objects = [`${backup}.json`, ...kinds.map((kind) => objectsOf(backup, kind).archive)];
      return objects.some((object) => names.includes(object));
    },
  };
}

/** Notes of this application's and this database's backups; anything else is left alone. */
async function notesOf(
  context: PhaseContext,
  names: readonly string[],
  read: (backup: string) => Promise<BackupNote | undefined>,
): Promise<readonly BackupNote[]> {
  const { name } = context.record.status;
  const database = requireDatabase(context);
  const notes: BackupNote[] = [];
  for (const file of names.filter((entry) => entry.endsWith('.json'))) {
    const backup = file.slice(0, -'.json'.length);
    if (windowIdIn(backup, name) === undefined) continue;
    const note = await read(backup);
    if (note?.backup !== backup || note.name !== name) continue;
    if (note.database === database.name) notes.push(note);
  }
  return notes;
}

/** Backups that an open window, or the restore point of the newest one in the history, refers to. */
async function backupsInUse(context: PhaseContext): Promise<ReadonlyMap<string, string>> {
  const { record, host } = context;
  const inUse = new Map<string, string>();
  const add = (status: Pick<WindowStatus, 'restorePoint' | 'windowId'>): void => {
    const point = liveRestorePoint(status);
    if (point?.kind !== 'dump') return;
    inUse.set(
      posix.basename(point.backup.directory),
      `it is the restore point of ${status.windowId}`,
    );
  };
  const { backup } = record.status;
  if (backup !== undefined) {
    inUse.set(posix.basename(backup.directory), `${record.status.windowId} goes back to it`);
  }
  add(record.status);
  const newest = (await host.list(record.place.historyFolder)).at(-1);
  if (newest !== undefined) {
    const archived = await readStatus(host, archivedPlace(record.place, newest));
    if (archived.kind === 'status') add(archived.status);
  }
  return inUse;
}
