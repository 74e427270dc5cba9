import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { GuardianMessage } from './guardian-process.ts';
import { nodeProgram } from './node-program.ts';
import { processStart } from './process-start.ts';

/** Tells the guardian that we have cleaned up ourselves. */
export type Withdraw = () => void;

let guardian: ChildProcess | undefined;
let lastId = 0;
const watched = new Set<number>();

/**
 * Has a process ended, with `signal` first, should we end without doing so ourselves: whatever
 * ends us, SIGKILL included.
 */
export function guardProcess(pid: number, signal: NodeJS.Signals): Withdraw {
  const startedAt = processStart(pid);
  if (startedAt === undefined) return () => undefined;
  return watch({ kind: 'process', id: (lastId += 1), pid, startedAt, signal });
}

/** Has a folder removed should we end without doing so ourselves. */
export function guardFolder(path: string): Withdraw {
  return watch({ kind: 'folder', id: (lastId += 1), path });
}

/** Has a network namespace and our interface of the same name removed should we end without doing so ourselves. */
export function guardNamespace(name: string): Withdraw {
  return watch({ kind: 'namespace', id: (lastId += 1), name });
}

function watch(message: Exclude<GuardianMessage, { kind: 'withdraw' }>): Withdraw {
  guardian ??= startGuardian();
  watched.add(message.id);
  send(message);
  return () => {
    if (!watched.delete(message.id)) return;
    send({ kind: 'withdraw', id: message.id });
    if (watched.size > 0) return;
    // With an empty list the guardian ends at once; the next one to watch starts another.
    guardian?.stdin?.end();
    guardian = undefined;
  };
}

function send(message: GuardianMessage): void {
  guardian?.stdin?.write(`${JSON.stringify(message)}\n`);
}

function startGuardian(): ChildProcess {
  const program = fileURLToPath(new URL('guardian-process.ts', import.meta.url));
  // A session of its own: a signal to our process group must not reach it.
  const child = spawn(nodeProgram(), ['--no-warnings', program], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.once('error', (error) => {
    console.error(`The guardian of the rehearsal could not be started: ${error.message}`);
  });
  // It may not keep us alive. A broken pipe means that somebody ended it: we still clean up.
  child.unref();
  child.stdin.on('error', () => undefined);
  if (child.stdin instanceof Socket) child.stdin.unref();
  return child;
}
