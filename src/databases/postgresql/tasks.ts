import type { Clock } from '../../ports/clock.ts';
import type { Database } from '../../ports/database.ts';
import type { DatabaseTasks } from '../../ports/database-tasks.ts';
import { dangerousStatements } from './dangerous-statements.ts';
import { guardedTask } from './guard/guarded-task.ts';
import { watchClients } from './guard/watched-clients.ts';
import type { Psql } from './psql.ts';
import { analyze } from './tasks/analyze.ts';
import { archive, previewArchive } from './tasks/archive.ts';
import { migrate, pendingMigrations } from './tasks/migrate.ts';
import { optimizeQueries } from './tasks/optimize-queries.ts';
import { previewRefresh, refresh } from './tasks/refresh.ts';
import { reindex } from './tasks/reindex.ts';
import { previewRepack, repack } from './tasks/repack.ts';
import { queryValue, runSql } from './tasks/sql.ts';
import type { TaskClients } from './tasks/task-clients.ts';
import { vacuum } from './tasks/vacuum.ts';

export interface TaskDependencies {
  readonly clock: Clock;
  readonly clients: TaskClients;
  /** Written beside each migration that is applied, and each file of an archive. */
  readonly windowId?: string | undefined;
}

/** The tasks of a window on a PostgreSQL database (13 or newer), and the questions that smoke tests ask. */
export function postgresqlTasks(
  psql: Psql,
  { clock, clients, windowId }: TaskDependencies,
): DatabaseTasks & Pick<Database, 'queryValue'> {
  const tools = { psql, clock, clients, windowId };
  return {
    vacuum: (tables, options) =>
      guardedTask(tools, options, (watched) => vacuum(watched, tables, options)),
    analyze: (tables, options) =>
      guardedTask(tools, options, (watched) => analyze(watched, tables, options)),
    reindex: (tables, options) =>
      guardedTask(tools, options, (watched) => reindex(watched, tables, options)),
    migrate: (files, options) => migrate(tools, files, options),
    runSql: (sql, options) =>
      guardedTask(tools, options, (watched) => runSql(watched, sql, options)),
    queryValue: (sql, options) => queryValue(psql, sql, options),
    archive: (options) => guardedTask(tools, options, (watched) => archive(watched, options)),
    refresh: (views, options) =>
      guardedTask(tools, options, (watched) => refresh(watched, views, options)),
    repack: (tables, options) =>
      guardedTask(tools, options, (watched) => repack(watched, tables, options)),
    optimizeQueries: (options) =>
      guardedTask(tools, options, (watched) => optimizeQueries(watched, options)),
    previewArchive: (options) => previewArchive(tools, options),
    previewRefresh: (views, options) => previewRefresh(tools, views, options),
    previewRepack: (tables, options) => previewRepack(tools, tables, options),
    pendingMigrations: (files, options) => pendingMigrations(psql, files, options.checksumTable),
    dangersIn: dangerousStatements,
    watch: (work, terms) => watchClients(tools, work, terms),
  };
}
