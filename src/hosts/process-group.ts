import { readdir, readFile } from 'node:fs/promises';
import { errnoOf } from './host-failure.ts';

/** Seconds between SIGTERM and SIGKILL. Well under the 7.5 s that a cancelled run is given. */
const graceSeconds = 2;
/** Seconds that the kernel is given to end what was killed. */
const killSeconds = 1;
const pollMilliseconds = 25;

function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-groupId, signal);
    return true;
  } catch (error) {
    // EPERM: there are members, all of another user (sudo).
    return errnoOf(error) === 'EPERM';
  }
}

/** Whether a line of /proc/<pid>/stat (proc(5)) is of a member of the group that is not a zombie. */
export function isLiveMember(stat: string, groupId: number): boolean {
  // The name in parentheses may hold anything; state, parent and group come after the last one.
  const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(group) === groupId && state !== 'Z' && state !== 'X';
}

/** Orphans stay zombies for a while in containers, and a signal still finds those: they count as gone. */
async function hasLiveMember(groupId: number): Promise<boolean> {
  if (!signalGroup(groupId, 0)) return false;
  const entries = await readdir('/proc').catch(() => undefined);
  if (entries === undefined) return true;
  const stats = await Promise.all(
    entries
      .filter((entry) => /^\d+$/.test(entry))
      .map((pid) => readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')),
  );
  return stats.some((stat) => isLiveMember(stat, groupId));
}

async function gone(groupId: number, withinSeconds: number): Promise<boolean> {
  const deadline = performance.now() + withinSeconds * 1000;
  while (performance.now() < deadline) {
    if (!(await hasLiveMember(groupId))) return true;
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
  return !(await hasLiveMember(groupId));
}

/**
 * Ends every process of a group: SIGTERM, and SIGKILL for who is still there two seconds later.
 * @returns whether the group is gone; false when, a second after SIGKILL, somebody is left (of another user)
 */
export async function endProcessGroup(groupId: number): Promise<boolean> {
  if (!signalGroup(groupId, 'SIGTERM')) return true;
  if (await gone(groupId, graceSeconds)) return true;
  signalGroup(groupId, 'SIGKILL');
  return gone(groupId, killSeconds);
}
