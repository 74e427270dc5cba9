import { fail } from '../../ports/failure.ts';
import type { DoorState } from '../../ports/maintenance-mode.ts';
import type { HookContext } from './hook-context.ts';

/** Who holds the flag that closes the site. */
export async function flagState({ host, paths, settings }: HookContext): Promise<DoorState> {
  const bytes = await host.readFile(paths.flag);
  if (bytes === undefined) return { kind: 'open' };
  const holder = Buffer.from(bytes).toString('utf8').trim().slice(0, 200);
  if (holder === settings.windowId) return { kind: 'closed', windowId: holder };
  return { kind: 'closed-by-another', holder: holder === '' ? 'nobody named' : holder };
}

/**
 * Closes the site by creating the flag; nginx looks for it on each request.
 * @throws FailureError `closed-by-another`, `nginx-hook-missing`, `host-…`
 */
export async function raiseFlag(context: HookContext): Promise<void> {
  const { host, paths, settings } = context;
  if (await heldByUs(context)) return;
  if ((await host.status(paths.probe)) === undefined) {
    fail({
      code: 'nginx-hook-missing',
      message: `The hook is not in place: ${paths.probe} is not there, so that a flag would do nothing.`,
      state: 'The site is open.',
      next: 'Put the hook in place (`enable-maintenance` does it first), then close.',
    });
  }
  // 0644: a worker needs no right on the file to see it, but people shall be able to read who closed.
  const created = await host.createFile(paths.flag, `${settings.windowId}\n`, { mode: 0o644 });
  if (!created) await heldByUs(context);
}

/**
 * Opens the site by removing the flag, when it is ours.
 * @throws FailureError `closed-by-another`, `host-…`
 */
export async function lowerFlag(context: HookContext): Promise<void> {
  if (await heldByUs(context)) await context.host.remove(context.paths.flag);
}

async function heldByUs(context: HookContext): Promise<boolean> {
  const state = await flagState(context);
  if (state.kind === 'closed-by-another') failClosedByAnother(context, state.holder);
  return state.kind === 'closed';
}

/** The site is closed by somebody else, whose flag is not ours to touch. */
export function failClosedByAnother({ paths }: HookContext, holder: string): never {
  return fail({
    code: 'closed-by-another',
    message: `The site is closed by ${holder}: the flag ${paths.flag} is not this window's.`,
    state: 'The site stays closed; nothing was touched.',
    next: `Ask ${holder} to open it. When that window is over, look into the flag and remove it by hand.`,
  });
}
