import { posix } from 'node:path';
import { z } from 'zod';
import type { TaskResult } from '../../../ports/database-tasks.ts';
import { fail, failureOf } from '../../../ports/failure.ts';
import { heldBack } from '../../../ports/online-guard.ts';
import { copyOut } from '../copy-out.ts';
import {
  aliases,
  chosenSql,
  copySql,
  keyValues,
  lockReferrersSql,
  removeSql,
  writable,
  type KeyValues,
} from './archive-batch.ts';
import type { ArchiveManifest } from './archive-manifest.ts';
import {
  discard,
  fileName,
  numberOf,
  partial,
  proveFiles,
  settleEarlier,
  shelfOf,
  writeManifest,
  type Shelf,
} from './archive-shelf.ts';
import {
  countIn,
  inBatches,
  lockArchives,
  refuseMismatch,
  textSettings,
  type ArchiveWork,
} from './archive-work.ts';
import { counted } from './counted.ts';
import { limitSettings } from './limits.ts';
import { withSession, type TaskSession } from './task-session.ts';

/** @throws FailureError when gzip is not there or the folder's place cannot be */
export async function previewFolder(work: ArchiveWork): Promise<void> {
  const { host } = work.tools.clients;
  const gzip = await host.run({ argv: ['gzip', '--version'], timeoutSeconds: 30 });
  if (gzip.exitCode !== 0) {
    fail({
      code: 'database-archive-file',
      message: `gzip is not there on the host ${host.name}.`,
      state: 'Nothing was moved.',
      next: 'Install gzip on the host, or archive into a table.',
    });
  }
  const { folder } = shelfOf(work);
  for (let path = folder; path !== posix.dirname(path); path = posix.dirname(path)) {
    const status = await host.status(path);
    if (status === undefined) continue;
    if (status.kind === 'directory') return;
    fail({
      code: 'database-archive-file',
      message: `${path} is no folder, so that files cannot be written to ${folder}.`,
      state: 'Nothing was moved.',
      next: 'Name another folder in the archive task.',
    });
  }
}

/** Moves rows into gzipped CSV files, one a batch; goes on where a killed run ended. */
export async function archiveIntoFolder(work: ArchiveWork): Promise<TaskResult> {
  await previewFolder(work);
  const { tools, options, source, where } = work;
  const shelf = shelfOf(work);
  await tools.clients.host.makeDirectory(shelf.folder, 0o700);
  return withSession(
    tools,
    options,
    async (session) => {
      await lockArchives(session);
      const earlier = await settleEarlier(shelf, session);
      const rowsBefore = await countIn(session, source.name, undefined, 'Nothing more was moved.');
      const matching = await countIn(session, source.name, where, 'Nothing more was moved.');
      let number = Math.max(0, ...earlier.map(({ file }) => numberOf(file)));
      const done = await inBatches(work, session, matching, ({ after, size }) =>
        moveBatch(shelf, session, { after, size, number: number + 1 }).then((batch) => {
          if (batch.rows > 0) number += 1;
          return batch;
        }),
      );
      const rowsAfter = await countIn(
        session,
        source.name,
        undefined,
        'The rows are moved; the total was not observed.',
      );
      const manifests = await proveFiles(shelf);
      return resultOf(work, {
        done,
        manifests,
        earlier,
        rowsBefore,
        rowsAfter,
        folder: shelf.folder,
      });
    },
    textSettings,
  );
}

function resultOf(
  { source, notes }: ArchiveWork,
  seen: {
    readonly done: { readonly rows: number; readonly batches: number };
    readonly manifests: readonly ArchiveManifest[];
    readonly earlier: readonly ArchiveManifest[];
    readonly rowsBefore: number;
    readonly rowsAfter: number;
    readonly folder: string;
  },
): TaskResult {
  const { done, manifests, earlier, rowsBefore, rowsAfter, folder } = seen;
  const inFiles = manifests.reduce((total, { rows }) => total + rows, 0);
  const before = earlier.reduce((total, { rows }) => total + rows, 0);
  if (inFiles !== before + done.rows) {
    fail({
      code: 'database-archive-unproved',
      message: `The files in ${folder} hold ${inFiles} rows, but ${before + done.rows} were removed.`,
      state: 'Each batch was proved by itself; somebody else changes the folder.',
      next: 'Find out who does, and compare the files with the restore point.',
    });
  }
  const others = rowsAfter - (rowsBefore - done.rows);
  const bytes = manifests.reduce((total, manifest) => total + manifest.bytes, 0);
  return {
    summary: [
      `${counted(inFiles, 'row')} of ${source.name} moved to ${counted(manifests.length, 'file')} in ${folder}`,
      ...(before === 0 ? [] : [`${counted(before, 'row')} of them by an earlier attempt`]),
      ...(others === 0 ? [] : [`${source.name} changed by ${others} rows of others meanwhile`]),
      ...notes,
    ].join('; '),
    figures: {
      'rows-archived': inFiles,
      'rows-removed': before + done.rows,
      batches: manifests.length,
      'rows-before': rowsBefore + before,
      'rows-after': rowsAfter,
      'file-bytes': bytes,
    },
    proof: `each file was durable with as many rows as were then removed; all ${manifests.length} have their SHA-256 of then; no row matches any more`,
  };
}

