import type { MigrationFile } from '../../../ports/database-tasks.ts';
import type { Failure } from '../../../ports/failure.ts';

/** A row of the checksum table. */
export interface RecordedMigration {
  readonly name: string;
  /** Hex SHA-256 of the file as it was applied. */
  readonly sha256: string;
  /** `applying`: a file without transaction began and did not report its end. */
  readonly state: 'applied' | 'applying';
  /** When it began, as the server prints it. */
  readonly startedAt: string;
}

/** What is to be done, decided before anything runs. */
export type MigrationPlan =
  | { readonly kind: 'apply'; readonly pending: readonly MigrationFile[]; readonly applied: number }
  | { readonly kind: 'duplicate'; readonly name: string }
  | { readonly kind: 'interrupted'; readonly record: RecordedMigration }
  | {
      readonly kind: 'changed';
      readonly file: MigrationFile;
      readonly record: RecordedMigration;
    }
  | { readonly kind: 'missing'; readonly names: readonly string[] }
  | {
      readonly kind: 'out-of-order';
      readonly file: MigrationFile;
      readonly after: string;
    };

/**
 * Compares the files, in the order in which they are to be applied, with what the checksum table says.
 * A file that was applied and is missing now is refused, too: the database would then hold changes that no file
 * describes, and a rollback or a new copy of the database could not be built from the folder.
 */
export function planMigrations(
  files: readonly MigrationFile[],
  records: readonly RecordedMigration[],
): MigrationPlan {
  const names = new Set<string>();
  for (const { name } of files) {
    if (names.has(name)) return { kind: 'duplicate', name };
    names.add(name);
  }
  const interrupted = records.find(({ state }) => state === 'applying');
  if (interrupted !== undefined) return { kind: 'interrupted', record: interrupted };

  const byName = new Map(records.map((record) => [record.name, record]));
  for (const file of files) {
    const record = byName.get(file.name);
    if (record !== undefined && record.sha256 !== file.sha256) {
      return { kind: 'changed', file, record };
    }
  }
  const missing = records.map(({ name }) => name).filter((name) => !names.has(name));
  if (missing.length > 0) return { kind: 'missing', names: missing };

  const lastApplied = files.findLastIndex(({ name }) => byName.has(name));
  const pending = files.filter(({ name }) => !byName.has(name));
  const early = files.slice(0, lastApplied + 1).find(({ name }) => !byName.has(name));
  const last = files[lastApplied];
  if (early !== undefined && last !== undefined) {
    return { kind: 'out-of-order', file: early, after: last.name };
  }
  return { kind: 'apply', pending, applied: records.length };
}

const untouched = 'No migration of this run was started; the database is as it was.';

/**
 * Why a plan is refused.
 * @param table the checksum table, quoted for SQL
 */
export function refusalOf(plan: Exclude<MigrationPlan, { kind: 'apply' }>, table: string): Failure {
  switch (plan.kind) {
    case 'duplicate':
      return {
        code: 'database-migration-duplicate',
        message: `Two migrations are called ${show(plan.name)}.`,
        state: untouched,
        next: 'Rename one of them; names order the migrations and identify them in the checksum table.',
      };
    case 'interrupted': {
      const where = `WHERE name = ${literal(plan.record.name)}`;
      return {
        code: 'database-migration-interrupted',
        message: `Migration ${show(plan.record.name)} runs without a transaction; it began at ${plan.record.startedAt} and never finished.`,
        state: `The database may hold a part of it; no migration of this run was started.`,
        next:
          `See what it did. To run it again from the start: undo that and DELETE FROM ${table} ${where}. ` +
          `To count it as applied: complete it by hand and UPDATE ${table} SET state = 'applied' ${where}.`,
      };
    }
    case 'changed':
      return {
        code: 'database-migration-changed',
        message:
          `Migration ${show(plan.file.name)} was changed after it had been applied at ${plan.record.startedAt}: ` +
          `its SHA-256 was ${plan.record.sha256} and is ${plan.file.sha256} now.`,
        state: untouched,
        next: 'Restore the file as it was applied, and put the change into a new migration.',
      };
    case 'missing':
      return {
        code: 'database-migration-missing',
        message: `${plan.names.map(show).join(', ')}: applied to this database, but not among the migrations any more.`,
        state: untouched,
        next: `Put the file back. If it was removed on purpose, delete its row from ${table}.`,
      };
    case 'out-of-order':
      return {
        code: 'database-migration-out-of-order',
        message: `Migration ${show(plan.file.name)} is new but sorts before ${show(plan.after)}, which is applied already.`,
        state: untouched,
        next: `Rename it so that it sorts after ${show(plan.after)}.`,
      };
  }
}

function show(name: string): string {
  return JSON.stringify(name);
}

/** For a statement that a person copies from the message. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
