import { fail, failureOf, type Failure } from '../../ports/failure.ts';
import type { DoorState } from '../../ports/maintenance-mode.ts';
import { runUserCommand } from '../user-command.ts';
import { closingChange, openingChange } from './change.ts';
import { readFileAt, readSettingsFile, sha256Of } from './context.ts';
import type { AppContext, SettingsFile } from './context.ts';
import type { ClosedNote } from './prior.ts';

/** How often a file that others write at the same moment is read again before we give up. */
const attempts = 5;

/** Who has set the key. A note about a key that is off is nobody's. */
export async function keyState(context: AppContext): Promise<DoorState> {
  const file = await readSettingsFile(context);
  if (!file.isOn) return { kind: 'open' };
  const note = await context.closed.read();
  const { windowId } = context.settings;
  if (note?.windowId === windowId) return { kind: 'closed', windowId };
  return {
    kind: 'closed-by-another',
    holder:
      note?.windowId ?? `somebody who set ${context.settings.key} in ${context.settings.file}`,
  };
}

/**
 * Sets the key and makes the application read it. Run again, it reloads again: whether a killed run came that far
 * cannot be seen in the file, and a second reload does no harm.
 * @throws FailureError `closed-by-another`, `app-key-unfit`, `app-file-busy`, `app-reload-failed`, `host-…`,
 *   `cancelled`
 */
export async function setKey(context: AppContext): Promise<void> {
  const state = await keyState(context);
  if (state.kind === 'closed-by-another') failClosedByAnother(context, state.holder);
  if (state.kind === 'open') await writeKey(context);
  const problem = await reload(context);
  if (problem === undefined) return;
  const undone = await undo(context);
  fail({
    code: 'app-reload-failed',
    message: `${context.settings.key} was set, but app-reload-command failed: ${problem}.`,
    state: undone,
    next: 'Run the command by hand on the host, repair what it says, then run the step again.',
  });
}

/** Sets the key in the file as it is now; others may have edited it since the window was planned. */
async function writeKey(context: AppContext): Promise<void> {
  const { host, settings, formatName, closed } = context;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const file = await readSettingsFile(context);
    if (file.isOn) {
      // Our note must not make theirs look like ours.
      await closed.remove();
      failClosedByAnother(context, 'somebody who set it at this moment');
    }
    const { change, bytes } = planChange(context, file);
    await closed.write({
      version: 1,
      windowId: settings.windowId,
      path: settings.file,
      realPath: file.realPath,
      format: formatName,
      key: settings.key,
      sha256Before: file.sha256,
      sha256After: sha256Of(bytes),
      change,
    });
    if (await replace(context, file, bytes)) return;
  }
  await closed.remove();
  fail({
    code: 'app-file-busy',
    message: `${settings.file} on ${host.name} was changed by somebody else each time that it was to be edited.`,
    state: 'The site is open; the file has what the others wrote.',
    next: 'End what writes to the file, then run the step again.',
  });
}

/**
 * What closing writes to the file as it is.
 * @throws FailureError `app-key-unfit`
 */
export function planChange(
  { settings, format }: AppContext,
  file: SettingsFile,
): Extract<ReturnType<typeof closingChange>, { kind: 'change' }> {
  const { key, value, create } = settings;
  const closing = closingChange(file.bytes, file.key, { format, key, value, create });
  if (closing.kind === 'change') return closing;
  return fail({
    code: 'app-key-unfit',
    message: `The key ${key} in ${file.path} ${closing.reason}.`,
    state: 'The file was not touched by this step.',
    next: closing.next,
  });
}

/**
 * Gives the key back, makes the application read it, and forgets that we closed. The note goes last: as long as it
 * is there, a run that follows reloads once more.
 * @throws FailureError `closed-by-another`, `app-key-stays`, `app-file-busy`, `app-reload-failed`, `host-…`,
 *   `cancelled`
 */
