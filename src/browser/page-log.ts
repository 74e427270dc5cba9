import { recordOf, type ProtocolPipe } from './protocol-pipe.ts';

const most = 20;

/** What a page complained of while it was open. */
export interface PageLog {
  readonly consoleErrors: string[];
  readonly failedRequests: string[];
  /** Status of the last document of the main frame; `undefined` before there was one. */
  status(): number | undefined;
  /** Why the main document could not be loaded. */
  mainFailure(): string | undefined;
}

/** Listens to console, exceptions and requests of a page; the domains must be enabled after this. */
export function listenToPage(pipe: ProtocolPipe, mainFrame: () => string): PageLog {
  const consoleErrors: string[] = [];
  const failedRequests: string[] = [];
  const asked = new Map<string, string>();
  let status: number | undefined;
  let mainFailure: string | undefined;
  const add = (list: string[], line: string): void => {
    if (list.length < most) list.push(line.replaceAll(/\s+/g, ' ').slice(0, 500));
  };
  const isMain = (params: Record<string, unknown>): boolean =>
    params.type === 'Document' && params.frameId === mainFrame();

  pipe.on('Runtime.consoleAPICalled', (params) => {
    if (params.type !== 'error' && params.type !== 'assert') return;
    const args = Array.isArray(params.args) ? (params.args as unknown[]) : [];
    add(consoleErrors, args.map(wordOf).join(' '));
  });
  pipe.on('Runtime.exceptionThrown', ({ exceptionDetails }) => {
    const { text, exception } = recordOf(exceptionDetails);
    const { description } = recordOf(exception);
    const said = [description, text].find((word) => typeof word === 'string');
    add(consoleErrors, said ?? 'an exception');
  });
  pipe.on('Log.entryAdded', ({ entry }) => {
    const { level, source, text } = recordOf(entry);
    // Requests that failed are told on their own.
    if (level === 'error' && source !== 'network') add(consoleErrors, String(text));
  });
  pipe.on('Network.requestWillBeSent', ({ requestId, request }) => {
    const { method, url } = recordOf(request);
    asked.set(String(requestId), `${String(method)} ${withoutQuery(String(url))}`);
  });
  pipe.on('Network.responseReceived', (params) => {
    const code = Number(recordOf(params.response).status);
    if (isMain(params)) {
      status = code;
      return;
    }
    // Browsers look for this icon by themselves; a page that has none misses nothing.
    const isGuess = asked.get(String(params.requestId))?.endsWith('/favicon.ico') === true;
    if (code >= 400 && !(isGuess && code === 404)) {
      add(failedRequests, `${asked.get(String(params.requestId)) ?? 'a request'}: status ${code}`);
    }
  });
  pipe.on('Network.loadingFailed', (params) => {
    const what = asked.get(String(params.requestId)) ?? 'a request';
    const why = String(params.blockedReason ?? params.errorText);
    if (params.type === 'Document' && status === undefined) mainFailure ??= `${what}: ${why}`;
    // What the page itself gave up is no failure.
    else if (params.canceled !== true) add(failedRequests, `${what}: ${why}`);
  });
  return {
    consoleErrors,
    failedRequests,
    status: () => status,
    mainFailure: () => mainFailure,
  };
}

function wordOf(argument: unknown): string {
  const { value, description } = recordOf(argument);
  if (typeof value === 'string') return value;
  return typeof description === 'string' ? description : JSON.stringify(value ?? null);
}

/** Queries may hold what is nobody else's business. */
function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}
