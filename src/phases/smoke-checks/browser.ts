import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import type { Visited } from '../../ports/browser.ts';
import { failureOf } from '../../ports/failure.ts';
import {
  failed,
  passed,
  short,
  type CheckContext,
  type CheckKind,
  type Verdict,
} from './check-kind.ts';
import { pastTheDoor } from './http.ts';

type BrowserCheck = CheckOf<'browser'>;

/** A page in a headless browser. */
export const browserKind: CheckKind<'browser'> = {
  turn: 'then',
  timeoutSeconds: ({ timeout }) => timeout ?? 30,
  expectation: describeDemand,
  look: async (context, check, timeoutSeconds) => {
    const { browser, keepScreenshot } = context;
    if (browser === undefined) return withoutBrowser(check, 'this run has none');
    const { url, bypass } = pastTheDoor(context, check);
    const { title, selector, executable } = check;
    const visited = await browser.visit({
      url,
      headers: bypass,
      ...(title === undefined ? {} : { title }),
      ...(selector === undefined ? {} : { selector }),
      ...(executable === undefined ? {} : { executable }),
      screenshot: check.screenshot && keepScreenshot !== undefined,
      timeoutSeconds,
    });
    return withScreenshot(context, check, visited, judgeBrowser(check, visited));
  },
};

/** Judges what a browser saw. */
export function judgeBrowser(check: BrowserCheck, visited: Visited): Verdict {
  if (visited.kind === 'no-browser') {
    return visited.isMissing
      ? withoutBrowser(check, visited.reason)
      : failed(`the browser does not start: ${visited.reason}`, describeDemand(check));
  }
  if (visited.kind === 'no-page') return failed(visited.reason, 'a page');
  const { status, title, hasSelector, consoleErrors, failedRequests } = visited;
  const page = `${visited.url}, status ${status}`;
  if (status >= 400) return failed(page, 'a page with a status below 400');
  if (check.endsAt !== undefined && pathOf(visited.url) !== check.endsAt) {
    return failed(`ended at ${visited.url}`, `ends at ${check.endsAt}`);
  }
  if (check.title !== undefined && title !== check.title) {
    return failed(`title ${JSON.stringify(short(title))}`, `title ${JSON.stringify(check.title)}`);
  }
  if (check.selector !== undefined && hasSelector !== true) {
    return failed(`${page}, without ${check.selector}`, `an element ${check.selector}`);
  }
  if (check.consoleErrors === 'forbid' && consoleErrors.length > 0) {
    return failed(listed(consoleErrors, 'console error'), 'no error in the console');
  }
  if (check.failedRequests === 'forbid' && failedRequests.length > 0) {
    return failed(listed(failedRequests, 'failed request'), 'no failed request');
  }
  return passed(`${page}, title ${JSON.stringify(short(title))}`);
}

function withoutBrowser(check: Pick<BrowserCheck, 'optional'>, reason: string): Verdict {
  return check.optional
    ? { kind: 'skipped', observed: `no Chromium (${reason})` }
    : failed(
        `no Chromium (${reason})`,
        'a Chromium on the runner: install the package chromium, name it by `executable`, or let the check be `optional`',
      );
}

/** A picture that cannot be kept does not change what was seen, but it is told. */
async function withScreenshot(
  { keepScreenshot }: CheckContext,
  check: BrowserCheck,
  visited: Visited,
  verdict: Verdict,
): Promise<Verdict> {
  if (visited.kind !== 'page' || visited.screenshot === undefined || verdict.kind === 'skipped') {
    return verdict;
  }
  try {
    const screenshot = await keepScreenshot?.(check.id, visited.screenshot);
    return screenshot === undefined ? verdict : { ...verdict, screenshot };
  } catch (error) {
    const { message } = failureOf(error);
    return { ...verdict, observed: `${verdict.observed}; its picture was not kept: ${message}` };
  }
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : url;
}

function listed(found: readonly string[], what: string): string {
  const [first = ''] = found;
  return `${found.length} ${what}${found.length === 1 ? '' : 's'}, the first: ${short(first)}`;
}

function describeDemand(check: BrowserCheck): string {
  return [
    'a page with a status below 400',
    ...(check.endsAt === undefined ? [] : [`that ends at ${check.endsAt}`]),
    ...(check.title === undefined ? [] : [`title ${JSON.stringify(check.title)}`]),
    ...(check.selector === undefined ? [] : [`an element ${check.selector}`]),
    ...(check.consoleErrors === 'forbid' ? ['no error in the console'] : []),
    ...(check.failedRequests === 'forbid' ? ['no failed request'] : []),
  ].join(', ');
}
