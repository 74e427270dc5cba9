/** The process of the clients; see load.ts. */
import { Agent, request as send } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { monotonicMilliseconds } from './monotonic-clock.ts';
import type { Sample } from './toggle-analysis.ts';

export type LoadOptions = {
  /** Without a slash at the end. */
  readonly url: string;
  /** Each client asks for one of them all the time. */
  readonly paths: readonly [string, ...string[]];
  readonly clients: number;
  /** Mean pause of a client between two requests; the pauses vary around it, so that they do not march in step. */
  readonly thinkMilliseconds: number;
  /** What our 503 has in X-Maintenance. */
  readonly windowId: string;
};

export type ToLoad =
  { readonly kind: 'settle'; readonly on: 'open' | 'closed' } | { readonly kind: 'stop' };
export type FromLoad =
  { readonly kind: 'settled' } | { readonly kind: 'stopped'; readonly samples: readonly Sample[] };

const options = JSON.parse(process.argv[2] ?? '') as LoadOptions;
const samples: Sample[] = [];
const latest = new Map<number, Sample>();
let awaited: { readonly on: 'open' | 'closed'; readonly since: number } | undefined;
let stopping = false;

function tell(message: FromLoad): void {
  process.send?.(message);
}

function note(client: number, sample: Sample): void {
  samples.push(sample);
  latest.set(client, sample);
  if (awaited === undefined) return;
  const { on, since } = awaited;
  const everybody =
    latest.size === options.clients &&
    [...latest.values()].every(({ sentAt, kind }) => sentAt > since && kind === on);
  if (!everybody) return;
  awaited = undefined;
  tell({ kind: 'settled' });
}

/** One request and its whole answer. Nothing is sent twice: what breaks is lost. */
function exchange(path: string, agent: Agent): Promise<Sample> {
  const sentAt = monotonicMilliseconds();
  return new Promise((resolve) => {
    const lose = (error: Error & { code?: string }) =>
      resolve({
        sentAt,
        endedAt: monotonicMilliseconds(),
        kind: 'lost',
        detail: error.code ?? error.message,
      });
    const request = send(`${options.url}${path}`, { agent, timeout: 10_000 });
    request.on('timeout', () => request.destroy(new Error('no answer within 10 seconds')));
    request.on('error', lose);
    request.on('response', (response) => {
      response.on('error', lose);
      response.on('end', () => {
        const endedAt = monotonicMilliseconds();
        const { statusCode = 0, headers } = response;
        if (statusCode === 200) resolve({ sentAt, endedAt, kind: 'open' });
        else if (statusCode === 503 && headers['x-maintenance'] === options.windowId)
          resolve({ sentAt, endedAt, kind: 'closed' });
        else resolve({ sentAt, endedAt, kind: 'other', detail: `status ${statusCode}` });
      });
      response.resume();
    });
    request.end();
  });
}

async function work(client: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const path = options.paths[client % options.paths.length] ?? options.paths[0];
  while (!stopping) {
    note(client, await exchange(path, agent));
    await pause(options.thinkMilliseconds * (0.5 + Math.random()));
  }
  agent.destroy();
}

const clients = Array.from({ length: options.clients }, (_, client) => work(client));
process.on('message', (message: ToLoad) => {
  if (message.kind === 'settle') {
    awaited = { on: message.on, since: monotonicMilliseconds() };
    return;
  }
  stopping = true;
  void Promise.all(clients).then(() => tell({ kind: 'stopped', samples }));
});
// Whoever started us is gone.
process.on('disconnect', () => process.exit());
