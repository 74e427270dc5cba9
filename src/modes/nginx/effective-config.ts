import { parseConfig, type Directive } from './config-tree.ts';
import { serverBlockOf } from './server-blocks.ts';

/** Whether `open_file_cache` is set at a level, and how. */
export type OpenFileCache = 'unset' | 'off' | 'on';

/** A `server` block that nginx really uses for HTTP. */
export interface EffectiveServer {
  /** The file it stands in, as nginx names it. */
  readonly path: string;
  readonly openFileCache: OpenFileCache;
}

/** What nginx says its configuration is, all includes followed. */
export interface EffectiveConfig {
  /** All files, as nginx names them. */
  readonly paths: readonly string[];
  readonly httpOpenFileCache: OpenFileCache;
  /** In file order within each file. */
  readonly servers: readonly EffectiveServer[];
  /** Every `include` with the file it stands in. */
  readonly includes: readonly { readonly path: string; readonly pattern: string }[];
  /** Names of all directives anywhere in it. */
  readonly directives: ReadonlySet<string>;
}

const heading = /^# configuration file (.+):$/gm;
const deepestInclude = 30;

/**
 * Reads what `nginx -T` prints: each file under a heading with its name, the main file first.
 * @throws FailureError `nginx-unreadable`
 */
export function readEffectiveConfig(dump: string): EffectiveConfig {
  const files = new Map<string, readonly Directive[]>();
  for (const { path, text } of sections(dump)) {
    if (!files.has(path)) files.set(path, parseConfig(Buffer.from(text), path));
  }
  const paths = [...files.keys()];
  const main = paths[0];
  const patternOf = (directive: Directive) => includePattern(main ?? '/', directive);
  const servers: EffectiveServer[] = [];
  let httpOpenFileCache: OpenFileCache = 'unset';

  /** The directives of a level with those of the files included there. */
  const expand = (
    path: string,
    directives: readonly Directive[],
    depth: number,
  ): readonly { path: string; directive: Directive }[] =>
    directives.flatMap((directive) => {
      if (directive.name !== 'include' || depth > deepestInclude) return [{ path, directive }];
      const pattern = patternOf(directive);
      return paths
        .filter((candidate) => pattern.test(candidate))
        .flatMap((included) => expand(included, files.get(included) ?? [], depth + 1));
    });

  const level = main === undefined ? [] : expand(main, files.get(main) ?? [], 0);
  for (const { path, directive } of level) {
    if (directive.name !== 'http' || directive.body === undefined) continue;
    for (const inner of expand(path, directive.body.directives, 0)) {
      httpOpenFileCache = cacheSetting(inner.directive) ?? httpOpenFileCache;
      const block = serverBlockOf(inner.directive);
      if (block === undefined) continue;
      const settings = expand(inner.path, block.directives, 0)
        .map((entry) => cacheSetting(entry.directive))
        .filter((setting) => setting !== undefined);
      servers.push({ path: inner.path, openFileCache: settings[0] ?? 'unset' });
    }
  }
  const all = paths.flatMap((path) =>
    allDirectives(files.get(path) ?? []).map((directive) => ({ path, directive })),
  );
  const includes = all
    .filter(({ directive }) => directive.name === 'include')
    .map(({ path, directive }) => ({ path, pattern: directive.args[0] ?? '' }));
  const directives = new Set(all.map(({ directive }) => directive.name));
  return { paths, httpOpenFileCache, servers, includes, directives };
}

/**
 * The files of a dump. Somebody may have a comment in a file that looks like one of nginx's headings (from a
 * dump that was pasted): a heading counts only when an `include` leads to its file, and once.
 */
function sections(dump: string): readonly { path: string; text: string }[] {
  const found = [...dump.matchAll(heading)].map((match) => ({
    path: match[1] ?? '',
    start: match.index,
    bodyStart: match.index + match[0].length + 1,
  }));
  const main = found[0];
  if (main === undefined) return [];
  const seen = new Set([main.path]);
  let headings = found.slice(1);
  if (headings.length > 0) {
    // Headings are comments, so that all files together can be read as one.
    const leadsTo = allDirectives(parseConfig(Buffer.from(dump), 'what `nginx -T` prints'))
      .filter(({ name }) => name === 'include')
      .map((directive) => includePattern(main.path, directive));
    headings = headings.filter(({ path }) => {
      if (seen.has(path) || !leadsTo.some((pattern) => pattern.test(path))) return false;
      seen.add(path);
      return true;
    });
  }
  const files = [main, ...headings];
  return files.map(({ path, bodyStart }, index) => ({
    path,
    text: dump.slice(bodyStart, files[index + 1]?.start ?? dump.length),
  }));
}

function allDirectives(directives: readonly Directive[]): readonly Directive[] {
  return directives.flatMap((directive) => [
    directive,
    ...allDirectives(directive.body?.directives ?? []),
  ]);
}

function cacheSetting(directive: Directive): OpenFileCache | undefined {
  if (directive.name !== 'open_file_cache') return undefined;
  return directive.args[0] === 'off' ? 'off' : 'on';
}

/**
 * What the names of the files look like to which an `include` leads. nginx takes a relative one from the folder
 * of the main file, and tidies neither (`..`, `//`).
 */
function includePattern(main: string, { args: [pattern = ''] }: Directive): RegExp {
  return globExpression(
    pattern.startsWith('/') ? pattern : main.slice(0, main.lastIndexOf('/') + 1) + pattern,
  );
}

/** A pattern with the wildcards of glob(7), which nginx's `include` takes. */
function globExpression(pattern: string): RegExp {
  const expression = pattern.replaceAll(/\[!?[^\]]*\]|[\s\S]/g, (part) => {
    if (!/[*?[]/.test(pattern)) return escaped(part);
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length > 1) return part.replace(/^\[!/, '[^').replaceAll('\\', '\\\\');
    return escaped(part);
  });
  try {
    return new RegExp(`^${expression}$`);
  } catch {
    // A range such as [z-a], which leads nowhere.
    return /(?!)/;
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.|+*?()[\]{}]/g, String.raw`\$&`);
}

/**
 * What to do about nginx's cache of open files, which would hide the flag from the hook's `-f` test for up
 * to `open_file_cache_valid` (60 s by default). The test runs with the settings of the `server` level.
 */
export function decideOpenFileCache(
  http: OpenFileCache,
  chosen: readonly OpenFileCache[],
): { readonly kind: 'leave' | 'turn-off' } | { readonly kind: 'refuse'; readonly reason: string } {
  if (chosen.includes('on')) {
    return {
      kind: 'refuse',
      reason: 'a chosen `server` block sets open_file_cache, which hides the flag',
    };
  }
  if (http !== 'on' || chosen.every((setting) => setting === 'off')) return { kind: 'leave' };
  if (!chosen.includes('off')) return { kind: 'turn-off' };
  return {
    kind: 'refuse',
    reason:
      'open_file_cache is set for all servers and turned off in some of the chosen `server` blocks only, ' +
      'so that one snippet cannot serve them all',
  };
}
