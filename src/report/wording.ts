import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import type { Approval } from '../ports/github.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import type { RestorePointKind } from '../record/restore-point.ts';
import type { SmokeResult } from '../record/status.ts';
import type { Verdict } from './checklist.ts';
import type { Downtime } from './downtime.ts';
import type { IssueSeverity } from './issues.ts';
import type { OutcomeKind } from './outcome.ts';
import type { ReportHead, TaskFact } from './report-model.ts';
import type { RowOutcome } from './timeline.ts';
import { minuteOf, secondOf } from './moment.ts';

/** How a state is marked: by a sign and a word, never by colour alone. */
export interface Mark {
  readonly tone: 'good' | 'bad' | 'attention' | 'neutral';
  readonly sign: string;
  readonly word: string;
}

export const outcomeMarks: Readonly<Record<OutcomeKind, Mark>> = {
  completed: { tone: 'good', sign: '✓', word: 'Completed' },
  'completed-with-issues': { tone: 'attention', sign: '!', word: 'Ended with issues' },
  'rolled-back': { tone: 'attention', sign: '↩', word: 'Rolled back' },
  held: { tone: 'bad', sign: '✗', word: 'Held' },
  abandoned: { tone: 'neutral', sign: '–', word: 'Not carried out' },
  failed: { tone: 'bad', sign: '✗', word: 'Failed' },
  unfinished: { tone: 'bad', sign: '✗', word: 'Unfinished' },
};

export const rowMarks: Readonly<Record<RowOutcome, Mark>> = {
  done: { tone: 'good', sign: '✓', word: 'done' },
  skipped: { tone: 'neutral', sign: '–', word: 'skipped' },
  failed: { tone: 'bad', sign: '✗', word: 'failed' },
  interrupted: { tone: 'attention', sign: '!', word: 'interrupted' },
  unfinished: { tone: 'bad', sign: '?', word: 'no outcome' },
  note: { tone: 'neutral', sign: '·', word: 'note' },
};

export const verdictMarks: Readonly<Record<Verdict['verdict'], Mark>> = {
  proved: { tone: 'good', sign: '✓', word: 'proved' },
  attested: { tone: 'good', sign: '✍', word: 'attested' },
  'not-applicable': { tone: 'neutral', sign: '–', word: 'not applicable' },
  open: { tone: 'attention', sign: '○', word: 'open' },
};

export const severityMarks: Readonly<Record<IssueSeverity, Mark>> = {
  failed: { tone: 'bad', sign: '✗', word: 'failed' },
  unfinished: { tone: 'bad', sign: '?', word: 'no outcome' },
  warning: { tone: 'attention', sign: '!', word: 'warning' },
  skipped: { tone: 'neutral', sign: '–', word: 'skipped' },
};

export const checkMarks: Readonly<Record<Check['verdict'], Mark>> = {
  passed: { tone: 'good', sign: '✓', word: 'passed' },
  failed: { tone: 'bad', sign: '✗', word: 'failed' },
  warning: { tone: 'attention', sign: '!', word: 'warning' },
  'not-applicable': { tone: 'neutral', sign: '–', word: 'not applicable' },
};

/** The mark of a task; what a rollback undid is not told as done. */
export function taskMark({ outcome, undone }: TaskFact): Mark {
  return undone ? { tone: 'attention', sign: '↩', word: 'undone' } : rowMarks[outcome];
}

/** The mark of a gate's review. */
export function reviewMark(state: Approval['state']): Mark {
  switch (state) {
    case 'approved':
      return { tone: 'good', sign: '✓', word: 'approved' };
    case 'rejected':
      return { tone: 'bad', sign: '✗', word: 'rejected' };
    case 'pending':
      return { tone: 'neutral', sign: '–', word: 'pending' };
  }
}

/** The mark of a smoke test; a skipped one is none that passed. */
export function smokeMark({ passed, skipped }: Pick<SmokeResult, 'passed' | 'skipped'>): Mark {
  if (skipped === true) return rowMarks.skipped;
  return passed ? checkMarks.passed : checkMarks.failed;
}

/** How a run of smoke tests went: `4 of 5 passed, 1 skipped`. */
export function smokeCounts(results: readonly SmokeResult[]): string {
  const passed = results.filter((result) => result.passed).length;
  const skipped = results.filter((result) => result.skipped === true).length;
  return `${passed} of ${results.length} passed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

/** What a line of the checklist rests on, in one piece of text. */
export function verdictText(result: Verdict): string {
  switch (result.verdict) {
    case 'proved':
      return result.by;
    case 'attested':
      return `${result.by}: “${result.statement}”`;
    case 'not-applicable':
    case 'open':
      return result.why;
  }
}

/** For how long the public was kept out, in words. */
export function downtimeText(downtime: Downtime): string {
  const seconds = downtime.seconds === null ? '' : formatDuration(downtime.seconds);
  switch (downtime.kind) {
    case 'never-closed':
      return 'none: the site was never closed';
    case 'never-proved-closed':
      return 'not proved: closing began, and the public URL was not proved closed';
    case 'reopened':
      return downtime.spans.length > 1 ? `${seconds} in ${downtime.spans.length} spans` : seconds;
    case 'still-closed':
      return `${seconds} when this report was written, and still closed`;
    case 'uncertain':
      return `${seconds === '' ? 'not known' : `at least until the reopening began; ${seconds} when this report was written`}: opening was not proved`;
  }
}

/** The planned time, in words. */
export function plannedText({ planned, timeZone, ignoredWindow }: ReportHead): string {
  const length = formatDuration(planned.durationSeconds);
  if (planned.start !== null) {
    return `${minuteOf(planned.start, timeZone)}, for ${length}, until ${minuteOf(planned.end, timeZone)}`;
  }
  const end = minuteOf(planned.end, timeZone);
  return ignoredWindow === null
    ? `at any time, for ${length}, until ${end}`
    : `outside the planned time on purpose (${ignoredWindow}), for ${length}, until ${end}`;
}

/** Begin and end of the window, with what lies between. */
export function actualText(head: ReportHead): string {
  const began = secondOf(head.startedAt, head.timeZone);
  if (head.endedAt === null) return `${began}; not ended`;
  const length = head.seconds === null ? '' : ` (${formatDuration(head.seconds)})`;
  return `${began} to ${secondOf(head.endedAt, head.timeZone)}${length}`;
}

/** A figure with the unit that its name tells: `index-bytes` is a size, `seconds` a duration. */
export function figureText(name: string, value: number): string {
  if (!Number.isFinite(value)) return '?';
  if (/(?:^|-)bytes(?:-|$)/.test(name)) return formatBytes(value);
  if (/(?:^|-)seconds(?:-|$)/.test(name)) return formatDuration(value);
  return value.toLocaleString('en-US');
}

/** A figure's name without its unit, in words. */
export function figureName(name: string): string {
  const words = name
    .split('-')
    .filter((word) => word !== 'bytes' && word !== 'seconds')
    .join(' ');
  return words === '' ? name : words;
}

/** A size and a comma for the middle of a sentence; nothing where only the maker knows. */
export function sizeText(bytes: number | null): string {
  return bytes === null ? '' : `${formatBytes(bytes)}, `;
}

/** Seconds in words, or a dash. */
export function durationText(seconds: number | null): string {
  return seconds === null ? '–' : formatDuration(seconds);
}

/** What becomes of a restore point that is not needed any more: a replica follows its primary again. */
export function releasedWord(kind: RestorePointKind): 'dropped' | 'given back' {
  return kind === 'standby' ? 'given back' : 'dropped';
}