const chosenRows = z.object({
  keys: z.array(keyValues),
  transaction: z.string(),
  snapshot: z.string(),
});

/** One batch: chosen and locked, written durably from the same snapshot, then removed and committed. */
async function moveBatch(
  shelf: Shelf,
  session: TaskSession,
  {
    after,
    size,
    number,
  }: { readonly after: KeyValues | undefined; readonly size: number; readonly number: number },
): Promise<{ readonly rows: number; readonly last: KeyValues | undefined }> {
  const { work, folder, windowId } = shelf;
  const { options, source, where, tools } = work;
  const { host } = tools.clients;
  const file = fileName(number);
  const state = `Nothing of this batch was moved; the batches before it are in ${folder} and removed.`;
  const step = (sql: string, what: string): Promise<string[]> =>
    session.run(sql, { what, state, stopsOthers: true });
  // A new connection after a failed statement does not have it any more.
  await lockArchives(session);
  await step('BEGIN ISOLATION LEVEL REPEATABLE READ', 'BEGIN of a batch');
  const referrers = lockReferrersSql(source);
  // Before the snapshot: what was committed while we waited must be seen.
  if (referrers !== undefined) await step(referrers, `Locking what refers to ${source.name}`);
  const names = aliases(source);
  const [line] = await step(
    `WITH mw_chosen AS MATERIALIZED (${chosenSql({ source, where, size, after })})
     SELECT pg_catalog.jsonb_build_object(
       'keys', (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(${names.map((name) => `${name}::text`).join(', ')})${source.key.length > 0 ? ` ORDER BY ${names.join(', ')}` : ''}), '[]') FROM mw_chosen),
       'transaction', pg_catalog.pg_current_xact_id()::text, 'snapshot', pg_catalog.pg_export_snapshot())::text`,
    `Choosing a batch of ${source.name}`,
  );
  const chosen = chosenRows.parse(JSON.parse(line ?? '{}'));
  const { keys } = chosen;
  if (keys.length === 0) {
    await step('ROLLBACK', 'End of the last batch');
    return { rows: 0, last: undefined };
  }
  try {
    const draft = posix.join(folder, `${file}${partial}`);
    const rows = await copyBatch(work, state, (named) =>
      copyOut({
        host,
        client: (args) => tools.clients.psql(args),
        snapshot: chosen.snapshot,
        copy: copySql(source, keys),
        settings: { ...limitSettings(options), ...textSettings, DateStyle: 'ISO, YMD', ...named },
        file: draft,
        timeoutSeconds: options.statementTimeoutSeconds,
      }),
    );
    if (rows !== keys.length) {
      refuseMismatch(
        `Of ${counted(keys.length, 'row')} of ${source.name}, ${rows} were written`,
        state,
      );
    }
    const manifest: ArchiveManifest = {
      schemaVersion: 1,
      state: 'written',
      windowId,
      database: tools.psql.database,
      table: source.name,
      where,
      columns: [...writable(source)],
      rows,
      file,
      bytes: (await host.status(draft))?.bytes ?? 0,
      sha256: await host.sha256(draft),
      writtenAt: tools.clock.now().toISOString(),
      transaction: chosen.transaction,
      keys,
    };
    await host.rename(draft, posix.join(folder, file));
    await writeManifest(shelf, manifest);
    const [removed] = await step(removeSql(source, keys), `Removing a batch of ${source.name}`);
    if (Number(removed) !== rows) {
      refuseMismatch(
        `Of ${counted(rows, 'row')} of ${source.name} in ${file}, ${removed ?? '0'} were removed`,
        state,
      );
    }
    await session.run('COMMIT', {
      what: 'COMMIT of a batch',
      state: `${posix.join(folder, file)} holds the rows; when the connection was lost, the next run finds out whether they are removed.`,
      stopsOthers: true,
      isCommit: true,
    });
    const { keys: _gone, ...rest } = manifest;
    await writeManifest(shelf, { ...rest, state: 'removed' });
    return { rows, last: keys.at(-1) };
  } catch (error) {
    const { code } = failureOf(error);
    // Its transaction is gone for certain, and all rows are where they were: the file must not be taken for theirs.
    if (code === heldBack) await discard(shelf, file);
    // What the server has not confirmed is settled as after a kill, by the next attempt or the next run.
    if (code === 'database-archive-mismatch') await step('ROLLBACK', 'ROLLBACK of a batch');
    throw error;
  }
}

/** {@link copyOut} from a session of its own, which gives way as well. */
async function copyBatch(
  { tools }: ArchiveWork,
  state: string,
  copy: (settings: Readonly<Record<string, string>>) => Promise<number>,
): Promise<number> {
  const { guard } = tools;
  if (guard === undefined) return copy({});
  try {
    return await copy({ application_name: guard.application });
  } catch (error) {
    if (failureOf(error).code !== 'database-statement-cancelled') throw error;
    return fail(
      { code: heldBack, message: guard.lastReason, state, next: 'It is tried again.' },
      error,
    );
  }
}
