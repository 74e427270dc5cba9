import { posix } from 'node:path';
import type { TaskSettings } from '../plan/settings/run-db-maintenance.ts';
import type { Database } from '../ports/database.ts';
import type { MigrationFile, TaskResult } from '../ports/database-tasks.ts';
import { fail } from '../ports/failure.ts';
import type { PhaseContext } from './phase.ts';
import { requireDatabase } from './requirements.ts';
import { selectedHosts } from './selected-hosts.ts';
import { folderFor, variablesNamed } from './tool-surroundings.ts';

type MigrateTask = Extract<TaskSettings, { task: 'migrate' }>;
type MigrateOptions = Omit<Parameters<Database['migrate']>[1], 'checksumTable'>;

/** Changes the schema by the plan's SQL files, or by the user's own tool. */
export async function migrate(
  context: PhaseContext,
  task: MigrateTask,
  options: MigrateOptions,
): Promise<TaskResult> {
  const { command, files = '', checksumTable } = task;
  if (command !== undefined) return migrateByCommand(context, task, command);
  const found = await migrationsOf(context, files);
  return requireDatabase(context).migrate(found, { ...options, checksumTable });
}

/**
 * The `.sql` files of a migrate task, in the order of their names: of the repository, which the runner has, or of a
 * folder on the database host.
 * @throws FailureError `no-migrations`
 */
export async function migrationsOf(
  context: Pick<PhaseContext, 'runner' | 'fleet' | 'workspace'>,
  files: string,
): Promise<readonly MigrationFile[]> {
  const host = files.startsWith('/') ? context.fleet.database : context.runner;
  const folder = posix.resolve(context.workspace, files);
  const names = (await host.list(folder)).filter((name) => name.endsWith('.sql')).sort();
  if (names.length === 0) {
    return fail({
      code: 'no-migrations',
      message: `The folder ${folder} (on ${host.name}) has no .sql files.`,
      state: 'No migration was applied.',
      next: 'Check the path of `files` in the migrate task: an absolute one is on the database host, any other in the repository.',
    });
  }
  return Promise.all(
    names.map(async (name) => {
      const path = posix.join(folder, name);
      const sql = new TextDecoder().decode(await host.readFile(path));
      return {
        name,
        sql,
        sha256: await host.sha256(path),
        withoutTransaction: /^--\s*no-transaction\s*$/.test(sql.split('\n')[0] ?? ''),
      };
    }),
  );
}

async function migrateByCommand(
  context: PhaseContext,
  task: MigrateTask,
  command: readonly string[],
): Promise<TaskResult> {
  const { fleet, progress } = context;
  const host = selectedHosts(fleet, task.on)[0] ?? fleet.control;
  const folder = folderFor(context, host.name, task);
  const [program = '', ...rest] = command;
  const show = (line: string): void => {
    progress.info(line);
  };
  const result = await host.run({
    argv: [program, ...rest],
    ...(folder === undefined ? {} : { workingDirectory: folder }),
    env: variablesNamed(context, variableNames(context, task)),
    onStdoutLine: show,
    onStderrLine: show,
  });
  if (result.exitCode !== 0) {
    fail({
      code: 'migration-command-failed',
      message: `The migration command ${program} ended with ${result.exitCode === null ? 'a signal' : `exit code ${result.exitCode}`}.`,
      state: 'The site is closed; what the command changed is unknown.',
      next: 'Read its output above; `rollback` goes back to the restore point.',
    });
  }
  const summary = `${program} ended well`;
  if (task.verify === undefined) {
    return { summary, proof: 'exit code 0 (the plan gives no verify query)', figures: {} };
  }
  const value = await requireDatabase(context).queryValue(task.verify, { timeoutSeconds: 60 });
  if (value !== 't' && value !== 'true') {
    fail({
      code: 'migration-not-verified',
      message: `After the migration command the verify query gave ${value ?? 'no row'} instead of true.`,
      state: 'The site is closed; the command ended with exit code 0, but its effect is not there.',
      next: 'Look at what the command did; `rollback` goes back to the restore point.',
    });
  }
  return { summary, proof: 'the verify query is true', figures: {} };
}

/** By default the variable with the database URL, which every migration tool needs. */
function variableNames({ plan }: PhaseContext, task: MigrateTask): readonly string[] {
  const { url } = plan.database;
  return task.environment ?? (url === undefined ? [] : [url.slice(1)]);
}
