/**
 * `script/demo`: a whole maintenance window on a small real system on this machine, with the public watching.
 */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writePlan, type Migrations, type SitePlan } from './plan.ts';
import { startTraffic } from './public-traffic.ts';
import type { Site } from './site.ts';
import { renderTimeline, type TimelineStep } from './timeline.ts';
import { Interrupted, withSite } from './with-site.ts';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** Which migrations make which phase fail. */
const failures: Readonly<Record<string, Migrations>> = {
  migrate: 'migrations-failing',
  'smoke-test': 'migrations-breaking-checkout',
};

const usage = `Usage: script/demo [--fail ${Object.keys(failures).join('|')}] [--megabytes N]\n`;

type Options = { readonly fail: string | undefined; readonly megabytes: number };

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: { fail: { type: 'string' }, megabytes: { type: 'string', default: '100' } },
    });
    const megabytes = Number(values.megabytes);
    if (values.fail !== undefined && failures[values.fail] === undefined) {
      throw new Error(`--fail is ${values.fail}; accepted: ${Object.keys(failures).join(', ')}`);
    }
    if (!Number.isSafeInteger(megabytes) || megabytes < 1) {
      throw new Error(`--megabytes is ${values.megabytes}; accepted: a whole number from 1`);
    }
    return { fail: values.fail, megabytes };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exit(2);
  }
}

/** Runs the command line with live output; ends with it when the demo is interrupted. */
function runWindow(plan: SitePlan, reports: string, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const flags = ['--plan', plan.path, '--reason', 'a rehearsal', '--output-directory', reports];
    const child = spawn(process.execPath, [cli, 'run', ...flags], {
      env: { ...process.env, ...plan.environment },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const end = () => child.kill('SIGINT');
    signal.addEventListener('abort', end, { once: true });
    child.once('error', reject);
    child.once('exit', (code) => {
      signal.removeEventListener('abort', end);
      resolve(code ?? 1);
    });
  });
}

/** Folder of the window's record: still open, or archived. */
async function recordFolder(plan: SitePlan): Promise<string> {
  const folder = join(plan.stateDir, plan.name);
  const history = await readdir(join(folder, 'history')).catch(() => []);
  const archived = history.sort().at(-1);
  return archived === undefined ? folder : join(folder, 'history', archived);
}

/** Where the life of the window ended. */
async function stateOf(plan: SitePlan): Promise<string> {
  const text = await readFile(join(await recordFolder(plan), 'window.json'), 'utf8').catch(
    () => '{}',
  );
  return (JSON.parse(text) as { state?: string }).state ?? 'unknown';
}

/** The outcomes in the window's journal. */
async function stepsOf(plan: SitePlan): Promise<readonly TimelineStep[]> {
  const path = join(await recordFolder(plan), 'journal.ndjson');
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, string>)
    .filter((line) => ['done', 'skipped', 'failed'].includes(line.event ?? ''))
    .map((line) => ({
      at: Date.parse(line.at ?? ''),
      phase: line.phase ?? '',
      step: line.step ?? '',
      outcome: line.event as 'done' | 'skipped' | 'failed',
      detail: line.detail ?? '',
    }));
}

async function demonstrate(site: Site, signal: AbortSignal, options: Options): Promise<boolean> {
  const print = (text: string) => process.stdout.write(`${text}\n`);
  const migrations = options.fail === undefined ? 'migrations' : failures[options.fail];
  const reports = await mkdtemp(join(tmpdir(), 'maintenance-window-demo-'));
  const plan = await writePlan(site, migrations === undefined ? {} : { migrations });
  await cp(plan.path, join(reports, 'maintenance.yml'));
  print(`\nThe shop is at ${site.publicUrl}; its plan is ${join(reports, 'maintenance.yml')}`);
  print('Eight clients look around and place orders all the time. The window begins.\n');
  const traffic = startTraffic({ url: site.publicUrl, clients: 8 });
  const code = await runWindow(plan, reports, signal);
  const report = await traffic.stop();
  signal.throwIfAborted();
  const missing = await site.missingOrders(report.orders.map((order) => order.reference));
  const health = await fetch(`${site.publicUrl}/healthz`);
  print(`\n${renderTimeline(report, await stepsOf(plan))}\n`);
  print(
    `Orders that the shop acknowledged: ${report.orders.length}; missing now: ${missing.length}`,
  );
  print(`The shop's health now: ${health.status} ${(await health.text()).trim()}`);
  const files = await readdir(reports);
  const written = ['report.html', 'report.md', 'report.json', 'report.junit.xml'].filter((name) =>
    files.includes(name),
  );
  const paths = written.map((name) => join(reports, name)).join('\n            ');
  print(paths === '' ? '\nNo report was written.' : `\nThe report: ${paths}`);
  const [expectedCode, expectedState] =
    options.fail === undefined ? [0, 'reopened'] : [1, 'rolled-back'];
  const state = await stateOf(plan);
  const isWell =
    code === expectedCode && state === expectedState && health.ok && missing.length === 0;
  const story =
    options.fail === undefined
      ? 'The window was carried out and the shop reopened.'
      : `${options.fail} failed, as asked; the window rolled back and the shop reopened on the old state.`;
  print(
    `\n${isWell ? story : `Not as expected: exit code ${code}, window ${state}, health ${health.status}, ${missing.length} orders missing.`}`,
  );
  return isWell;
}

const options = readOptions();
try {
  const isWell = await withSite(
    {
      megabytes: options.megabytes,
      onProgress: (line) => process.stdout.write(`${line}\n`),
    },
    (site, signal) => demonstrate(site, signal, options),
  );
  process.exitCode = isWell ? 0 : 1;
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  process.stderr.write('\nInterrupted; everything that was started is gone.\n');
  process.exitCode = error.exitCode;
}
