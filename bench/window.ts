import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writePlan } from '../rehearsal/plan.ts';
import { startTraffic } from '../rehearsal/public-traffic.ts';
import type { Site } from '../rehearsal/site.ts';
import { withSite } from '../rehearsal/with-site.ts';
import { parseJournal, type JournalLine } from '../src/record/journal.ts';
import { median } from './statistics.ts';
import { repeat, type Rounds } from './time-budget.ts';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

export type WindowResult = {
  readonly windows: number;
  readonly megabytes: number;
  /** Medians of all windows, in milliseconds. */
  readonly downtime: number;
  /** Of it, copying the database and changing it: what no tool can do without. */
  readonly databaseWork: number;
  readonly overhead: number;
  /** Where the overhead went: steps on the closed path, and what lay between them. */
  readonly parts: readonly { readonly name: string; readonly milliseconds: number }[];
  /** Requests of the public without an answer from just before closing to just after opening, over all windows. */
  readonly lostWhileToggling: number;
  /** The same before and after: the two reloads that put the hook in and take it out. */
  readonly lostByReloads: number;
  /** Answers that are neither a success nor our 503, over all windows. */
  readonly unexpected: number;
};

/** One window: what the public saw of it, and what the journal says about it. */
type Observed = {
  readonly downtime: number;
  readonly work: number;
  readonly parts: ReadonlyMap<string, number>;
  readonly lostWhileToggling: number;
  readonly lostByReloads: number;
  readonly unexpected: number;
};

const between = 'between the steps';

/**
 * Runs whole windows on new sites, each with clients that shop all the time, and compares how long the public
 * was kept out with the time that the database's own work took.
 */
export async function measureWindows(rounds: Rounds, megabytes: number): Promise<WindowResult> {
  const observed: Observed[] = [];
  await repeat(rounds, async () => {
    observed.push(await withSite({ megabytes }, runWindow));
  });
  const total = (of: (one: Observed) => number) => observed.reduce((sum, one) => sum + of(one), 0);
  const names = [...new Set(observed.flatMap(({ parts }) => [...parts.keys()]))];
  return {
    windows: observed.length,
    megabytes,
    downtime: median(observed.map(({ downtime }) => downtime)),
    databaseWork: median(observed.map(({ work }) => work)),
    overhead: median(observed.map(({ downtime, work }) => downtime - work)),
    parts: names.map((name) => ({
      name,
      milliseconds: median(observed.map(({ parts }) => parts.get(name) ?? 0)),
    })),
    lostWhileToggling: total(({ lostWhileToggling }) => lostWhileToggling),
    lostByReloads: total(({ lostByReloads }) => lostByReloads),
    unexpected: total(({ unexpected }) => unexpected),
  };
}

async function runWindow(site: Site, signal: AbortSignal): Promise<Observed> {
  const plan = await writePlan(site);
  const traffic = startTraffic({ url: site.publicUrl, clients: 8 });
  const reports = join(site.workFolder, 'reports');
  const flags = ['--plan', plan.path, '--reason', 'a benchmark', '--output-directory', reports];
  const child = spawn(process.execPath, [cli, 'run', ...flags], {
    env: { ...process.env, ...plan.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const end = () => child.kill('SIGINT');
  signal.addEventListener('abort', end, { once: true });
  const [code] = (await once(child, 'close')) as [number | null];
  signal.removeEventListener('abort', end);
  const { closedMilliseconds, lost, unexpected } = await traffic.stop();
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`The window failed (exit code ${String(code)}):\n${output}`);
  const history = join(plan.stateDir, plan.name, 'history');
  const [window = ''] = await readdir(history);
  const journal = parseJournal(await readFile(join(history, window, 'journal.ndjson'), 'utf8'));
  const [from, to] = [moment(journal, 'flag', 'intent'), moment(journal, 'lift-flag', 'done')];
  const lostBetween = lost.filter(({ endedAt }) => endedAt >= from && endedAt <= to).length;
  return {
    downtime: closedMilliseconds,
    ...accountFor(closedMilliseconds, journal),
    lostWhileToggling: lostBetween,
    lostByReloads: lost.length - lostBetween,
    unexpected: unexpected.length,
  };
}

/** When a step began or was done, in milliseconds since the epoch. */
function moment(journal: readonly JournalLine[], step: string, event: 'intent' | 'done'): number {
  const line = journal.find((candidate) => candidate.step === step && candidate.event === event);
  return Date.parse(line?.at ?? '');
}

/** Divides the downtime among the steps that the journal has from closing to opening. */
function accountFor(
  downtime: number,
  journal: readonly JournalLine[],
): { work: number; parts: ReadonlyMap<string, number> } {
  const done = journal.filter(({ event }) => event === 'done');
  const closing = done.findIndex(({ step }) => step === 'flag');
  const opening = done.findIndex(({ step }) => step === 'lift-flag');
  if (closing < 0 || opening < closing) throw new Error('The journal has no closed phase.');
  const parts = new Map<string, number>();
  let work = 0;
  let rest = downtime;
  // The flag itself is raised and lifted at the edges of what the public sees.
  for (const { phase, step, seconds = 0 } of done.slice(closing + 1, opening)) {
    const milliseconds = seconds * 1000;
    rest -= milliseconds;
    if (step === 'clone' || step.startsWith('task-')) work += milliseconds;
    else parts.set(`${phase} ${step}`, (parts.get(`${phase} ${step}`) ?? 0) + milliseconds);
  }
  parts.set(between, Math.max(0, rest));
  return { work, parts };
}
