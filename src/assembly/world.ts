import { resolve } from 'node:path';
import { systemClock } from '../clock/system-clock.ts';
import { parseConnection } from '../databases/postgresql/connection.ts';
import { postgresql } from '../databases/postgresql.ts';
import { localHost } from '../hosts/local.ts';
import { nodeHttp } from '../http/node-http.ts';
import { nginxMode } from '../modes/nginx.ts';
import type { Plan } from '../plan/plan.ts';
import { resolveSecrets, type Secrets } from '../plan/secrets.ts';
import { formatMoment } from '../plan/window-time.ts';
import type { Clock } from '../ports/clock.ts';
import type { Database } from '../ports/database.ts';
import type { Host } from '../ports/host.ts';
import type { Http } from '../ports/http.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import { placeOf } from '../record/window-record.ts';
import type { Surroundings } from './surroundings.ts';

/** The adapters behind the ports, for one run. */
export interface World {
  readonly host: Host;
  readonly http: Http;
  readonly clock: Clock;
}

/** The parts of the world that need no settings. */
export function worldOf(surroundings: Surroundings): World {
  const { signal } = surroundings;
  return {
    host: localHost({ signal, environment: definedOf(surroundings.environment) }),
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
export function secretValues({ databaseUrl, bypassToken }: Secrets): readonly string[] {
  const password = databaseUrl === undefined ? undefined : parseConnection(databaseUrl).password;
  return [databaseUrl, password, bypassToken].filter(
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
    host: world.host,
    clock: world.clock,
    url: secrets.databaseUrl,
    ...(clientDirectory === undefined ? {} : { clientDirectory }),
    ...(windowId === undefined ? {} : { windowId }),
  });
}

/** How the plan closes the site; `undefined` when it does not say. */
export function modeOf(
  plan: Plan,
  secrets: Secrets,
  world: World,
  window: { readonly id: string; readonly expectedEnd: Date; readonly workspace: string },
): MaintenanceMode | undefined {
  const settings = plan.enableMaintenance;
  const { name, publicUrl, stateDir } = plan;
  if (name === undefined || publicUrl === undefined || settings.siteFiles.length === 0)
    return undefined;
  const { bypassToken } = secrets;
  return nginxMode(world, {
    windowId: window.id,
    windowName: name,
    folder: placeOf(stateDir, name).modeFolder,
    siteFiles: settings.siteFiles,
    servers: settings.servers,
    nginxCommand: settings.nginxCommand,
    ...(settings.reloadCommand.length === 0 ? {} : { reloadCommand: settings.reloadCommand }),
    publicUrl,
    exemptPaths: settings.exemptPaths,
    bypassAddresses: settings.bypassAddresses,
    ...(bypassToken === undefined
      ? {}
      : {
          bypassHeader: { name: settings.bypassHeader, token: bypassToken },
          bypassCookie: { name: settings.bypassCookie, token: bypassToken },
        }),
    ...(settings.page === undefined ? {} : { pageFile: resolve(window.workspace, settings.page) }),
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
  });
}

function definedOf(environment: Surroundings['environment']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}
