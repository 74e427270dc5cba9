import { exemptPathsOf } from '../plan/exempt-paths.ts';
import { formatDuration } from '../plan/duration.ts';
import { fail } from '../ports/failure.ts';
import { onEach } from '../ports/fleet.ts';
import { atAddress, type Http } from '../ports/http.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import type { Plan } from '../plan/plan.ts';
import type { PhaseContext } from './phase.ts';
import { watchFor, type PublicView } from './public-view.ts';
import { requireMode, requirePublicUrl } from './requirements.ts';

/** A place where the site is open or closed, and where that has to be proved: the public URL, or one web host. */
export interface Door {
  /** Within a sentence: `the public URL https://shop.example.org/`. */
  readonly label: string;
  /** As the plan names it; `undefined` for the public URL. */
  readonly host: string | undefined;
  /** Asks this door, whatever the URL's name leads to. */
  readonly http: Http;
}

export interface Doors {
  /** Where the public goes: one of the hosts answers, or what stands before them. */
  readonly front: Door;
  /** Each web host whose own address is known. */
  readonly hosts: readonly Door[];
}

type DoorContext = Pick<PhaseContext, 'plan' | 'http' | 'fleet'>;

export function doorsOf(context: DoorContext): Doors {
  const { plan, http, fleet } = context;
  return {
    front: { label: `the public URL ${plan.publicUrl ?? ''}`, host: undefined, http },
    hosts: fleet.web.flatMap(({ host: { name }, address }) =>
      address === undefined
        ? []
        : [
            {
              label: `web host ${name} at ${address.host}:${address.port}`,
              host: name,
              http: atAddress(http, address),
            },
          ],
    ),
  };
}

/** The doors that show ours while the site is closed: behind a drained load balancer, the hosts' alone. */
export function doorsToClose(context: DoorContext): readonly Door[] {
  const { front, hosts } = doorsOf(context);
  return context.plan.loadBalancer.whenClosed === 'drain' ? hosts : [front, ...hosts];
}

/** What each of several doors showed. */
export type DoorsSeen =
  | {
      readonly kind: 'seen';
      /** When the first and the last of them began to show it. */
      readonly first: Date;
      readonly last: Date;
      readonly observed: string;
      /** Until the last one was proved. */
      readonly seconds: number;
    }
  | {
      readonly kind: 'not-seen';
      readonly missing: readonly { readonly door: Door; readonly observed: string }[];
    };

