import { fail, failureOf } from '../../ports/failure.ts';
import type { DoorState } from '../../ports/maintenance-mode.ts';
import { runUserCommand } from '../user-command.ts';
import type { CommandContext } from './context.ts';
import { askStatus } from './status.ts';

/** Who has closed the site. A note about a site that is open is nobody's. */
export async function commandState(context: CommandContext): Promise<DoorState> {
  const { host, settings, closed } = context;
  if ((await askStatus(host, settings)) === 'open') return { kind: 'open' };
  const note = await closed.read();
  const { windowId } = settings;
  if (note?.windowId === windowId) return { kind: 'closed', windowId };
  return { kind: 'closed-by-another', holder: note?.windowId ?? 'somebody else' };
}

/**
 * Runs the close command until the status says closed. Run again, it runs the command again: a killed one may have
 * come half way. Then its exit code does not count, for many refuse what is closed already; the status does.
 * @throws FailureError `closed-by-another`, `close-command-failed`, `command-status-unknown`, `host-…`, `cancelled`
 */
export async function runClose(context: CommandContext): Promise<void> {
  const { host, settings, closed } = context;
  const before = await commandState(context);
  if (before.kind === 'closed-by-another') failClosedByAnother(before.holder);
  await closed.write({ version: 1, windowId: settings.windowId });
  const result = await runUserCommand(host, settings.closeCommand, settings.commands);
  const isRepeated = before.kind === 'closed';
  const problem =
    result.exitCode === 0 || isRepeated
      ? await notClosed(context, result.told)
      : `close-command failed: ${result.told}.`;
  if (problem === undefined) return;
  const undone = await undo(context);
  fail({
    code: 'close-command-failed',
    message: problem,
    state: undone,
    next: 'Run the command by hand on the host, repair what it says, then run the step again.',
  });
}

async function notClosed(context: CommandContext, told: string): Promise<string | undefined> {
  try {
    if (await settles(context, 'closed')) return undefined;
    return `close-command ended well, but the status command does not say that the site is closed (${told}).`;
  } catch (error) {
    const { code, message } = failureOf(error);
    if (code === 'cancelled') throw error;
    return message;
  }
}

/**
 * Runs the open command, when this window ran the close command, until the status says open.
 * @throws FailureError `closed-by-another`, `open-command-failed`, `command-status-unknown`, `host-…`, `cancelled`
 */
export async function runOpen(context: CommandContext): Promise<void> {
  const { host, settings, closed } = context;
  const state = await commandState(context);
  if (state.kind === 'closed-by-another') failClosedByAnother(state.holder);
  const note = await closed.read();
  if (note?.windowId !== settings.windowId) return;
  const result = await runUserCommand(host, settings.openCommand, settings.commands);
  const isRepeated = state.kind === 'open';
  const isOpen = await settles(context, 'open');
  if (!isOpen || (result.exitCode !== 0 && !isRepeated)) {
    fail({
      code: 'open-command-failed',
      message:
        result.exitCode === 0
          ? `open-command ended well, but the status command still says that the site is closed (${result.told}).`
          : `open-command failed: ${result.told}.`,
      state: isOpen
        ? 'The status command says that the site is open; what else the command was to do is not known.'
        : 'The site is closed.',
      next: 'Run the command by hand on the host, repair what it says, then run the step again.',
    });
  }
  await closed.remove();
}

async function settles(
  { host, clock, settings }: CommandContext,
  wanted: 'open' | 'closed',
): Promise<boolean> {
  const begun = clock.monotonicSeconds();
  for (;;) {
    if ((await askStatus(host, settings)) === wanted) return true;
    if (clock.monotonicSeconds() - begun >= (settings.settleSeconds ?? 10)) return false;
    await clock.wait(0.25);
  }
}

async function undo(context: CommandContext): Promise<string> {
  const { host, settings, closed } = context;
  try {
    await runUserCommand(host, settings.openCommand, settings.commands);
    if (!(await settles(context, 'open'))) {
      return 'open-command was run to undo it, but the status command still says that the site is closed.';
    }
    await closed.remove();
    return 'It was undone by open-command; the status command says that the site is open.';
  } catch (error) {
    const { code, message } = failureOf(error);
    if (code === 'cancelled') throw error;
    return `Undoing it by open-command failed as well: ${message} The site may be closed.`;
  }
}

/** What we did not close is not ours to open (magento/magento2#9918). */
export function failClosedByAnother(holder: string): never {
  return fail({
    code: 'closed-by-another',
    message: `The site is closed by ${holder}: the status command says so, and this window has not run close-command.`,
    state: 'The site stays closed; nothing was touched.',
    next: 'Ask who closed it to open it, or open it by hand; then run the step again.',
  });
}
