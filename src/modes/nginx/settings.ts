import { fail } from '../../ports/failure.ts';
import { parseAddressRange } from './address-range.ts';
import type { PageText } from './page.ts';

/** A header or cookie that leads past the closed door when it holds the token. */
export interface Bypass {
  readonly name: string;
  /** Secret: at least 16 characters of `A-Z a-z 0-9 . _ ~ -`. */
  readonly token: string;
}

/** What the nginx mode has to know; all values are parsed and resolved already. */
export interface NginxModeSettings {
  /** Answered as `X-Maintenance` and written into the flag. */
  readonly windowId: string;
  /** Kebab-case name of the maintained application. */
  readonly windowName: string;
  /** Absolute path of a folder that is ours alone; nginx's workers must be able to traverse its parents. */
  readonly folder: string;
  /** Files with the `server` blocks of the site. */
  readonly siteFiles: readonly string[];
  /** `server_name`s of the blocks to close; empty: all blocks of the files. */
  readonly servers: readonly string[];
  /** Program and first arguments, for instance `['nginx', '-c', '/etc/nginx/nginx.conf']`. */
  readonly nginxCommand: readonly string[];
  /** Default: the nginx command with `-s reload`. */
  readonly reloadCommand?: readonly string[] | undefined;
  readonly publicUrl: string;
  /** `/healthz` (that path only) or `/status/*` (all that begins with `/status/`). */
  readonly exemptPaths: readonly string[];
  /** Addresses and ranges, IPv4 and IPv6. */
  readonly bypassAddresses: readonly string[];
  readonly bypassHeader?: Bypass | undefined;
  readonly bypassCookie?: Bypass | undefined;
  /** The user's page: an absolute path on the host, or the page's text; without it the built-in one. */
  readonly pageFile?: string | undefined;
  readonly pageText: PageText;
  readonly retryAfterSeconds: number;
  /** How a change of nginx's configuration is proved live from outside. */
  readonly proof?: {
    /** Answers in a row, each on a connection of its own. Default 8. */
    readonly answers: number;
    /** Seconds after which the proof has failed. Default 15. */
    readonly seconds: number;
  };
}

/**
 * Refuses what could break out of nginx's configuration or of an HTTP header.
 * @throws FailureError `nginx-setting` that names the setting, its value (never a secret's) and what is accepted
 */
export function checkSettings(settings: NginxModeSettings): void {
  const demand = (name: string, value: string, accepted: boolean, what: string) => {
    if (!accepted) refuse(name, JSON.stringify(value), what);
  };
  demand(
    'window id',
    settings.windowId,
    /^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}$/.test(settings.windowId),
    'up to 200 letters, digits and ._:@/+-',
  );
  demand(
    'name',
    settings.windowName,
    /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(settings.windowName),
    'small letters, digits and dashes',
  );
  demand(
    'folder of the hook (under state-dir)',
    settings.folder,
    /^(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/.test(settings.folder),
    'an absolute path of letters, digits and ._- (other characters mean something to nginx)',
  );
  for (const path of settings.siteFiles) {
    demand('site file', path, path.startsWith('/'), 'an absolute path');
  }
  if (settings.siteFiles.length === 0) refuse('site-files', 'nothing', 'one file or more');
  if (settings.nginxCommand.length === 0) refuse('nginx-command', 'nothing', 'a program');
  for (const path of settings.exemptPaths) {
    const accepted = /^\/[^*$\p{Cc}]{0,500}\*?$/u.test(path);
    demand('exempt path', path, accepted, 'a path such as /healthz or /status/*');
  }
  for (const range of settings.bypassAddresses) {
    const accepted = parseAddressRange(range) !== undefined;
    demand('bypass address', range, accepted, 'an address or range such as 192.0.2.0/24');
  }
  const { bypassHeader, bypassCookie } = settings;
  if (bypassHeader !== undefined) {
    const { name, token } = bypassHeader;
    const accepted = /^[A-Za-z][A-Za-z0-9-]{0,60}$/.test(name);
    demand('bypass header', name, accepted, 'a name of letters, digits and dashes');
    demandToken('bypass header', token);
  }
  if (bypassCookie !== undefined) {
    const { name, token } = bypassCookie;
    const accepted = /^[A-Za-z][A-Za-z0-9_]{0,30}$/.test(name);
    demand('bypass cookie', name, accepted, 'a name of up to 31 letters, digits and underscores');
    demandToken('bypass cookie', token);
  }
  const { retryAfterSeconds } = settings;
  if (!Number.isSafeInteger(retryAfterSeconds) || retryAfterSeconds < 0) {
    refuse('retry-after', String(retryAfterSeconds), 'whole seconds');
  }
}

function demandToken(name: string, token: string): void {
  if (!/^[A-Za-z0-9._~-]{16,1024}$/.test(token)) {
    refuse(
      `token of the ${name}`,
      `a text of ${token.length} characters`,
      '16 or more of A-Z a-z 0-9 . _ ~ -',
    );
  }
}

function refuse(name: string, value: string, accepted: string): never {
  return fail({
    code: 'nginx-setting',
    message: `The ${name} is ${value}; accepted is ${accepted}.`,
    state: 'Nothing was touched.',
    next: 'Correct the setting, then run the step again.',
  });
}
