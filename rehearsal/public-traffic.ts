import { randomUUID } from 'node:crypto';
import { Agent, request as send } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import {
  summarizeTraffic,
  type AcknowledgedOrder,
  type TrafficOutcome,
  type TrafficReport,
  type TrafficRequest,
} from './traffic-report.ts';

export type { TrafficReport } from './traffic-report.ts';

/** Clients at work. */
export type Traffic = {
  /** What came of it so far; the clients go on. */
  report(): TrafficReport;
  /**
   * Waits for a request that ends from now on and for which `matches` says yes.
   * @throws when the traffic is stopped first, or nothing matched within `timeoutSeconds`
   */
  next(
    matches: (request: TrafficRequest) => boolean,
    timeoutSeconds?: number,
  ): Promise<TrafficRequest>;
  /** Lets the running requests finish and ends the clients. A second call gives the same report. */
  stop(): Promise<TrafficReport>;
};

type Asked = { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: string };
type Client = { readonly number: number; sent: number; lastOrder: AcknowledgedOrder | undefined };

const requestTimeoutMilliseconds = 30_000;
// The numbers that exist in the smallest site.
const products = 200;
const customers = 1000;

/**
 * The public of the example shop: each client sends one request after another over a connection
 * that stays open, every fifth an order, until stopped.
 * @param options.url of the site, without a slash at the end
 * @param options.thinkMilliseconds pause of a client between two requests; default 20
 */
export function startTraffic(options: {
  readonly url: string;
  readonly clients: number;
  readonly thinkMilliseconds?: number;
}): Traffic {
  return run({ thinkMilliseconds: 20, ...options, choose: shopping });
}

/**
 * One client that asks for one page all the time: when did the public see what, to within
 * milliseconds.
 * @param options.path default `/products/1`
 * @param options.everyMilliseconds pause between an answer and the next request; default 3
 */
export function startSampler(options: {
  readonly url: string;
  readonly path?: string;
  readonly everyMilliseconds?: number;
}): Traffic {
  const { url, path = '/products/1', everyMilliseconds = 3 } = options;
  const choose = (): Asked => ({ method: 'GET', path });
  return run({ url, clients: 1, thinkMilliseconds: everyMilliseconds, choose });
}

function shopping(client: Client): Asked {
  const turn = client.number * 7919 + client.sent * 104_729;
  const product = 1 + (turn % products);
  switch (client.sent % 5) {
    case 0:
      return { method: 'GET', path: '/' };
    case 1:
      return { method: 'GET', path: `/products/${product}` };
    case 2: {
      const body = {
        reference: randomUUID(),
        customerId: 1 + (turn % customers),
        items: [{ productId: product, quantity: 1 + (turn % 3) }],
      };
      return { method: 'POST', path: '/orders', body: JSON.stringify(body) };
    }
    case 3:
      // Whoever ordered looks whether the order is there.
      return { method: 'GET', path: client.lastOrder ? `/orders/${client.lastOrder.id}` : '/' };
    default:
      return { method: 'GET', path: `/products/${1 + ((turn * 31) % products)}` };
  }
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

function run(options: {
  readonly url: string;
  readonly clients: number;
  readonly thinkMilliseconds: number;
  readonly choose: (client: Client) => Asked;
}): Traffic {
  const startedAt = now();
  const requests: TrafficRequest[] = [];
  const listeners = new Set<(request: TrafficRequest) => void>();
  const stopping = new AbortController();

  const loop = async (client: Client): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stopping.signal.aborted) {
      const asked = options.choose(client);
      client.sent += 1;
      const begin = now();
      const outcome = await exchange(options.url, asked, agent);
      if (outcome.kind === 'answered' && outcome.order) client.lastOrder = outcome.order;
      const { method, path } = asked;
      const done = {
        client: client.number,
        method,
        path,
        startedAt: begin,
        endedAt: now(),
        outcome,
      };
      requests.push(done);
      for (const listener of listeners) listener(done);
      // Who is refused a connection does not try a thousand times a second.
      const rest = outcome.kind === 'lost' ? 50 : options.thinkMilliseconds;
      await pause(rest, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    agent.destroy();
  };
  const clients = Array.from({ length: options.clients }, (_, index) =>
    loop({ number: index + 1, sent: 0, lastOrder: undefined }),
  );

  let ended: Promise<TrafficReport> | undefined;
  return {
    report: () => summarizeTraffic(requests, startedAt, now()),
    next: (matches, timeoutSeconds = 30) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void) => {
          listeners.delete(listener);
          clearTimeout(timer);
          stopping.signal.removeEventListener('abort', onStop);
          settle();
        };
        const listener = (request: TrafficRequest) => {
          if (matches(request)) finish(() => resolve(request));
        };
        const onStop = () => finish(() => reject(new Error('The traffic was stopped.')));
        const timer = setTimeout(
          () =>
            finish(() => reject(new Error(`No request matched within ${timeoutSeconds} seconds.`))),
          timeoutSeconds * 1000,
        );
        listeners.add(listener);
        stopping.signal.addEventListener('abort', onStop);
      }),
    stop: () => {
      ended ??= (async () => {
        stopping.abort();
        await Promise.all(clients);
        return summarizeTraffic(requests, startedAt, now());
      })();
      return ended;
    },
  };
}

/** One request and its whole answer. Never rejects: whatever goes wrong is a lost request. */
function exchange(url: string, asked: Asked, agent: Agent): Promise<TrafficOutcome> {
  return new Promise((resolve) => {
    const request = send(`${url}${asked.path}`, {
      agent,
      method: asked.method,
      timeout: requestTimeoutMilliseconds,
      headers:
        asked.body === undefined
          ? {}
          : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(asked.body) },
    });
    const lose = (error: Error) =>
      resolve({ kind: 'lost', error: error.message, onReusedConnection: request.reusedSocket });
    request.on('timeout', () => request.destroy(new Error('no answer within 30 seconds')));
    request.on('error', lose);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', lose);
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        const maintenance = response.headers['x-maintenance'];
        const order = status === 201 ? readOrder(Buffer.concat(chunks)) : undefined;
        resolve({
          kind: 'answered',
          status,
          ...(maintenance === undefined ? {} : { maintenance: String(maintenance) }),
          ...(order === undefined ? {} : { order }),
        });
      });
    });
    request.end(asked.body);
  });
}

function readOrder(body: Buffer): AcknowledgedOrder | undefined {
  const { id, reference } = JSON.parse(body.toString('utf8')) as Partial<AcknowledgedOrder>;
  return typeof id === 'number' && typeof reference === 'string' ? { id, reference } : undefined;
}
