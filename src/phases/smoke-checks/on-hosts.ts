import type { HostSelector } from '../../plan/setting-types.ts';
import { fail } from '../../ports/failure.ts';
import { onEach } from '../../ports/fleet.ts';
import type { CommandResult, Host } from '../../ports/host.ts';
import { selectedHosts } from '../selected-hosts.ts';
import { failed, overAll, short, unseen, type CheckContext, type Verdict } from './check-kind.ts';

/**
 * Looks on each machine that the check names; one verdict over all.
 * @throws FailureError `host-not-in-plan`
 */
export async function lookOnHosts(
  { fleet }: CheckContext,
  on: HostSelector,
  expected: string,
  look: (host: Host) => Promise<Verdict>,
): Promise<Verdict> {
  const worked = await onEach(selectedHosts(fleet, on), fleet.parallel, look);
  return overAll(
    worked.map((one) => ({
      part: one.on.name,
      verdict: one.kind === 'done' ? one.result : unseen(one.failure, expected),
    })),
    failed(`the plan has no host for ${on}`, expected),
  );
}

/** How a program ended, in words. */
export function endOf({ exitCode, timedOut, seconds }: CommandResult): string {
  if (timedOut) return `no end within ${Math.round(seconds)} s`;
  return exitCode === null ? 'ended by a signal' : `exit code ${exitCode}`;
}

/** The last line that a program wrote to standard error, for whoever looks for the cause. */
export function complaintOf({ stderr }: Pick<CommandResult, 'stderr'>): string {
  return short(stderr.trim().split('\n').at(-1) ?? '');
}

/**
 * Demands that a program which only tells something ended well.
 * @throws FailureError `program-missing`, `program-failed`
 */
export function demandAnswer(program: string, result: CommandResult): string {
  if (result.exitCode === 0) return result.stdout;
  const complaint = complaintOf(result);
  return fail({
    code: result.exitCode === 127 ? 'program-missing' : 'program-failed',
    message:
      result.exitCode === 127
        ? `${program} is not installed on the host`
        : `${program}: ${endOf(result)}${complaint === '' ? '' : ` (${complaint})`}`,
    state: 'It was only asked; nothing was changed.',
    next: 'Look at the host.',
  });
}
