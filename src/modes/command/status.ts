import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import { runUserCommand, type UserCommandResult } from '../user-command.ts';
import { patternOf, type CommandModeSettings } from './settings.ts';

export type Reading = 'closed' | 'open' | 'unknown';

/**
 * What the status command says. Without patterns exit code 0 means closed and 1 open, as of `is-active`. With
 * `status-closed` its output decides: a match means closed; none means open when the command ended well. With
 * `status-open` as well, exactly one of them must match. Everything else is unknown, and never taken for open.
 */
export function readStatus(
  result: Pick<UserCommandResult, 'exitCode' | 'stdout'>,
  patterns: Pick<CommandModeSettings, 'statusClosed' | 'statusOpen'>,
): Reading {
  const { statusClosed, statusOpen } = patterns;
  const { exitCode, stdout } = result;
  if (exitCode === null) return 'unknown';
  if (statusClosed === undefined) {
    return exitCode === 0 ? 'closed' : exitCode === 1 ? 'open' : 'unknown';
  }
  const text = stdout.replaceAll('\r\n', '\n');
  const closed = patternOf('status-closed', statusClosed).test(text);
  if (statusOpen === undefined) return closed ? 'closed' : exitCode === 0 ? 'open' : 'unknown';
  const open = patternOf('status-open', statusOpen).test(text);
  if (closed === open) return 'unknown';
  return closed ? 'closed' : 'open';
}

/**
 * Asks the application how it stands.
 * @throws FailureError `command-status-unknown`, `host-…`, `cancelled`
 */
export async function askStatus(
  host: Host,
  settings: CommandModeSettings,
): Promise<Exclude<Reading, 'unknown'>> {
  const result = await runUserCommand(host, settings.statusCommand, settings.commands);
  const reading = readStatus(result, settings);
  if (reading !== 'unknown') return reading;
  return fail({
    code: 'command-status-unknown',
    message: `The status command \`${settings.statusCommand[0] ?? ''}\` does not say whether the site is closed: ${result.told}.`,
    state: 'Whether the site is closed is not known; the status command is not to change anything.',
    next: 'Run it by hand on the host, then correct status-command, status-closed and status-open.',
  });
}
