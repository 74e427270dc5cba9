import { posix } from 'node:path';
import { formatBytes } from '../../plan/bytes.ts';
import { isEncrypted, type BackupCopySettings } from '../../plan/settings/backup-copies.ts';
import type { BackupDestination, StoredObject } from '../../ports/backup-destination.ts';
import type { Encryption } from '../../ports/encryption.ts';
import { fail, FailureError, failureOf } from '../../ports/failure.ts';
import type { Host, PipeStage, StageResult } from '../../ports/host.ts';
import { pipedBytes } from '../../ports/piped-bytes.ts';
import type { BackupCopy, BackupReceipt } from '../../record/backup-receipt.ts';
import { runStep } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { demandTime } from '../time-budget.ts';
import {
  noteLimitBytes,
  noteOf,
  noteText,
  objectsOf,
  readNote,
  type BackupNote,
} from './backup-note.ts';
import { contentOf, digestOf, measured, textOf, type ByteDigest } from './byte-digest.ts';
import { clearAwayLeftovers } from './copy-leftovers.ts';
import { keeperOf } from './keeper.ts';

const phase = 'backup-db';

/** A place for copies, opened. */
export interface CopyPlace {
  readonly settings: BackupCopySettings;
  readonly destination: BackupDestination;
}

/** The step of a copy in the journal. */
export function copyStep({ id }: Pick<BackupCopySettings, 'id'>): string {
  return `copy-${id}`;
}

/** The places of the plan, in its order. */
export async function openPlaces(
  context: Pick<PhaseContext, 'plan' | 'copyDestination'>,
): Promise<readonly CopyPlace[]> {
  const { copies } = context.plan.backupDb;
  const { copyDestination } = context;
  if (copies.length > 0 && copyDestination === undefined) {
    throw new Error('the plan has copies, and nobody opens their places');
  }
  const places: CopyPlace[] = [];
  for (const settings of copies) {
    const destination = await copyDestination?.(settings);
    if (destination !== undefined) places.push({ settings, destination });
  }
  return places;
}

/**
 * Copies a verified backup to each place and proves each copy. One that need not succeed is a warning when it fails.
 * @returns the copies that are there and proved
 * @throws FailureError `copy-…` of the first required one that failed
 */
export async function copyBackup(
  context: PhaseContext,
  receipt: BackupReceipt,
  places: readonly CopyPlace[],
): Promise<readonly BackupCopy[]> {
  const copies: BackupCopy[] = [];
  for (const place of places) {
    const { settings, destination } = place;
    const time = await demandTime(context, {
      phase,
      steps: [copyStep(settings)],
      title: `The copy to ${destination.label}`,
      whenLate: settings.required ? 'abort' : 'skip',
    });
    if (time !== 'go') continue;
    try {
      copies.push(await copyTo(context, receipt, place));
    } catch (error) {
      const { code, message } = failureOf(error);
      if (settings.required || code === 'cancelled' || code === 'unexpected') throw error;
      context.progress.warning(`The copy ${settings.id} was not made: ${message}`);
    }
  }
  return copies;
}

