import { fail } from '../../ports/failure.ts';
import {
  decideOpenFileCache,
  type EffectiveConfig,
  type OpenFileCache,
} from './effective-config.ts';
import type { HookContext } from './hook-context.ts';
import type { Site } from './sites.ts';

/** nginx's whole configuration, with the real paths of its files. */
export interface LoadedConfig {
  readonly effective: EffectiveConfig;
  readonly realPathOf: ReadonlyMap<string, string>;
}

/**
 * Asks nginx for its whole configuration.
 * @throws FailureError `nginx-already-broken`, `nginx-unreadable`, `host-…`
 */
export async function loadConfig({ host, nginx }: HookContext): Promise<LoadedConfig> {
  const effective = await nginx.effectiveConfig();
  const relevant = new Set([
    ...effective.servers.map(({ path }) => path),
    ...effective.includes.map(({ path }) => path),
  ]);
  const entries = await Promise.all(
    [...relevant].map(async (path) => [path, await host.realPath(path)] as const),
  );
  return { effective, realPathOf: new Map(entries) };
}

/** What `open_file_cache` is in each chosen block, found by the block's place in its file. */
function cachesOfChosen(config: LoadedConfig, site: Site): readonly OpenFileCache[] {
  const name = config.effective.servers.find(
    ({ path }) => config.realPathOf.get(path) === site.realPath,
  )?.path;
  if (name === undefined) {
    const read = [site.path, site.realPath].some((path) => config.effective.paths.includes(path));
    return fail({
      code: 'nginx-site-not-loaded',
      message: `nginx does not use the \`server\` blocks of ${site.path} for HTTP: ${read ? 'it is included elsewhere, such as in `stream` or in `mail`' : 'no `include` of its configuration leads there'}.`,
      state: 'Nothing was touched.',
      next: 'Name the file that nginx includes (see `nginx -T`), or give `nginx-command` the right `-c`, then run the step again.',
    });
  }
  const loaded = config.effective.servers.filter(({ path }) => path === name);
  return site.blocks
    .map((block, index) => ({ block, cache: loaded[index]?.openFileCache ?? 'unset' }))
    .filter(({ block }) => site.chosen.includes(block))
    .map(({ cache }) => cache);
}

/**
 * Whether our snippet has to turn nginx's cache of open files off.
 * @throws FailureError `nginx-site-not-loaded`, `nginx-open-file-cache`
 */
export function needsOpenFileCacheOff(config: LoadedConfig, sites: readonly Site[]): boolean {
  const chosen = sites.flatMap((site) => cachesOfChosen(config, site));
  const decision = decideOpenFileCache(config.effective.httpOpenFileCache, chosen);
  if (decision.kind !== 'refuse') return decision.kind === 'turn-off';
  return fail({
    code: 'nginx-open-file-cache',
    message: `nginx would not see the flag in time: ${decision.reason}.`,
    state: 'Nothing was touched.',
    next: 'Move open_file_cache from `server` into the `location` blocks that need it (or to `http`), reload nginx, then run the step again.',
  });
}

/**
 * Our line of an earlier window in a file that this window does not name would close that site as well.
 * @throws FailureError `nginx-stray-hook`
 */
export function refuseStrayHooks(
  { paths }: HookContext,
  config: LoadedConfig,
  sites: readonly Site[],
): void {
  const ours = new Set(sites.map(({ realPath }) => realPath));
  const stray = config.effective.includes
    .filter(({ pattern }) => pattern === paths.snippet)
    .map(({ path }) => config.realPathOf.get(path) ?? path)
    .find((path) => !ours.has(path));
  if (stray === undefined) return;
  fail({
    code: 'nginx-stray-hook',
    message: `${stray} has the line \`include ${paths.snippet};\` of an earlier window, and \`site-files\` does not name it.`,
    state: 'Nothing was touched; closing would close that site as well.',
    next: `Add ${stray} to \`site-files\`, or take the line out and reload nginx, then run the step again.`,
  });
}
