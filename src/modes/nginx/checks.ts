import { posix } from 'node:path';
import { failureOf } from '../../ports/failure.ts';
import type { Check } from '../../ports/maintenance-mode.ts';
import { answersBeforeHook } from './answer-filters.ts';
import { flagState } from './flag.ts';
import { preparePage, type HookContext } from './hook-context.ts';
import { describeSites, readSites, type Site } from './sites.ts';
import {
  loadConfig,
  needsOpenFileCacheOff,
  refuseStrayHooks,
  type LoadedConfig,
} from './survey.ts';

type Title = Pick<Check, 'id' | 'title' | 'limit'>;

/** All checks of the nginx mode; they touch nothing. */
export async function checkHook(context: HookContext): Promise<readonly Check[]> {
  const version = await checkVersion(context);
  if (version.verdict === 'failed') return [version];
  const config = await attempt(
    { id: 'nginx-config', title: 'nginx accepts its configuration', limit: '`nginx -t` passes' },
    () => loadConfig(context),
    ({ effective }) => `accepted: ${effective.paths.length} files`,
  );
  const sites = await attempt(
    {
      id: 'nginx-site-files',
      title: 'Site files and the blocks to close',
      limit: 'each is readable and has HTTP `server` blocks; each name of `servers` is known',
    },
    () => readSites(context.host, context.settings),
    (found) => describeSites(found),
  );
  return [
    version,
    config.check,
    sites.check,
    ...(await checkLoaded(context, config.value, sites.value)),
    await checkPage(context),
    await checkFolder(context),
    await checkFlag(context),
    checkBypass(context),
  ];
}

async function attempt<T>(
  title: Title,
  observe: () => Promise<T> | T,
  value: (observed: T) => string,
): Promise<{ check: Check; value: T | undefined }> {
  try {
    const observed = await observe();
    return {
      check: { ...title, verdict: 'passed', value: value(observed) },
      value: observed,
    };
  } catch (error) {
    const { code, message, next } = failureOf(error);
    if (code === 'cancelled') throw error;
    return { check: { ...title, verdict: 'failed', value: message, next }, value: undefined };
  }
}

async function checkVersion({ nginx, settings }: HookContext): Promise<Check> {
  const title = { id: 'nginx-version', title: 'nginx', limit: 'its program runs' };
  const version = await nginx.version();
  if (version !== undefined) return { ...title, verdict: 'passed', value: version };
  return {
    ...title,
    verdict: 'failed',
    value: `\`${settings.nginxCommand.join(' ')} -v\` did not answer`,
    next: 'Install nginx on the host, or correct `nginx-command`.',
  };
}

async function checkLoaded(
  context: HookContext,
  config: LoadedConfig | undefined,
  sites: readonly Site[] | undefined,
): Promise<readonly Check[]> {
  if (config === undefined || sites === undefined) return [];
  const cache = await attempt(
    {
      id: 'nginx-open-file-cache',
      title: 'nginx sees the flag at once',
      limit: 'the blocks are loaded, and open_file_cache is not set in a chosen `server` block',
    },
    () => needsOpenFileCacheOff(config, sites),
    (off) =>
      off
        ? 'open_file_cache is set for all of HTTP; the hook turns it off in the chosen blocks as long as it is in'
        : 'no open_file_cache at `server` level',
  );
  const stray = await attempt(
    {
      id: 'nginx-stray-hook',
      title: 'No hook of an earlier window elsewhere',
      limit: 'our include line is in no file but the site files',
    },
    () => refuseStrayHooks(context, config, sites),
    () => {
      const hooked = sites.filter(({ hooks }) => hooks > 0).map(({ path }) => path);
      return hooked.length === 0
        ? 'none'
        : `left in ${hooked.join(', ')} by an earlier window; this window takes it over`;
    },
  );
  return [cache.check, stray.check, checkBeforeHook(config)];
}

function checkBeforeHook({ effective }: LoadedConfig): Check {
  const title = {
    id: 'nginx-before-hook',
    title: 'Nothing answers before the hook',
    limit: 'no Lua code in the phase in which the hook decides',
  };
  const names = answersBeforeHook(effective.directives);
  if (names.length === 0) return { ...title, verdict: 'passed', value: 'nothing' };
  return {
    ...title,
    verdict: 'warning',
    value: `${names.join(', ')} runs before it, and what that code answers itself is answered while the site is closed`,
    next: 'See that the code answers nothing that has to be closed, or let it run later (rewrite_by_lua).',
  };
}

async function checkPage(context: HookContext): Promise<Check> {
  const title = {
    id: 'nginx-page',
    title: 'Maintenance page',
    limit: 'UTF-8, at most 128 KiB, no `$` where nginx would take it for a variable',
  };
  const page = await attempt(
    title,
    () => preparePage(context),
    (text) =>
      `${context.settings.pageFile === undefined ? 'built in' : 'your own'}, ${Buffer.byteLength(text)} bytes`,
  );
  return page.check;
}

async function checkFolder({ host, settings }: HookContext): Promise<Check> {
  const title = {
    id: 'nginx-folder',
    title: 'nginx can see the flag',
    limit: "every folder above it can be passed by nginx's workers",
  };
  const closed: string[] = [];
  for (let path = settings.folder; path !== '/'; path = posix.dirname(path)) {
    const status = await host.status(path);
    if (status !== undefined && (status.mode & 0o001) === 0) closed.push(path);
  }
  if (closed.length === 0) return { ...title, verdict: 'passed', value: settings.folder };
  return {
    ...title,
    verdict: 'warning',
    value: `not everybody may pass through ${closed.reverse().join(', ')}`,
    next: "When nginx's workers run as another user, allow it (chmod o+x) or use another `state-dir`; the proof before the window closes would fail otherwise.",
  };
}

async function checkFlag(context: HookContext): Promise<Check> {
  const title = { id: 'nginx-flag', title: 'Nobody else has closed the site', limit: 'no flag' };
  const state = await flagState(context);
  switch (state.kind) {
    case 'open':
      return { ...title, verdict: 'passed', value: 'open' };
    case 'closed':
      return { ...title, verdict: 'passed', value: 'closed by this window' };
    case 'closed-by-another':
      return {
        ...title,
        verdict: 'failed',
        value: `closed by ${state.holder}`,
        next: `Ask ${state.holder} to open it; when that window is over, look into ${context.paths.flag} and remove it by hand.`,
      };
  }
}

function checkBypass({ settings }: HookContext): Check {
  const title = {
    id: 'nginx-bypass',
    title: 'Smoke tests can pass the closed door',
    limit: 'a header bypass',
  };
  if (settings.bypassHeader !== undefined) {
    return { ...title, verdict: 'passed', value: `header ${settings.bypassHeader.name}` };
  }
  const { bypassCookie, bypassAddresses } = settings;
  const others = [
    bypassCookie === undefined ? undefined : `cookie ${bypassCookie.name}`,
    bypassAddresses.length === 0 ? undefined : `addresses ${bypassAddresses.join(', ')}`,
  ].filter((other) => other !== undefined);
  return {
    ...title,
    verdict: 'warning',
    value: others.length === 0 ? 'none' : `none, but ${others.join(' and ')}`,
    next: 'Set `bypass-token`, so that smoke tests reach the application while the public still sees 503.',
  };
}