export async function giveKeyBack(context: AppContext): Promise<void> {
  const { settings, closed } = context;
  const note = await closed.read();
  if (note?.windowId !== settings.windowId) {
    const state = await keyState(context);
    if (state.kind === 'open') return;
    failClosedByAnother(
      context,
      state.kind === 'closed-by-another' ? state.holder : state.windowId,
    );
  }
  await writeBack(context, note);
  const problem = await reload(context);
  if (problem !== undefined) {
    fail({
      code: 'app-reload-failed',
      message: `${settings.key} was given back, but app-reload-command failed: ${problem}.`,
      state: 'The settings file says open; the application may still run with the key set.',
      next: 'Run the command by hand on the host, repair what it says, then run the step again.',
    });
  }
  await closed.remove();
}

async function writeBack(context: AppContext, note: ClosedNote): Promise<void> {
  const { host, settings } = context;
  // A deployment may have led the link elsewhere since; the key may be set in both files.
  const paths = [settings.file];
  const leadsTo = async (path: string): Promise<string | undefined> =>
    (await host.status(path)) === undefined ? undefined : host.realPath(path);
  const earlier = await leadsTo(note.realPath);
  if (earlier !== undefined && earlier !== (await leadsTo(settings.file))) paths.push(earlier);
  for (const path of paths) await writeBackAt(context, note, path);
}

async function writeBackAt(context: AppContext, note: ClosedNote, path: string): Promise<void> {
  const { settings, format } = context;
  const { key, value } = settings;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const file = await readFileAt(context, path);
    if (file.sha256 === note.sha256Before) return;
    const isUntouched = file.sha256 === note.sha256After;
    const back = openingChange(
      file.bytes,
      { change: note.change, isUntouched },
      { format, key, value },
    );
    if (back.kind === 'not-ours') return;
    if (back.kind === 'impossible') {
      return fail({
        code: 'app-key-stays',
        message: `The key cannot be given back in ${path}: ${back.reason}.`,
        state: 'The site may still be closed; the file was not touched by this step.',
        next: `Repair the file by hand so that ${key} is as before, then run the step again.`,
      });
    }
    if (await replace(context, file, back.bytes)) return;
  }
  fail({
    code: 'app-file-busy',
    message: `${path} was changed by somebody else each time that the key was to be given back.`,
    state: 'The site may still be closed; the file has what the others wrote.',
    next: 'End what writes to the file, then run the step again.',
  });
}

/** Writes the file unless somebody changed it since it was read; owner and mode stay. */
async function replace(context: AppContext, file: SettingsFile, bytes: Buffer): Promise<boolean> {
  const { host } = context;
  const now = await host.readFile(file.realPath);
  if (now === undefined || sha256Of(now) !== file.sha256) return false;
  const { mode, uid, gid } = file.status;
  await host.writeFile(file.realPath, bytes, { mode, owner: { uid, gid } });
  return true;
}

/** What went wrong, or nothing. */
async function reload({ host, settings }: AppContext): Promise<string | undefined> {
  const { reloadCommand, commands } = settings;
  if (reloadCommand === undefined) return undefined;
  const result = await runUserCommand(host, reloadCommand, commands);
  return result.exitCode === 0 ? undefined : result.told;
}

async function undo(context: AppContext): Promise<string> {
  const { closed, settings } = context;
  try {
    const note = await closed.read();
    if (note?.windowId === settings.windowId) await writeBack(context, note);
    const problem = await reload(context);
    await closed.remove();
    return problem === undefined
      ? 'The key was put back, and the application was reloaded; the site is open as before.'
      : `The key was put back; the command failed again, so that the application runs with what it read last.`;
  } catch (error) {
    const failure: Failure = failureOf(error);
    if (failure.code === 'cancelled') throw error;
    return `Putting the key back failed as well: ${failure.message} The site may be closed.`;
  }
}

/** The site is closed by somebody else; what we did not set is not ours to lift (magento/magento2#9918). */
export function failClosedByAnother({ settings }: AppContext, holder: string): never {
  return fail({
    code: 'closed-by-another',
    message: `The site is closed by ${holder}: ${settings.key} in ${settings.file} is on, and not by this window.`,
    state: 'The site stays closed; nothing was touched.',
    next: `Ask who set it to open the site, or switch ${settings.key} off by hand; then run the step again.`,
  });
}
