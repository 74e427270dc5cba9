import { setTimeout as pause } from 'node:timers/promises';
import type { Browser, Visit, Visited } from '../ports/browser.ts';
import { findBrowser, startBrowser, type BrowserProcess } from './browser-process.ts';
import { listenToPage, type PageLog } from './page-log.ts';
import { recordOf, type ProtocolPipe } from './protocol-pipe.ts';

const lookMilliseconds = 100;
/** How long a page may take to become quiet after all that is waited for is there. */
const quietMilliseconds = 3000;

export interface ChromiumOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted when the run is being cancelled; a visit then ends. */
  readonly signal?: AbortSignal;
}

/**
 * Chromium or Chrome of this machine, by the DevTools protocol
 * (https://chromedevtools.github.io/devtools-protocol/).
 */
export function chromium({ environment, signal }: ChromiumOptions): Browser {
  return {
    visit: async (visit) => {
      const executable = await findBrowser(visit.executable, environment.PATH);
      if (executable === undefined) {
        const reason =
          visit.executable === undefined
            ? 'none is installed on the runner'
            : `${visit.executable} is no program on the runner`;
        return { kind: 'no-browser', isMissing: true, reason };
      }
      const started = performance.now();
      const ending = AbortSignal.any([
        AbortSignal.timeout(Math.min(visit.timeoutSeconds * 1000, 2 ** 31 - 1)),
        ...(signal === undefined ? [] : [signal]),
      ]);
      const browser = await startBrowser(executable, environment);
      try {
        return await orEnd(ending, open(browser, visit, started, ending));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return { kind: 'no-page', reason: `the page was not loaded: ${why}` };
      } finally {
        await browser.end();
      }
    },
  };
}

async function open(
  browser: BrowserProcess,
  visit: Visit,
  started: number,
  ending: AbortSignal,
): Promise<Visited> {
  const { pipe } = browser;
  const attached = await attach(browser);
  if (typeof attached === 'string') {
    return { kind: 'no-browser', isMissing: false, reason: attached };
  }
  const { session } = attached;
  let frame = '';
  const log = listenToPage(pipe, () => frame);
  const page = { isLoaded: false, isQuiet: false };
  pipe.on('Page.lifecycleEvent', (params) => {
    if (params.frameId !== frame) return;
    // A redirect by script begins anew.
    if (params.name === 'init') page.isLoaded = page.isQuiet = false;
    if (params.name === 'load') page.isLoaded = true;
    if (params.name === 'networkIdle') page.isQuiet = true;
  });
  const { frameTree } = await pipe.send('Page.getFrameTree', {}, session);
  frame = String(recordOf(recordOf(frameTree).frame).id);
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) {
    await pipe.send(`${domain}.enable`, {}, session);
  }
  await pipe.send('Page.setLifecycleEventsEnabled', { enabled: true }, session);
  await addHeaders(pipe, session, visit);

  const { errorText } = await pipe.send('Page.navigate', { url: visit.url }, session);
  if (typeof errorText === 'string' && errorText !== '') {
    return { kind: 'no-page', reason: `the page was not loaded: ${errorText}` };
  }
  // Whatever is missing in the end is told: the last tenth of the time is for looking and for the picture.
  const lookUntil = started + visit.timeoutSeconds * 900;
  let seen = await look(pipe, session, visit);
  while (!(page.isLoaded && hasAll(visit, seen)) && performance.now() < lookUntil) {
    if (seen.selectorError !== undefined) break;
    await pause(lookMilliseconds, undefined, { signal: ending });
    seen = await look(pipe, session, visit);
  }
  if (seen.selectorError !== undefined) return { kind: 'no-page', reason: seen.selectorError };
  const quietUntil = Math.min(lookUntil, performance.now() + quietMilliseconds);
  while (!page.isQuiet && performance.now() < quietUntil) {
    await pause(lookMilliseconds, undefined, { signal: ending });
  }
  seen = await look(pipe, session, visit);
  return describe(pipe, session, visit, seen, log, started);
}

/** Opens a page in the browser; why that was not possible, as text. */
async function attach(browser: BrowserProcess): Promise<{ session: string } | string> {
  const { pipe } = browser;
  try {
    const { targetId } = await pipe.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await pipe.send('Target.attachToTarget', { targetId, flatten: true });
    return { session: String(sessionId) };
  } catch (error) {
    const said = browser.complaint().trim().split('\n').at(-1) ?? '';
    return said === '' ? (error instanceof Error ? error.message : String(error)) : said;
  }
}

