import * as core from '@actions/core';
import { formatDuration } from '../plan/duration.ts';
import type { Progress } from '../ports/progress.ts';

const marks = { done: '✔', skipped: '–', failed: '✘' } as const;

/**
 * A line that the runner cannot take for one of its commands: what a database or a tool says may hold line breaks
 * followed by `::` or `##[`.
 */
function harmless(text: string): string {
  return text.replaceAll(/[\r\n]+/g, ' ').replace(/^(\s*)(::|##\[)/, '$1. $2');
}

/** Progress in the log of a job. */
export function runnerProgress(): Progress {
  return {
    info: (line) => {
      core.info(`  ${harmless(line)}`);
    },
    warning: (line) => {
      core.warning(line);
    },
    begin: (phase, step, title) => {
      core.info(harmless(`… ${phase} ${step}: ${title}`));
    },
    end: (phase, step, outcome, detail, seconds) => {
      const time = seconds > 0 ? ` (${formatDuration(seconds)})` : '';
      core.info(harmless(`${marks[outcome]} ${phase} ${step}: ${detail}${time}`));
    },
  };
}
