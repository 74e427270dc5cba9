import type { JournalLine } from '../../src/record/journal.ts';

/** A step of a window that was done while the public was served. Times are milliseconds since the epoch. */
export type OnlineStep = { readonly name: string; readonly from: number; readonly to: number };

/** The steps before the closing, in order; one that came twice is there twice. */
export function onlineSteps(
  journal: readonly JournalLine[],
  closingAt: number,
): readonly OnlineStep[] {
  const begun = new Map<string, number>();
  const steps: OnlineStep[] = [];
  for (const { phase, step, event, at } of journal) {
    const moment = Date.parse(at);
    if (moment > closingAt) break;
    const name = `${phase} ${step}`;
    const from = begun.get(name);
    if (event === 'intent') begun.set(name, moment);
    else if (event === 'done' && from !== undefined) steps.push({ name, from, to: moment });
  }
  return steps;
}
