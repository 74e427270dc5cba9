import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Site } from '../rehearsal/site.ts';
import { withSite } from '../rehearsal/with-site.ts';
import { systemClock } from '../src/clock/system-clock.ts';
import { localHost } from '../src/hosts/local.ts';
import { nodeHttp } from '../src/http/node-http.ts';
import { nginxMode } from '../src/modes/nginx.ts';
import type { MaintenanceMode } from '../src/ports/maintenance-mode.ts';
import { startLoad, type Load } from './load.ts';
import { monotonicMilliseconds } from './monotonic-clock.ts';
import { timeOfCall, type CallTime } from './system-call-time.ts';
import { repeat, type Rounds } from './time-budget.ts';
import { analyzeToggles, type Toggle, type ToggleReport } from './toggle-analysis.ts';

const run = promisify(execFile);

const windowId = 'mw-benchmark';
const clients = 64;
const thinkMilliseconds = 40;

export type ToggleResult = {
  readonly clients: number;
  readonly requestsPerSecond: number;
  /** Closing and opening, each as often as this, by each means. */
  readonly toggles: number;
  /** Our way: a flag that nginx looks for. */
  readonly flag: ToggleReport;
  /** The usual way, for comparison: `return 503` written into the site file, and a reload. */
  readonly reload: ToggleReport;
};

/** A way to close and to open; both tell when exactly that happened. */
type Means = {
  readonly name: 'flag' | 'reload';
  readonly close: () => Promise<CallTime>;
  readonly open: () => Promise<CallTime>;
};

/**
 * Closes and opens a site under load, by flag and by reload in turns, and looks at every single request.
 * @param rounds a round is one closing and opening by each means
 */
export function measureToggles(rounds: Rounds): Promise<ToggleResult> {
  return withSite({ megabytes: 1 }, (site, signal) => toggleSite(site, signal, rounds));
}

async function toggleSite(site: Site, signal: AbortSignal, rounds: Rounds): Promise<ToggleResult> {
  const mode = modeOn(site);
  const prior = await mode.plan();
  await mode.install(prior);
  const means = [byFlag(mode), byReload(site, await readFile(site.webServer.siteFile, 'utf8'))];
  const load = await startLoad({
    url: site.publicUrl,
    // Half of them wait for the application and its database, half are served by nginx alone.
    paths: ['/products/1', '/static/shop.css'],
    clients,
    thinkMilliseconds,
    windowId,
  });
  const begin = monotonicMilliseconds();
  const toggles = await takeTurns(load, means, signal, rounds).catch(async (error: unknown) => {
    await load.stop();
    throw error;
  });
  const seconds = (monotonicMilliseconds() - begin) / 1000;
  const samples = await load.stop();
  await mode.restore(prior);
  return {
    clients,
    requestsPerSecond: samples.length / seconds,
    toggles: toggles.length / means.length / 2,
    flag: analyzeToggles(samples, toggles, 'flag'),
    reload: analyzeToggles(samples, toggles, 'reload'),
  };
}

async function takeTurns(
  load: Load,
  means: readonly Means[],
  signal: AbortSignal,
  rounds: Rounds,
): Promise<readonly Toggle[]> {
  const toggles: Toggle[] = [];
  await load.settled('open');
  await repeat(rounds, async (round) => {
    for (const { name, close, open } of round % 2 === 0 ? means : means.toReversed()) {
      for (const to of ['closed', 'open'] as const) {
        signal.throwIfAborted();
        toggles.push({ means: name, to, ...(await (to === 'closed' ? close() : open())) });
        await load.settled(to);
        // At a moment of its own, not when the clients have just been waited for.
        await pause(thinkMilliseconds * (0.5 + Math.random()));
      }
    }
  });
  return toggles;
}

function modeOn(site: Site): MaintenanceMode {
  const { PATH = '/usr/sbin:/usr/bin:/sbin:/bin' } = process.env;
  return nginxMode(
    { host: localHost({ environment: { PATH } }), http: nodeHttp(), clock: systemClock() },
    {
      windowId,
      windowName: 'shop',
      folder: join(site.workFolder, 'state', 'shop', 'mode'),
      siteFiles: [site.webServer.siteFile],
      servers: [],
      nginxCommand: site.webServer.command,
      publicUrl: `${site.publicUrl}/`,
      exemptPaths: [],
      bypassAddresses: [],
      pageText: {
        title: 'The shop is closed for a moment',
        message: 'We are giving the database some care.',
        expectedEnd: { iso: '2026-11-29T02:30:00Z', text: '02:30 (UTC)' },
      },
      retryAfterSeconds: 30,
    },
  );
}

function byFlag(mode: MaintenanceMode): Means {
  return {
    name: 'flag',
    close: () => timeOfCall('link', () => mode.close()),
    open: () => timeOfCall('rm', () => mode.open()),
  };
}

/** What the runbook says to do by hand: edit the site, test it, reload nginx. */
function byReload(site: Site, open: string): Means {
  const { siteFile, command } = site.webServer;
  const closed = open.replace(
    /^server \{$/m,
    `server {\n    add_header X-Maintenance ${windowId} always;\n    return 503;`,
  );
  if (closed === open) throw new Error(`There is no server block in ${siteFile}.`);
  const [program, ...args] = command;
  const reloadWith = async (text: string): Promise<CallTime> => {
    await writeFile(siteFile, text);
    await run(program, [...args, '-t']);
    const before = monotonicMilliseconds();
    await run(program, [...args, '-s', 'reload']);
    return { before, after: monotonicMilliseconds() };
  };
  return { name: 'reload', close: () => reloadWith(closed), open: () => reloadWith(open) };
}
