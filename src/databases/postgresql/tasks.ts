import type { Clock } from '../../ports/clock.ts';
import type { Database } from '../../ports/database.ts';
import { dangerousStatements } from './dangerous-statements.ts';
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
): Pick<
  Database,
  | 'vacuum'
  | 'analyze'
  | 'reindex'
  | 'migrate'
  | 'runSql'
  | 'queryValue'
  | 'archive'
  | 'refresh'
  | 'repack'
  | 'optimizeQueries'
  | 'previewArchive'
  | 'previewRefresh'
  | 'previewRepack'
  | 'pendingMigrations'
  | 'dangersIn'
> {
  const tools = { psql, clock, clients, windowId };
  return {
    vacuum: (tables, options) => vacuum(tools, tables, options),
    analyze: (tables, options) => analyze(tools, tables, options),
    reindex: (tables, options) => reindex(tools, tables, options),
    migrate: (files, options) => migrate(tools, files, options),
    runSql: (sql, options) => runSql(tools, sql, options),
    queryValue: (sql, options) => queryValue(psql, sql, options),
    archive: (options) => archive(tools, options),
    refresh: (views, options) => refresh(tools, views, options),
    repack: (tables, options) => repack(tools, tables, options),
    optimizeQueries: (options) => optimizeQueries(tools, options),
    previewArchive: (options) => previewArchive(tools, options),
    previewRefresh: (views, options) => previewRefresh(tools, views, options),
    previewRepack: (tables, options) => previewRepack(tools, tables, options),
    pendingMigrations: (files, options) => pendingMigrations(psql, files, options.checksumTable),
    dangersIn: dangerousStatements,
  };
}
