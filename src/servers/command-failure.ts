import { fail } from '../ports/failure.ts';
import type { CommandResult } from '../ports/host.ts';

/** Throws the failure of a program of the host, with its last words. */
export function failCommand(doing: string, command: string, result: CommandResult): never {
  const how = result.timedOut
    ? 'did not end in time and was ended'
    : result.exitCode === null
      ? 'was ended by a signal'
      : result.exitCode === 127
        ? 'is not there'
        : `ended with exit code ${result.exitCode}`;
  const words = lastWords(result);
  return fail({
    code: 'server-command-failed',
    message: `${doing} failed: \`${command}\` ${how}${words === '' ? '' : `: ${words}`}.`,
    state: 'What it did up to then may have happened.',
    next: 'Look at the host, mend the cause, and run the task again.',
  });
}

/** The last lines that a command printed, of its errors if there are any. */
export function lastWords({ stdout, stderr }: CommandResult): string {
  return (stderr.trim() === '' ? stdout : stderr)
    .trim()
    .split('\n')
    .slice(-3)
    .map((line) => line.trim())
    .join('; ')
    .replace(/\.$/, '')
    .slice(0, 500);
}
