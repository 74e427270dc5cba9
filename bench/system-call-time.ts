import fileSystem from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { monotonicMilliseconds } from './monotonic-clock.ts';

/** When a system call was made: right before it was asked for, and right after it was over. */
export type CallTime = { readonly before: number; readonly after: number };

/** The calls by which a file gets its name and loses it. */
type Call = 'link' | 'rm';

/**
 * Runs `action`, which creates or removes a file among other things, and tells when exactly it did: writing a
 * temporary file and flushing it to the disk come before, and flushing the folder after it.
 * @throws Error when the action made no such call
 */
export async function timeOfCall(call: Call, action: () => Promise<void>): Promise<CallTime> {
  const times: CallTime[] = [];
  const functions = fileSystem as Record<Call, (...args: unknown[]) => Promise<void>>;
  const original = functions[call];
  functions[call] = async (...args) => {
    const before = monotonicMilliseconds();
    await original(...args);
    times.push({ before, after: monotonicMilliseconds() });
  };
  // Modules that imported it by name see the one above from here on.
  syncBuiltinESMExports();
  try {
    await action();
  } finally {
    functions[call] = original;
    syncBuiltinESMExports();
  }
  const [time] = times;
  if (time === undefined) throw new Error(`${call} was not called.`);
  return time;
}
