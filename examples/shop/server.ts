import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { findProduct, listProducts } from './catalogue.ts';
import { DatabaseUnavailable, type Database } from './database.ts';
import { checkHealth } from './health.ts';
import { findOrder, OrderRefused, placeOrder, readOrderRequest } from './orders.ts';
import { productPage } from './page.ts';

const mostBytes = 64 * 1024;

type Answer = {
  status: number;
  headers?: Record<string, string>;
  body: string | object;
};

/** The shop's web server; the caller makes it listen. */
export function createShop(database: Database): Server {
  return createServer((request, response) => {
    answer(request, database)
      .catch(failure)
      .then((reply) => send(response, reply))
      .catch((error: unknown) => {
        console.error(error);
        response.destroy();
      });
  });
}

async function answer(request: IncomingMessage, database: Database): Promise<Answer> {
  const path = new URL(request.url ?? '/', 'http://shop').pathname;
  const [, collection, id, ...rest] = path.split('/');
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (path === '/') {
    if (!isRead) return methodNotAllowed('GET, HEAD');
    return {
      status: 200,
      headers: { 'Content-Type': 'text/html; charset=utf-8' },
      body: productPage(await listProducts(database)),
    };
  }
  if (path === '/healthz') {
    if (!isRead) return methodNotAllowed('GET, HEAD');
    const health = await checkHealth(database);
    return {
      status: health.status === 'ok' ? 200 : 503,
      headers: { 'Cache-Control': 'no-store' },
      body: health,
    };
  }
  if (path === '/orders') {
    if (request.method !== 'POST') return methodNotAllowed('POST');
    const order = await placeOrder(database, readOrderRequest(await readJson(request)));
    return { status: 201, headers: { Location: `/orders/${order.id}` }, body: order };
  }
  const number = id !== undefined && /^[1-9]\d{0,14}$/.test(id) ? Number(id) : undefined;
  if (number !== undefined && rest.length === 0) {
    if (collection === 'products' || collection === 'orders') {
      if (!isRead) return methodNotAllowed('GET, HEAD');
      const find = collection === 'products' ? findProduct : findOrder;
      const found = await find(database, number);
      return found ? { status: 200, body: found } : notFound();
    }
  }
  return notFound();
}

function notFound(): Answer {
  return { status: 404, body: { error: 'There is nothing here.' } };
}

function methodNotAllowed(allowed: string): Answer {
  return { status: 405, headers: { Allow: allowed }, body: { error: `Use ${allowed}.` } };
}

function failure(error: unknown): Answer {
  if (error instanceof OrderRefused) return { status: 422, body: { error: error.message } };
  if (error instanceof DatabaseUnavailable) {
    console.error(`database unavailable: ${error.message}`);
    return {
      status: 503,
      headers: { 'Retry-After': '5' },
      body: { error: 'The shop cannot reach its database. Please try again in a moment.' },
    };
  }
  console.error(error);
  return { status: 500, body: { error: 'The shop made a mistake.' } };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new OrderRefused(`The body must be at most ${mostBytes} bytes.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new OrderRefused('The body must be JSON.');
  }
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
