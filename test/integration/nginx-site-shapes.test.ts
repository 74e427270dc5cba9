import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import {
  bypassToken,
  startNginxSite,
  type Answer,
  type NginxSite,
} from '../fixtures/nginx-site.ts';

let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await makeTemporaryFolder('shapes');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', 'key.pem', '-out', 'cert.pem', '-subj', '/CN=localhost', '-days', '2'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1'],
    ],
    { cwd: folder.path, stdio: 'pipe' },
  );
  const root = join(folder.path, 'root');
  mkdirSync(join(root, 'shop.test'), { recursive: true });
  writeFileSync(join(root, 'index.html'), 'static page');
  writeFileSync(join(root, 'shop.test', 'index.html'), 'page of the captured name');
});
afterAll(() => folder.remove());

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'];
const paths = ['/', '/deep/a.php?x=1', '/static/app.css', '/.well-known/x', '/a%20b//../c'];
const kinds = [
  ['text/html,application/xhtml+xml,*/*;q=0.8', 'text/html; charset=utf-8'],
  ['application/json', 'application/json; charset=utf-8'],
  ['*/*', 'application/json; charset=utf-8'],
] as const;

interface Shape {
  readonly title: string;
  readonly render: (place: { port: number; app: string; logs: string; folder: string }) => string;
  readonly tls?: boolean;
  readonly host?: string;
  /** What an open site answers to `GET /`. */
  readonly open: Partial<Answer>;
}

const proxied = { status: 200, body: 'app GET / 0 bytes' };
const shapes: readonly Shape[] = [
  {
    title: 'a plain proxy',
    render: ({ port, app }) =>
      `server {\n  listen 127.0.0.1:${port};\n  location / { proxy_pass http://${app}; }\n}\n`,
    open: proxied,
  },
  {
    title: 'TLS, and CRLF line ends',
    render: ({ port, app, folder: at }) =>
      `server {\r\n  listen 127.0.0.1:${port} ssl;\r\n  ssl_certificate ${at}/cert.pem;\r\n  ssl_certificate_key ${at}/key.pem;\r\n  location / {\r\n    proxy_pass http://${app};\r\n  }\r\n}\r\n`,
    tls: true,
    open: proxied,
  },
  {
    title: 'a redirect at server level',
    render: ({ port }) => `server{listen 127.0.0.1:${port}; return 301 https://$host$request_uri;}`,
    open: { status: 301 },
  },
  {
    title: "the site's own error pages, intercepted errors and uploads limited to 1k",
    render: ({ port, app }) => `
proxy_intercept_errors on;
error_page 502 503 504 /sorry;
server {
  listen 127.0.0.1:${port};
  client_max_body_size 1k;
  error_page 503 =200 /sorry;
  error_page 405 404 = @fallback;
  location / { proxy_pass http://${app}; }
  location = /sorry { return 200 "the site's own page"; }
  location @fallback { return 200 "the site's fallback"; }
}
`,
    open: proxied,
  },
  {
    title: 'includes, maps, ifs, regex locations, headers, rewrites, limits and authentication',
    render: ({ port, app }) => `
map $http_upgrade $connection_of_shop { default upgrade; '' close; }
limit_req_zone $binary_remote_addr zone=shop:1m rate=1r/m;
upstream shop_app { server ${app}; keepalive 4; }
server { # the shop
  listen 127.0.0.1:${port} default_server;
  server_name shop.test "~^(?<sub>[a-z]{1,9})\\.shop\\.test$";
  include mime-of-shop[.]types;
  add_header X-Site "of the site" always;
  expires 1y;
  limit_req zone=shop burst=1000 nodelay;
  allow 127.0.0.0/8;
  deny all;
  set $a "closed-0 { } ; \\" # ";
  if ($request_method = TRACE) { return 405; }
  if ($http_user_agent ~* "(bad|bot)\\{2\\}") { return 403; }
  rewrite ^/old/(.*)$ /new/$1 permanent;
  location ~* \\.(?:css|js|php)$ { proxy_pass http://shop_app; }
  location ^~ /static/ { return 200 "static"; }
  location ~ . { limit_except GET { deny all; } proxy_pass http://shop_app; proxy_set_header Upgrade $http_upgrade; }
}
`,
    open: { ...proxied, headers: { 'x-site': 'of the site' } },
  },
  {
    title: 'a static site with try_files at server level, an index and a captured server name',
    render: ({ port, folder: at }) => `
server {
  listen 127.0.0.1:${port};
  server_name "~^(www\\.)?(.+)$";
  root ${at}/root/$2;
  try_files $uri $uri/ /index.html;
}
`,
    host: 'www.shop.test',
    open: { status: 200, body: 'page of the captured name' },
  },
  {
    title: 'a cache of open files for all of HTTP',
    render: ({ port, folder: at }) => `
open_file_cache max=100 inactive=600s;
open_file_cache_valid 600s;
open_file_cache_errors on;
server {
  listen 127.0.0.1:${port};
  location / { root ${at}/root; open_file_cache max=10; }
}
`,
    open: { status: 200, body: 'static page' },
  },
];

