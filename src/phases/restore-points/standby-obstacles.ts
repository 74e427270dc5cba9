import { formatBytes } from '../../plan/bytes.ts';
import type { Plan } from '../../plan/plan.ts';
import { bytesBetween } from '../../ports/log-position.ts';
import type { PrimaryFacts, ReplicaFacts, Standby, StandbyFacts } from '../../ports/standby.ts';

type Limits = Pick<Plan['standby'], 'maxLag' | 'keepLog' | 'otherDatabases'>;
type Reach = Pick<Standby, 'reachedBy' | 'hosts'>;

/**
 * Why a replica cannot be a restore point, as the end of a sentence; `undefined` when nothing speaks against it.
 * What would lose data, hang the primary or cut the replica off for good comes before what is merely not ready.
 */
export function standbyObstacle(
  facts: StandbyFacts,
  limits: Limits,
  reach: Reach,
): string | undefined {
  const { primary, replica } = facts;
  return (
    otherServer(facts) ??
    notReceiving(facts) ??
    notCurrent(facts, limits) ??
    needed(primary, replica) ??
    cannotReturn(facts, limits) ??
    sharedFolders(facts, reach) ??
    unreachable(reach) ??
    (limits.otherDatabases === 'refuse' && primary.otherDatabases.length > 0
      ? `the server has other databases (${primary.otherDatabases.join(', ')}), which a rollback to the replica would take back as well; \`standby.other-databases: accept\` consents to that`
      : undefined)
  );
}

function otherServer({ primary, replica }: StandbyFacts): string | undefined {
  if (primary.isInRecovery) return 'the database URL leads to a replica, not to the primary';
  if (primary.systemIdentifier !== replica.systemIdentifier) {
    return `the replica belongs to another cluster: its system identifier is ${replica.systemIdentifier}, that of the primary ${primary.systemIdentifier}`;
  }
  if (!replica.isInRecovery) return 'standby.url leads to a server that is no replica';
  if (!primary.seesAll) {
    return `the role ${primary.role} may not see the primary's replication (GRANT pg_monitor TO it)`;
  }
  if (!replica.seesAll) {
    return `the role ${replica.role} may not see how the replica receives (GRANT pg_monitor TO it)`;
  }
  return undefined;
}

function notReceiving({ primary, replica }: StandbyFacts): string | undefined {
  const { receiver } = replica;
  if (receiver === undefined) return 'the replica receives from no server now';
  if (receiver.status !== 'streaming') {
    return `the replica does not stream from ${receiver.sender}: its receiver is ${receiver.status}`;
  }
  if (receiver.timeline !== primary.timeline) {
    return `the replica is on timeline ${receiver.timeline}, the primary on ${primary.timeline}`;
  }
  if (receiver.senderIsReplica === true) {
    return `the replica receives from another replica (${receiver.sender}), not from the primary`;
  }
  if (!primary.senders.some(({ state }) => state === 'streaming')) {
    return 'the primary streams to nobody, so the replica receives from another server';
  }
  return undefined;
}

function notCurrent({ primary, replica }: StandbyFacts, { maxLag }: Limits): string | undefined {
  if (replica.isPaused) {
    return 'the replay of the replica is paused, and what it has received would be replayed by a promotion (pg_wal_replay_resume)';
  }
  if (replica.delayMilliseconds > 0) {
    return `the replica holds back on purpose (recovery_min_apply_delay ${replica.delayMilliseconds} ms)`;
  }
  if (replica.targets.length > 0) {
    return `the replica's recovery ends somewhere (${replica.targets.join(', ')})`;
  }
  const lag = lagOf({ primary, replica });
  // Not a number: where there is no position, nothing is known of the lag.
  if (!(lag <= maxLag)) {
    return `the replica is ${Number.isNaN(lag) ? 'an unknown amount' : formatBytes(lag)} of log behind (at most ${formatBytes(maxLag)})`;
  }
  return undefined;
}

/** Bytes of log that the replica has still to apply; `NaN` where that is not known. */
export function lagOf({ primary, replica }: StandbyFacts): number {
  if (replica.position === undefined) return Number.NaN;
  return Math.max(0, bytesBetween(replica.position, primary.position));
}

