import type { Clock } from '../ports/clock.ts';
import type { Http, HttpReply } from '../ports/http.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';

/** Header that our closed door answers with; its value is the window's id. */
export const maintenanceHeader = 'x-maintenance';

/** What the public sees. */
export type PublicView =
  | { readonly kind: 'closed'; readonly windowId: string; readonly observed: string }
  | { readonly kind: 'application'; readonly observed: string }
  /** An error that is not ours: a 5xx of the application or the web server, or no answer at all. */
  | {
      readonly kind: 'broken';
      /** Of an answer that bears no header of ours; `undefined` when there was no answer, or one that does. */
      readonly status: number | undefined;
      readonly observed: string;
    };

/** Reads an answer as the public's view. */
export function viewOf(reply: HttpReply): PublicView {
  if (reply.kind === 'no-answer')
    return { kind: 'broken', status: undefined, observed: `no answer (${reply.reason})` };
  const holder = reply.headers[maintenanceHeader];
  if (holder !== undefined) {
    return reply.status === 503 && reply.headers['retry-after'] !== undefined
      ? { kind: 'closed', windowId: holder, observed: `503 with X-Maintenance: ${holder}` }
      : {
          kind: 'broken',
          status: undefined,
          observed: `${reply.status} with X-Maintenance: ${holder}`,
        };
  }
  const { status } = reply;
  const observed = `${status} without X-Maintenance`;
  return status >= 500 ? { kind: 'broken', status, observed } : { kind: 'application', observed };
}

/**
 * Whether a view is that of the door which this window closed. A mode that shows by status alone is one where the
 * application itself answers 503, with no header of ours and perhaps without `Retry-After`.
 */
export function isClosedFor(
  mode: Pick<MaintenanceMode, 'shows'>,
  windowId: string,
): (view: PublicView) => boolean {
  switch (mode.shows) {
    case 'header':
      return (view) => view.kind === 'closed' && view.windowId === windowId;
    case 'status':
      return (view) => view.kind === 'broken' && view.status === 503;
  }
}

/** How the closed door shows, in words. */
export function closedAnswer(mode: Pick<MaintenanceMode, 'shows'>): string {
  return mode.shows === 'header' ? '503 with our header' : '503';
}

export interface Watch {
  readonly http: Http;
  readonly clock: Clock;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
}

export type WatchResult =
  | {
      readonly kind: 'seen';
      readonly at: Date;
      readonly observed: string;
      readonly seconds: number;
    }
  | { readonly kind: 'not-seen'; readonly observed: string; readonly seconds: number };

/** Answers in a row that make a view proved: one may still come from an old worker. */
const answersInARow = 3;

/** Asks the URL until the view holds for three answers in a row; `at` is when the first of them came. */
export async function watchFor(
  watch: Watch,
  accepted: (view: PublicView) => boolean,
): Promise<WatchResult> {
  const { http, clock, url, headers, timeoutSeconds } = watch;
  const begun = clock.monotonicSeconds();
  const elapsed = (): number => clock.monotonicSeconds() - begun;
  let first: Date | undefined;
  let inARow = 0;
  let observed = 'nothing yet';
  do {
    const remaining = Math.max(0.5, timeoutSeconds - elapsed());
    const reply = await http.request({
      url,
      ...(headers === undefined ? {} : { headers }),
      timeoutSeconds: Math.min(10, remaining),
    });
    const view = viewOf(reply);
    observed = view.observed;
    if (accepted(view)) {
      first ??= clock.now();
      inARow += 1;
      if (inARow >= answersInARow) return { kind: 'seen', at: first, observed, seconds: elapsed() };
    } else {
      first = undefined;
      inARow = 0;
      await clock.wait(0.05);
    }
  } while (elapsed() < timeoutSeconds);
  return { kind: 'not-seen', observed, seconds: elapsed() };
}