describe.each(shapes)('$title', ({ render, tls = false, host = 'shop.test', open }) => {
  let site: NginxSite;
  beforeAll(async () => {
    site = await startNginxSite({
      name: 'shop',
      render: (place) => render({ ...place, folder: folder.path }),
    });
  });
  afterAll(() => site.stop());

  const ask = (question: Parameters<NginxSite['ask']>[0] = {}) =>
    site.ask({ tls, ...question, headers: { host, ...question.headers } });

  test('closes for everything, opens for nothing else, and is given back byte for byte', async () => {
    const { siteFile } = site.server;
    const original = readFileSync(siteFile);
    const { mode: permissions, uid, gid } = statSync(siteFile);
    // The proof asks the first name that the configuration knows; TLS is asked with its own certificate.
    const mode = site.mode({
      exemptPaths: ['/healthz', '/status/*'],
      bypassAddresses: ['127.0.0.8/30', '2001:db8::/32'],
      publicUrl: `${tls ? 'https' : 'http'}://127.0.0.1:${site.server.port}/`,
      extraCa: tls ? readFileSync(join(folder.path, 'cert.pem'), 'utf8') : undefined,
    });
    const before = await ask();
    expect(before).toMatchObject({ ...open, headers: expect.objectContaining(open.headers ?? {}) });

    for (const check of await mode.check()) {
      expect(check).toMatchObject({ verdict: 'passed' });
    }
    const prior = await mode.plan();
    expect(readFileSync(siteFile)).toEqual(original);
    await mode.install(prior);
    expect(await mode.installed(prior)).toBe(true);
    expect(withoutTime(await ask())).toEqual(withoutTime(before));
    expect(statSync(siteFile)).toMatchObject({ mode: permissions, uid, gid });

    await mode.close();
    for (const method of methods) {
      for (const path of paths) {
        for (const [accept, type] of kinds) {
          const body = method === 'POST' ? 'x'.repeat(5000) : undefined;
          const answer = await ask({
            method,
            path,
            headers: { accept, upgrade: 'websocket', 'content-length': String(body?.length ?? 0) },
            ...(body === undefined ? {} : { body }),
          });
          expect({ method, path, accept, status: answer.status }).toEqual({
            method,
            path,
            accept,
            status: 503,
          });
          expect(answer.headers).toMatchObject({
            'x-maintenance': 'window-1',
            'retry-after': '120',
            'cache-control': 'no-store',
            'content-type': type,
          });
          expect(answer.headers).not.toHaveProperty('x-app');
          if (method === 'HEAD') continue;
          if (type.startsWith('text/html')) {
            expect(answer.body).toContain('<h1>Wartung für größere 日本 😀</h1>');
          } else {
            expect(JSON.parse(answer.body)).toMatchObject({
              error: 'maintenance',
              window: 'window-1',
              message: 'Costs $5, "quoted" \\ and <b>',
            });
          }
        }
      }
    }
    const ways = [
      { headers: { 'x-maintenance-bypass': bypassToken } },
      { headers: { cookie: `a=b; maintenance_bypass=${bypassToken}; c=d` } },
      { from: '127.0.0.9' },
    ];
    for (const way of ways) {
      const answer = await ask({ ...way, headers: { accept: 'text/html', ...way.headers } });
      expect(withoutTime(answer)).toEqual(withoutTime(before));
    }
    for (const headers of [
      { 'x-maintenance-bypass': `${bypassToken}x` },
      { 'x-maintenance-bypass': '' },
      { cookie: `maintenance_bypass=${bypassToken.toUpperCase()}` },
      { cookie: `other=${bypassToken}` },
    ]) {
      expect((await ask({ headers })).status).toBe(503);
    }
    expect((await ask({ from: '127.0.0.12' })).status).toBe(503);
    for (const path of ['/healthz', '/status/', '/status/a.css?b', '/a/../status/b']) {
      expect((await ask({ path })).headers).not.toHaveProperty('x-maintenance');
    }
    for (const path of [
      '/healthz/',
      '/healthz%0a',
      '/status',
      '/status/../x',
      '/status/%2e%2e/x',
    ]) {
      expect({ path, status: (await ask({ path })).status }).toEqual({ path, status: 503 });
    }

    await mode.open();
    expect(withoutTime(await ask())).toEqual(withoutTime(before));
    expect(await mode.restore(prior)).toMatchObject({ kind: 'restored' });
    expect(readFileSync(siteFile)).toEqual(original);
    expect(statSync(siteFile)).toMatchObject({ mode: permissions, uid, gid });
    expect(withoutTime(await ask())).toEqual(withoutTime(before));
    expect(await mode.restore(prior)).toEqual({ kind: 'nothing-to-do' });
    expect(problemsIn(site)).toEqual([]);
  });
});

function withoutTime(answer: Answer): Answer {
  const { date: _date, expires: _expires, ...headers } = answer.headers;
  return { ...answer, headers };
}

/** What nginx itself complained about; its `[error]` lines are about single requests of these sites. */
function problemsIn(site: NginxSite): string[] {
  return readFileSync(join(site.server.logFolder, 'error.log'), 'utf8')
    .split('\n')
    .filter((line) => /\[(?:warn|crit|alert|emerg)\]/.test(line));
}
