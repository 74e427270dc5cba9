import * as z from 'zod';
import { blastClasses } from './life.ts';

const failureSchema = z.object({
  code: z.string(),
  message: z.string(),
  state: z.string(),
  next: z.string(),
});

/** One line of `journal.ndjson`: an intent before each effect, an outcome after it. */
export const journalLineSchema = z.object({
  /** ISO 8601, UTC. */
  at: z.string(),
  windowId: z.string(),
  /** The run that wrote it. */
  runId: z.string(),
  phase: z.string(),
  step: z.string(),
  title: z.string(),
  event: z.enum(['intent', 'done', 'skipped', 'failed', 'note']),
  blast: z.enum(blastClasses),
  /** Seconds since the intent. */
  seconds: z.number().optional(),
  /** What proves it, or why it was skipped: one line for people. */
  detail: z.string().optional(),
  /** What the step returned, for the next run. */
  data: z.json().optional(),
  failure: failureSchema.optional(),
});

export type JournalLine = z.infer<typeof journalLineSchema>;

/**
 * Reads a journal. A last line without its newline was cut off by a kill and is dropped: its effect counts
 * as unknown and is looked at again.
 * @throws Error naming the line when a complete line cannot be read
 */
export function parseJournal(text: string): JournalLine[] {
  const lines = text.split('\n');
  lines.pop();
  return lines
    .filter((line) => line !== '')
    .map((line, index) => {
      const parsed = journalLineSchema.safeParse(parseJson(line));
      if (!parsed.success) throw new Error(`journal line ${index + 1} cannot be read`);
      return parsed.data;
    });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The last `done` outcome of a step, if it has one after its last intent. */
export function outcomeOf(
  journal: readonly JournalLine[],
  phase: string,
  step: string,
): JournalLine | undefined {
  const last = journal.findLast(
    (line) => line.phase === phase && line.step === step && line.event !== 'note',
  );
  return last?.event === 'done' ? last : undefined;
}

/** Whether an earlier run may have begun a step: without its intent nothing of it can be there. */
export function mayHaveRun(journal: readonly JournalLine[], phase: string, step: string): boolean {
  return journal.some((line) => line.phase === phase && line.step === step);
}
