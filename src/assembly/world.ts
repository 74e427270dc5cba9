import { chromium } from '../browser/chromium.ts';
import { systemClock } from '../clock/system-clock.ts';
import { parseConnection, type Connection } from '../databases/postgresql/connection.ts';
import { postgresql } from '../databases/postgresql.ts';
import { nodeHttp } from '../http/node-http.ts';
import { fleetMode } from '../modes/fleet.ts';
import { nodeNetwork } from '../network/node-network.ts';
import { settingLackedBy } from '../plan/modes.ts';
import type { Plan } from '../plan/plan.ts';
import { resolveSecrets, type Secrets } from '../plan/secrets.ts';
import type { Browser } from '../ports/browser.ts';
import type { Clock } from '../ports/clock.ts';
import type { Database } from '../ports/database.ts';
import { failureOf, FailureError } from '../ports/failure.ts';
import type { Fleet } from '../ports/fleet.ts';
import type { Host } from '../ports/host.ts';
import type { Http } from '../ports/http.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import type { Network } from '../ports/network.ts';
import type { Server } from '../ports/server.ts';
import { debianServer } from '../servers/debian.ts';
import type { Login, Machines } from './machines.ts';
import { modeMakers, type ClosingWindow } from './modes.ts';
import type { Surroundings } from './surroundings.ts';

/** The adapters behind the ports, for one run. */
export interface World {
  /** Keeps the record. */
  readonly host: Host;
  readonly runner: Host;
  readonly fleet: Fleet;
  /** A machine by SSH that need not be one of the fleet. */
  readonly loginTo: (login: Login) => Promise<Host>;
  readonly server: (host: Host) => Server;
  readonly http: Http;
  readonly network: Network;
  readonly browser: Browser;
  readonly clock: Clock;
}

/** The machines of the plan, and what needs no settings. */
export async function worldOf(
  plan: Plan,
  surroundings: Surroundings,
  machines: Machines,
): Promise<World> {
  const { signal } = surroundings;
  const fleet = await machines.fleet(plan);
  const clock = systemClock(signal);
  return {
    host: fleet.control,
    runner: machines.runner,
    fleet,
    loginTo: (login) => machines.login(login, plan),
    server: (host) => debianServer(host, clock),
    http: nodeHttp({ signal }),
    network: nodeNetwork(),
    browser: chromium({ environment: surroundings.environment, signal }),
    clock,
  };
}

/** Takes the plan's secrets from the environment and masks them, before anything uses them. */
export function secretsOf(plan: Plan, surroundings: Surroundings): Secrets {
  const secrets = resolveSecrets(plan, surroundings.environment);
  const { databaseUrl = '', standbyUrl = '', scratchUrl = '' } = secrets;
  for (const url of [databaseUrl, standbyUrl, scratchUrl]) {
    // As it is written, before the URL is taken apart: a bad one is named in a message.
    const written = /:\/\/[^:/?#]*:([^@]*)@/.exec(url)?.[1] ?? '';
    for (const secret of [url, written]) if (secret !== '') surroundings.mask(secret);
  }
  for (const secret of secretValues(secrets)) surroundings.mask(secret);
  return secrets;
}

/**
 * Everything that must not be printed, the password within the database URL too.
 * @throws FailureError `database-url-invalid`
 */
export function secretValues({
  databaseUrl,
  standbyUrl,
  scratchUrl,
  bypassToken,
  sshPrivateKey,
}: Secrets): readonly string[] {
  const passwords = [
    ...[databaseUrl, standbyUrl].map((url) =>
      url === undefined ? undefined : parseConnection(url).password,
    ),
    scratchUrl === undefined ? undefined : parseScratch(scratchUrl).password,
  ];
  return [databaseUrl, standbyUrl, scratchUrl, ...passwords, bypassToken, sshPrivateKey].filter(
    (secret): secret is string => secret !== undefined && secret !== '',
  );
}

/** The application's database; `undefined` when the plan names none. */
export function databaseOf(
  plan: Plan,
  secrets: Secrets,
  world: World,
  windowId?: string,
): Database | undefined {
  if (secrets.databaseUrl === undefined) return undefined;
  const { clientDirectory } = plan.database;
  return postgresql({
    host: world.fleet.database,
    clock: world.clock,
    url: secrets.databaseUrl,
    ...(clientDirectory === undefined ? {} : { clientDirectory }),
    ...(windowId === undefined ? {} : { windowId }),
  });
}

/** The server that restore tests run on; `undefined` when that is the application's own. */
export function scratchOf(plan: Plan, secrets: Secrets, world: World): Database | undefined {
  const { scratchUrl } = secrets;
  if (scratchUrl === undefined) return undefined;
  parseScratch(scratchUrl);
  const { clientDirectory } = plan.database;
  return postgresql({
    host: world.fleet.database,
    clock: world.clock,
    url: scratchUrl,
    elsewhere: true,
    ...(clientDirectory === undefined ? {} : { clientDirectory }),
  });
}

/** @throws FailureError `database-url-invalid`, which says which URL it is about */
function parseScratch(url: string): Connection {
  try {
    return parseConnection(url);
  } catch (error) {
    const failure = failureOf(error);
    throw new FailureError(
      {
        ...failure,
        message: failure.message.replace('database URL', 'URL of backup-db.scratch-url'),
      },
      { cause: error },
    );
  }
}

/** How the plan closes the site, on every web host; `undefined` when it does not say. */
export function modeOf(
  plan: Plan,
  secrets: Secrets,
  world: World,
  window: ClosingWindow,
): MaintenanceMode | undefined {
  const { name, publicUrl } = plan;
  if (name === undefined || publicUrl === undefined) return undefined;
  if (settingLackedBy(plan.enableMaintenance) !== undefined) return undefined;
  const make = modeMakers[plan.enableMaintenance.mode];
  const members = world.fleet.web.map((web) => ({
    name: web.host.name,
    mode: make({ plan, site: { name, publicUrl }, secrets, world, window, web }),
  }));
  return fleetMode(members, {
    parallel: world.fleet.parallel,
    mayLeaveOut: window.mayLeaveOut ?? false,
  });
}
