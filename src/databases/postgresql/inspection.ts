import { z } from 'zod';
import type { DatabaseFacts, WriteCounters } from '../../ports/database.ts';
import type { Server } from './server.ts';
import type { Psql } from './psql.ts';
import { quoteDollar } from './quoting.ts';

/** Another client of this database; the server hides most about others' sessions from an ordinary role, not these. */
const otherClients = `a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL
  AND coalesce(a.backend_type, 'client backend') = 'client backend'`;

const serverFacts = z.object({
  name: z.string(),
  oid: z.int(),
  bytes: z.int(),
  indexBytes: z.int(),
  role: z.string(),
  isSuperuser: z.boolean(),
  canCreateDatabase: z.boolean(),
  ownsDatabase: z.boolean(),
  canEndSessions: z.boolean(),
  isReadOnly: z.boolean(),
  isInRecovery: z.boolean(),
  dataDirectory: z.string().nullable(),
  sessions: z.int(),
});

// Copies of a database are made in its own default tablespace. data_directory is missing from pg_settings for roles that may not see it.
const serverFactsQuery = `SELECT d.datname AS name, d.oid::bigint AS oid, pg_database_size(d.oid) AS bytes,
    (SELECT coalesce(sum(pg_relation_size(c.oid)), 0)::bigint FROM pg_class AS c WHERE c.relkind = 'i') AS "indexBytes",
    r.rolname AS role, r.rolsuper AS "isSuperuser", r.rolsuper OR r.rolcreatedb AS "canCreateDatabase",
    pg_has_role(r.oid, d.datdba, 'USAGE') AS "ownsDatabase",
    pg_has_role(r.oid, 'pg_signal_backend', 'USAGE') AS "canEndSessions",
    current_setting('transaction_read_only')::boolean AS "isReadOnly", pg_is_in_recovery() AS "isInRecovery",
    coalesce(nullif(pg_tablespace_location(d.dattablespace), ''),
      (SELECT setting FROM pg_settings WHERE pg_settings.name = 'data_directory')) AS "dataDirectory",
    (SELECT count(*) FROM pg_stat_activity AS a WHERE ${otherClients}) AS sessions
  FROM pg_database AS d, pg_roles AS r WHERE d.datname = current_database() AND r.rolname = current_user`;

const longTransaction = z.object({
  pid: z.int(),
  user: z.string(),
  seconds: z.number(),
  state: z.string(),
  query: z.string(),
});

/** The beginning of each query only: it goes into reports, and may hold values. */
function longTransactionsQuery(seconds: number): string {
  return `SELECT a.pid, coalesce(a.usename, '') AS "user",
      round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1) AS seconds,
      coalesce(a.state, 'unknown') AS state, left(regexp_replace(a.query, '\\s+', ' ', 'g'), 120) AS query
    FROM pg_stat_activity AS a
    WHERE ${otherClients} AND a.xact_start < clock_timestamp() - make_interval(secs => ${String(seconds)})
    ORDER BY a.xact_start`;
}

const preparedQuery = `SELECT gid AS id, round(extract(epoch FROM clock_timestamp() - prepared)::numeric, 1) AS seconds
  FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared`;

const invalidIndexesQuery = `SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind = 'i' AND NOT (i.indisvalid AND i.indisready AND i.indislive) AND n.nspname !~ '^pg_toast'
  ORDER BY 1`;

const standby = z.object({
  name: z.string(),
  state: z.string(),
  lagSeconds: z.number().nullable(),
});

// replay_lag is null on a quiet server, where nothing is behind.
const standbysQuery = `SELECT coalesce(nullif(application_name, ''), usename, 'unknown') AS name,
    coalesce(state, 'unknown') AS state,
    CASE WHEN replay_lag IS NOT NULL THEN round(extract(epoch FROM replay_lag)::numeric, 3)
      WHEN replay_lsn >= sent_lsn THEN 0 END AS "lagSeconds"
  FROM pg_stat_replication ORDER BY 1`;

const subscription = z.object({ name: z.string(), enabled: z.boolean() });

// Only superusers may read how a subscription connects, everybody the rest (manual, 53.54).
const subscriptionsQuery = `SELECT subname AS name, subenabled AS enabled FROM pg_subscription
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY subname`;

