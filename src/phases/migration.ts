import { posix } from 'node:path';
import type { TaskSettings } from '../plan/settings/run-db-maintenance.ts';
import type { MigrationFile, TaskOptions, TaskResult } from '../ports/database.ts';
import { fail } from '../ports/failure.ts';
import type { PhaseContext } from './phase.ts';
import { requireDatabase } from './requirements.ts';
import { selectedHosts } from './selected-hosts.ts';

type MigrateTask = Extract<TaskSettings, { task: 'migrate' }>;

/** Changes the schema by the plan's SQL files, or by the user's own tool. */
export async function migrate(
  context: PhaseContext,
  task: MigrateTask,
  options: TaskOptions,
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
  const { fleet, progress, workspace } = context;
  const host = selectedHosts(fleet, task.on)[0] ?? fleet.control;
  // The repository is on the runner's own host; elsewhere there is none.
  const folder = task.workingDirectory ?? (host.name === 'local' ? workspace : undefined);
  const [program = '', ...rest] = command;
  const show = (line: string): void => {
    progress.info(line);
  };
  const result = await host.run({
    argv: [program, ...rest],
    ...(folder === undefined ? {} : { workingDirectory: folder }),
    env: variablesFor(context, task),
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

/** Only what the plan names: a tool gets no secrets that it does not need. */
function variablesFor(context: PhaseContext, task: MigrateTask): Record<string, string> {
  const { url } = context.plan.database;
  const names = task.environment ?? (url === undefined ? [] : [url.slice(1)]);
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = context.variable(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
