import type { LogPosition } from './log-position.ts';
import type { ServerPlace } from './server-place.ts';

/** What the primary says of itself, asked with the application's own connection. */
export interface PrimaryFacts {
  readonly role: string;
  /** Whether the role sees other sessions and all settings (pg_monitor). */
  readonly seesAll: boolean;
  readonly mayCreateSlots: boolean;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly isInRecovery: boolean;
  /** Where its log ends, flushed. */
  readonly position: LogPosition;
  readonly dataDirectory: string | undefined;
  readonly port: number;
  readonly listenAddresses: string | undefined;
  readonly socketFolders: string | undefined;
  /** Bytes of log that it keeps for replicas without a slot. */
  readonly keptBytes: number;
  /** Bytes of log that a slot may make it keep; `undefined`: no limit. */
  readonly slotLimitBytes: number | undefined;
  readonly freeSlots: number;
  /** The setting synchronous_standby_names. */
  readonly synchronousNames: string;
  readonly senders: readonly {
    readonly pid: number;
    readonly name: string;
    readonly state: string;
    /** `async`, `sync`, `potential` or `quorum`. */
    readonly sync: string;
  }[];
  readonly slots: readonly {
    readonly name: string;
    readonly isLogical: boolean;
    /** Process that uses it; `undefined` when none does. */
    readonly pid: number | undefined;
    /** `lost`: its replica cannot go on from it. */
    readonly state: string;
  }[];
  /** Other databases of the server that take connections; not `postgres` and templates. */
  readonly otherDatabases: readonly string[];
  /** Folder of each tablespace of its own. */
  readonly tablespaces: Readonly<Record<string, string>>;
}

/** What the replica says of itself. */
export interface ReplicaFacts {
  readonly role: string;
  readonly seesAll: boolean;
  readonly systemIdentifier: string;
  readonly isInRecovery: boolean;
  /** Where its applied log ends. */
  readonly position: LogPosition | undefined;
  readonly isPaused: boolean;
  /** Milliseconds by which it holds back on purpose (recovery_min_apply_delay). */
  readonly delayMilliseconds: number;
  /** Settings that end its recovery somewhere (recovery_target…). */
  readonly targets: readonly string[];
  readonly port: number;
  readonly dataDirectory: string | undefined;
  /** The connection by which it receives; `undefined` when there is none. */
  readonly receiver:
    | {
        readonly status: string;
        readonly timeline: number;
        readonly slot: string | undefined;
        readonly sender: string;
        /** Whether the server that it receives from is itself a replica; `undefined` when that cannot be asked. */
        readonly senderIsReplica: boolean | undefined;
      }
    | undefined;
  /** Replicas that receive from it. */
  readonly cascaded: readonly string[];
  readonly tablespaces: Readonly<Record<string, string>>;
}

export interface StandbyFacts {
  readonly primary: PrimaryFacts;
  readonly replica: ReplicaFacts;
}

/** How far a replica is, looked at often. */
export interface ReplicaProgress {
  readonly replayed: LogPosition | undefined;
  readonly isPaused: boolean;
  /** Whether its receiver streams. */
  readonly isStreaming: boolean;
}

/** A server as its files and processes show it, whether it runs or not. */
export interface ServerState {
  readonly isRunning: boolean;
  /** As pg_controldata has it: `shut down in recovery`, `in production`, … */
  readonly clusterState: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Up to where a replica has to replay before it is consistent; `0/0` for a primary. */
  readonly recoveryEnd: LogPosition;
  /** Bytes of one segment of the log. */
  readonly segmentBytes: number;
}

/** Who answers at a connection, and how far it is. */
export interface ServerIdentity extends ReplicaProgress {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly isInRecovery: boolean;
}

/**
 * What stands in the replica's own settings because of a window. `cut-off`: it would receive nothing, whoever starts
 * it. `promotion`: besides, it takes the place of the primary.
 */
export type OwnSettings = 'none' | 'cut-off' | 'promotion';

