import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { actionIds } from '../src/plan/action-ids.ts';
import { monotonicMilliseconds } from './monotonic-clock.ts';
import { median, medianRatio } from './statistics.ts';
import { repeat, type Rounds } from './time-budget.ts';

const dist = fileURLToPath(new URL('../dist', import.meta.url));

/** How long programs take from their start to their end, in milliseconds, one value a round. */
type Times = {
  readonly name: string;
  readonly first: number[];
  readonly later: number[];
};

export type StartOfAction = {
  readonly name: string;
  /** How many times as long as bare Node, as the first step of its job. */
  readonly first: number;
  /** The same as a later step: the bundle lies compiled in RUNNER_TEMP. */
  readonly later: number;
};

export type StartResult = {
  readonly rounds: number;
  /** Median of `node -e 0`, in milliseconds. */
  readonly bareMilliseconds: number;
  readonly actions: readonly StartOfAction[];
};

/**
 * Measures how long each action takes to start: as the runner calls it, without any input, so that it
 * refuses as soon as it has checked them; against a Node that does nothing, in the same round.
 * @throws Error when an entry does not refuse: what was measured then is something else
 */
export async function measureStart(rounds: Rounds): Promise<StartResult> {
  const bare: number[] = [];
  const all: Times[] = actionIds.map((name) => ({ name, first: [], later: [] }));
  await repeat(rounds, async (round) => {
    bare.push(time(['-e', '0'], {}).milliseconds);
    // Another order each time: what came right before may have left the machine warm.
    for (let turn = 0; turn < all.length; turn += 1) {
      const times = all[(turn + round) % all.length];
      if (times !== undefined) measureAction(times);
    }
  });
  return {
    rounds: bare.length,
    bareMilliseconds: median(bare),
    actions: all.map(({ name, first, later }) => ({
      name,
      first: medianRatio(first, bare),
      later: medianRatio(later, bare),
    })),
  };
}

function measureAction({ name, first, later }: Times): void {
  const folder = mkdtempSync(join(tmpdir(), 'mw-bench-'));
  try {
    const environment = runnerEnvironment(folder);
    for (const times of [first, later]) {
      const { milliseconds, status, output } = time([join(dist, `${name}.js`)], environment);
      if (status !== 1 || !output.includes('Nothing was touched.')) {
        throw new Error(`${name} did not refuse to start without inputs. It said:\n${output}`);
      }
      times.push(milliseconds);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a runner gives to every step; the files and folders are made. */
function runnerEnvironment(folder: string): Record<string, string> {
  const temporary = join(folder, 'temp');
  mkdirSync(temporary);
  const output = join(folder, 'output');
  const summary = join(folder, 'summary');
  for (const file of [output, summary]) writeFileSync(file, '');
  return {
    GITHUB_ACTIONS: 'true',
    GITHUB_OUTPUT: output,
    GITHUB_STEP_SUMMARY: summary,
    GITHUB_WORKSPACE: folder,
    GITHUB_RUN_ID: '1',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_REPOSITORY: 'shop/shop',
    GITHUB_SERVER_URL: 'https://github.example',
    RUNNER_TEMP: temporary,
  };
}

function time(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): { milliseconds: number; status: number | null; output: string } {
  const { PATH = '', HOME = '/' } = process.env;
  const begin = monotonicMilliseconds();
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    cwd: tmpdir(),
    env: { PATH, HOME, ...environment },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const milliseconds = monotonicMilliseconds() - begin;
  if (error !== undefined) throw error;
  return { milliseconds, status, output: stdout + stderr };
}
