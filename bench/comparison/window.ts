import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writePlan, type PlanChange, type SitePlan } from '../../rehearsal/plan.ts';
import type { Site } from '../../rehearsal/site.ts';
import { parseJournal, type JournalLine } from '../../src/record/journal.ts';
import { closedSteps, momentOf } from './closed-phase.ts';
import { peakMemory } from './processes.ts';
import { wallClock, type Arena, type RunKind, type Side, type SideRun } from './side.ts';
import { migrationsOf, newIndex } from './tasks.ts';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

const tasksPath = ['run-db-maintenance', 'tasks'];

function tasksOf(site: Site, kind: RunKind): readonly object[] {
  const migrate = { task: 'migrate', files: migrationsOf(site, kind) };
  if (kind === 'rollback') return [migrate];
  return [
    { task: 'vacuum' },
    { task: 'reindex', tables: 'all' },
    {
      task: 'sql',
      stage: 'online',
      transaction: false,
      blast: 'none',
      sql: `CREATE INDEX CONCURRENTLY ${newIndex.name} ON ${newIndex.on}`,
    },
    migrate,
  ];
}

/** What the plan says of the replica, and the variable with its address. */
function standbyOf({ site, replica }: Arena): {
  readonly changes: readonly PlanChange[];
  readonly environment: Readonly<Record<string, string>>;
} {
  if (replica === undefined) return { changes: [], environment: {} };
  const { databaseUser: user, databasePassword: password, databaseName: database } = site;
  return {
    changes: [
      { path: ['standby', 'url'], value: '$STANDBY_URL' },
      { path: ['run-db-maintenance', 'restore-point'], value: 'standby' },
    ],
    environment: { STANDBY_URL: replica.url({ user, password, database }) },
  };
}

/**
 * The same tasks by a window of ours: one call of the command line, with the shop's plan. The restore point is
 * the replica where there is one, and otherwise what `auto` takes.
 */
export const ourWindow: Side = async (arena, kind, signal): Promise<SideRun> => {
  const { site } = arena;
  const standby = standbyOf(arena);
  const plan = await writePlan(site, {
    changes: [
      { path: tasksPath, value: tasksOf(site, kind) },
      { path: ['backup-db', 'verify'], value: kind === 'rollback' ? 'checksum' : 'restore' },
      ...standby.changes,
    ],
  });
  const reports = join(site.workFolder, 'reports');
  const flags = ['--plan', plan.path, '--reason', 'a benchmark', '--output-directory', reports];
  const beganAt = wallClock();
  const child = spawn(process.execPath, [cli, 'run', ...flags], {
    env: { ...process.env, ...plan.environment, ...standby.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  let peakMemoryBytes = 0;
  const watch = setInterval(() => {
    if (child.pid !== undefined) peakMemoryBytes = peakMemory(child.pid) ?? peakMemoryBytes;
  }, 20);
  const end = () => child.kill('SIGINT');
  signal.addEventListener('abort', end, { once: true });
  const [code] = (await once(child, 'close')) as [number | null];
  signal.removeEventListener('abort', end);
  clearInterval(watch);
  const endedAt = wallClock();
  signal.throwIfAborted();
  if (code !== (kind === 'rollback' ? 1 : 0)) {
    throw new Error(`The window ended with exit code ${String(code)}:\n${output}`);
  }
  const journal = await readJournal(plan);
  return {
    beganAt,
    closingAt: momentOf(journal, 'flag', 'intent'),
    openAt: momentOf(journal, 'lift-flag', 'done'),
    endedAt,
    ...(kind === 'rollback' ? { failedAt: momentOf(journal, 'task-migrate', 'failed') } : {}),
    closedSteps: closedSteps(journal),
    peakMemoryBytes,
    journal,
  };
};

async function readJournal(plan: SitePlan): Promise<readonly JournalLine[]> {
  const folder = join(plan.stateDir, plan.name);
  const [archived] = await readdir(join(folder, 'history')).catch(() => []);
  const place = archived === undefined ? folder : join(folder, 'history', archived);
  return parseJournal(await readFile(join(place, 'journal.ndjson'), 'utf8'));
}