export interface DoorWatch {
  readonly accepted: (view: PublicView) => boolean;
  readonly timeoutSeconds: number;
  /** Default: the public URL. */
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks all doors at once, each until the view holds there for three answers in a row. */
export async function watchDoors(
  context: Pick<PhaseContext, 'plan' | 'clock' | 'fleet'>,
  doors: readonly Door[],
  watch: DoorWatch,
): Promise<DoorsSeen> {
  const { accepted, timeoutSeconds, headers } = watch;
  const url = watch.url ?? requirePublicUrl(context);
  const results = await onEach(doors, context.fleet.parallel, ({ http }) =>
    watchFor(
      {
        http,
        clock: context.clock,
        url,
        ...(headers === undefined ? {} : { headers }),
        timeoutSeconds,
      },
      accepted,
    ),
  );
  const missing: { door: Door; observed: string }[] = [];
  const moments: Date[] = [];
  let seconds = 0;
  for (const looked of results) {
    // Nothing but a cancellation keeps a door from being asked.
    if (looked.kind === 'failed') return fail(looked.failure);
    const { result, on: door } = looked;
    if (result.kind === 'not-seen') missing.push({ door, observed: result.observed });
    else {
      moments.push(result.at);
      seconds = Math.max(seconds, result.seconds);
    }
  }
  moments.sort((a, b) => a.getTime() - b.getTime());
  const [first] = moments;
  const last = moments.at(-1);
  if (missing.length > 0 || first === undefined || last === undefined) {
    return { kind: 'not-seen', missing };
  }
  return { kind: 'seen', first, last, observed: observedOf(results), seconds };
}

function observedOf(
  results: readonly { readonly on: Door; readonly result?: { readonly observed: string } }[],
): string {
  const answers = [...new Set(results.map(({ result }) => result?.observed ?? ''))].join(' and ');
  const hosts = results.filter(({ on }) => on.host !== undefined).length;
  if (hosts === 0) return answers;
  const where = `${hosts} web host${hosts === 1 ? '' : 's'} at ${hosts === 1 ? 'its own address' : 'their own addresses'}`;
  return hosts === results.length ? `${answers} at ${where}` : `${answers}, also at ${where}`;
}

/** A sentence for each door that did not show what it should. */
export function missingInWords(
  missing: readonly { readonly door: Door; readonly observed: string }[],
  expected: string,
  timeoutSeconds: number,
): string {
  return missing
    .map(
      ({ door: { label }, observed }) =>
        `${label.charAt(0).toUpperCase()}${label.slice(1)} did not answer ${expected} within ${formatDuration(timeoutSeconds)}; it answered ${observed}.`,
    )
    .join(' ');
}

/**
 * Proves that bypass and exempt paths, the load balancer's health path among them, lead to the application while the
 * public is kept out.
 * @throws FailureError `bypass-closed`
 */
export async function proveWaysIn(context: PhaseContext): Promise<void> {
  const url = requirePublicUrl(context);
  const bypass = requireMode(context).bypassHeaders();
  const ways: { what: string; url: string; headers: Readonly<Record<string, string>> }[] = [];
  if (Object.keys(bypass).length > 0)
    ways.push({ what: 'the bypass header', url, headers: bypass });
  for (const path of exemptPathsOf(context.plan).filter((entry) => !entry.endsWith('*'))) {
    ways.push({ what: `the exempt path ${path}`, url: new URL(path, url).href, headers: {} });
  }
  for (const way of ways) {
    const seen = await watchDoors(context, doorsToClose(context), {
      ...way,
      accepted: (view) => view.kind === 'application',
      timeoutSeconds: 5,
    });
    if (seen.kind === 'seen') continue;
    const [missing] = seen.missing;
    const where = missing?.door.host === undefined ? '' : ` of ${missing.door.label}`;
    fail({
      code: 'bypass-closed',
      message: `While closed, ${way.what} does not reach the application${where}; it answers ${missing?.observed ?? 'nothing'}.`,
      state: 'The site is being opened again.',
      next: 'Check exempt-paths and the bypass settings; a health path that answers 503 makes orchestrators kill the application.',
    });
  }
}

/** Names of the web hosts that are open now, as far as the mode knows several. */
export async function openHosts(mode: MaintenanceMode): Promise<ReadonlySet<string | undefined>> {
  const doors = (await mode.hostDoors?.()) ?? [];
  return new Set(doors.filter(({ door }) => door === 'open').map(({ host }) => host));
}

/** How long the public URL may take to answer from the application: a drained load balancer takes its own time. */
export function openSeconds(plan: Plan): number {
  const { whenClosed, drainTimeout } = plan.loadBalancer;
  return plan.disableMaintenance.openTimeout + (whenClosed === 'drain' ? drainTimeout : 0);
}

/** How the doors stand now, for the end of a sentence. Never fails. */
export async function doorsInWords(context: Pick<PhaseContext, 'mode'>): Promise<string> {
  const { mode } = context;
  const hosts = await mode?.hostDoors?.().catch(() => undefined);
  if (mode !== undefined && hosts === undefined) {
    const door = await mode.state().catch(() => undefined);
    if (door !== undefined)
      return door.kind === 'open' ? 'the site is open' : 'the site is kept closed';
  }
  if (hosts === undefined) return 'whether the site is closed could not be seen';
  const of = (kind: string): readonly string[] =>
    hosts.filter(({ door }) => door === kind).map(({ host }) => host);
  if (of('open').length === hosts.length) return 'the site is open';
  if (of('closed').length === hosts.length) return 'the site is kept closed';
  const unknown = hosts.flatMap((host) =>
    host.door === 'unknown' ? [`${host.host} (${host.reason})`] : [],
  );
  const parts: readonly [string, readonly string[]][] = [
    ['open', of('open')],
    ['closed', of('closed')],
    ['closed by somebody else', of('closed-by-another')],
    ['not to be seen', unknown],
  ];
  return `of the web hosts ${parts
    .filter(([, names]) => names.length > 0)
    .map(([word, names]) => `${word}: ${names.join(', ')}`)
    .join('; ')}`;
}
