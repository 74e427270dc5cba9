import { z } from 'zod';
import type {
  PrimaryFacts,
  ReplicaFacts,
  ReplicaProgress,
  ServerIdentity,
} from '../../../ports/standby.ts';
import type { Psql } from '../psql.ts';
import { quoteDollar, quoteLiteral } from '../quoting.ts';

const limit = { timeoutSeconds: 15 };
const text = z.string().nullable();

/** A setting, `NULL` when the role may not see it. */
const shown = (name: string): string =>
  `(SELECT setting FROM pg_settings WHERE pg_settings.name = '${name}')`;
const seesAll = `pg_has_role(current_user, 'pg_monitor', 'USAGE')`;
const tablespaces = `(SELECT coalesce(json_object_agg(spcname, pg_tablespace_location(oid)), '{}')
  FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))`;

const primaryRow = z.object({
  role: z.string(),
  seesAll: z.boolean(),
  mayCreateSlots: z.boolean(),
  systemIdentifier: z.string(),
  timeline: z.int(),
  isInRecovery: z.boolean(),
  position: z.string(),
  dataDirectory: text,
  port: z.string(),
  listenAddresses: text,
  socketFolders: text,
  keptMegabytes: z.string(),
  slotLimitMegabytes: z.string(),
  freeSlots: z.int(),
  synchronousNames: z.string(),
  senders: z.array(
    z.object({ pid: z.int(), name: z.string(), state: z.string(), sync: z.string() }),
  ),
  slots: z.array(
    z.object({
      name: z.string(),
      isLogical: z.boolean(),
      pid: z.int().nullable(),
      state: z.string(),
    }),
  ),
  otherDatabases: z.array(z.string()),
  tablespaces: z.record(z.string(), z.string()),
});

/** Databases that a window made and left on purpose are no applications. */
const ownDatabase = '_mw_[0-9]{8}_[0-9]{6}_[0-9a-z]+_(scratch|restore_point|restored|failed)$';

// In recovery there is no position to write at, nor a name for its segment: such a server is refused anyway.
const primaryQuery = `SELECT current_user::text AS role, ${seesAll} AS "seesAll",
    r.rolsuper OR r.rolreplication AS "mayCreateSlots",
    (SELECT system_identifier::text FROM pg_control_system()) AS "systemIdentifier",
    CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
      ELSE ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int END AS timeline,
    pg_is_in_recovery() AS "isInRecovery",
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END AS position,
    ${shown('data_directory')} AS "dataDirectory", ${shown('port')} AS port,
    ${shown('listen_addresses')} AS "listenAddresses", ${shown('unix_socket_directories')} AS "socketFolders",
    ${shown('wal_keep_size')} AS "keptMegabytes",
    ${shown('max_slot_wal_keep_size')} AS "slotLimitMegabytes",
    current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots) AS "freeSlots",
    current_setting('synchronous_standby_names') AS "synchronousNames",
    (SELECT coalesce(json_agg(json_build_object('pid', pid, 'name', coalesce(nullif(application_name, ''), 'unknown'),
      'state', coalesce(state, 'unknown'), 'sync', coalesce(sync_state, 'async')) ORDER BY pid), '[]')
      FROM pg_stat_replication) AS senders,
    (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'isLogical', slot_type = 'logical',
      'pid', active_pid, 'state', coalesce(wal_status, 'unknown')) ORDER BY slot_name), '[]')
      FROM pg_replication_slots) AS slots,
    (SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM pg_database
      WHERE datallowconn AND NOT datistemplate AND datname NOT IN ('postgres', current_database())
        AND datname !~ '${ownDatabase}') AS "otherDatabases",
    ${tablespaces} AS tablespaces
  FROM pg_roles AS r WHERE r.rolname = current_user`;

export async function primaryFacts(psql: Psql): Promise<PrimaryFacts> {
  const [row] = await psql.rows(primaryQuery, primaryRow, limit);
  if (row === undefined) throw new Error('the current role is not in pg_roles');
  const { keptMegabytes, slotLimitMegabytes, slots, ...rest } = row;
  const slotLimit = Number(slotLimitMegabytes);
  return {
    ...rest,
    dataDirectory: rest.dataDirectory ?? undefined,
    listenAddresses: rest.listenAddresses ?? undefined,
    socketFolders: rest.socketFolders ?? undefined,
    port: Number(rest.port),
    keptBytes: Number(keptMegabytes) * 1024 * 1024,
    // -1: as much as needed (manual, 20.6.1).
    slotLimitBytes: slotLimit < 0 ? undefined : slotLimit * 1024 * 1024,
    slots: slots.map((slot) => ({ ...slot, pid: slot.pid ?? undefined })),
  };
}

const replicaRow = z.object({
  role: z.string(),
  seesAll: z.boolean(),
  systemIdentifier: z.string(),
  isInRecovery: z.boolean(),
  position: text,
  isPaused: z.boolean(),
  delayMilliseconds: z.string(),
  targets: z.array(z.string()),
  port: z.string(),
  dataDirectory: text,
  receiver: z
    .object({
      status: text,
      timeline: z.int().nullable(),
      slot: text,
      senderHost: text,
      senderPort: z.int().nullable(),
    })
    .nullable(),
  cascaded: z.array(z.string()),
  tablespaces: z.record(z.string(), z.string()),
});
type ReplicaRow = z.infer<typeof replicaRow>;

