import type { Database } from '../../../ports/database.ts';
import type { MigrationFile, TaskResult } from '../../../ports/database-tasks.ts';
import { fail, FailureError } from '../../../ports/failure.ts';
import { rowsOf, type Psql, type PsqlSession } from '../psql.ts';
import { StatementError } from '../statement-failure.ts';
import {
  completeSql,
  createTableSql,
  findChecksumTable,
  insertSql,
  readRecords,
} from './checksum-table.ts';
import { counted } from './counted.ts';
import { planMigrations, refusalOf, type RecordedMigration } from './migration-plan.ts';
import { lockMigrations } from './migrator-lock.ts';
import { withSession, type TaskSession, type TaskTools } from './task-session.ts';
import { checkUserSql } from './user-sql.ts';

type MigrateOptions = Parameters<Database['migrate']>[1];

export interface MigrateTools extends TaskTools {
  /** Written beside each migration that the window applies. */
  readonly windowId: string | undefined;
}

/** {@link DatabaseTasks.migrate} */
export async function migrate(
  tools: MigrateTools,
  files: readonly MigrationFile[],
  options: MigrateOptions,
): Promise<TaskResult> {
  const lock = await lockMigrations(tools);
  try {
    const { table, plan } = await planned(lock, files, options.checksumTable);
    options.onPending?.(plan.pending);

    const run: Run = { ...tools, lock, table: table.name };
    if (!table.exists && plan.pending.length === 0) {
      await withSession(tools, options, (session) => createTable(session, table.name));
    }
    for (const [at, file] of plan.pending.entries()) {
      const before = plan.pending.slice(0, at).map(({ name }) => name);
      // A session of its own, so that no SET of one file reaches the next, and a default that one gives to the role does.
      await withSession(tools, options, async (session) => {
        if (at === 0 && !table.exists) await createTable(session, table.name);
        options.onProgress?.(`migrate ${file.name} (${at + 1} of ${plan.pending.length})`);
        await apply(run, session, file, before);
      });
    }
    await prove(run, files);
    const names = plan.pending.map(({ name }) => name);
    return {
      summary:
        names.length === 0
          ? `no migration was pending; applied before: ${plan.applied}`
          : `${counted(names.length, 'migration')} applied: ${names.join(', ')}`,
      figures: { 'migrations-applied': names.length, 'migrations-total': files.length },
      proof: `${table.name} lists exactly the ${counted(files.length, 'file')} with their SHA-256, each as applied`,
    };
  } finally {
    await lock.close();
  }
}

/** A migrator at work. */
interface Run extends Pick<MigrateTools, 'psql' | 'windowId'> {
  /** The session that keeps others out. */
  readonly lock: PsqlSession;
  /** The checksum table, quoted for SQL. */
  readonly table: string;
}

/** What is to be applied, all files of it checked. */
async function planned(
  session: PsqlSession,
  files: readonly MigrationFile[],
  checksumTable: string,
) {
  const table = await findChecksumTable(session, checksumTable);
  const records = table.exists ? await readRecords(rowsOf(session), table.name) : [];
  const plan = planMigrations(files, records);
  if (plan.kind !== 'apply') throw new FailureError(refusalOf(plan, table.name));
  for (const file of plan.pending) checkFile(file);
  return { table, plan };
}

/** {@link DatabaseTasks.pendingMigrations} */
export async function pendingMigrations(
  psql: Psql,
  files: readonly MigrationFile[],
  checksumTable: string,
): Promise<readonly MigrationFile[]> {
  const session = await psql.start();
  try {
    return (await planned(session, files, checksumTable)).plan.pending;
  } finally {
    await session.close();
  }
}

function show(file: MigrationFile): string {
  return `Migration ${JSON.stringify(file.name)}`;
}

/** A byte order mark, as some editors write it, is no SQL; psql -f drops it as well. */
function sqlOf(file: MigrationFile): string {
  return file.sql.replace(/^\uFEFF/, '');
}

function checkFile(file: MigrationFile): void {
  try {
    checkUserSql(sqlOf(file), show(file), !file.withoutTransaction);
  } catch (error) {
    if (!(error instanceof FailureError) || error.failure.message.includes(show(file))) throw error;
    fail({ ...error.failure, message: `${show(file)}: ${error.failure.message}` }, error);
  }
}

async function createTable(session: TaskSession, table: string): Promise<void> {
  await session.run(createTableSql(table), {
    what: `Creating the checksum table ${table}`,
    state: 'Nothing was changed.',
  });
}

async function apply(
  run: Run,
  session: TaskSession,
  file: MigrationFile,
  before: readonly string[],
): Promise<void> {
  await (file.withoutTransaction ? applyOutside : applyInside)(run, session, file, before);
}

function appliedBefore(before: readonly string[]): string {
  return before.length === 0
    ? 'No other migration of this run was applied.'
    : `Applied by this run and staying: ${before.join(', ')}.`;
}

