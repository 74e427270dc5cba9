import { resolve } from 'node:path';
import { systemClock } from '../clock/system-clock.ts';
import { parseConnection } from '../databases/postgresql/connection.ts';
import { postgresql } from '../databases/postgresql.ts';
import { nodeHttp } from '../http/node-http.ts';
import { fleetMode } from '../modes/fleet.ts';
import { nginxMode } from '../modes/nginx.ts';
import { exemptPathsOf } from '../plan/exempt-paths.ts';
import type { Plan } from '../plan/plan.ts';
import { resolveSecrets, type Secrets } from '../plan/secrets.ts';
import { formatMoment } from '../plan/window-time.ts';
import type { Clock } from '../ports/clock.ts';
import type { Database } from '../ports/database.ts';
import type { Fleet, WebHost } from '../ports/fleet.ts';
import type { Host } from '../ports/host.ts';
import { atAddress, type Http } from '../ports/http.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import { placeOf } from '../record/window-record.ts';
import type { Machines } from './machines.ts';
import type { Surroundings } from './surroundings.ts';

/** The adapters behind the ports, for one run. */
export interface World {
  /** Keeps the record. */
  readonly host: Host;
  readonly runner: Host;
  readonly fleet: Fleet;
  readonly http: Http;
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
  return {
    host: fleet.control,
    runner: machines.runner,
    fleet,
    http: nodeHttp({ signal }),
    clock: systemClock(signal),
  };
}

/** Takes the plan's secrets from the environment and masks them, before anything uses them. */
export function secretsOf(plan: Plan, surroundings: Surroundings): Secrets {
  const secrets = resolveSecrets(plan, surroundings.environment);
  const { databaseUrl = '' } = secrets;
  // As it is written, before the URL is taken apart: a bad one is named in a message.
  const written = /:\/\/[^:/?#]*:([^@]*)@/.exec(databaseUrl)?.[1] ?? '';
  for (const secret of [databaseUrl, written]) if (secret !== '') surroundings.mask(secret);
  for (const secret of secretValues(secrets)) surroundings.mask(secret);
  return secrets;
}

/**
 * Everything that must not be printed, the password within the database URL too.
 * @throws FailureError `database-url-invalid`
 */
export function secretValues({
  databaseUrl,
  bypassToken,
  sshPrivateKey,
}: Secrets): readonly string[] {
  const password = databaseUrl === undefined ? undefined : parseConnection(databaseUrl).password;
  return [databaseUrl, password, bypassToken, sshPrivateKey].filter(
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

/** What a mode has to know of the window that it closes for. */
export interface ClosingWindow {
  readonly id: string;
  readonly expectedEnd: Date;
  readonly workspace: string;
  /** An operator consents that web hosts which the plan no longer names are left as they are. */
  readonly mayLeaveOut?: boolean;
}

/** How the plan closes the site, on every web host; `undefined` when it does not say. */
export function modeOf(
  plan: Plan,
  secrets: Secrets,
  world: World,
  window: ClosingWindow,
): MaintenanceMode | undefined {
  const { name, publicUrl } = plan;
  if (
    name === undefined ||
    publicUrl === undefined ||
    plan.enableMaintenance.siteFiles.length === 0
  )
    return undefined;
  const members = world.fleet.web.map(({ host, address }) => ({
    name: host.name,
    mode: nginxOn(plan, { name, publicUrl }, secrets, world, window, { host, address }),
  }));
  return fleetMode(members, {
    parallel: world.fleet.parallel,
    mayLeaveOut: window.mayLeaveOut ?? false,
  });
}

function nginxOn(
  plan: Plan,
  site: { readonly name: string; readonly publicUrl: string },
  secrets: Secrets,
  world: World,
  window: ClosingWindow,
  { host, address }: WebHost,
): MaintenanceMode {
  const settings = plan.enableMaintenance;
  const { bypassToken } = secrets;
  const { page } = settings;
  return nginxMode(
    {
      host,
      http: atAddress(world.http, address),
      clock: world.clock,
      // A path within the repository is one on the runner, wherever nginx runs.
      pages: page?.startsWith('/') === true ? host : world.runner,
    },
    {
      windowId: window.id,
      windowName: site.name,
      folder: placeOf(plan.stateDir, site.name).modeFolder,
      siteFiles: settings.siteFiles,
      servers: settings.servers,
      nginxCommand: settings.nginxCommand,
      ...(settings.reloadCommand.length === 0 ? {} : { reloadCommand: settings.reloadCommand }),
      publicUrl: site.publicUrl,
      exemptPaths: exemptPathsOf(plan),
      bypassAddresses: settings.bypassAddresses,
      ...(bypassToken === undefined
        ? {}
        : {
            bypassHeader: { name: settings.bypassHeader, token: bypassToken },
            bypassCookie: { name: settings.bypassCookie, token: bypassToken },
          }),
      ...(page === undefined ? {} : { pageFile: resolve(window.workspace, page) }),
      pageText: {
        title: settings.title,
        message: settings.message,
        expectedEnd: {
          iso: window.expectedEnd.toISOString(),
          // Only when a page is made: the first formatting of a time is slow.
          get text() {
            return formatMoment(window.expectedEnd, plan.window.timeZone);
          },
        },
      },
      retryAfterSeconds: Math.ceil(settings.retryAfter),
    },
  );
}
