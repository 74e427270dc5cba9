import { formatDuration } from '../plan/duration.ts';
import type { Progress } from '../ports/progress.ts';

const marks = { done: '✔', skipped: '–', failed: '✘' } as const;

/** Live progress on a terminal, one line an event, with the time of day. */
export function terminalProgress(write: (line: string) => void, now: () => Date): Progress {
  const line = (mark: string, text: string): void => {
    write(`${now().toISOString().slice(11, 19)} ${mark} ${text}\n`);
  };
  return {
    info: (text) => {
      line(' ', `  ${text}`);
    },
    warning: (text) => {
      line('!', text);
    },
    begin: (phase, step, title) => {
      line('…', `${phase} ${step}: ${title}`);
    },
    end: (phase, step, outcome, detail, seconds) => {
      const time = seconds > 0 ? ` (${formatDuration(seconds)})` : '';
      line(marks[outcome], `${phase} ${step}: ${detail}${time}`);
    },
  };
}
