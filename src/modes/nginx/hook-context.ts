import { createHash } from 'node:crypto';
import type { Clock } from '../../ports/clock.ts';
import type { Host } from '../../ports/host.ts';
import type { Http } from '../../ports/http.ts';
import { fail } from '../../ports/failure.ts';
import type { Nginx } from './nginx-command.ts';
import { prepareOwnPage } from './own-page.ts';
import { builtInPage } from './page.ts';
import type { NginxModeSettings } from './settings.ts';
import type { folderPaths } from './snippet.ts';

/** What the steps of the nginx mode work with. */
export interface HookContext {
  readonly host: Host;
  /** Where the user's page lies. */
  readonly pages: Host;
  readonly http: Http;
  readonly clock: Clock;
  readonly nginx: Nginx;
  readonly settings: NginxModeSettings;
  readonly paths: ReturnType<typeof folderPaths>;
}

/** Hex SHA-256 of bytes. */
export function sha256Of(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * The page that browsers get, fit for nginx.
 * @throws FailureError `page-…`, `host-…`
 */
export async function preparePage({ pages, settings }: HookContext): Promise<string> {
  const { pageFile, pageText } = settings;
  if (pageFile === undefined) return builtInPage(pageText);
  if (!pageFile.startsWith('/')) return prepareOwnPage(Buffer.from(pageFile), 'of the plan');
  const bytes = await pages.readFile(pageFile);
  if (bytes !== undefined) return prepareOwnPage(bytes, pageFile);
  return fail({
    code: 'page-missing',
    message: `The maintenance page ${pageFile} is not there.`,
    state: 'Nothing was touched.',
    next: 'Create it on the host, or leave `page` out for the built-in one, then run the step again.',
  });
}
