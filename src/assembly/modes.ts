import { resolve } from 'node:path';
import { appMode } from '../modes/app.ts';
import { commandMode } from '../modes/command.ts';
import { nginxMode } from '../modes/nginx.ts';
import { exemptPathsOf } from '../plan/exempt-paths.ts';
import type { ModeName } from '../plan/modes.ts';
import type { Plan } from '../plan/plan.ts';
import type { Secrets } from '../plan/secrets.ts';
import { formatMoment } from '../plan/window-time.ts';
import type { Clock } from '../ports/clock.ts';
import type { WebHost } from '../ports/fleet.ts';
import type { Host } from '../ports/host.ts';
import { atAddress, type Http } from '../ports/http.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import { placeOf } from '../record/window-record.ts';

/** What a mode has to know of the window that it closes for. */
export interface ClosingWindow {
  readonly id: string;
  readonly expectedEnd: Date;
  readonly workspace: string;
  /** An operator consents that web hosts which the plan no longer names are left as they are. */
  readonly mayLeaveOut?: boolean;
}

/** What a mode on one web host is made of. */
export interface ModeParts {
  readonly plan: Plan;
  readonly site: { readonly name: string; readonly publicUrl: string };
  readonly secrets: Secrets;
  readonly world: { readonly runner: Host; readonly http: Http; readonly clock: Clock };
  readonly window: ClosingWindow;
  readonly web: WebHost;
}

/** How each mode is made; the only place that knows them all. What each needs is in `src/plan/modes.ts`. */
export const modeMakers: Readonly<Record<ModeName, (parts: ModeParts) => MaintenanceMode>> = {
  nginx: nginxOn,
  app: appOn,
  command: commandOn,
};

function nginxOn({ plan, site, secrets, world, window, web }: ModeParts): MaintenanceMode {
  const settings = plan.enableMaintenance;
  const { bypassToken } = secrets;
  const { host, address } = web;
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

function appOn(parts: ModeParts): MaintenanceMode {
  const settings = parts.plan.enableMaintenance;
  const { appFile = '', appKey = '', appValue, appReloadCommand } = settings;
  return appMode(
    { host: parts.web.host },
    {
      ...ownOf(parts),
      file: appFile,
      format: settings.appFormat,
      key: appKey,
      value: appValue,
      create: settings.appCreate,
      reloadCommand: appReloadCommand.length === 0 ? undefined : appReloadCommand,
    },
  );
}

function commandOn(parts: ModeParts): MaintenanceMode {
  const { closeCommand, openCommand, statusCommand, statusClosed, statusOpen } =
    parts.plan.enableMaintenance;
  return commandMode(
    { host: parts.web.host, clock: parts.world.clock },
    { ...ownOf(parts), closeCommand, openCommand, statusCommand, statusClosed, statusOpen },
  );
}

/** What the modes share that run commands of the user. */
function ownOf({ plan, site, secrets, window }: ModeParts) {
  const { commandDirectory, commandTimeout, bypassHeader } = plan.enableMaintenance;
  const { bypassToken, commandEnvironment } = secrets;
  return {
    windowId: window.id,
    folder: placeOf(plan.stateDir, site.name).modeFolder,
    commands: {
      environment: commandEnvironment,
      workingDirectory: commandDirectory,
      timeoutSeconds: commandTimeout,
    },
    bypassHeader:
      bypassToken === undefined ? undefined : { name: bypassHeader, token: bypassToken },
  };
}
