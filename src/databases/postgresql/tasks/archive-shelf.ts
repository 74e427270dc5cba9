import { posix } from 'node:path';
import { z } from 'zod';
import { fail } from '../../../ports/failure.ts';
import { quoteLiteral } from '../quoting.ts';
import { presentSql } from './archive-batch.ts';
import { archiveManifest, fateOf, type ArchiveManifest } from './archive-manifest.ts';
import type { ArchiveWork } from './archive-work.ts';
import { counted } from './counted.ts';
import type { TaskSession } from './task-session.ts';

/** Ends the name of a file that is not whole yet. */
export const partial = '.partial';

/** A folder of files and manifests, with the window that they belong to. */
export interface Shelf {
  readonly work: ArchiveWork;
  readonly folder: string;
  readonly windowId: string;
}

/** Where the task's files stand. */
export function shelfOf(work: ArchiveWork): Shelf {
  const { target } = work.options;
  const folder = target.kind === 'folder' ? target.path : '';
  return { work, folder, windowId: work.tools.windowId ?? '' };
}

/** Name of a batch's file; numbers count from 1. */
export function fileName(number: number): string {
  return `batch-${String(number).padStart(6, '0')}.csv.gz`;
}

/** The number in it. */
export function numberOf(file: string): number {
  return Number(/^batch-(\d+)\.csv\.gz$/.exec(file)?.[1] ?? 0);
}

function manifestName(file: string): string {
  return file.replace(/\.csv\.gz$/, '.json');
}

/** Writes the manifest of a file, durably and whole. */
export async function writeManifest(shelf: Shelf, manifest: ArchiveManifest): Promise<void> {
  const { host } = shelf.work.tools.clients;
  const path = posix.join(shelf.folder, manifestName(manifest.file));
  await host.writeFile(path, `${JSON.stringify(manifest)}\n`, { mode: 0o600 });
}

async function readManifests(shelf: Shelf): Promise<readonly ArchiveManifest[]> {
  const { host } = shelf.work.tools.clients;
  const names = (await host.list(shelf.folder)).filter((name) => /^batch-\d+\.json$/.test(name));
  const found: ArchiveManifest[] = [];
  for (const name of names) {
    const path = posix.join(shelf.folder, name);
    const text = new TextDecoder().decode((await host.readFile(path)) ?? new Uint8Array());
    try {
      found.push(archiveManifest.parse(JSON.parse(text)));
    } catch {
      fail({
        code: 'database-archive-file',
        message: `${path} is no manifest of an archive.`,
        state: 'Nothing more was moved.',
        next: 'Restore it, or move the folder away when its rows are safe elsewhere; then run the step again.',
      });
    }
  }
  return found;
}

/**
 * What an earlier attempt in this window left: partial files go, and a file whose rows may or may not be removed is
 * asked for on the server.
 * @returns the manifests that count
 */
export async function settleEarlier(
  shelf: Shelf,
  session: TaskSession,
): Promise<readonly ArchiveManifest[]> {
  const { host } = shelf.work.tools.clients;
  const manifests = await readManifests(shelf);
  for (const name of await host.list(shelf.folder)) {
    const isOrphan =
      name.endsWith(partial) ||
      (/^batch-\d+\.csv\.gz$/.test(name) && !manifests.some(({ file }) => file === name));
    // Without its manifest nothing was removed yet.
    if (isOrphan) await host.remove(posix.join(shelf.folder, name));
  }
  const kept: ArchiveManifest[] = [];
  for (const manifest of manifests) {
    if (manifest.state === 'removed') {
      kept.push(manifest);
      continue;
    }
    const settled = await settle(shelf, session, manifest);
    if (settled !== undefined) kept.push(settled);
  }
  return kept;
}

const traces = z.object({ transaction: z.string().nullable(), present: z.number() });

async function settle(
  shelf: Shelf,
  session: TaskSession,
  manifest: ArchiveManifest,
): Promise<ArchiveManifest | undefined> {
  const { source } = shelf.work;
  const { keys = [], file } = manifest;
  const [found] = await session.rows(
    `SELECT pg_catalog.pg_xact_status(${quoteLiteral(manifest.transaction)}::pg_catalog.xid8) AS transaction, (${presentSql(source, keys)}) AS present`,
    traces,
    {
      what: `Asking what became of the rows of ${file}`,
      state: 'Nothing more was moved.',
    },
  );
  const fate = fateOf({
    transaction: found?.transaction ?? null,
    present: found?.present ?? 0,
    rows: manifest.rows,
    hasPrimaryKey: source.key.length > 0,
  });
  if (fate === 'removed') {
    const { keys: _gone, ...rest } = manifest;
    const settled = { ...rest, state: 'removed' } as const;
    await writeManifest(shelf, settled);
    return settled;
  }
  if (fate === 'unknown') {
    fail({
      code: 'database-archive-unknown',
      message: `An earlier attempt wrote ${posix.join(shelf.folder, file)} with ${counted(manifest.rows, 'row')}, and whether it removed them from ${source.name} cannot be told: its transaction is ${found?.transaction ?? 'forgotten'}, ${found?.present ?? 0} of the rows are there.`,
      state: 'Nothing more was moved; the file is whole.',
      next: 'Compare the file with the table. When the rows are in the table, remove the file and its manifest; when not, set "state" in the manifest to "removed". Then run the step again.',
    });
  }
  await discard(shelf, file);
  return undefined;
}

/** Removes the file of a batch whose rows are all in the table. */
export async function discard(shelf: Shelf, file: string): Promise<void> {
  const { host } = shelf.work.tools.clients;
  // The manifest first: a file without one counts for nothing.
  for (const name of [manifestName(file), file, `${file}${partial}`]) {
    await host.remove(posix.join(shelf.folder, name));
  }
}

/** All files are there as they were written. */
export async function proveFiles(shelf: Shelf): Promise<readonly ArchiveManifest[]> {
  const { host } = shelf.work.tools.clients;
  const manifests = await readManifests(shelf);
  for (const { file, sha256, state } of manifests) {
    const path = posix.join(shelf.folder, file);
    const now = (await host.status(path)) === undefined ? undefined : await host.sha256(path);
    if (now === sha256 && state === 'removed') continue;
    fail({
      code: 'database-archive-unproved',
      message:
        now === undefined
          ? `${path} is gone.`
          : now === sha256
            ? `Whether the rows of ${path} are removed is not settled.`
            : `${path} is not as it was written: its SHA-256 was ${sha256} and is ${now}.`,
      state: 'Its rows are not in the table any more; the restore point has them.',
      next: 'Find out who changed the file; `rollback` goes back to the restore point.',
    });
  }
  return manifests;
}
