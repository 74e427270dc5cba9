import type { Readable, Writable } from 'node:stream';

/** A message of the DevTools protocol: an answer (`id`), or an event (`method`). */
interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message?: string };
}

/** The DevTools protocol over two pipes; messages are JSON, each ended by a NUL. */
export interface ProtocolPipe {
  /** Sends a command and waits for its answer. Rejects when the browser refuses it or is gone. */
  send(method: string, params?: object, sessionId?: string): Promise<Record<string, unknown>>;
  /** Calls back with each event of a session. */
  on(method: string, listener: (params: Record<string, unknown>) => void): void;
}

/** Longest message that is read: a picture of a page is the largest. */
const messageLimitBytes = 64 * 1024 * 1024;

/** Speaks the protocol over the pipes of `--remote-debugging-pipe`. */
export function protocolPipe(toBrowser: Writable, fromBrowser: Readable): ProtocolPipe {
  const waiting = new Map<
    number,
    { resolve: (result: Record<string, unknown>) => void; reject: (error: Error) => void }
  >();
  const listeners = new Map<string, ((params: Record<string, unknown>) => void)[]>();
  let nextId = 1;
  let chunks: Buffer[] = [];
  let bytes = 0;
  let isOver = false;

  const over = (): void => {
    isOver = true;
    for (const { reject } of waiting.values()) reject(new Error('the browser has ended'));
    waiting.clear();
  };
  const hear = (text: string): void => {
    const message = JSON.parse(text) as Message;
    if (message.id === undefined) {
      for (const listener of listeners.get(message.method ?? '') ?? []) {
        listener(recordOf(message.params));
      }
      return;
    }
    const asked = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) asked?.resolve(recordOf(message.result));
    else asked?.reject(new Error(message.error.message ?? 'the browser refused a command'));
  };
  fromBrowser.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let at = chunk.indexOf(0); at !== -1; at = chunk.indexOf(0, start)) {
      const text = Buffer.concat([...chunks, chunk.subarray(start, at)]).toString('utf8');
      chunks = [];
      bytes = 0;
      start = at + 1;
      hear(text);
    }
    const rest = chunk.subarray(start);
    bytes += rest.length;
    if (bytes > messageLimitBytes) fromBrowser.destroy();
    else if (rest.length > 0) chunks.push(rest);
  });
  fromBrowser.once('close', over);
  fromBrowser.on('error', over);
  toBrowser.on('error', over);

  return {
    send: (method, params = {}, sessionId) =>
      new Promise((resolve, reject) => {
        if (isOver) {
          reject(new Error('the browser has ended'));
          return;
        }
        const id = nextId;
        nextId += 1;
        waiting.set(id, { resolve, reject });
        const session = sessionId === undefined ? {} : { sessionId };
        toBrowser.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
      }),
    on: (method, listener) => {
      listeners.set(method, [...(listeners.get(method) ?? []), listener]);
    },
  };
}

/** An object of the protocol, whose values nobody has looked at yet. */
export function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