function copyTo(
  context: PhaseContext,
  receipt: BackupReceipt,
  { settings, destination }: CopyPlace,
): Promise<BackupCopy> {
  const { label } = destination;
  const backup = posix.basename(receipt.directory);
  const objects = objectsOf(backup, isEncrypted(settings, context.plan.backupDb));
  return runStep(context, phase, {
    id: copyStep(settings),
    title: `Copy the backup to ${label}`,
    blast: 'none',
    observe: async () => {
      const listed = await destination.list();
      const note = await noteAt(destination, listed, objects);
      if (note?.archive === undefined || note.sha256 !== receipt.sha256) return undefined;
      const { bytes, sha256, encrypted, readBackAt } = note.archive;
      return { ...head(settings, label, objects), bytes, sha256, encrypted, readBackAt };
    },
    perform: tellingOfSite(async () => {
      await clearAwayLeftovers(context, destination, backup);
      const digest = await sendArchive(context, receipt, { settings, destination });
      const readBackAt = context.clock.now().toISOString();
      const archive = {
        object: objects.archive,
        ...digest,
        encrypted: isEncrypted(settings, context.plan.backupDb),
        readBackAt,
      };
      const { name, windowId } = context.record.status;
      const window = { name, windowId, database: requireDatabase(context).name };
      const text = noteText({ ...noteOf(backup, receipt, window), archive });
      await destination.put(objects.note, contentOf(text));
      const found = await noteAt(destination, await destination.list(), objects);
      if (found === undefined || noteText(found) !== text) {
        await destination.remove(objects.note);
        refuseCopy(
          label,
          `${label} does not show the copy ${backup} as it was written`,
          'Look at that place (its disk, its connection), then run the step again.',
        );
      }
      const { encrypted } = archive;
      return { ...head(settings, label, objects), ...digest, encrypted, readBackAt };
    }),
    describe: ({ bytes, sha256, encrypted }) =>
      `${formatBytes(bytes)}${encrypted ? ' encrypted' : ''}, read back with the checksum that was sent, sha256 ${sha256.slice(0, 12)}…`,
  });
}

const unchanged = 'The site is unchanged; the backup on the host is verified.';

/** A place tells of itself alone when it fails: the state of the site is told before that. */
function tellingOfSite<T>(perform: () => Promise<T>): () => Promise<T> {
  return async () => {
    try {
      return await perform();
    } catch (error) {
      const { code, state, ...rest } = failureOf(error);
      if (!(error instanceof FailureError) || code === 'cancelled') throw error;
      if (state.startsWith('The site is unchanged')) throw error;
      throw new FailureError({ ...rest, code, state: `${unchanged} ${state}` }, { cause: error });
    }
  };
}

function head(
  { id, to }: BackupCopySettings,
  label: string,
  { note, archive }: { readonly note: string; readonly archive: string },
): Pick<BackupCopy, 'id' | 'to' | 'label' | 'objects'> {
  return { id, to, label, objects: [archive, note] };
}

/** The note of a copy that is whole as far as a list can tell. */
export async function noteAt(
  destination: BackupDestination,
  listed: readonly StoredObject[],
  objects: { readonly note: string; readonly archive: string },
): Promise<BackupNote | undefined> {
  const archive = listed.find(({ name }) => name === objects.archive);
  const note = listed.find(({ name }) => name === objects.note);
  if (archive === undefined || note === undefined) return undefined;
  const found = await noteTextAt(destination, objects.note);
  if (found?.archive?.object !== objects.archive) return undefined;
  // An artifact is listed with its packing.
  return archive.bytes < found.archive.bytes ? undefined : found;
}

async function noteTextAt(
  destination: BackupDestination,
  note: string,
): Promise<BackupNote | undefined> {
  const text = await textOf(destination.read(note), noteLimitBytes);
  return text === undefined ? undefined : readNote(text);
}