async function applyInside(
  run: Run,
  session: TaskSession,
  file: MigrationFile,
  before: readonly string[],
): Promise<void> {
  const { table } = run;
  const state = `The file’s transaction was rolled back and left nothing. ${appliedBefore(before)}`;
  const what = show(file);
  await session.run('BEGIN', { what: `BEGIN of ${what}`, state });
  await claim(run, session, file, 'applied', state);
  await runFile(session, file, state);
  await session.run(backToOurRole, { what: `RESET ROLE after ${what}`, state });
  const completed = await session.run(completeSql(table, file.name), {
    what: `Completing the row of ${what} in ${table}`,
    state,
  });
  if (completed.length !== 1) {
    fail({
      code: 'database-migration-row-lost',
      message: `${what} removed its own row from ${table}.`,
      state,
      next: 'Take out of the file what changes the checksum table.',
    });
  }
  await session.run('COMMIT', {
    what: `COMMIT of ${what}`,
    state:
      `When the server refused the COMMIT, the file left nothing; when the connection was lost, the row in ${table} tells whether it took effect. ` +
      appliedBefore(before),
  });
}

async function applyOutside(
  run: Run,
  session: TaskSession,
  file: MigrationFile,
  before: readonly string[],
): Promise<void> {
  const { table } = run;
  const what = show(file);
  const state =
    `The file runs without a transaction: its statements before the failing one are done and stay, ` +
    `and ${table} has it as applying, so that the next run asks for a decision. ${appliedBefore(before)}`;
  await claim(run, session, file, 'applying', `The file did not start. ${appliedBefore(before)}`);
  await runFile(session, file, state);
  await session.run(backToOurRole, { what: `RESET ROLE after ${what}`, state });
  await session.run(completeSql(table, file.name), {
    what: `Completing the row of ${what} in ${table}`,
    state: `All statements of the file are done, but ${table} has it as applying. ${appliedBefore(before)}`,
  });
  // Seen from another session: a file that leaves a transaction open takes our update with it.
  const record = (await recordsNow(run)).find(({ name }) => name === file.name);
  if (record?.state !== 'applied') {
    fail({
      code: 'database-migration-transaction-left-open',
      message: `${what} ended with its transaction still open, so that its end was lost.`,
      state: `What the file did after its last BEGIN was rolled back; ${table} has it as applying. ${appliedBefore(before)}`,
      next: `Add the missing COMMIT. Then undo what the file did and delete its row from ${table}, to run it again.`,
    });
  }
}

/** The file may have changed the role; its row is ours to complete. */
const backToOurRole = 'RESET SESSION AUTHORIZATION; RESET ROLE';

/** Writes the file's row before the file runs: whoever comes second is stopped by the primary key. */
async function claim(
  { table, windowId }: Run,
  session: TaskSession,
  file: MigrationFile,
  state: 'applied' | 'applying',
  stateNow: string,
): Promise<void> {
  const row = { name: file.name, sha256: file.sha256, state, windowId };
  try {
    await session.run(insertSql(table, row), {
      what: `Entering ${show(file)} in ${table}`,
      state: stateNow,
    });
  } catch (error) {
    if (!(error instanceof StatementError) || error.sqlState !== '23505') throw error;
    fail(
      {
        code: 'database-migration-locked',
        message: `Somebody else entered ${show(file)} in ${table} meanwhile.`,
        state: stateNow,
        next: 'Find out who else migrates this database, then run the step again.',
      },
      error,
    );
  }
}

/** Runs the file as written; a failure carries the file's name and the line. */
async function runFile(session: TaskSession, file: MigrationFile, state: string): Promise<void> {
  const what = (line: number | undefined): string =>
    line === undefined ? show(file) : `${show(file)}, line ${line},`;
  await session.run(sqlOf(file), { what, state });
}

/** A file may have run for hours, and the idle session been lost or ended meanwhile: then a new one reads. */
async function recordsNow({ psql, lock, table }: Run): Promise<readonly RecordedMigration[]> {
  try {
    return await readRecords(rowsOf(lock), table);
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    return readRecords(psql, table);
  }
}

/** @throws FailureError `database-migrations-unproved` unless the table lists exactly the files, all applied */
async function prove(run: Run, files: readonly MigrationFile[]): Promise<void> {
  const { table } = run;
  const records = await recordsNow(run);
  const plan = planMigrations(files, records);
  if (plan.kind === 'apply' && plan.pending.length === 0) return;
  const problem =
    plan.kind === 'apply'
      ? `${plan.pending.map(({ name }) => name).join(', ')} not in it`
      : refusalOf(plan, table).message;
  fail({
    code: 'database-migrations-unproved',
    message: `The migrations ran, but ${table} does not list exactly the files: ${problem}`,
    state: 'The migrations that the table lists are applied.',
    next: 'Find out who else writes to the checksum table, then run the step again.',
  });
}
