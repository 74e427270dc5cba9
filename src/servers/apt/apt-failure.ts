import type { CommandResult } from '../../ports/host.ts';
import type { Failure } from '../../ports/failure.ts';

/** Whether other package work holds the lock, and who: its end says that it failed so, the lines before name whom it waited for. */
export function lockHolder({
  stdout,
  stderr,
}: Pick<CommandResult, 'stdout' | 'stderr'>): string | undefined {
  // The same words follow when we may not touch the lock at all.
  if (/Permission denied|are you root\?/.test(stderr)) return undefined;
  if (!/Could not get lock|Unable to (?:lock|acquire)/.test(stderr)) return undefined;
  const [, holder] =
    /It is held by (process \d+(?: \([^)]*\))?)/.exec(`${stderr}\n${stdout}`) ?? [];
  return holder ?? 'another process';
}

/** What a failed apt-get means. */
export function aptFailure(doing: string, result: CommandResult, timeoutSeconds: number): Failure {
  const holder = lockHolder(result);
  if (holder !== undefined) {
    return {
      code: 'packages-locked',
      message: `${doing} was not possible: ${holder} holds the lock of the package manager.`,
      state: 'No package was changed by this.',
      next: 'Wait for it to end (unattended upgrades at work?), or give a longer lock-timeout.',
    };
  }
  if (result.stderr.includes('dpkg was interrupted')) {
    return {
      code: 'packages-interrupted',
      message: `${doing} was not possible: earlier package work was interrupted.`,
      state: 'No package was changed by this.',
      next: 'Run `dpkg --configure -a` on the host and look at what it says, or set finish-interrupted for the task.',
    };
  }
  const words = errorLines(result.stderr) || errorLines(result.stdout);
  const how = result.timedOut
    ? `it did not end within ${timeoutSeconds} s and was ended`
    : result.exitCode === null
      ? 'a signal ended it'
      : `exit code ${result.exitCode}`;
  return {
    code: 'packages-failed',
    message: `${doing} failed: ${how}${words === '' ? '' : `: ${words}`}.`,
    state: 'Some packages may be changed, and some half-way.',
    next: 'Mend the cause on the host, then run `dpkg --configure -a` and `apt-get check` there.',
  };
}

/** The lines that say what went wrong, the last ones if there are many. */
function errorLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(?:E:|dpkg: error|.*(?:returned error|error processing))/.test(line))
    .slice(-4)
    .map((line) => line.replace(/\.$/, ''))
    .join('; ')
    .slice(0, 600);
}
