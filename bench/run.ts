/**
 * `script/bench`: measures what the suite promises about speed, each against something on the same machine in
 * the same run. `--quick` only shows that everything here still works; `--write` puts the results into
 * docs/benchmarks.md and its chart; `--sizes` chooses the databases for the comparison with the runbook. Exit
 * code 1 when a request was lost or wrongly answered by a toggle of ours, or a write by a window.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Interrupted } from '../rehearsal/with-site.ts';
import { measureStart } from './action-start.ts';
import { renderChart } from './comparison/chart.ts';
import {
  compare,
  windowRuns,
  type ComparisonExtent,
  type SizeResult,
} from './comparison/comparison.ts';
import { parseSizes } from './comparison/sizes.ts';
import { busyness, describeMachine } from './machine.ts';
import { monotonicMilliseconds } from './monotonic-clock.ts';
import { renderPage } from './page.ts';
import { renderResults, type Results } from './render.ts';
import type { Rounds } from './time-budget.ts';
import { measureToggles } from './toggle.ts';

/** How much is measured; the seconds keep all but the comparison below two minutes. */
type Extent = {
  readonly start: Rounds;
  readonly toggle: Rounds;
  readonly comparison: readonly ComparisonExtent[];
};

const usualSizes = '100MB,1GB,4GB';
/** From here on one round takes so long that it has to do. */
const largeMegabytes = 4000;

function fullExtent(sizes: readonly number[]): Extent {
  return {
    start: { atMost: 15, seconds: 45 },
    toggle: { atMost: 20, seconds: 40 },
    comparison: sizes.map((megabytes) => ({
      megabytes,
      rounds: megabytes < largeMegabytes ? 3 : 1,
      watch: { warmUpSeconds: 2, seconds: 3 },
    })),
  };
}

const quick: Extent = {
  start: { atMost: 2, seconds: 20 },
  toggle: { atMost: 2, seconds: 20 },
  comparison: [{ megabytes: 1, rounds: 1, watch: { warmUpSeconds: 0.2, seconds: 0.3 } }],
};
const page = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
const chart = fileURLToPath(new URL('../docs/benchmarks.svg', import.meta.url));

function readOptions(): { readonly extent: Extent; readonly write: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        sizes: { type: 'string' },
      },
    });
    if (values.quick && values.write) throw new Error('--quick measures too little to --write it.');
    if (values.quick && values.sizes !== undefined) throw new Error('--quick has its own size.');
    const sizes = parseSizes(values.sizes ?? usualSizes);
    return { extent: values.quick ? quick : fullExtent(sizes), write: values.write };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.stderr.write('Usage: script/bench [--quick | [--sizes 100MB,1GB,4GB] [--write]]\n');
    process.exit(2);
  }
}

async function measure(extent: Extent): Promise<Results> {
  const begin = monotonicMilliseconds();
  const say = (line: string) => {
    const seconds = (monotonicMilliseconds() - begin) / 1000;
    process.stderr.write(`${seconds.toFixed(0).padStart(5)} s  ${line}\n`);
  };
  const busyBefore = busyness();
  say('closing and opening under load …');
  const toggle = await measureToggles(extent.toggle);
  say('starting each action …');
  const start = await measureStart(extent.start);
  const comparison: SizeResult[] = [];
  for (const one of extent.comparison) comparison.push(await compare(one, say));
  const machine = await describeMachine();
  return { machine, busyBefore, busyAfter: busyness(), start, toggle, comparison };
}

/** What must not happen, whatever the machine. */
function broken({ toggle: { flag }, comparison }: Results): string[] {
  const windows = windowRuns(comparison);
  const failed = windows.reduce((sum, { seen }) => sum + seen.failedAtDoors, 0);
  const lost = windows.reduce((sum, { lostWrites }) => sum + lostWrites, 0);
  return [
    flag.lost === 0 ? '' : `By flag ${flag.lost} requests were lost (${flag.details.join('; ')})`,
    flag.others === 0
      ? ''
      : `By flag ${flag.others} answers were wrong (${flag.details.join('; ')})`,
    flag.stale === 0
      ? ''
      : `${flag.stale} requests sent after a toggle by flag were answered as before it`,
    failed === 0 ? '' : `${failed} requests failed between closing and opening of a window`,
    lost === 0 ? '' : `${lost} acknowledged writes were lost by windows`,
  ].filter((text) => text !== '');
}

const options = readOptions();
try {
  const results = await measure(options.extent);
  const text = renderResults(results);
  process.stdout.write(`${text}\n`);
  const picture = renderChart(results.comparison);
  if (options.write) {
    await writeFile(page, renderPage(text));
    await writeFile(chart, picture);
  }
  const problems = broken(results);
  for (const problem of problems) process.stderr.write(`${problem}.\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  process.exitCode = error.exitCode;
}
