import type { Clock } from '../ports/clock.ts';
import type { Database } from '../ports/database.ts';
import type { Host } from '../ports/host.ts';
import { fail } from '../ports/failure.ts';
import { applyProperties, reapplyObstacle } from './postgresql/apply-properties.ts';
import { possibleCompressions } from './postgresql/compression.ts';
import { parseConnection } from './postgresql/connection.ts';
import { createEmpty } from './postgresql/create-empty.ts';
import { dump } from './postgresql/dump.ts';
import { databasesWithPrefix, identify } from './postgresql/identity.ts';
import { busySessions, inspect, writeCounters } from './postgresql/inspection.ts';
import { readProperties } from './postgresql/properties.ts';
import { checkpoint, clone, drop, rename } from './postgresql/restore-points.ts';
import { sizeOf } from './postgresql/relation-sizes.ts';
import { restore } from './postgresql/restore.ts';
import { countRows } from './postgresql/row-counts.ts';
import { endSessions, seal, setAllowConnections } from './postgresql/seal.ts';
import { backupProofs } from './postgresql/proofs/proofs.ts';
import { createServer } from './postgresql/server.ts';
import { postgresqlTasks } from './postgresql/tasks.ts';
import { writeCanary } from './postgresql/tasks/write-canary.ts';

/**
 * A PostgreSQL database (server 13 to 18), worked on by the official clients on `host`. Connects to nothing yet.
 * @throws FailureError `database-url-invalid`
 */
export function postgresql(options: {
  readonly host: Host;
  readonly clock: Clock;
  /** `postgresql://…`; its password reaches the clients by environment only. */
  readonly url: string;
  /** Absolute path of the folder with psql, pg_dump and pg_restore; default: the best that the host has. */
  readonly clientDirectory?: string;
  /** Written beside each migration that is applied. */
  readonly windowId?: string;
  /** Whether it is another server than the application's, on which backups are tried out. */
  readonly elsewhere?: boolean;
}): Database {
  const { host, clock, url, clientDirectory, windowId } = options;
  if (clientDirectory !== undefined && !clientDirectory.startsWith('/')) {
    fail({
      code: 'database-client-missing',
      message: `The folder of the client programs ${JSON.stringify(clientDirectory)} is not an absolute path.`,
      state: 'Nothing was connected to or changed.',
      next: 'Give a path that begins with /, for instance /usr/lib/postgresql/17/bin.',
    });
  }
  const connection = parseConnection(url);
  const server = createServer({ host, clock, connection, clientDirectory });
  const { psql } = server;
  return {
    label: connection.label,
    name: connection.database,

    inspect: (limits) => inspect(server, limits),
    properties: () => readProperties(server, connection.database),
    reapplyObstacle: () => reapplyObstacle(server, connection.database),
    identify: (by) => identify(psql, by),
    databasesWithPrefix: (prefix) => databasesWithPrefix(psql, prefix),
    countRows: (database) => countRows(psql, database),
    sizeOf: (tables) => sizeOf(psql, tables),
    busySessions: () => busySessions(psql),
    writeCounters: () => writeCounters(psql),

    compressions: () => possibleCompressions(server),
    dump: (dumpOptions) => dump(server, dumpOptions),
    restore: (restoreOptions) =>
      restore(server, { ...restoreOptions, elsewhere: options.elsewhere }),
    createEmpty: (database, like) => createEmpty(server, database, like),
    drop: (database) => drop(server, database),

    ...backupProofs(server),

    setAllowConnections: (database, allow) => setAllowConnections(server, database, allow),
    seal: (database, withinSeconds) => seal(server, database, withinSeconds),
    endSessions: (database, withinSeconds) => endSessions(server, database, withinSeconds),
    checkpoint: (scratch) => checkpoint(server, scratch),
    clone: (source, target) => clone(server, source, target),
    rename: (from, to) => rename(server, from, to),
    applyProperties: (database, properties) => applyProperties(server, database, properties),

    writeCanary: (canaryOptions) => writeCanary(psql, canaryOptions),
    ...postgresqlTasks(psql, {
      clock,
      windowId,
      clients: {
        host,
        folders: () => server.folders(),
        psql: (args) => server.client('psql', args, connection.database),
        command: (path, args, settings) =>
          server.command(path, args, connection.database, settings),
      },
    }),
  };
}