/** Others that would stand still, or hang, when the replica is stopped. */
function needed(primary: PrimaryFacts, replica: ReplicaFacts): string | undefined {
  if (replica.cascaded.length > 0) {
    return `other replicas receive from it (${replica.cascaded.join(', ')}), and would stand still with it`;
  }
  const wanted = synchronousCount(primary.synchronousNames);
  if (wanted === 0) return undefined;
  const own = ownSender(primary, replica);
  const capable = primary.senders.filter(
    ({ sync, state }) => sync !== 'async' && state === 'streaming',
  );
  // Where nobody knows which of them is ours, it is taken for one of those.
  const isOne = own === undefined ? capable.length > 0 : own.sync !== 'async';
  return isOne && capable.length - 1 < wanted
    ? `the primary waits for it at each commit (synchronous_standby_names ${JSON.stringify(primary.synchronousNames)}), so that stopping it would hang every writer`
    : undefined;
}

function ownSender(
  primary: PrimaryFacts,
  replica: ReplicaFacts,
): PrimaryFacts['senders'][number] | undefined {
  const pid = slotOf({ primary, replica })?.pid;
  const streaming = primary.senders.filter(({ state }) => state === 'streaming');
  return (
    primary.senders.find((sender) => sender.pid === pid) ??
    (streaming.length === 1 ? streaming[0] : undefined)
  );
}

/** Receivers of the primary other than the replica. */
export function otherReceivers({ primary, replica }: StandbyFacts): readonly string[] {
  const own = ownSender(primary, replica);
  const logical = primary.slots.filter(({ isLogical }) => isLogical);
  return [
    ...primary.senders
      .filter((sender) => sender !== own && !logical.some(({ pid }) => pid === sender.pid))
      .map(({ name }) => name),
    ...logical.map(({ name }) => `logical slot ${name}`),
  ];
}

/** How many the setting synchronous_standby_names waits for: `a, b`, `2 (a, b)`, `FIRST 2 (a)`, `ANY 1 (*)`. */
export function synchronousCount(names: string): number {
  if (names.trim() === '') return 0;
  const count = /^\s*(?:(?:first|any)\s+)?(\d+)\s*\(/i.exec(names)?.[1];
  return count === undefined ? 1 : Number(count);
}

/** The replica's own slot on the primary. */
function slotOf({ primary, replica }: StandbyFacts): PrimaryFacts['slots'][number] | undefined {
  const { receiver } = replica;
  return receiver?.slot === undefined
    ? undefined
    : primary.slots.find(({ name }) => name === receiver.slot);
}

/** How the primary keeps its log for the replica while that is stopped. */
export function logKeeper(
  facts: StandbyFacts,
  keepLog: number,
): { kind: 'its-slot' | 'our-slot' | 'kept-size' } | { kind: 'nothing'; reason: string } {
  const { primary } = facts;
  const limit = primary.slotLimitBytes;
  if (limit === undefined || limit >= keepLog) {
    if (slotOf(facts) !== undefined) return { kind: 'its-slot' };
    if (primary.mayCreateSlots && primary.freeSlots > 0) return { kind: 'our-slot' };
  }
  if (primary.keptBytes >= keepLog) return { kind: 'kept-size' };
  if (limit !== undefined && limit < keepLog) {
    return {
      kind: 'nothing',
      reason: `max_slot_wal_keep_size is ${formatBytes(limit)}`,
    };
  }
  return {
    kind: 'nothing',
    reason: !primary.mayCreateSlots
      ? `the replica has no replication slot, and the role ${primary.role} may not create one (REPLICATION)`
      : 'all replication slots of the primary are taken (max_replication_slots)',
  };
}

function cannotReturn(facts: StandbyFacts, { keepLog }: Limits): string | undefined {
  const keeper = logKeeper(facts, keepLog);
  return keeper.kind === 'nothing'
    ? `the primary would not keep ${formatBytes(keepLog)} of log for the replica while it is stopped (standby.keep-log): ${keeper.reason}`
    : undefined;
}

function sharedFolders({ primary, replica }: StandbyFacts, { hosts }: Reach): string | undefined {
  if (hosts.primary !== hosts.replica) return undefined;
  const shared = Object.entries(primary.tablespaces).find(
    ([name, folder]) => replica.tablespaces[name] === folder,
  );
  return shared === undefined
    ? undefined
    : `tablespace ${shared[0]} of the replica is in the primary's own folder ${shared[1]}`;
}

function unreachable({ reachedBy, hosts }: Reach): string | undefined {
  return reachedBy === 'port' && hosts.primary !== hosts.replica
    ? `the replica is on ${hosts.replica} and the primary on ${hosts.primary}, and the plan has no standby.switch-command that leads the application there`
    : undefined;
}
