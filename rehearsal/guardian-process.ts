/**
 * Outlives the process that started it by a moment: reads what it has to watch as one JSON object
 * a line from standard input and, when that input ends before everything was withdrawn (its owner
 * is gone: killed, crashed, exited), ends those processes and removes those folders and namespaces.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { processStart } from './process-start.ts';

/** What the owner writes. `startedAt` tells the process apart from a later one with its number. */
export type GuardianMessage =
  | { kind: 'process'; id: number; pid: number; startedAt: string; signal: NodeJS.Signals }
  | { kind: 'folder'; id: number; path: string }
  | { kind: 'namespace'; id: number; name: string }
  | { kind: 'withdraw'; id: number };

type Entry = Exclude<GuardianMessage, { kind: 'withdraw' }>;

// The same Ctrl-C or hang-up that ends the owner must not end the one who cleans up after it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const entries = new Map<number, Entry>();
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as GuardianMessage;
  if (message.kind === 'withdraw') entries.delete(message.id);
  else entries.set(message.id, message);
}

// Newest first: the application before its database, everything before the folder it is in.
for (const entry of [...entries.values()].reverse()) {
  if (entry.kind === 'folder') {
    rmSync(entry.path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  } else if (entry.kind === 'namespace') {
    spawnSync('ip', ['link', 'delete', entry.name], { stdio: 'ignore' });
    spawnSync('ip', ['netns', 'delete', entry.name], { stdio: 'ignore' });
  } else {
    await endProcess(entry.pid, entry.startedAt, entry.signal);
  }
}

async function endProcess(pid: number, startedAt: string, signal: NodeJS.Signals): Promise<void> {
  const isThere = () => processStart(pid) === startedAt;
  for (const [next, seconds] of [
    [signal, 10],
    ['SIGKILL', 5],
  ] as const) {
    if (!isThere()) return;
    try {
      process.kill(pid, next);
    } catch {
      return;
    }
    const deadline = Date.now() + seconds * 1000;
    while (isThere() && Date.now() < deadline) await pause(20);
  }
}
