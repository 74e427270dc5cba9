import { fail } from '../ports/failure.ts';
import type { Command, CommandResult, Host } from '../ports/host.ts';

/** Seconds for a look. */
const lookSeconds = 30;

/** Runs a tool that must answer. @throws FailureError `service-tool-failed` */
export async function ask(host: Host, command: Command, doing: string): Promise<CommandResult> {
  const result = await host.run({ timeoutSeconds: lookSeconds, ...command });
  return result.exitCode === 0 ? result : toolFailed(host, command, result, doing);
}

/** Tells what a tool said when it did not do what it was asked. */
export function toolFailed(
  host: Host,
  command: Command,
  result: CommandResult,
  doing: string,
): never {
  const said = lastLine(result.stderr) ?? lastLine(result.stdout) ?? 'it said nothing';
  const end = result.timedOut
    ? 'did not answer in time'
    : `ended with exit code ${String(result.exitCode)}`;
  return fail({
    code: 'service-tool-failed',
    message: `On ${host.name}, \`${command.argv[0]}\` ${end} when it was to ${doing}: ${said}`,
    state: 'The service is as it was, as far as is known.',
    next: 'Run the same command on the host by hand; a user that is not root may need `sudo: true` in the plan.',
  });
}

/** The last line that is not empty, cut to a length that fits a message. */
export function lastLine(text: string): string | undefined {
  const line = text
    .split('\n')
    .map((each) => each.trim())
    .findLast((each) => each !== '');
  return line?.slice(0, 300);
}

/** The last lines of a log, for people. */
export function logLines(text: string): readonly string[] {
  return text
    .split('\n')
    .map((each) => each.trimEnd().slice(0, 500))
    .filter((each) => each !== '')
    .slice(-10);
}