/** Sends the packed backup and reads it back. */
async function sendArchive(
  context: PhaseContext,
  receipt: BackupReceipt,
  { settings, destination }: CopyPlace,
): Promise<ByteDigest> {
  const { label } = destination;
  const host = keeperOf(context, receipt);
  const backup = posix.basename(receipt.directory);
  const encrypted = isEncrypted(settings, context.plan.backupDb);
  const { archive } = objectsOf(backup, encrypted);
  const pack: PipeStage = {
    argv: ['tar', '-C', posix.dirname(receipt.directory), '-cf', '-', backup],
  };
  const encrypt = encrypted ? [requireEncryption(context).encrypt] : [];
  const sent = measured(
    pipedBytes(host, [pack, ...encrypt], (results) => {
      refuseUnpacked(results, host, label);
    }),
  );
  await destination.put(archive, sent.content);
  const expected = sent.digest();
  try {
    const found = await digestOf(destination.read(archive));
    if (found.bytes !== expected.bytes || found.sha256 !== expected.sha256) {
      refuseCopy(
        label,
        found.bytes === expected.bytes
          ? `${label} gave ${archive} back with another content: sha256 ${found.sha256} instead of ${expected.sha256}`
          : `${label} gave ${found.bytes} bytes of ${archive} back instead of ${expected.bytes}`,
        'Look at that place (its disk, its connection, what stands between), then run the step again.',
      );
    }
    // A host that only keeps a stream does not get to see the key to it.
    if (encrypted && host === context.fleet.database)
      await decryptAndCompare(context, receipt, host, { destination, archive });
  } catch (error) {
    const removed = await destination.remove(archive).then(
      () => `${archive} was removed there again.`,
      (second: unknown) =>
        `${archive} is still there, because it could not be removed: ${failureOf(second).message}`,
    );
    if (!(error instanceof FailureError)) throw error;
    const { failure } = error;
    throw new FailureError({ ...failure, state: `${failure.state} ${removed}` }, { cause: error });
  }
  return expected;
}

/** With the private key: what comes back is decrypted on the host and compared with the backup, file by file. */
async function decryptAndCompare(
  context: PhaseContext,
  { directory }: BackupReceipt,
  host: Host,
  { destination, archive }: { readonly destination: BackupDestination; readonly archive: string },
): Promise<void> {
  const { decrypt } = requireEncryption(context);
  if (decrypt === undefined) return;
  const backup = posix.basename(directory);
  const compare: PipeStage = {
    argv: ['tar', '-C', posix.dirname(directory), '--diff', '-vf', '-'],
  };
  const names = await textOf(
    pipedBytes(
      host,
      [decrypt, compare],
      (results) => {
        const said = problemOf(results, ['age', 'tar']);
        if (said === undefined) return;
        refuseCopy(
          destination.label,
          `${archive} from ${destination.label}, decrypted, is not the backup: ${said}`,
          'See that backup-db.identity is the private key of one of backup-db.recipients, then run the step again.',
        );
      },
      destination.read(archive),
    ),
    16 * 1024 * 1024,
  );
  const packed = new Set((names ?? '').split('\n').map((name) => name.replace(/\/$/, '')));
  const missing = (await host.list(directory)).find((file) => !packed.has(`${backup}/${file}`));
  if (missing === undefined) return;
  refuseCopy(
    destination.label,
    `${archive} from ${destination.label}, decrypted, lacks the file ${missing} of the backup`,
    'Run the step again.',
  );
}

function refuseCopy(label: string, message: string, next: string): never {
  return fail({
    code: 'copy-differs',
    message: `${message}.`,
    state: `${unchanged} The copy at ${label} has no note, so it does not count.`,
    next,
  });
}

function requireEncryption({ encryption }: PhaseContext): Encryption {
  if (encryption === undefined) throw new Error('the plan wants encryption, and nobody encrypts');
  return encryption();
}

function refuseUnpacked(results: readonly StageResult[], host: Host, label: string): void {
  const said = problemOf(results, ['tar', 'age']);
  if (said === undefined) return;
  fail({
    code: 'copy-not-packed',
    message: `The backup could not be packed on ${host.name} for ${label}: ${said}.`,
    state: 'The site is unchanged. Nothing was stored there.',
    next: 'See to that program on the host, then run the step again.',
  });
}

/** What the first program that failed said. */
function problemOf(
  results: readonly StageResult[],
  programs: readonly string[],
): string | undefined {
  const index = results.findIndex(({ exitCode }) => exitCode !== 0);
  const failed = results[index];
  if (failed === undefined) return undefined;
  const line = failed.stderr.split('\n').find((text) => text.trim() !== '');
  const said = line?.trim().replace(/\.$/, '') ?? `exit code ${String(failed.exitCode)}`;
  return `${programs[index] ?? ''}: ${said.slice(0, 300)}`;
}