const replicaQuery = `SELECT current_user::text AS role, ${seesAll} AS "seesAll",
    (SELECT system_identifier::text FROM pg_control_system()) AS "systemIdentifier",
    pg_is_in_recovery() AS "isInRecovery", pg_last_wal_replay_lsn() AS position,
    pg_is_in_recovery() AND pg_is_wal_replay_paused() AS "isPaused",
    ${shown('recovery_min_apply_delay')} AS "delayMilliseconds",
    (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM pg_settings
      WHERE name IN ('recovery_target', 'recovery_target_lsn', 'recovery_target_name', 'recovery_target_time',
        'recovery_target_xid') AND setting <> '') AS targets,
    ${shown('data_directory')} AS "dataDirectory", ${shown('port')} AS port,
    (SELECT json_build_object('status', status, 'timeline', received_tli, 'slot', nullif(slot_name, ''),
      'senderHost', sender_host, 'senderPort', sender_port) FROM pg_stat_wal_receiver) AS receiver,
    (SELECT coalesce(json_agg(coalesce(nullif(application_name, ''), 'unknown')), '[]')
      FROM pg_stat_replication) AS cascaded,
    ${tablespaces} AS tablespaces`;

/** Where a replica receives from. */
export interface Sender {
  readonly host: string;
  readonly port: number;
}

/** @param isReplica asks the server at an address whether it is a replica itself */
export async function replicaFacts(
  psql: Psql,
  isReplica: (sender: Sender) => Promise<boolean | undefined>,
): Promise<ReplicaFacts> {
  const [row] = await psql.rows(replicaQuery, replicaRow, limit);
  if (row === undefined) throw new Error('the replica answered no row');
  const { receiver, delayMilliseconds, ...rest } = row;
  return {
    ...rest,
    position: rest.position ?? undefined,
    dataDirectory: rest.dataDirectory ?? undefined,
    delayMilliseconds: Number(delayMilliseconds),
    port: Number(rest.port),
    receiver: await receiverOf(receiver, isReplica),
  };
}

async function receiverOf(
  receiver: ReplicaRow['receiver'],
  isReplica: (sender: Sender) => Promise<boolean | undefined>,
): Promise<ReplicaFacts['receiver']> {
  if (receiver === null) return undefined;
  const { status, timeline, slot, senderHost, senderPort } = receiver;
  return {
    status: status ?? 'unknown',
    timeline: timeline ?? 0,
    slot: slot ?? undefined,
    sender: `${senderHost ?? 'unknown'}:${String(senderPort ?? 0)}`,
    senderIsReplica:
      senderHost === null || senderPort === null
        ? undefined
        : await isReplica({ host: senderHost, port: senderPort }),
  };
}

/** Where the primary's log ends. */
export function primaryPosition(psql: Psql): Promise<string> {
  return positionOf(psql, {});
}

async function positionOf(
  psql: Psql,
  how: { first?: readonly string[]; settings?: Readonly<Record<string, string>> },
): Promise<string> {
  const [row] = await psql.rows(
    `SELECT pg_current_wal_flush_lsn() AS position`,
    z.object({ position: z.string() }),
    { ...limit, ...how },
  );
  return row?.position ?? '';
}

/** Writes a message into the primary's log and flushes it; where the log ends then. */
export async function markPosition(psql: Psql, windowId: string): Promise<string> {
  const mark = `PERFORM pg_catalog.pg_logical_emit_message(true, 'maintenance-window', ${quoteLiteral(windowId)});`;
  return positionOf(psql, {
    first: [`DO ${quoteDollar(`BEGIN ${mark} END`)}`],
    // As a commit of our own, flushed here; other replicas are not waited for.
    settings: { synchronous_commit: 'local' },
  });
}

const progressRow = z.object({ replayed: text, isPaused: z.boolean(), isStreaming: z.boolean() });
const progressColumns = `pg_last_wal_replay_lsn() AS replayed,
       CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS "isPaused",
       EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS "isStreaming"`;

export async function replicaProgress(psql: Psql): Promise<ReplicaProgress> {
  const [row] = await psql.rows(`SELECT ${progressColumns}`, progressRow, limit);
  return {
    replayed: row?.replayed ?? undefined,
    isPaused: row?.isPaused ?? false,
    isStreaming: row?.isStreaming ?? false,
  };
}

const identityRow = progressRow.extend({
  systemIdentifier: z.string(),
  timeline: z.int(),
  isInRecovery: z.boolean(),
});

/** Ends as soon as the server is a primary, at the latest after some seconds. */
const untilPrimary = (seconds: number): string =>
  `DO ${quoteDollar(`BEGIN
    WHILE pg_catalog.pg_is_in_recovery()
      AND pg_catalog.clock_timestamp() < pg_catalog.now() + interval '${String(Math.ceil(seconds))} seconds'
    LOOP PERFORM pg_catalog.pg_sleep(0.005); END LOOP; END`)}`;

/**
 * Who answers. A promoted server knows its timeline before its first checkpoint on it does.
 * @param promotionSeconds for which a replica is waited for to become the primary
 */
export async function serverIdentity(
  psql: Psql,
  promotionSeconds?: number,
): Promise<ServerIdentity> {
  const [row] = await psql.rows(
    `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS "systemIdentifier",
       CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
         ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END AS timeline,
       pg_is_in_recovery() AS "isInRecovery", ${progressColumns}`,
    identityRow,
    promotionSeconds === undefined
      ? limit
      : {
          timeoutSeconds: promotionSeconds + limit.timeoutSeconds,
          first: [untilPrimary(promotionSeconds)],
        },
  );
  if (row === undefined) throw new Error('the server answered no row');
  return { ...row, replayed: row.replayed ?? undefined };
}
