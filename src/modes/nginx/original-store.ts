import { fail } from '../../ports/failure.ts';
import { removeTemporaries } from '../temporaries.ts';
import { sha256Of, type HookContext } from './hook-context.ts';
import { removeHooks } from './site-file.ts';

/**
 * Keeps bytes under their SHA-256, so that what was kept once is never overwritten.
 * @throws FailureError `nginx-original-damaged`, `host-…`
 */
export async function keepOriginal(
  { host, paths }: HookContext,
  bytes: Uint8Array,
  sha256: string,
): Promise<void> {
  const path = `${paths.originals}/${sha256}`;
  if (await host.createFile(path, bytes, { mode: 0o600 })) return;
  if ((await host.sha256(path)) === sha256) return;
  fail({
    code: 'nginx-original-damaged',
    message: `${path} does not hold the bytes that its name says.`,
    state: 'The site files were not touched by this step.',
    next: `Look at the file, move it away, then run the step again.`,
  });
}

/**
 * The bytes with that SHA-256: what the file is without our lines, or what was kept of it.
 * @throws FailureError `nginx-original-missing`
 */
export async function originalOf(
  { host, paths }: HookContext,
  current: Uint8Array,
  sha256: string,
): Promise<Uint8Array> {
  const without = removeHooks(current, paths.snippet, 'the site file').bytes;
  if (sha256Of(without) === sha256) return without;
  const kept = await host.readFile(`${paths.originals}/${sha256}`);
  if (kept !== undefined && sha256Of(kept) === sha256) return kept;
  return fail({
    code: 'nginx-original-missing',
    message: `The original bytes of a site file are neither in it nor in ${paths.originals} (SHA-256 ${sha256}).`,
    state: 'Nothing was touched by this step.',
    next: 'Take our include line out by hand, run `nginx -t`, and reload nginx.',
  });
}

/**
 * Removes what we keep in our folder, and the folder when nothing else is in it. The flag is not touched:
 * whoever calls this has seen that there is none.
 */
export async function removeOurFiles({ host, paths, settings }: HookContext): Promise<void> {
  for (const path of [paths.snippet, paths.probe, paths.originals]) await host.remove(path);
  for (const path of [paths.snippet, paths.probe, paths.flag]) await removeTemporaries(host, path);
  if ((await host.list(settings.folder)).length === 0) await host.remove(settings.folder);
}
