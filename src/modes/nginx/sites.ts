import { posix } from 'node:path';
import { fail } from '../../ports/failure.ts';
import type { FileStatus, Host } from '../../ports/host.ts';
import { nearest } from '../../plan/nearest.ts';
import {
  chooseBlocks,
  describeBlock,
  findServerBlocks,
  type ServerBlock,
} from './server-blocks.ts';
import type { NginxModeSettings } from './settings.ts';
import { removeHooks } from './site-file.ts';
import { folderPaths } from './snippet.ts';

/** Largest site file, in bytes: what people write is smaller by far, a log or a dump named by mistake is not. */
export const largestSite = 4 * 1024 * 1024;

/** A site file as it is now. */
export interface Site {
  readonly path: string;
  readonly realPath: string;
  readonly status: FileStatus;
  readonly found: Uint8Array;
  /** Without our lines. */
  readonly before: Uint8Array;
  /** How many lines of ours were in it. */
  readonly hooks: number;
  /** All its blocks, with offsets in `before`. */
  readonly blocks: readonly ServerBlock[];
  readonly chosen: readonly ServerBlock[];
}

/**
 * Reads the site files, two names of one file once.
 * @throws FailureError `nginx-site-missing`, `nginx-site-too-large`, `nginx-unreadable`, `nginx-no-server-block`, `nginx-unknown-server`, `host-…`
 */
export async function readSites(host: Host, settings: NginxModeSettings): Promise<readonly Site[]> {
  const sites = new Map<string, Site>();
  for (const path of settings.siteFiles) {
    const site = await readSite(host, settings, path);
    if (!sites.has(site.realPath)) sites.set(site.realPath, site);
  }
  const all = [...sites.values()];
  refuseUnknownServers(all, settings.servers);
  return all;
}

async function readSite(host: Host, settings: NginxModeSettings, path: string): Promise<Site> {
  const status = await host.status(path);
  if (status?.kind !== 'file') {
    const what = status === undefined ? await absence(host, path) : kindInWords(status.kind);
    return fail({
      code: 'nginx-site-missing',
      message: `The site file ${path} is ${what}.`,
      state: 'Nothing was touched.',
      next: 'Correct `site-files`, or create the file, then run the step again.',
    });
  }
  if (status.bytes > largestSite) {
    return fail({
      code: 'nginx-site-too-large',
      message: `The site file ${path} has ${status.bytes} bytes; at most ${largestSite} are accepted.`,
      state: 'Nothing was touched.',
      next: 'Name the file with the `server` blocks in `site-files`, with long lists in files of their own that it includes; then run the step again.',
    });
  }
  const realPath = await host.realPath(path);
  const found = (await host.readFile(realPath)) ?? new Uint8Array();
  const without = removeHooks(found, folderPaths(settings.folder).snippet, path);
  const blocks = findServerBlocks(without.bytes, path);
  if (blocks.length === 0) {
    return fail({
      code: 'nginx-no-server-block',
      message: `${path} has no \`server { … }\` block of HTTP.`,
      state: 'Nothing was touched.',
      next: 'Name the file with the blocks of the site in `site-files`, then run the step again.',
    });
  }
  return {
    path,
    realPath,
    status,
    found,
    before: without.bytes,
    hooks: without.removed,
    blocks,
    chosen: chooseBlocks(blocks, settings.servers),
  };
}

/** A name without a file behind it is a symbolic link that leads nowhere, such as one to a site that was removed. */
async function absence(host: Host, path: string): Promise<string> {
  const folder = posix.dirname(path);
  if ((await host.status(folder))?.kind !== 'directory') return 'not there';
  const names = await host.list(folder);
  return names.includes(posix.basename(path)) ? 'a symbolic link that leads nowhere' : 'not there';
}

function kindInWords(kind: 'directory' | 'other'): string {
  return kind === 'directory' ? 'a folder' : 'neither a file nor a folder';
}

function refuseUnknownServers(sites: readonly Site[], wanted: readonly string[]): void {
  const known = [...new Set(sites.flatMap(({ blocks }) => blocks.flatMap(({ names }) => names)))];
  const unknown = wanted.filter((name) => !known.includes(name.toLowerCase()));
  if (unknown.length === 0) return;
  const told = unknown.map((name) => {
    const meant = nearest(name.toLowerCase(), known);
    return meant === undefined ? name : `${name} (did you mean ${meant}?)`;
  });
  fail({
    code: 'nginx-unknown-server',
    message: `No \`server\` block of the site files has the name ${told.join(', ')}; known: ${known.join(', ') || 'none'}.`,
    state: 'Nothing was touched.',
    next: 'Correct `servers`, then run the step again.',
  });
}

/** The chosen blocks in words: `/etc/nginx/…: shop.example.org (listen 443), line 3`. */
export function describeSites(sites: readonly Site[]): string {
  return sites
    .filter(({ chosen }) => chosen.length > 0)
    .map(({ path, chosen }) => `${path}: ${chosen.map(describeBlock).join('; ')}`)
    .join(' · ');
}
