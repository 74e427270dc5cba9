import type { Database } from '../../../ports/database.ts';
import type { TaskResult } from '../../../ports/database-tasks.ts';
import { failureOf } from '../../../ports/failure.ts';
import { givenUp } from '../../../ports/online-guard.ts';
import type { Advice } from '../advice/advice.ts';
import { bloatedTables } from '../advice/bloat.ts';
import { missingForeignKeyIndexes } from '../advice/foreign-key-indexes.ts';
import { readAdvisedIndexes } from '../advice/index-catalog.ts';
import { redundantIndexAdvice } from '../advice/redundant-indexes.ts';
import { sequencesNearEnd } from '../advice/sequences.ts';
import { slowStatements } from '../advice/slow-statements.ts';
import { unusedIndexes } from '../advice/unused-indexes.ts';
import { tablesNearWraparound } from '../advice/wraparound.ts';
import { counted } from './counted.ts';
import { withReader, type TaskTools } from './task-session.ts';

type OptimizeOptions = Parameters<Database['optimizeQueries']>[0];

/** What each kind is called in the summary; the order is that of the report. */
const titles: Readonly<Record<string, readonly [singular: string, plural: string]>> = {
  'near-wraparound': ['table near wraparound', 'tables near wraparound'],
  'sequence-near-end': ['sequence near its end', 'sequences near their end'],
  'slow-statement': ['slow statement', 'slow statements'],
  'missing-foreign-key-index': ['foreign key without index', 'foreign keys without index'],
  'duplicate-index': ['duplicate index', 'duplicate indexes'],
  'unused-index': ['unused index', 'unused indexes'],
  bloat: ['bloated table', 'bloated tables'],
};

/** A look, or what kept it from being done. */
interface Attempt extends Advice {
  readonly error?: Error;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Advice must not end a window: what cannot be looked at (in time) is said. */
async function attempt(kind: string, look: () => Promise<Advice>): Promise<Attempt> {
  try {
    return await look();
  } catch (error) {
    const { code, message } = failureOf(error);
    if (code === 'cancelled' || code === givenUp) throw error;
    return {
      kind,
      findings: [],
      note: `${kind} was not looked at: ${message}`,
      error: asError(error),
    };
  }
}

/** {@link DatabaseTasks.optimizeQueries}; every session of it is read-only. */
export async function optimizeQueries(
  tools: TaskTools,
  options: OptimizeOptions,
): Promise<TaskResult> {
  return withReader(tools, options, async (session) => {
    // Looked up once for two looks; a failure is told by both.
    const indexes = readAdvisedIndexes(session);
    const duplicates = await attempt('duplicate-index', async () =>
      redundantIndexAdvice(await indexes),
    );
    const isDuplicate = (name: string): boolean =>
      duplicates.findings.some(({ object }) => object === name);
    const all: readonly Attempt[] = [
      await attempt('near-wraparound', () => tablesNearWraparound(session)),
      await attempt('sequence-near-end', () => sequencesNearEnd(session)),
      await attempt('slow-statement', () => slowStatements(session, options.atMost)),
      await attempt('missing-foreign-key-index', () => missingForeignKeyIndexes(session)),
      duplicates,
      // One statement to drop an index is enough.
      await attempt('unused-index', async () =>
        unusedIndexes(
          session,
          (await indexes).filter(({ name }) => !isDuplicate(name)),
        ),
      ),
      await attempt('bloat', () => bloatedTables(session)),
    ];
    const [failed] = all.flatMap(({ error }) => (error === undefined ? [] : [error]));
    if (failed !== undefined && all.every(({ error }) => error !== undefined)) throw failed;
    const findings = all.flatMap((advice) => advice.findings.slice(0, options.atMost));
    const notes = all.flatMap(({ note }) => (note === undefined ? [] : [note]));
    const numbers = all.map(({ kind, findings: found }) => {
      const [singular, plural] = titles[kind] ?? [kind, kind];
      const more = found.length > options.atMost ? ` (${options.atMost} shown)` : '';
      return `${counted(found.length, singular, plural)}${more}`;
    });
    return {
      summary: [numbers.join(', '), ...notes].join('; '),
      figures: Object.fromEntries(all.map(({ kind, findings: found }) => [kind, found.length])),
      proof: 'looked at in read-only transactions; nothing was changed',
      findings,
    };
  });
}
