import { readFileSync, readdirSync } from 'node:fs';

/** What processes took from the machine. */
export type Consumption = {
  readonly cpuSeconds: number;
  /** Handed to the disk, less what was taken back before it got there. */
  readonly writtenBytes: number;
};

/** Of a clock tick in /proc/PID/stat: USER_HZ, the same on all architectures that Node runs on. */
const secondsPerTick = 0.01;

/**
 * What some servers with all of their children, and all children of ours that have ended, took until now. A
 * process that is waited for leaves its sums to its parent, both of time (proc(5), cutime and cstime) and of
 * bytes (the kernel's task_io_accounting_add in exit.c), so nothing is lost between two calls.
 */
export function consumption(servers: readonly number[]): Consumption {
  const all = servers.flatMap(withDescendants).map(ofProcess);
  const own = ofProcess(process.pid);
  return {
    cpuSeconds: all.reduce((sum, one) => sum + one.cpuSeconds, own.childrenSeconds),
    writtenBytes: all.reduce((sum, one) => sum + one.writtenBytes, own.writtenBytes),
  };
}

/** The most memory that a process ever had, in bytes; undefined when it is gone. */
export function peakMemory(pid: number): number | undefined {
  const kibibytes = /^VmHWM:\s*(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

function ofProcess(pid: number): Consumption & { readonly childrenSeconds: number } {
  const stat = read(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses and may contain anything.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  const io = read(`/proc/${pid}/io`);
  const bytes = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(io)?.[1] ?? 0);
  return {
    cpuSeconds: (user + system + childrenUser + childrenSystem) * secondsPerTick,
    childrenSeconds: (childrenUser + childrenSystem) * secondsPerTick,
    writtenBytes: bytes('write_bytes') - bytes('cancelled_write_bytes'),
  };
}

function withDescendants(pid: number): number[] {
  const threads = list(`/proc/${pid}/task`);
  const children = threads.flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(withDescendants)];
}

/** Empty for a process that has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
