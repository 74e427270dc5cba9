import { fail, failureOf } from '../../ports/failure.ts';
import type { Restoration } from '../../ports/maintenance-mode.ts';
import { removeTemporaries } from '../temporaries.ts';
import { readSettingsFile, sha256Of } from './context.ts';
import type { AppContext, SettingsFile } from './context.ts';
import { failClosedByAnother, giveKeyBack, keyState, planChange } from './door.ts';
import type { AppPrior } from './prior.ts';

/** Computes what closing will change in the file as it is now; touches nothing. */
export async function planKey(context: AppContext): Promise<AppPrior> {
  const { settings, formatName } = context;
  const state = await keyState(context);
  if (state.kind === 'closed-by-another') failClosedByAnother(context, state.holder);
  if (state.kind === 'closed') {
    return fail({
      code: 'app-still-closed',
      message: `What was at ${settings.key} before cannot be seen: this window has the site closed.`,
      state: 'The site is closed; nothing was touched.',
      next: 'Open it first with `rollback`, then begin again.',
    });
  }
  const file = await readSettingsFile(context);
  const { change, bytes } = planChange(context, file);
  const { mode, uid, gid } = file.status;
  return {
    version: 1,
    kind: 'app',
    path: settings.file,
    realPath: file.realPath,
    format: formatName,
    key: settings.key,
    sha256Before: file.sha256,
    sha256After: sha256Of(bytes),
    change,
    mode,
    uid,
    gid,
  };
}

/**
 * Sees that the file can be edited and written, and notes that this window did. Nothing of the application is
 * touched before it closes.
 * @throws FailureError `closed-by-another`, `app-key-unfit`, `app-file-unwritable`, `host-…`
 */
export async function prepareKey(context: AppContext, prior: AppPrior): Promise<void> {
  const state = await keyState(context);
  if (state.kind === 'closed-by-another') failClosedByAnother(context, state.holder);
  if (state.kind === 'open') {
    const file = await readSettingsFile(context);
    planChange(context, file);
    await refuseUnwritable(context, file);
  }
  const { windowId } = context.settings;
  await context.prepared.write({ version: 1, windowId, sha256Before: prior.sha256Before });
}

/** Whether this window has prepared itself, and the key can be set still (or is, by us). */
export async function isKeyPrepared(context: AppContext, prior: AppPrior): Promise<boolean> {
  const note = await context.prepared.read();
  const isOurs =
    note?.windowId === context.settings.windowId && note.sha256Before === prior.sha256Before;
  if (!isOurs) return false;
  const state = await keyState(context);
  if (state.kind !== 'open') return state.kind === 'closed';
  return canChange(context, await readSettingsFile(context));
}

function canChange(context: AppContext, file: SettingsFile): boolean {
  try {
    planChange(context, file);
    return true;
  } catch (error) {
    if (failureOf(error).code === 'app-key-unfit') return false;
    throw error;
  }
}

/** Whether file and folder may be written; `undefined` when they may. */
export async function unwritable(
  { host }: AppContext,
  { realPath }: Pick<SettingsFile, 'realPath'>,
): Promise<string | undefined> {
  const folder = realPath.slice(0, realPath.lastIndexOf('/')) || '/';
  for (const path of [realPath, folder]) {
    const { exitCode } = await host.run({ argv: ['test', '-w', path], timeoutSeconds: 30 });
    if (exitCode !== 0) return path;
  }
  return undefined;
}

async function refuseUnwritable(context: AppContext, file: SettingsFile): Promise<void> {
  const path = await unwritable(context, file);
  if (path === undefined) return;
  fail({
    code: 'app-file-unwritable',
    message: `${path} cannot be written on ${context.host.name} by the user of this run.`,
    state: 'Nothing was touched.',
    next: 'Give that user the right to write the file and its folder (it is replaced as a whole), or use sudo.',
  });
}

/**
 * Compares the file with what was there, after the door was opened: opening has given the key back already.
 * @throws FailureError `app-still-closed`, `host-…`
 */
export async function restoreKey(context: AppContext, prior: AppPrior): Promise<Restoration> {
  const { closed, prepared, settings } = context;
  const { windowId, key } = settings;
  const wasPrepared = (await prepared.read())?.windowId === windowId;
  const note = await closed.read();
  if (note?.windowId === windowId) {
    if ((await keyState(context)).kind === 'closed') failStillClosed(key);
    // A run that was killed before it set the key, or before it could forget that it had.
    await giveKeyBack(context);
  }
  // A run that was killed while it wrote leaves a copy, secrets and all, beside the file.
  for (const path of new Set([prior.realPath, note?.realPath ?? prior.realPath])) {
    await removeTemporaries(context.host, path);
  }
  const restoration = await compare(context, prior);
  await prepared.remove();
  return restoration.kind === 'restored' && !wasPrepared ? { kind: 'nothing-to-do' } : restoration;
}

async function compare(context: AppContext, prior: AppPrior): Promise<Restoration> {
  const { host, settings } = context;
  const { file: path, key } = settings;
  if ((await host.status(path)) === undefined) {
    return { kind: 'partly-restored', detail: `${path} is no longer there` };
  }
  const file = await readSettingsFile(context);
  if (file.sha256 === prior.sha256Before) {
    return { kind: 'restored', detail: `${path} is byte for byte as before` };
  }
  const edited = `${path} was edited by somebody else meanwhile`;
  if (isKeyAsBefore(file, prior)) {
    return {
      kind: 'partly-restored',
      detail: `${edited}: ${key} is as it was before, and all else is as they left it`,
    };
  }
  return {
    kind: 'partly-restored',
    detail: `${edited}: ${key} is no longer what it was before, nor what this window set; it was not touched`,
  };
}

function isKeyAsBefore({ key }: SettingsFile, { change }: AppPrior): boolean {
  const { location, source } = key;
  if (change.kind === 'added') return location.kind === 'missing';
  return (
    location.kind === 'found' &&
    source.text.slice(location.place.start, location.place.end) === change.from
  );
}

function failStillClosed(key: string): never {
  return fail({
    code: 'app-still-closed',
    message: `Nothing can be given back while this window has the site closed (${key} is on).`,
    state: 'The site is closed; nothing was touched.',
    next: 'Open the site first (`disable-maintenance` does both), then run the step again.',
  });
}