export type ServerRole = 'primary' | 'replica';

/**
 * A streaming replica and its primary: asked by SQL while they run, and worked on by the server's own programs on
 * their hosts. Methods throw FailureError with `standby-…` and `database-…` codes.
 */
export interface Standby {
  /** For people: `replica on ssh://db2.example.org`. */
  readonly label: string;
  /** How the application reaches it once promoted: it takes the primary's port, or a command of the plan leads there. */
  readonly reachedBy: 'port' | 'command';
  readonly hosts: Readonly<Record<ServerRole, string>>;

  facts(): Promise<StandbyFacts>;
  /**
   * Where both servers are and how they run.
   * @throws FailureError `standby-unfit` when we could not stop and start them
   */
  places(facts: StandbyFacts): Promise<Readonly<Record<ServerRole, ServerPlace>>>;
  /** Where the primary's log ends, flushed. */
  primaryPosition(): Promise<LogPosition>;
  /**
   * Writes a message with the window's id into the primary's log, for people who read it, and flushes it: with it is
   * everything that was committed before, also by sessions that do not wait for that (synchronous_commit off).
   * @returns where the log ends then
   */
  markPosition(windowId: string): Promise<LogPosition>;
  /** Of a replica in recovery, asked through its own connection, or that of the application once it has its port. */
  progress(through: 'application' | 'replica'): Promise<ReplicaProgress>;
  hasSlot(name: string): Promise<boolean>;
  /** A physical slot that keeps the log from now on. */
  createSlot(name: string): Promise<void>;
  dropSlot(name: string): Promise<void>;

  /**
   * Has the replica write its changed pages up to the last checkpoint of the primary; false where the role may not ask
   * for it, or the replica does not come so far.
   */
  flush(): Promise<boolean>;

  state(role: ServerRole, place: ServerPlace): Promise<ServerState>;
  /**
   * Stops it in order, and proves it; with `force`, without waiting for anybody when that takes too long.
   * @returns also how its files show it then
   */
  stop(
    role: ServerRole,
    place: ServerPlace,
    options: { readonly seconds: number; readonly force: boolean },
  ): Promise<{ readonly forced: boolean; readonly state: ServerState }>;
  /** Starts it as it ran before, unless it runs. @param port instead of its own */
  start(
    role: ServerRole,
    place: ServerPlace,
    options: { readonly seconds: number; readonly port?: number | undefined },
  ): Promise<{ readonly wasRunning: boolean }>;
  /** What the replica's own settings have of this window. */
  ownSettings(place: ServerPlace, windowId: string): Promise<OwnSettings>;
  /** Writes them; `none` takes them out again. @param like the primary whose place it takes */
  writeOwnSettings(
    place: ServerPlace,
    windowId: string,
    settings: OwnSettings,
    like?: TakenPlace,
  ): Promise<void>;
  /** Whether the segment of the log that holds the position is there. @param state how its files show it */
  hasSegment(
    place: ServerPlace,
    state: Pick<ServerState, 'timeline' | 'segmentBytes'>,
    position: LogPosition,
  ): Promise<boolean>;
  /** Tells it to become the primary; whether it did is to be asked. */
  promote(place: ServerPlace): Promise<void>;
  /** Where a timeline was left for the next, as the server's own history has it. */
  endOfTimeline(place: ServerPlace, timeline: number): Promise<LogPosition | undefined>;
  /**
   * Who answers; through the application's connection, or that of the replica.
   * @param promotionSeconds for which a replica that was told to become the primary is waited for; default: not
   */
  identity(through: 'application' | 'replica', promotionSeconds?: number): Promise<ServerIdentity>;
  /** Runs the plan's command that leads the application to the promoted replica. */
  lead(seconds: number): Promise<void>;
}

/** Where the primary listens, for the replica that takes its place. */
export interface TakenPlace {
  readonly port: number;
  readonly listenAddresses?: string | undefined;
  readonly socketFolders?: string | undefined;
}
