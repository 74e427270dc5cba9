import type { Clock } from '../ports/clock.ts';
import { fail } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import type { MaintenanceMode, Restoration } from '../ports/maintenance-mode.ts';
import { checkCommands } from './command/checks.ts';
import { noteSchema, parsePrior } from './command/context.ts';
import type { CommandContext, CommandPrior } from './command/context.ts';
import { commandState, failClosedByAnother, runClose, runOpen } from './command/door.ts';
import { checkSettings, type CommandModeSettings } from './command/settings.ts';
import { windowNote } from './window-note.ts';

export type { CommandModeSettings } from './command/settings.ts';

/**
 * Closes a site by the user's own pair of commands (`php artisan down` and `up`, `occ maintenance:mode`, kamal,
 * heroku), with a third that tells how it stands (docs/adr/0014-modes-app-and-command.md).
 * @throws FailureError `command-setting`
 */
export function commandMode(
  deps: { readonly host: Host; readonly clock: Clock },
  settings: CommandModeSettings,
): MaintenanceMode {
  checkSettings(settings);
  const note = (name: string) => windowNote(deps.host, settings.folder, name, noteSchema);
  const context: CommandContext = {
    ...deps,
    settings,
    closed: note('command-closed.json'),
    prepared: note('command-prepared.json'),
  };
  return {
    kind: 'command',
    shows: 'status',
    check: () => checkCommands(context),
    plan: () => planCommands(context),
    install: async (prior) => {
      parsePrior(prior);
      await prepareCommands(context);
    },
    installed: async (prior) => {
      parsePrior(prior);
      return areCommandsPrepared(context);
    },
    close: () => runClose(context),
    state: () => commandState(context),
    open: () => runOpen(context),
    restore: async (prior) => {
      parsePrior(prior);
      return restoreCommands(context);
    },
    bypassHeaders: () => {
      const { bypassHeader } = settings;
      return bypassHeader === undefined ? {} : { [bypassHeader.name]: bypassHeader.token };
    },
  };
}

async function planCommands(context: CommandContext): Promise<CommandPrior> {
  const state = await commandState(context);
  if (state.kind === 'open') return { version: 1, kind: 'command', status: 'open' };
  if (state.kind === 'closed-by-another') failClosedByAnother(state.holder);
  return failStillClosed();
}

/** Sees that the status command tells something, and notes that this window asked. */
async function prepareCommands(context: CommandContext): Promise<void> {
  const state = await commandState(context);
  if (state.kind === 'closed-by-another') failClosedByAnother(state.holder);
  await context.prepared.write({ version: 1, windowId: context.settings.windowId });
}

async function areCommandsPrepared(context: CommandContext): Promise<boolean> {
  const note = await context.prepared.read();
  if (note?.windowId !== context.settings.windowId) return false;
  return (await commandState(context)).kind !== 'closed-by-another';
}

async function restoreCommands(context: CommandContext): Promise<Restoration> {
  const { prepared, closed, settings } = context;
  const { windowId } = settings;
  const state = await commandState(context);
  if (state.kind === 'closed') failStillClosed();
  // A run that was killed before the close command, or before it could forget that it ran it.
  if (state.kind === 'open' && (await closed.read())?.windowId === windowId) await runOpen(context);
  const wasPrepared = (await prepared.read())?.windowId === windowId;
  await prepared.remove();
  if (state.kind === 'closed-by-another') {
    return {
      kind: 'partly-restored',
      detail: `the site is closed by ${state.holder}, which was not touched`,
    };
  }
  return wasPrepared
    ? { kind: 'restored', detail: 'the status command says that the site is open, as before' }
    : { kind: 'nothing-to-do' };
}

function failStillClosed(): never {
  return fail({
    code: 'command-still-closed',
    message:
      'This window has the site closed still: its close-command ran, and its open-command did not.',
    state: 'The site is closed; nothing was touched.',
    next: 'Open the site first (`disable-maintenance` does, and `rollback`), then run the step again.',
  });
}
