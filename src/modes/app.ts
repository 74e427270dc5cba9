import type { Host } from '../ports/host.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import { checkKey } from './app/checks.ts';
import type { AppContext } from './app/context.ts';
import { giveKeyBack, keyState, setKey } from './app/door.ts';
import { isKeyPrepared, planKey, prepareKey, restoreKey } from './app/installation.ts';
import { closedNoteSchema, parsePrior, preparedNoteSchema } from './app/prior.ts';
import { formatOf, type AppModeSettings } from './app/settings.ts';
import { windowNote } from './window-note.ts';

export type { AppModeSettings } from './app/settings.ts';

/**
 * Closes a site that closes itself: sets a key in the application's settings file, and makes it read the file by the
 * user's command (docs/adr/0014-modes-app-and-command.md). The application answers 503; opening gives the file back
 * byte for byte.
 * @throws FailureError `app-setting` when file, key and value do not fit together
 */
export function appMode(deps: { readonly host: Host }, settings: AppModeSettings): MaintenanceMode {
  const { host } = deps;
  const { name, format } = formatOf(settings);
  const context: AppContext = {
    host,
    settings,
    format,
    formatName: name,
    closed: windowNote(host, settings.folder, 'app-closed.json', closedNoteSchema),
    prepared: windowNote(host, settings.folder, 'app-prepared.json', preparedNoteSchema),
  };
  const priorOf = (value: unknown) => parsePrior(value, settings);
  return {
    kind: 'app',
    shows: 'status',
    check: () => checkKey(context),
    plan: () => planKey(context),
    install: async (prior) => prepareKey(context, priorOf(prior)),
    installed: async (prior) => isKeyPrepared(context, priorOf(prior)),
    close: () => setKey(context),
    state: () => keyState(context),
    open: () => giveKeyBack(context),
    restore: async (prior) => restoreKey(context, priorOf(prior)),
    bypassHeaders: () => {
      const { bypassHeader } = settings;
      return bypassHeader === undefined ? {} : { [bypassHeader.name]: bypassHeader.token };
    },
  };
}