const logicalSlotsQuery = `SELECT slot_name AS name FROM pg_replication_slots
  WHERE database = current_database() ORDER BY slot_name`;

/** All looks in one row, each a list, for the price of one start of a client. */
function inspectionQuery(longTransactionSeconds: number): string {
  const list = (query: string): string =>
    `(SELECT coalesce(json_agg(row_to_json(entry)), '[]') FROM (${query}) AS entry)`;
  return `SELECT ${list(serverFactsQuery)} AS facts, ${list(standbysQuery)} AS standbys,
    ${list(longTransactionsQuery(longTransactionSeconds))} AS "longTransactions",
    ${list(preparedQuery)} AS "preparedTransactions", ${list(invalidIndexesQuery)} AS "invalidIndexes",
    ${list(subscriptionsQuery)} AS subscriptions, ${list(logicalSlotsQuery)} AS "logicalSlots"`;
}

const named = z.object({ name: z.string() });
const inspection = z.object({
  facts: z.array(serverFacts),
  standbys: z.array(standby),
  longTransactions: z.array(longTransaction),
  preparedTransactions: z.array(z.object({ id: z.string(), seconds: z.number() })),
  invalidIndexes: z.array(named),
  subscriptions: z.array(subscription),
  logicalSlots: z.array(named),
});

/** Facts of the application's database and its server, from the catalogue. */
export async function inspect(
  server: Server,
  options: { readonly longTransactionSeconds: number },
): Promise<DatabaseFacts> {
  const { psql } = server;
  const version = await server.version();
  const programs = await server.programs();
  const [found] = await psql.rows(inspectionQuery(options.longTransactionSeconds), inspection, {
    timeoutSeconds: 60,
  });
  const facts = found?.facts[0];
  if (found === undefined || facts === undefined)
    throw new Error('the current database is not in pg_database');
  const { dataDirectory, ...rest } = facts;
  return {
    ...rest,
    dataDirectory: dataDirectory ?? undefined,
    serverVersion: version.text,
    serverVersionNumber: version.number,
    clientVersions: programs.versions,
    clientsAreNewEnough: programs.major >= version.major,
    longTransactions: found.longTransactions,
    preparedTransactions: found.preparedTransactions,
    invalidIndexes: found.invalidIndexes.map(({ name }) => name),
    standbys: found.standbys.map(({ lagSeconds, ...of }) => ({
      ...of,
      lagSeconds: lagSeconds ?? undefined,
    })),
    subscriptions: found.subscriptions,
    logicalSlots: found.logicalSlots.map(({ name }) => name),
  };
}

const busyQuery = `SELECT count(*) FROM pg_stat_activity AS a WHERE ${otherClients}
  AND EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock')`;

/** Seconds between two looks: a request between two statements is idle for a moment. */
const quietSeconds = 0.05;

/**
 * Other clients in a transaction, the most at two looks; the second comes when the first saw none. Each holds a lock on
 * its own virtual transaction id, which every role may see, while their state is hidden from an ordinary role (manual,
 * 54.12 and 28.2.3).
 */
export async function busySessions(psql: Psql): Promise<number> {
  const [row] = await psql.rows(
    `SELECT greatest(current_setting('mw.busy')::int, (${busyQuery})) AS busy`,
    z.object({ busy: z.int() }),
    {
      timeoutSeconds: 30,
      // A statement of its own, so that the second look sees the sessions as they are then.
      first: [
        `DO ${quoteDollar(`BEGIN
          PERFORM set_config('mw.busy', (${busyQuery})::text, false);
          IF current_setting('mw.busy') = '0' THEN PERFORM pg_sleep(${String(quietSeconds)}); END IF;
        END`)}`,
      ],
    },
  );
  return row?.busy ?? 0;
}

const counters = z.object({
  name: z.string(),
  inserted: z.int(),
  updated: z.int(),
  deleted: z.int(),
});

export async function writeCounters(psql: Psql): Promise<WriteCounters> {
  const rows = await psql.rows(
    `SELECT format('%I.%I', schemaname, relname) AS name,
       n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_del AS deleted
     FROM pg_stat_user_tables WHERE schemaname !~ '^pg_' ORDER BY 1`,
    counters,
    { timeoutSeconds: 60 },
  );
  return Object.fromEntries(rows.map(({ name, ...written }) => [name, written]));
}