/**
 * Headers for the page's own origin alone. Headers for all requests (Network.setExtraHTTPHeaders) would give the
 * bypass token to whoever serves a font to the page; so each request is stopped and looked at.
 */
async function addHeaders(pipe: ProtocolPipe, session: string, visit: Visit): Promise<void> {
  const own = Object.entries(visit.headers).map(([name, value]) => ({ name, value }));
  if (own.length === 0) return;
  const { origin } = new URL(visit.url);
  pipe.on('Fetch.requestPaused', ({ requestId, request }) => {
    const { url, headers } = recordOf(request);
    const isOwn = URL.canParse(String(url)) && new URL(String(url)).origin === origin;
    const sent = Object.entries(recordOf(headers)).map(([name, value]) => ({
      name,
      value: String(value),
    }));
    const change = isOwn ? { headers: [...sent, ...own] } : {};
    // The page may be gone by now.
    pipe.send('Fetch.continueRequest', { requestId, ...change }, session).catch(() => undefined);
  });
  await pipe.send('Fetch.enable', { patterns: [{ urlPattern: '*' }] }, session);
}

interface Seen {
  readonly url: string;
  readonly title: string;
  readonly hasSelector: boolean | undefined;
  readonly selectorError: string | undefined;
}

async function look(pipe: ProtocolPipe, session: string, { selector }: Visit): Promise<Seen> {
  // JSON is a literal of JavaScript; nothing in a selector ends it.
  const expression = `(() => {
    const selector = ${JSON.stringify(selector ?? null)};
    let hasSelector, selectorError;
    try { if (selector !== null) hasSelector = document.querySelector(selector) !== null; }
    catch { selectorError = 'the selector ' + selector + ' cannot be read'; }
    return { url: location.href, title: document.title, hasSelector, selectorError };
  })()`;
  try {
    const { result } = await pipe.send(
      'Runtime.evaluate',
      { expression, returnByValue: true },
      session,
    );
    const value = recordOf(recordOf(result).value);
    return {
      url: typeof value.url === 'string' ? value.url : '',
      title: typeof value.title === 'string' ? value.title : '',
      hasSelector: selector === undefined ? undefined : value.hasSelector === true,
      selectorError: typeof value.selectorError === 'string' ? value.selectorError : undefined,
    };
  } catch {
    // Between two documents of a redirect there is none to ask.
    const hasSelector = selector === undefined ? undefined : false;
    return { url: '', title: '', hasSelector, selectorError: undefined };
  }
}

function hasAll({ title }: Visit, seen: Seen): boolean {
  return (title === undefined || seen.title === title) && seen.hasSelector !== false;
}

async function describe(
  pipe: ProtocolPipe,
  session: string,
  visit: Visit,
  seen: Seen,
  log: PageLog,
  started: number,
): Promise<Visited> {
  const status = log.status();
  if (status === undefined) {
    const why = log.mainFailure() ?? 'no answer came in time';
    return { kind: 'no-page', reason: `the page was not loaded: ${why}` };
  }
  const screenshot = visit.screenshot ? await picture(pipe, session) : undefined;
  return {
    kind: 'page',
    url: seen.url,
    status,
    title: seen.title,
    hasSelector: seen.hasSelector,
    consoleErrors: log.consoleErrors,
    failedRequests: log.failedRequests,
    screenshot,
    seconds: (performance.now() - started) / 1000,
  };
}

async function picture(pipe: ProtocolPipe, session: string): Promise<Uint8Array> {
  const { data } = await pipe.send('Page.captureScreenshot', { format: 'png' }, session);
  return Buffer.from(String(data), 'base64');
}

/** Gives up when the time is over or the run is being cancelled. */
async function orEnd(ending: AbortSignal, work: Promise<Visited>): Promise<Visited> {
  const over = new Promise<Visited>((_, reject) => {
    const give = (): void => {
      reject(new Error('its time was over'));
    };
    if (ending.aborted) give();
    else ending.addEventListener('abort', give, { once: true });
  });
  // Whichever loses is not heard any more.
  work.catch(() => undefined);
  over.catch(() => undefined);
  return Promise.race([work, over]);
}
