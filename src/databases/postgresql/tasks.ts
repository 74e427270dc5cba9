import type { Clock } from '../../ports/clock.ts';
import type { Database } from '../../ports/database.ts';
import type { Psql } from './psql.ts';
import { analyze } from './tasks/analyze.ts';
import { migrate } from './tasks/migrate.ts';
import { reindex } from './tasks/reindex.ts';
import { queryValue, runSql } from './tasks/sql.ts';
import { vacuum } from './tasks/vacuum.ts';

export interface TaskDependencies {
  readonly clock: Clock;
  /** Written beside each migration that is applied. */
  readonly windowId?: string | undefined;
}

/** The tasks of a window on a PostgreSQL database (13 or newer), and the questions that smoke tests ask. */
export function postgresqlTasks(
  psql: Psql,
  { clock, windowId }: TaskDependencies,
): Pick<Database, 'vacuum' | 'analyze' | 'reindex' | 'migrate' | 'runSql' | 'queryValue'> {
  const tools = { psql, clock, windowId };
  return {
    vacuum: (tables, options) => vacuum(tools, tables, options),
    analyze: (tables, options) => analyze(tools, tables, options),
    reindex: (tables, options) => reindex(tools, tables, options),
    migrate: (files, options) => migrate(tools, files, options),
    runSql: (sql, options) => runSql(tools, sql, options),
    queryValue: (sql, options) => queryValue(psql, sql, options),
  };
}
