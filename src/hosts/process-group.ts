import { errnoOf } from './host-failure.ts';

/** Seconds between SIGTERM and SIGKILL. Well under the 7.5 s that a cancelled run is given. */
const graceSeconds = 2;
const pollMilliseconds = 20;

function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-groupId, signal);
    return true;
  } catch (error) {
    // EPERM: members exist, but under another user (sudo); they end with what they wait for.
    return errnoOf(error) === 'EPERM' && signal === 0;
  }
}

async function groupEnded(groupId: number, withinSeconds: number): Promise<boolean> {
  const polls = Math.ceil((withinSeconds * 1000) / pollMilliseconds);
  for (let poll = 0; poll < polls; poll += 1) {
    if (!signalGroup(groupId, 0)) return true;
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
  return !signalGroup(groupId, 0);
}

/**
 * Ends every process of a group: SIGTERM, and SIGKILL for who is still there two seconds later.
 * Resolves when the group is gone, or when a second has passed since the SIGKILL.
 */
export async function endProcessGroup(groupId: number): Promise<void> {
  if (!signalGroup(groupId, 'SIGTERM')) return;
  if (await groupEnded(groupId, graceSeconds)) return;
  signalGroup(groupId, 'SIGKILL');
  await groupEnded(groupId, 1);
}
