import { posix } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import { reaches } from '../../ports/log-position.ts';
import type { ServerPlace } from '../../ports/server-place.ts';
import type { ReplicaFacts, ServerRole, Standby, StandbyFacts } from '../../ports/standby.ts';
import { parseConnection, type Connection } from './connection.ts';
import type { Psql } from './psql.ts';
import { quoteLiteral } from './quoting.ts';
import { createServer, type Server } from './server.ts';
import { StatementError } from './statement-failure.ts';
import {
  markPosition,
  primaryFacts,
  primaryPosition,
  replicaFacts,
  replicaProgress,
  type Sender,
  serverIdentity,
} from './standby/facts.ts';
import { endIn, hex, segmentName } from './standby/log-files.ts';
import { ownSettingsIn, withOwnSettings } from './standby/own-settings.ts';
import { placeOfRunning } from './standby/running-server.ts';
import { serverProcess, type OwnCommands } from './standby/server-process.ts';
import { lastLine, serverPrograms, type ServerPrograms } from './standby/server-programs.ts';

type Argv = readonly [string, ...string[]];

/** Seconds that a replica may take to have a checkpoint of its primary; without it, it is merely stopped slower. */
const flushSeconds = 10;

/** What the plan says of a replica and its primary. */
export interface StandbyOptions {
  readonly clock: Clock;
  /** Runs psql for the application's connection. */
  readonly database: Host;
  /** The machines that the servers run on. */
  readonly hosts: Readonly<Record<ServerRole, Host>>;
  /** The application's connection URL. */
  readonly applicationUrl: string;
  /** Connection URL of the replica. */
  readonly replicaUrl: string;
  readonly clientDirectory: string | undefined;
  /** Where the servers keep their data, when they are not to be asked. */
  readonly dataDirectories: Readonly<Record<ServerRole, string | undefined>>;
  readonly commands: Readonly<Record<ServerRole, OwnCommands>>;
  /** Leads the application to the promoted replica; without it, that takes the primary's port. */
  readonly lead: { readonly host: Host; readonly argv: Argv } | undefined;
}

/**
 * A streaming replica of PostgreSQL (13 to 18) and its primary. Connects to nothing yet.
 * @throws FailureError `database-url-invalid`
 */
