import type { ArchiveOptions, TaskResult } from '../../../ports/database-tasks.ts';
import { fail } from '../../../ports/failure.ts';
import { lockReferrersSql, moved, moveSql } from './archive-batch.ts';
import { archiveIntoFolder, previewFolder } from './archive-folder.ts';
import { findSource, refuseReferenced, type TableShape } from './archive-source.ts';
import { createTargetSql, findTarget, type ArchiveTable } from './archive-target.ts';
import {
  countIn,
  inBatches,
  lockArchives,
  refuseMismatch,
  textSettings,
  type ArchiveWork,
} from './archive-work.ts';
import { counted } from './counted.ts';
import { checkCondition } from './sql-condition.ts';
import type { ClientTools } from './task-clients.ts';
import { withObserver, withSession, type TaskSession } from './task-session.ts';

/** {@link DatabaseTasks.archive} */
export async function archive(tools: ClientTools, options: ArchiveOptions): Promise<TaskResult> {
  return withObserver(tools, options, async (observer) => {
    const { work, target } = await prepare(tools, observer, options);
    if (target === undefined) return archiveIntoFolder(work);
    return intoTable(work, target);
  });
}

/** {@link DatabaseTasks.previewArchive} */
export async function previewArchive(
  tools: ClientTools,
  options: ArchiveOptions,
): Promise<readonly string[]> {
  return withObserver(tools, options, async (observer) => {
    const { work, target } = await prepare(tools, observer, options);
    if (target === undefined) await previewFolder(work);
    return [
      ...work.notes,
      ...(target !== undefined && target.shape === undefined
        ? [`${target.name} is not there yet and will be made like ${work.source.name}`]
        : []),
    ];
  });
}

async function prepare(
  tools: ClientTools,
  observer: TaskSession,
  options: ArchiveOptions,
): Promise<{ readonly work: ArchiveWork; readonly target: ArchiveTable | undefined }> {
  const where = checkCondition(options.where, 'The condition of the archive');
  const source = await findSource(tools.psql, observer, options.table);
  const target =
    options.target.kind === 'table'
      ? await findTarget(tools.psql, observer, source, options.target.name)
      : undefined;
  // With the role's own search_path, as the moving session has it.
  await withSession(
    tools,
    options,
    async (session) => {
      await session.run(`SELECT FROM ${source.name} WHERE (\n${where}\n) LIMIT 0`, {
        what: 'The condition of the archive',
        state: 'Nothing was moved.',
        isRepeatable: true,
      });
      await refuseReferenced(session, source, where);
    },
    { ...textSettings, default_transaction_read_only: 'on' },
  );
  return { work: { tools, options, source, where, notes: notesOn(source, target) }, target };
}

function notesOn(source: TableShape, target: ArchiveTable | undefined): readonly string[] {
  const fired = (what: string, triggers: readonly string[]): string[] =>
    triggers.length === 0 ? [] : [`row triggers fire for each row ${what}: ${triggers.join(', ')}`];
  return [
    ...fired('removed', source.deleteTriggers),
    ...fired('archived', target?.shape?.insertTriggers ?? []),
    ...(source.key.length === 0
      ? [`${source.name} has no primary key: each batch looks through the table from its start`]
      : []),
  ];
}

const untouched =
  'Nothing of this batch was moved; the batches before it are archived and removed.';

async function intoTable(work: ArchiveWork, target: ArchiveTable): Promise<TaskResult> {
  const { tools, options, source, where } = work;
  const lock = lockReferrersSql(source);
  return withSession(
    tools,
    options,
    async (session) => {
      // First of all: what a killed run still does must not fall between the counts.
      await lockArchives(session);
      const rowsBefore = await countIn(session, source.name, undefined, 'Nothing was moved.');
      const matching = await countIn(session, source.name, where, 'Nothing was moved.');
      if (target.shape === undefined) {
        await session.run(createTargetSql(target.name, source), {
          what: `Creating the archive table ${target.name}`,
          state: 'Nothing was moved.',
          isRepeatable: true,
        });
      }
      const archivedBefore = await countIn(session, target.name, undefined, 'Nothing was moved.');
      const step = (sql: string, what: string): Promise<string[]> =>
        session.run(sql, { what, state: untouched, stopsOthers: true });
      const done = await inBatches(work, session, matching, async ({ after, size }) => {
        // A new connection after a failed statement does not have it any more.
        await lockArchives(session);
        await step('BEGIN', 'BEGIN of a batch');
        if (lock !== undefined) await step(lock, `Locking what refers to ${source.name}`);
        const wish = { source, where, size, after };
        const [line] = await step(moveSql(wish, target.name), `Moving a batch of ${source.name}`);
        const batch = moved.parse(JSON.parse(line ?? '{}'));
        if (batch.chosen !== batch.removed || batch.removed !== batch.archived) {
          await step('ROLLBACK', 'ROLLBACK of a batch');
          refuseMismatch(
            `Of ${counted(batch.chosen, 'row')} of ${source.name}, ${batch.removed} were removed and ${batch.archived} arrived in ${target.name}`,
            untouched,
          );
        }
        await session.run('COMMIT', {
          what: 'COMMIT of a batch',
          state:
            'A row is in one of the two tables: when the connection was lost, the batch is either moved or not. Running the step again goes on.',
          stopsOthers: true,
          isCommit: true,
        });
        return { rows: batch.removed, last: batch.last ?? undefined };
      });
      const state = 'The rows are moved; the total was not observed.';
      const rowsAfter = await countIn(session, source.name, undefined, state);
      const archivedAfter = await countIn(session, target.name, undefined, state);
      if (archivedAfter - archivedBefore !== done.rows) {
        fail({
          code: 'database-archive-unproved',
          message: `${counted(done.rows, 'row')} were moved, batch by batch, but ${target.name} has ${archivedAfter - archivedBefore} more than before.`,
          state: 'Each batch was proved by itself; somebody else writes to the archive table.',
          next: 'Find out who does, and compare the archive with the restore point.',
        });
      }
      const others = rowsAfter - (rowsBefore - done.rows);
      return {
        summary: [
          `${counted(done.rows, 'row')} of ${source.name} moved to ${target.name} in ${counted(done.batches, 'batch', 'batches')}`,
          ...(others === 0 ? [] : [`${source.name} changed by ${others} rows of others meanwhile`]),
          ...work.notes,
        ].join('; '),
        figures: {
          'rows-archived': done.rows,
          'rows-removed': done.rows,
          batches: done.batches,
          'rows-before': rowsBefore,
          'rows-after': rowsAfter,
          'archive-rows-before': archivedBefore,
          'archive-rows-after': archivedAfter,
        },
        proof: `in each batch as many rows arrived as were removed; ${target.name} has ${archivedAfter - archivedBefore} rows more than before, which is all that were removed; no row matches any more`,
      };
    },
    textSettings,
  );
}
