import { readFileSync } from 'node:fs';

/**
 * When a process started, in clock ticks since the machine did (field 22 of /proc/PID/stat, see
 * proc(5)); undefined when there is no such process or it only waits to be reaped. Number and
 * start together name one process: numbers are used again.
 */
export function processStart(pid: number): string | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses and may contain anything.
  const [state, ...rest] = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' ? undefined : rest[18];
}
