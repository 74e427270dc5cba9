import type { Danger, DangerousStatement } from '../ports/dangerous-sql.ts';
import { fail } from '../ports/failure.ts';
import type { MigrationFile } from '../ports/database-tasks.ts';
import { migrationsOf } from './migration.ts';
import type { PhaseContext } from './phase.ts';
import type { PlannedTask } from './planned-tasks.ts';
import { requireDatabase } from './requirements.ts';

/** A statement that the plan does not consent to. */
export interface Unconsented extends DangerousStatement {
  readonly task: string;
  /** `file 0003-drop.sql`, or `sql`. */
  readonly where: string;
}

export type ConsentContext = Pick<PhaseContext, 'database' | 'runner' | 'fleet' | 'workspace'>;

/** Whether the statements of a task are read for what needs consent; a command of the user's cannot be read. */
export function isRead({ settings }: PlannedTask): boolean {
  return settings.task === 'sql' || (settings.task === 'migrate' && settings.files !== undefined);
}

/** The statements that a task would run without the consent that they need. */
export async function unconsented(
  context: ConsentContext,
  task: PlannedTask,
): Promise<readonly Unconsented[]> {
  const { settings } = task;
  if (settings.task === 'sql') return lacking(context, task, 'sql', settings.sql);
  if (settings.task !== 'migrate' || settings.files === undefined) return [];
  const files = await migrationsOf(context, settings.files);
  const pending = await requireDatabase(context).pendingMigrations(files, {
    checksumTable: settings.checksumTable,
  });
  return unconsentedIn(context, task, pending);
}

/** The same of files that were read already. */
export function unconsentedIn(
  context: ConsentContext,
  task: PlannedTask,
  files: readonly MigrationFile[],
): readonly Unconsented[] {
  return files.flatMap(({ name, sql }) => lacking(context, task, `file ${name}`, sql));
}

function lacking(
  context: ConsentContext,
  task: PlannedTask,
  where: string,
  sql: string,
): readonly Unconsented[] {
  const { settings } = task;
  const given: readonly Danger[] = 'consent' in settings ? settings.consent : [];
  return (
    requireDatabase(context)
      .dangersIn(sql)
      .filter(({ danger }) => !given.includes(danger))
      // While the site is closed nobody waits for the lock of a REINDEX.
      .filter(({ danger }) => danger !== 'reindex' || task.stage === 'online')
      .map((statement) => ({ ...statement, task: task.id, where }))
  );
}

/** For instance `task migrate, file 0003.sql, line 4: DROP TABLE`. */
export function describeUnconsented(found: readonly Unconsented[]): string {
  return found
    .map(({ task, where, line, what }) => `task ${task}, ${where}, line ${line}: ${what}`)
    .join('; ');
}

/** The keys that the plan would have to have, by task. */
export function consentKeys(found: readonly Unconsented[]): string {
  const tasks = [...new Set(found.map(({ task }) => task))];
  return tasks
    .map((task) => {
      const needed = [
        ...new Set(found.filter((entry) => entry.task === task).map(({ danger }) => danger)),
      ];
      return `consent: [${needed.join(', ')}] to task ${task}`;
    })
    .join(', ');
}

/** @throws FailureError `consent-missing` unless there is nothing that lacks it */
export function requireConsent(found: readonly Unconsented[]): void {
  if (found.length === 0) return;
  fail({
    code: 'consent-missing',
    message: `The plan does not consent to what its SQL does: ${describeUnconsented(found)}.`,
    state: 'None of these tasks was begun.',
    next: `When that is meant, add ${consentKeys(found)}; else correct the SQL.`,
  });
}
