import { existsSync, readdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { chromium } from '../../src/browser/chromium.ts';
import type { Visit, Visited } from '../../src/ports/browser.ts';

type Page = Extract<Visited, { kind: 'page' }>;

const token = { 'X-Maintenance-Bypass': 'secret-token' };
const browser = chromium({ environment: { ...process.env, DATABASE_URL: 'postgresql://secret' } });
/** Requests that reached a server: `site /shop secret-token`. */
let requests: string[] = [];
let site: string;
let other: string;
const servers: Server[] = [];

async function serve(
  name: string,
  answer: (path: string, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer((request: IncomingMessage, response) => {
    const path = request.url ?? '';
    requests.push(
      `${name} ${path} ${String(request.headers['x-maintenance-bypass'] ?? 'nothing')}`,
    );
    answer(path, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function page(response: ServerResponse, body: string, status = 200): void {
  response.writeHead(status, { 'content-type': 'text/html' });
  response.end(`<!doctype html><title>Shop</title><link rel="icon" href="data:,">${body}`);
}

beforeAll(async () => {
  other = await serve('other', (_, response) => {
    response.writeHead(200, {
      'content-type': 'text/javascript',
      'access-control-allow-origin': '*',
    });
    response.end('window.fromOther = true;');
  });
  site = await serve('site', (path, response) => {
    switch (path) {
      case '/shop':
        page(response, `<main id="stock">In stock</main><script src="${other}/a.js"></script>`);
        break;
      case '/moved':
        response.writeHead(302, { location: '/shop' }).end();
        break;
      case '/moved-away':
        response.writeHead(302, { location: `${other}/away` }).end();
        break;
      case '/late':
        page(
          response,
          `<script>setTimeout(() => { document.title = 'Ready'; document.body.innerHTML = '<p id="late">x</p>'; }, 300)</script>`,
        );
        break;
      case '/console':
        page(
          response,
          `<script>console.warn('only a warning'); console.error('price is', 3, { a: 1 }); throw new Error('no basket')</script>`,
        );
        break;
      case '/missing-parts':
        page(response, `<img src="/gone.png"><script src="http://127.0.0.1:1/x.js"></script>`);
        break;
      case '/broken':
        page(response, 'sorry', 503);
        break;
      case '/without-icon':
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end('<!doctype html><title>Bare</title>');
        break;
      case '/never':
        break;
      default:
        response.writeHead(404).end();
    }
  });
});
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
beforeEach(() => {
  requests = [];
});

function visit(path: string, change: Partial<Visit> = {}): Promise<Visited> {
  const url = `${site}${path}`;
  return browser.visit({ url, headers: {}, screenshot: false, timeoutSeconds: 30, ...change });
}

async function pageOf(path: string, change: Partial<Visit> = {}): Promise<Page> {
  const visited = await visit(path, change);
  if (visited.kind !== 'page') throw new Error(JSON.stringify(visited));
  return visited;
}

describe('a page in Chromium', () => {
  test('is seen with status, title, selector and a picture; nothing stays behind', async () => {
    const profiles = (): string[] =>
      readdirSync(tmpdir()).filter((name) => name.startsWith('maintenance-window-browser-'));
    const before = profiles();
    const seen = await pageOf('/shop', { title: 'Shop', selector: '#stock', screenshot: true });
    expect(seen).toMatchObject({
      url: `${site}/shop`,
      status: 200,
      title: 'Shop',
      hasSelector: true,
      consoleErrors: [],
      failedRequests: [],
    });
    expect(Buffer.from(seen.screenshot ?? []).subarray(0, 8)).toEqual(
      Buffer.from('89504e470d0a1a0a', 'hex'),
    );
    expect(profiles()).toEqual(before);
  });

  test('gets the bypass header on its own origin, whatever it loads and wherever it is sent', async () => {
    await pageOf('/moved', { headers: token, selector: '#stock' });
    expect(requests).toEqual([
      'site /moved secret-token',
      'site /shop secret-token',
      'other /a.js nothing',
    ]);
    requests = [];
    await visit('/moved-away', { headers: token });
    expect(requests.slice(0, 2)).toEqual(['site /moved-away secret-token', 'other /away nothing']);
  });

  test('that redirects is told where it ended', async () => {
    expect(await pageOf('/moved')).toMatchObject({ url: `${site}/shop`, status: 200 });
  });

  test('is waited for while its scripts work', async () => {
    expect(await pageOf('/late', { title: 'Ready', selector: '#late' })).toMatchObject({
      title: 'Ready',
      hasSelector: true,
    });
  });

  test('without what was waited for is told as it is when the time is over', async () => {
    const seen = await pageOf('/shop', { title: 'Shop', selector: '#absent', timeoutSeconds: 4 });
    expect(seen).toMatchObject({ title: 'Shop', hasSelector: false });
  });

  test('tells errors of console and scripts, and no warnings', async () => {
    const { consoleErrors } = await pageOf('/console');
    expect(consoleErrors[0]).toBe('price is 3 Object');
    expect(consoleErrors[1]).toContain('Error: no basket');
    expect(consoleErrors).toHaveLength(2);
  });

  test('tells requests without a good answer', async () => {
    const { failedRequests, consoleErrors } = await pageOf('/missing-parts');
    expect([...failedRequests].sort()).toEqual([
      expect.stringMatching(/^GET http:\/\/127\.0\.0\.1:1\/x\.js: net::ERR_/),
      `GET ${site}/gone.png: status 404`,
    ]);
    expect(consoleErrors).toEqual([]);
  });

  test('without an icon misses nothing', async () => {
    expect(await pageOf('/without-icon')).toMatchObject({ title: 'Bare', failedRequests: [] });
  });

  test('with an error page has its status', async () => {
    expect(await pageOf('/broken')).toMatchObject({ status: 503 });
  });

  test('that never comes is given up in time', async () => {
    expect(await visit('/never', { timeoutSeconds: 3 })).toMatchObject({
      kind: 'no-page',
      reason: expect.stringContaining('the page was not loaded'),
    });
  });

  test('at a closed port is no page', async () => {
    expect(await visit('', { url: 'http://127.0.0.1:1/' })).toMatchObject({
      kind: 'no-page',
      reason: expect.stringMatching(/net::ERR_(?:UNSAFE_PORT|CONNECTION_REFUSED)/),
    });
  });

  test('with a selector that cannot be read tells so; it is no code', async () => {
    const selector = `a"); document.title = 'x'; ("`;
    expect(await visit('/shop', { selector })).toEqual({
      kind: 'no-page',
      reason: `the selector ${selector} cannot be read`,
    });
  });
});

describe('a browser', () => {
  test('that is not installed is missing', async () => {
    const bare = chromium({ environment: { PATH: '/nonexistent' } });
    const asked = { url: site, headers: {}, screenshot: false, timeoutSeconds: 5 };
    expect(await bare.visit(asked)).toEqual({
      kind: 'no-browser',
      isMissing: true,
      reason: 'none is installed on the runner',
    });
    expect(await visit('/shop', { executable: '/nonexistent/chrome' })).toMatchObject({
      isMissing: true,
      reason: '/nonexistent/chrome is no program on the runner',
    });
  });

  test('that does not start is told with its own words', async () => {
    expect(existsSync('/bin/false')).toBe(true);
    expect(await visit('/shop', { executable: '/bin/false' })).toMatchObject({
      kind: 'no-browser',
      isMissing: false,
    });
  });

  test('ends when the run is being cancelled', async () => {
    const abort = new AbortController();
    const cancelled = chromium({ environment: process.env, signal: abort.signal });
    const visiting = cancelled.visit({
      url: `${site}/never`,
      headers: {},
      screenshot: false,
      timeoutSeconds: 60,
    });
    for (let look = 0; look < 500 && !requests.some((line) => line.includes('/never')); look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    abort.abort();
    expect(await visiting).toMatchObject({ kind: 'no-page' });
  });
});