export function postgresqlStandby(options: StandbyOptions): Standby {
  const { clock, hosts, lead } = options;
  const server = (host: Host, connection: Connection): Server =>
    createServer({ host, clock, connection, clientDirectory: options.clientDirectory });
  const application = parseConnection(options.applicationUrl);
  const primary = server(options.database, application).psql;
  const replica = server(hosts.replica, parseConnection(options.replicaUrl)).psql;
  const isReplica = async ({ host, port }: Sender): Promise<boolean | undefined> => {
    const there = server(hosts.replica, at(application, host, port)).psql;
    return serverIdentity(there).then(
      ({ isInRecovery }) => isInRecovery,
      () => undefined,
    );
  };
  let lastSender: Sender | undefined;
  const factsOfReplica = (): Promise<ReplicaFacts> => {
    // It seldom changes: that one is asked while the replica tells which it is.
    const guess = lastSender;
    const early = guess && isReplica(guess);
    return replicaFacts(replica, (sender) => {
      lastSender = sender;
      const isSame = sender.host === guess?.host && sender.port === guess.port;
      return isSame && early !== undefined ? early : isReplica(sender);
    });
  };
  const untilReplayed = async (position: string): Promise<boolean> => {
    const deadline = clock.monotonicSeconds() + flushSeconds;
    while (clock.monotonicSeconds() < deadline) {
      const { replayed } = await replicaProgress(replica);
      if (replayed !== undefined && reaches(replayed, position)) return true;
      await clock.wait(0.02);
    }
    return false;
  };
  const known = new Map<string, ServerPrograms>();
  const programs = (role: ServerRole, place: ServerPlace): ServerPrograms => {
    const key = `${role} ${place.owner} ${place.dataDirectory}`;
    const found = known.get(key) ?? serverPrograms(hosts[role], place);
    known.set(key, found);
    return found;
  };
  const process = (role: ServerRole, place: ServerPlace) =>
    serverProcess({
      host: hosts[role],
      clock,
      place,
      programs: programs(role, place),
      commands: options.commands[role],
    });
  return {
    label: `replica on ${hosts.replica.name}`,
    reachedBy: lead === undefined ? 'port' : 'command',
    hosts: { primary: hosts.primary.name, replica: hosts.replica.name },

    facts: async () => {
      const [ofPrimary, ofReplica] = await Promise.all([primaryFacts(primary), factsOfReplica()]);
      return { primary: ofPrimary, replica: ofReplica };
    },
    places: (facts) => placesOf(options, facts),
    primaryPosition: () => primaryPosition(primary),
    markPosition: (windowId) => markPosition(primary, windowId),
    progress: (through) => replicaProgress(through === 'application' ? primary : replica),
    hasSlot: async (name) => (await primaryFacts(primary)).slots.some((slot) => slot.name === name),
    createSlot: (name) =>
      primary.execute(
        `SELECT pg_catalog.pg_create_physical_replication_slot(${quoteLiteral(name)}, true)`,
        { timeoutSeconds: 30 },
      ),
    dropSlot: (name) =>
      primary.execute(`SELECT pg_catalog.pg_drop_replication_slot(${quoteLiteral(name)})`, {
        timeoutSeconds: 30,
      }),

    // A replica can write up to a checkpoint of its primary (manual, 30.5, restartpoints).
    flush: async () =>
      (await untilReplayed(await primaryPosition(primary))) && checkpointOn(replica),

    state: (role, place) => programs(role, place).state(),
    stop: (role, place, how) => process(role, place).stop(how),
    start: (role, place, how) => process(role, place).start(how),
    ownSettings: async (place, windowId) =>
      ownSettingsIn((await readSettings(hosts.replica, place)).text, windowId),
    writeOwnSettings: async (place, windowId, settings, like) => {
      const { path, text, status } = await readSettings(hosts.replica, place);
      const next = withOwnSettings(
        text,
        windowId,
        settings,
        // The file is taken byte for byte; what is added is UTF-8.
        like === undefined
          ? undefined
          : { ...like, socketFolders: like.socketFolders && asBytes(like.socketFolders) },
      );
      if (next === text) return;
      await hosts.replica.writeFile(path, Buffer.from(next, 'latin1'), {
        mode: status.mode,
        owner: { uid: status.uid, gid: status.gid },
      });
    },
    hasSegment: async (place, { timeline, segmentBytes }, position) => {
      const name = segmentName(timeline, position, segmentBytes);
      const found = await hosts.replica.status(posix.join(place.dataDirectory, 'pg_wal', name));
      return found?.kind === 'file' && found.bytes === segmentBytes;
    },
    promote: async (place) => {
      const result = await programs('replica', place).promote();
      if (result.exitCode === 0) return;
      fail({
        code: 'standby-not-promoted',
        message: `The replica in ${place.dataDirectory} on ${place.host} could not be told to become the primary: ${lastLine(result)}.`,
        state: 'The primary is stopped; the replica may still become the primary.',
        next: `Look at the log of the replica, and run \`rollback\` again: it looks first. By hand: pg_ctl promote -D ${place.dataDirectory}.`,
      });
    },
    endOfTimeline: async (place, timeline) => {
      const name = `${hex(timeline + 1)}.history`;
      const bytes = await hosts.replica.readFile(posix.join(place.dataDirectory, 'pg_wal', name));
      return bytes === undefined
        ? undefined
        : endIn(Buffer.from(bytes).toString('latin1'), timeline);
    },
    identity: (through, promotionSeconds) =>
      serverIdentity(through === 'application' ? primary : replica, promotionSeconds),
    lead: async (seconds) => {
      if (lead === undefined) return;
      const [program] = lead.argv;
      const result = await lead.host.run({ argv: lead.argv, timeoutSeconds: seconds });
      if (result.exitCode === 0) return;
      fail({
        code: 'standby-switch-failed',
        message: `standby.switch-command (\`${program}\` on ${lead.host.name}) ${result.timedOut ? `did not end within ${String(seconds)} s` : `ended with exit code ${String(result.exitCode)}`}.`,
        state:
          'The replica is promoted, and the application is not led to it; the failed primary is stopped.',
        next: 'Lead the application to the promoted replica by hand, then run `rollback` again: it looks first.',
      });
    },
  };
}

