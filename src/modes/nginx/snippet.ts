import { remedyFor, type AnswerFilter } from './answer-filters.ts';
import { addressPattern, parseAddressRange } from './address-range.ts';
import { pathPrefixPattern } from './path-prefix.ts';
import { groupsThatFit, quoted, quotedPieces } from './nginx-string.ts';
import { maintenanceJson } from './page.ts';
import type { NginxModeSettings } from './settings.ts';

/** Request header that asks whether a hook is live; its value is the hook's id. */
export const probeHeader = 'X-Maintenance-Probe';
/** Answer to the probe: the hook's id, or {@link blindAnswer}. */
export const hookHeader = 'X-Maintenance-Hook';
/** What the hook answers when nginx's workers cannot see into our folder, so that the flag would do nothing. */
export const blindAnswer = 'cannot-see-the-folder';

/** Paths of what we keep in our folder. */
export function folderPaths(folder: string) {
  return {
    snippet: `${folder}/server.conf`,
    flag: `${folder}/closed`,
    probe: `${folder}/hook`,
    originals: `${folder}/original`,
  } as const;
}

/**
 * Our part of each chosen `server` block. How it works, and why it has this shape, is told in
 * docs/adr/0003-nginx-hook.md; in short: everything is decided once per request, the site's own `$1` to `$9`
 * survive, and nothing is set that the site's own locations would inherit, but `open_file_cache off` where
 * the flag would be hidden otherwise.
 * @param page HTML page without `$`
 */
export function renderSnippet(
  settings: NginxModeSettings,
  hook: {
    readonly id: string;
    readonly openFileCacheOff: boolean;
    readonly quieted?: readonly AnswerFilter[];
  },
  page: string,
): string {
  const { windowId, retryAfterSeconds, folder, windowName } = settings;
  const paths = folderPaths(folder);
  const key = `mw_${hook.id.slice(0, 8)}`;
  const gate = `$${key}_gate`;
  const place = `/.maintenance-window/${hook.id}`;
  const patterns = regexConditions(settings);
  const answerHeaders = [
    `    add_header X-Maintenance ${quoted(windowId)} always;`,
    `    add_header Retry-After ${retryAfterSeconds} always;`,
    '    add_header Cache-Control "no-store" always;',
    '    add_header Vary "Accept" always;',
  ];
  const json = maintenanceJson(settings.pageText, windowId, retryAfterSeconds);
  const letThrough = (condition: string) => `if (${condition}) { set ${gate} "open"; }`;

  return [
    `# Maintenance window ${windowName}. Written and removed by maintenance-window; do not edit.`,
    ...(hook.openFileCacheOff ? ['open_file_cache off;'] : []),
    '',
    '# A request passes here again on each internal redirect; only the first pass decides.',
    `set ${gate} "$sent_http_${key}_seen";`,
    `set $sent_http_${key}_seen "seen-";`,
    `if (-f ${paths.flag}) { set ${gate} "\${${gate.slice(1)}}closed"; }`,
    ...equalityConditions(settings).map(letThrough),
    ...(patterns.length === 0
      ? []
      : keepingCaptures(`$${key}_captures`, hook.id, patterns.map(letThrough))),
    `if ($${headerVariable(probeHeader)} = "${hook.id}") { rewrite ^ ${place}/probe last; }`,
    `if (${gate} = "closed") { rewrite ^ ${place}/json last; }`,
    '',
    `location = ${place}/json {`,
    ...locationStart('application/json; charset=utf-8', hook.quieted),
    ...answerHeaders,
    `    if ($http_accept ~* "${acceptsHtml}") { rewrite ^ ${place}/page last; }`,
    ...answerWith(`${key}_j`, json),
    '}',
    `location = ${place}/page {`,
    ...locationStart('text/html; charset=utf-8', hook.quieted),
    ...answerHeaders,
    ...answerWith(`${key}_p`, page),
    '}',
    `location = ${place}/probe {`,
    ...locationStart('text/plain', hook.quieted),
    '    open_file_cache off;',
    `    set ${gate} "${blindAnswer}";`,
    `    if (-f ${paths.probe}) { set ${gate} "${hook.id}"; }`,
    `    add_header ${hookHeader} ${gate} always;`,
    '    add_header Cache-Control "no-store" always;',
    '    return 204;',
    '}',
    '',
  ].join('\n');
}

/** Fits when `text/html` is among the accepted types and not with the weight 0. */
const acceptsHtml = String.raw`text/html(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|\z))`;

function headerVariable(name: string): string {
  return `http_${name.toLowerCase().replaceAll('-', '_')}`;
}

/** Conditions that let a request through and need no regular expression. */
function equalityConditions(settings: NginxModeSettings): readonly string[] {
  const { bypassHeader, bypassCookie, exemptPaths } = settings;
  return [
    ...(bypassHeader === undefined
      ? []
      : [`$${headerVariable(bypassHeader.name)} = ${quoted(bypassHeader.token)}`]),
    ...(bypassCookie === undefined
      ? []
      : [`$cookie_${bypassCookie.name} = ${quoted(bypassCookie.token)}`]),
    ...exemptPaths.filter((path) => !path.endsWith('*')).map((path) => `$uri = ${quoted(path)}`),
  ];
}

function regexConditions(settings: NginxModeSettings): readonly string[] {
  const ranges = settings.bypassAddresses.map((text) => {
    const range = parseAddressRange(text);
    if (range === undefined) throw new RangeError(`not an address range: ${text}`);
    return addressPattern(range);
  });
  const prefixes = settings.exemptPaths
    .filter((path) => path.endsWith('*'))
    .map((path) => pathPrefixPattern(path.slice(0, -1)));
  return [
    ...groupsThatFit(ranges).map(
      (group) => String.raw`$binary_remote_addr ~ "(?s)^(?:${group})\z"`,
    ),
    ...groupsThatFit(prefixes).map((group) => `$uri ~ "^(?:${group})"`),
  ];
}

/**
 * nginx forgets `$1` to `$9` whenever it tries a regular expression, fitting or not; a site may still need those
 * of its `server_name`. So they are kept before and made again after, by an expression that captures them.
 * The hook's id, which nobody outside knows, separates them.
 */
function keepingCaptures(
  variable: string,
  separator: string,
  lines: readonly string[],
): readonly string[] {
  const nine = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  return [
    `set ${variable} "${nine.map((number) => `$${number}`).join(separator)}";`,
    ...lines,
    `if (${variable} ~ "(?s)^${nine.map(() => '(.*?)').join(separator)}\\z") { set ${variable} ""; }`,
  ];
}

/** `client_max_body_size` is checked before the answer is made, and a large upload shall read 503 as well, not 413. */
function locationStart(type: string, quieted: readonly AnswerFilter[] = []): readonly string[] {
  return [
    '    internal;',
    '    client_max_body_size 0;',
    '    types { }',
    `    default_type ${quoted(type)};`,
    ...quieted.map((filter) => `    ${remedyFor(filter)}`),
  ];
}

function answerWith(variable: string, body: string): readonly string[] {
  const pieces = quotedPieces(body);
  return [
    ...pieces.map((piece, index) => `    set $${variable}${index} ${piece};`),
    `    return 503 "${pieces.map((_, index) => `\${${variable}${index}}`).join('')}";`,
  ];
}
