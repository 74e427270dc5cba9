import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { nodeProgram } from '../../rehearsal/node-program.ts';
import type { Site } from '../../rehearsal/site.ts';
import type { FromPublic, PublicOptions, PublicReport } from './public-process.ts';

const patienceMilliseconds = 60_000;

/** How many ask the site, and how busily: the same for both sides. */
export const publicLoad = {
  clients: 8,
  thinkMilliseconds: 20,
  workerPauseMilliseconds: 10,
} as const;

/** The shop's clients and its worker, at work in a process of their own. */
export type Public = {
  /** Ends them. What they saw, since they began. */
  stop(): Promise<PublicReport>;
};

/** Resolves when the first client has its first answer. */
export async function startPublic(site: Site): Promise<Public> {
  const program = fileURLToPath(new URL('public-process.ts', import.meta.url));
  const options: PublicOptions = { url: site.publicUrl, ...publicLoad };
  const child = fork(program, [JSON.stringify(options)], {
    execPath: nodeProgram(),
    execArgv: ['--no-warnings'],
    env: { ...process.env, DATABASE_URL: site.databaseUrl },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  const exited = once(child, 'exit');
  await hear(child, exited, 'works');
  return {
    stop: async () => {
      child.send('stop');
      const { traffic, writes } = await hear(child, exited, 'stopped');
      child.disconnect();
      await exited;
      return { traffic, writes };
    },
  };
}

async function hear<Kind extends FromPublic['kind']>(
  child: ChildProcess,
  exited: Promise<unknown>,
  wanted: Kind,
): Promise<Extract<FromPublic, { kind: Kind }>> {
  const reply = once(child, 'message', { signal: AbortSignal.timeout(patienceMilliseconds) });
  const ended = exited.then(() => {
    throw new Error('The process of the public ended.');
  });
  // When the answer comes first, nobody listens to the end any more.
  ended.catch(() => undefined);
  const [answer] = (await Promise.race([reply, ended])) as [FromPublic];
  if (answer.kind !== wanted) throw new Error(`The public said ${answer.kind}.`);
  return answer as Extract<FromPublic, { kind: Kind }>;
}