async function checkpointOn(psql: Psql): Promise<boolean> {
  try {
    await psql.execute('CHECKPOINT');
    return true;
  } catch (error) {
    const isForbidden =
      error instanceof StatementError && error.failure.code === 'database-permission-denied';
    if (!isForbidden) throw error;
    return false;
  }
}

/** The same login at another address. */
function at(connection: Connection, host: string, port: number): Connection {
  return {
    ...connection,
    host,
    port,
    environment: (database) => ({
      ...connection.environment(database),
      PGHOST: host,
      PGPORT: String(port),
    }),
  };
}

async function placesOf(
  { hosts, dataDirectories, commands }: StandbyOptions,
  { primary, replica }: StandbyFacts,
): Promise<Readonly<Record<ServerRole, ServerPlace>>> {
  const { stop, start } = commands.replica;
  if ((stop === undefined) !== (start === undefined)) {
    fail({
      code: 'standby-unfit',
      message: `The standby cannot be a restore point: the plan has ${stop === undefined ? 'standby.start-command' : 'standby.stop-command'} and not the other one.`,
      state: 'Nothing was changed.',
      next: 'Give both commands, or neither.',
    });
  }
  const folder = (role: ServerRole, asked: string | undefined): string =>
    dataDirectories[role] ??
    asked ??
    fail({
      code: 'standby-unfit',
      message: `The standby cannot be a restore point: the ${role} does not tell our role where its data is.`,
      state: 'Nothing was changed.',
      next: `Grant pg_monitor to the role, or give standby.${role === 'primary' ? 'primary-' : ''}data-directory.`,
    });
  const question = (role: ServerRole) => ({
    role,
    host: hosts[role],
    dataDirectory: folder(role, role === 'primary' ? primary.dataDirectory : replica.dataDirectory),
    port: role === 'primary' ? primary.port : replica.port,
    systemIdentifier: primary.systemIdentifier,
    byCommands: commands[role].stop !== undefined,
  });
  const [ofPrimary, ofReplica] = await Promise.all([
    placeOfRunning(question('primary')),
    placeOfRunning(question('replica')),
  ]);
  const places = { primary: ofPrimary, replica: ofReplica };
  if (hosts.primary === hosts.replica) {
    const [one, other] = [places.primary.dataDirectory, places.replica.dataDirectory];
    if ((await hosts.primary.realPath(one)) === (await hosts.primary.realPath(other))) {
      fail({
        code: 'standby-unfit',
        message: 'The standby cannot be a restore point: standby.url leads to the primary itself.',
        state: 'Nothing was changed.',
        next: 'Correct standby.url and standby.host.',
      });
    }
  }
  return places;
}

async function readSettings(host: Host, { dataDirectory, owner }: ServerPlace) {
  const path = posix.join(dataDirectory, 'postgresql.auto.conf');
  const [bytes, status] = await Promise.all([host.readFile(path), host.status(path)]);
  if (bytes === undefined || status === undefined) {
    return fail({
      code: 'standby-unreadable',
      message: `${path} on ${host.name} is not there.`,
      state: 'Nothing was changed.',
      next: `Let ${owner} create it (an empty file will do), as every server since PostgreSQL 9.4 does.`,
    });
  }
  return { path, text: Buffer.from(bytes).toString('latin1'), status };
}

function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
