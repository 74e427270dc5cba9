import type { Clock } from '../ports/clock.ts';
import type { Host } from '../ports/host.ts';
import type { Http } from '../ports/http.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import { checkHook } from './nginx/checks.ts';
import { flagState, lowerFlag, raiseFlag } from './nginx/flag.ts';
import type { HookContext } from './nginx/hook-context.ts';
import { installHook, isHookInstalled, planHook } from './nginx/installation.ts';
import { nginxOn } from './nginx/nginx-command.ts';
import { parsePrior } from './nginx/prior.ts';
import { restoreHook } from './nginx/restoration.ts';
import { checkSettings, type NginxModeSettings } from './nginx/settings.ts';
import { folderPaths } from './nginx/snippet.ts';

export type { NginxModeSettings } from './nginx/settings.ts';

/**
 * Closes a site that nginx serves: one include line per chosen `server` block, put in ahead of time with one
 * reload; closing and opening is then a flag file, without reload and without a lost request
 * (docs/adr/0003-nginx-hook.md).
 * @throws FailureError `nginx-setting` when a setting could break out of nginx's configuration
 */
export function nginxMode(
  deps: {
    readonly host: Host;
    readonly http: Http;
    readonly clock: Clock;
    /** Where the page of the settings lies; by default on the host. */
    readonly pages?: Host;
  },
  settings: NginxModeSettings,
): MaintenanceMode {
  checkSettings(settings);
  const context: HookContext = {
    ...deps,
    pages: deps.pages ?? deps.host,
    settings,
    nginx: nginxOn(deps.host, settings),
    paths: folderPaths(settings.folder),
  };
  const priorOf = (value: unknown) => parsePrior(value, settings.folder);
  return {
    kind: 'nginx',
    shows: 'header',
    check: () => checkHook(context),
    plan: () => planHook(context),
    install: async (prior) => installHook(context, priorOf(prior)),
    installed: async (prior) => isHookInstalled(context, priorOf(prior)),
    close: () => raiseFlag(context),
    state: () => flagState(context),
    open: () => lowerFlag(context),
    restore: async (prior) => restoreHook(context, priorOf(prior)),
    bypassHeaders: () => {
      const { bypassHeader } = settings;
      return bypassHeader === undefined ? {} : { [bypassHeader.name]: bypassHeader.token };
    },
  };
}
