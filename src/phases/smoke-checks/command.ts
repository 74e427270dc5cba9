import { formatDuration } from '../../plan/duration.ts';
import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import type { CommandResult } from '../../ports/host.ts';
import { failed, passed, type CheckKind, type Verdict } from './check-kind.ts';
import { complaintOf, endOf, lookOnHosts } from './on-hosts.ts';

type Demand = Pick<CheckOf<'command'>, 'exitCode' | 'stdoutContains' | 'stdoutMatches'>;

/** How much of a program's output a pattern is tried on; the first part. */
const searchedCharacters = 262_144;

/** A program and how it must end. */
export const commandKind: CheckKind<'command'> = {
  turn: 'then',
  timeoutSeconds: ({ timeout }) => timeout ?? 30,
  expectation: describeDemand,
  look: (context, check, timeoutSeconds) =>
    lookOnHosts(context, check.on, describeDemand(check), async (host) => {
      const [program = '', ...args] = check.command;
      const { workingDirectory } = check;
      const result = await host.run({
        argv: [program, ...args],
        ...(workingDirectory === undefined ? {} : { workingDirectory }),
        timeoutSeconds,
      });
      return judgeCommand(check, program, result);
    }),
};

/** Compares how a program ended, and what it printed, with what is expected. Its output is not repeated. */
export function judgeCommand(check: Demand, program: string, result: CommandResult): Verdict {
  const end = endOf(result);
  const complaint = complaintOf(result);
  const said = complaint === '' ? '' : `; it said ${JSON.stringify(complaint)}`;
  if (result.timedOut || result.exitCode !== check.exitCode) {
    return result.exitCode === 127 && check.exitCode !== 127
      ? failed(`${program} is not installed on the host${said}`, `exit code ${check.exitCode}`)
      : failed(`${end}${said}`, `exit code ${check.exitCode}`);
  }
  const { stdoutContains: text, stdoutMatches: pattern } = check;
  if (text !== undefined && !result.stdout.includes(text)) {
    return failed(`${end}, output without the text`, describeText(text));
  }
  if (
    pattern !== undefined &&
    !new RegExp(pattern, 'mu').test(result.stdout.slice(0, searchedCharacters))
  ) {
    return failed(`${end}, output that does not match`, describePattern(pattern));
  }
  return passed(`${end} after ${formatDuration(result.seconds)}`);
}

function describeDemand({ exitCode, stdoutContains, stdoutMatches }: Demand): string {
  return [
    `exit code ${exitCode}`,
    ...(stdoutContains === undefined ? [] : [describeText(stdoutContains)]),
    ...(stdoutMatches === undefined ? [] : [describePattern(stdoutMatches)]),
  ].join(', ');
}

function describeText(text: string): string {
  return `output with ${JSON.stringify(text)}`;
}

function describePattern(pattern: string): string {
  return `output that matches /${pattern}/`;
}
