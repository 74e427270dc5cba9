/**
 * `script/bench`: measures what the suite promises about speed, each against something on the same machine in
 * the same run. `--quick` only shows that everything here still works; `--write` puts the results into
 * docs/benchmarks.md. Exit code 1 when a request was lost or wrongly answered by a toggle of ours.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Interrupted } from '../rehearsal/with-site.ts';
import { measureStart } from './action-start.ts';
import { busyness, describeMachine } from './machine.ts';
import { renderPage } from './page.ts';
import { renderResults, type Results } from './render.ts';
import type { Rounds } from './time-budget.ts';
import { measureToggles, type ToggleResult } from './toggle.ts';
import { measureWindows, type WindowResult } from './window.ts';

/** How much is measured; the seconds keep the whole below three minutes. */
type Extent = {
  readonly start: Rounds;
  readonly toggle: Rounds;
  readonly windows: readonly (Rounds & { readonly megabytes: number })[];
};

const full: Extent = {
  start: { atMost: 15, seconds: 45 },
  toggle: { atMost: 20, seconds: 40 },
  windows: [
    { atMost: 3, seconds: 20, megabytes: 20 },
    { atMost: 1, seconds: 20, megabytes: 200 },
  ],
};
const quick: Extent = {
  start: { atMost: 2, seconds: 20 },
  toggle: { atMost: 2, seconds: 20 },
  windows: [{ atMost: 1, seconds: 20, megabytes: 1 }],
};
const page = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));

function readOptions(): { quick: boolean; write: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
      },
    });
    if (values.quick && values.write) throw new Error('--quick measures too little to --write it.');
    return values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.stderr.write('Usage: script/bench [--quick | --write]\n');
    process.exit(2);
  }
}

async function measure(extent: Extent): Promise<Results> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const busyBefore = busyness();
  say('closing and opening under load …');
  const toggle = await measureToggles(extent.toggle);
  say('whole windows …');
  const windows: WindowResult[] = [];
  for (const { megabytes, ...rounds } of extent.windows) {
    windows.push(await measureWindows(rounds, megabytes));
  }
  say('starting each action …');
  const start = await measureStart(extent.start);
  const machine = await describeMachine();
  return { machine, busyBefore, busyAfter: busyness(), start, toggle, windows };
}

/** What must not happen, whatever the machine. */
function broken({ flag }: ToggleResult): string[] {
  return [
    flag.lost === 0 ? '' : `${flag.lost} requests were lost (${flag.details.join('; ')})`,
    flag.others === 0 ? '' : `${flag.others} answers were wrong (${flag.details.join('; ')})`,
    flag.stale === 0 ? '' : `${flag.stale} requests sent after a toggle were answered as before it`,
  ].filter((text) => text !== '');
}

const options = readOptions();
try {
  const results = await measure(options.quick ? quick : full);
  const text = renderResults(results);
  process.stdout.write(`${text}\n`);
  if (options.write) await writeFile(page, renderPage(text));
  const problems = broken(results.toggle);
  for (const problem of problems) process.stderr.write(`By flag ${problem}.\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  process.exitCode = error.exitCode;
}
