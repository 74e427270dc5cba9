import { posix } from 'node:path';
import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import type { DatabaseFacts } from '../ports/database.ts';
import { failureOf } from '../ports/failure.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import { keeperOf } from './backups/keeper.ts';
import { freeDataBytes } from './data-disk.ts';
import type { PreflightContext } from './preflight.ts';
import { planTasks } from './run-db-maintenance.ts';
import { serverTasksChangeData } from './server-tasks/planned-tasks.ts';

/** The facts of the database; what keeps them from being read becomes a failed check. */
export async function inspectDatabase(
  context: PreflightContext,
  checks: Check[],
): Promise<DatabaseFacts | undefined> {
  const { database, plan } = context;
  if (database === undefined) return undefined;
  try {
    return await database.inspect({ longTransactionSeconds: plan.preflight.longTransaction });
  } catch (error) {
    const failure = failureOf(error);
    checks.push({
      id: 'database',
      title: `Database ${database.label}`,
      verdict: 'failed',
      value: failure.message,
      limit: 'answers',
      next: failure.next,
    });
    return undefined;
  }
}

/** What the facts of the database mean for this plan. */
export function checkDatabase(
  context: Pick<PreflightContext, 'plan' | 'database'>,
  facts: DatabaseFacts,
): readonly Check[] {
  const { plan } = context;
  const tasks = planTasks(plan.runDbMaintenance.tasks);
  const changes =
    tasks.some((task) => task.blast !== 'none') || serverTasksChangeData(plan.updateServer.tasks);
  const clients = Object.entries(facts.clientVersions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  const lacks: string[] = [];
  if (!facts.isSuperuser) {
    if (!facts.canCreateDatabase) lacks.push('CREATEDB (scratch database, restore point)');
    if (!facts.ownsDatabase) lacks.push(`ownership of ${facts.name} (clone, swap)`);
    if (changes && !facts.canEndSessions) lacks.push('pg_signal_backend (restore point)');
  }
  const invalidIsFatal = !plan.preflight.acceptInvalidIndexes;
  const of = (
    id: string,
    title: string,
    verdict: Check['verdict'],
    value: string,
    limit: string,
    next: string,
  ): Check => ({ id, title, verdict, value, limit, ...(verdict === 'passed' ? {} : { next }) });
  return [
    of(
      'database',
      'Database',
      facts.isReadOnly || facts.isInRecovery ? 'failed' : 'passed',
      `${facts.name}, PostgreSQL ${facts.serverVersion}, ${formatBytes(facts.bytes)}${facts.isInRecovery ? ', a standby' : ''}${facts.isReadOnly ? ', read-only' : ''}`,
      'answers and takes writes',
      'Name the primary server in the database URL.',
    ),
    of(
      'clients',
      'Database clients',
      facts.clientsAreNewEnough ? 'passed' : 'failed',
      clients,
      `at least as new as the server (${facts.serverVersion})`,
      "Install the postgresql-client package of the server's major version, or name its folder in database.client-directory.",
    ),
    of(
      'role',
      'Database role',
      lacks.length === 0 ? 'passed' : 'failed',
      lacks.length === 0
        ? `${facts.role} may do what the tasks need`
        : `${facts.role} lacks ${lacks.join(', ')}`,
      'may create databases, owns the database, may end sessions',
      'Grant it: ALTER ROLE … CREATEDB; ALTER DATABASE … OWNER TO …; GRANT pg_signal_backend TO ….',
    ),
    of(
      'long-transactions',
      'Long transactions',
      facts.longTransactions.length === 0 ? 'passed' : 'warning',
      facts.longTransactions.length === 0
        ? 'none'
        : facts.longTransactions
            .map(
              (entry) =>
                `pid ${entry.pid} of ${entry.user}, ${entry.state}, for ${formatDuration(entry.seconds)}`,
            )
            .join('; '),
      `none older than ${formatDuration(plan.preflight.longTransaction)}`,
      'They stall reindex and the restore point: end them before the window.',
    ),
    of(
      'prepared-transactions',
      'Prepared transactions',
      facts.preparedTransactions.length === 0 ? 'passed' : 'failed',
      facts.preparedTransactions.length === 0
        ? 'none'
        : facts.preparedTransactions.map((entry) => entry.id).join(', '),
      'none',
      'COMMIT PREPARED or ROLLBACK PREPARED them: the database cannot be cloned with them.',
    ),
    of(
      'subscriptions',
      'Subscriptions',
      changes && facts.subscriptions.some(({ enabled }) => enabled) ? 'failed' : 'passed',
      facts.subscriptions.length === 0
        ? 'none'
        : facts.subscriptions
            .map(({ name, enabled }) => `${name}${enabled ? '' : ' (disabled)'}`)
            .join(', '),
      'none that takes in rows during the window',
      'What comes in after the restore point would be lost by a rollback, and is not sent again: ALTER SUBSCRIPTION … DISABLE for the window, ENABLE afterwards.',
    ),
    of(
      'logical-slots',
      'Logical replication slots',
      changes && facts.logicalSlots.length > 0 ? 'warning' : 'passed',
      facts.logicalSlots.length === 0 ? 'none' : facts.logicalSlots.join(', '),
      'none, or consumers that can begin anew',
      'They stay with the failed database in a rollback: their consumers have to begin anew then.',
    ),
    of(
      'invalid-indexes',
      'Invalid indexes',
      facts.invalidIndexes.length === 0 ? 'passed' : invalidIsFatal ? 'failed' : 'warning',
      facts.invalidIndexes.length === 0 ? 'none' : facts.invalidIndexes.join(', '),
      'none',
      'A reindex task repairs them; or REINDEX INDEX CONCURRENTLY by hand.',
    ),
    of(
      'replication',
      'Replication',
      facts.standbys.every((standby) => standby.state === 'streaming') ? 'passed' : 'warning',
      facts.standbys.length === 0
        ? 'no standbys'
        : facts.standbys
            .map(
              (standby) =>
                `${standby.name} ${standby.state}${standby.lagSeconds === undefined ? '' : `, ${formatDuration(standby.lagSeconds)} behind`}`,
            )
            .join('; '),
      'every standby streams',
      'Let the standbys catch up before the window.',
    ),
  ];
}

/** Whether a rollback could give back what a clone and a restore lose. */
export async function checkProperties(
  context: Pick<PreflightContext, 'plan' | 'database'>,
  facts: DatabaseFacts,
): Promise<readonly Check[]> {
  const { plan, database } = context;
  const changes =
    planTasks(plan.runDbMaintenance.tasks).some((task) => task.blast !== 'none') ||
    serverTasksChangeData(plan.updateServer.tasks);
  // Who lacks the more basic rights is told of those.
  const mayTry = facts.ownsDatabase && !facts.isReadOnly && !facts.isInRecovery;
  if (database === undefined || !changes || !mayTry) return [];
  const head = {
    id: 'properties',
    title: 'Owner, grants and settings of the database',
    limit: 'the role may give them back in a rollback',
  };
  const obstacle = await database.reapplyObstacle();
  return [
    obstacle === undefined
      ? { ...head, verdict: 'passed', value: `${facts.role} may (tried, and taken back)` }
      : {
          ...head,
          verdict: 'failed',
          value: `${facts.role} may not: ${obstacle}`,
          next: 'Name a role in the database URL that may (who set it, or a superuser), or take that setting away for the window.',
        },
  ];
}

/** Space for backup, restore test and restore point, from the size of the database. */
export async function checkDisk(context: PreflightContext, facts: DatabaseFacts): Promise<Check[]> {
  const { plan } = context;
  const host = context.fleet.database;
  const reserve = plan.preflight.freeDisk;
  const backups = plan.backupDb.directory ?? posix.join(plan.stateDir, plan.name ?? '', 'backups');
  const keeper = keeperOf(context, {});
  const where = keeper === host ? backups : `${backups} on ${keeper.name}`;
  const places = [
    { id: 'disk-backup', title: `Disk for the backup (${where})`, path: backups, on: keeper },
  ];
  if (facts.dataDirectory !== undefined && (await freeDataBytes(host, facts)) !== undefined) {
    places.push({
      id: 'disk-database',
      title: 'Disk for restore test and restore point',
      path: facts.dataDirectory,
      on: host,
    });
  }
  return Promise.all(
    places.map(async ({ id, title, path, on }): Promise<Check> => {
      // A dump is never much larger than the database; a restored copy or a clone is as large.
      const needed = facts.bytes + reserve;
      const free = await on.freeBytes(path);
      const head = {
        id,
        title,
        value: `${formatBytes(free)} free`,
        limit: `at least ${formatBytes(needed)} (database ${formatBytes(facts.bytes)} and ${formatBytes(reserve)} in reserve)`,
      };
      return free >= needed
        ? { ...head, verdict: 'passed' }
        : {
            ...head,
            verdict: 'failed',
            next: 'Free disk space, or name another folder in backup-db.directory.',
          };
    }),
  );
}
