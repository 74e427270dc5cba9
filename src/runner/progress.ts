import * as core from '@actions/core';
import { formatDuration } from '../plan/duration.ts';
import type { Progress } from '../ports/progress.ts';

const marks = { done: '✔', skipped: '–', failed: '✘' } as const;

/** Progress in the log of a job. */
export function runnerProgress(): Progress {
  return {
    info: (line) => {
      core.info(`  ${line}`);
    },
    warning: (line) => {
      core.warning(line);
    },
    begin: (phase, step, title) => {
      core.info(`… ${phase} ${step}: ${title}`);
    },
    end: (phase, step, outcome, detail, seconds) => {
      const time = seconds > 0 ? ` (${formatDuration(seconds)})` : '';
      core.info(`${marks[outcome]} ${phase} ${step}: ${detail}${time}`);
    },
  };
}
