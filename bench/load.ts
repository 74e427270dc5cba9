import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { nodeProgram } from '../rehearsal/node-program.ts';
import type { FromLoad, LoadOptions, ToLoad } from './load-process.ts';
import type { Sample } from './toggle-analysis.ts';

const patienceMilliseconds = 30_000;

/** Clients at work in a process of their own, so that whoever measures and they do not hold each other up. */
export type Load = {
  /**
   * Resolves when the latest answer of every client is of this kind, to a request sent from now on.
   * @throws when that has not come about within 30 seconds
   */
  settled(kind: 'open' | 'closed'): Promise<void>;
  /** Ends the clients and the process. Their requests, in the order in which they ended. */
  stop(): Promise<readonly Sample[]>;
};

/** Starts clients that send one request after the other, each over a connection that stays open. */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const program = fileURLToPath(new URL('load-process.ts', import.meta.url));
  const child = fork(program, [JSON.stringify(options)], {
    execPath: nodeProgram(),
    execArgv: ['--no-warnings'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  const exited = once(child, 'exit');
  const ask = async <Kind extends FromLoad['kind']>(
    message: ToLoad,
    wanted: Kind,
  ): Promise<Extract<FromLoad, { kind: Kind }>> => {
    child.send(message);
    const signal = AbortSignal.timeout(patienceMilliseconds);
    const reply = once(child, 'message', { signal });
    const ended = exited.then(() => {
      throw new Error('The process of the clients ended.');
    });
    // When the answer comes first, nobody listens to the end any more.
    ended.catch(() => undefined);
    const [answer] = (await Promise.race([reply, ended])) as [FromLoad];
    if (answer.kind !== wanted) throw new Error(`The clients said ${answer.kind}.`);
    return answer as Extract<FromLoad, { kind: Kind }>;
  };
  return {
    settled: async (kind) => {
      await ask({ kind: 'settle', on: kind }, 'settled');
    },
    stop: async () => {
      const { samples } = await ask({ kind: 'stop' }, 'stopped');
      child.disconnect();
      await exited;
      return samples;
    },
  };
}
