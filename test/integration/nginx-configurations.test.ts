import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { localHost } from '../../src/hosts/local.ts';
import { nodeHttp } from '../../src/http/node-http.ts';
import { nginxMode, type NginxModeSettings } from '../../src/modes/nginx.ts';
import { builtInPage } from '../../src/modes/nginx/page.ts';
import { hookInsertions, insertInto, removeHooks } from '../../src/modes/nginx/site-file.ts';
import { findServerBlocks } from '../../src/modes/nginx/server-blocks.ts';
import { tokenize } from '../../src/modes/nginx/tokenizer.ts';
import type { MaintenanceMode } from '../../src/ports/maintenance-mode.ts';
import {
  configureNginx,
  type ConfiguredNginx,
  type Placing,
} from '../fixtures/configured-nginx.ts';
import { startNginxBackends, type NginxBackends } from '../fixtures/nginx-backends.ts';
import {
  askSite,
  askTcp,
  startTcpBalancer,
  type SiteAnswer,
  type SiteQuestion,
} from '../fixtures/nginx-questions.ts';

type Port = keyof ConfiguredNginx['ports'];

/** A question, and what an open site answers: the status, and a part of the body. */
type Sample = Omit<SiteQuestion, 'to'> & {
  readonly port?: Port | 'socket';
  readonly answers?: readonly [number, string?];
};

interface Configuration extends Omit<Placing, 'values'> {
  readonly about: string;
  /** Where people ask: TLS_PORT when TLS, PORT otherwise. */
  readonly tls?: boolean;
  readonly host?: string;
  readonly servers?: readonly string[];
  /** The balancer in front of it speaks the PROXY protocol. */
  readonly balancer?: boolean;
  /** What `GET /` answers as long as the site is open. */
  readonly answers: readonly [number, string?];
  /** More of the site, closed with it. */
  readonly samples?: readonly Sample[];
  /** What belongs to others and never closes, or passes the closed door. */
  readonly outside?: readonly Sample[];
  /** Headers that differ from answer to answer by themselves. */
  readonly volatile?: readonly string[];
}

const bypassToken = 'bypass-token-of-the-tests';
const pageText = {
  title: 'Closed for maintenance',
  message: 'Back soon; "quoted" \\ and $5',
  expectedEnd: { iso: '2026-11-29T03:30:00+01:00', text: '03:30 (Europe/Berlin)' },
};
/** From the application behind nginx. */
const app = [200, 'app GET /'] as const;

const hasHttp3 = spawnSync('/usr/sbin/nginx', ['-V'], { encoding: 'utf8' }).stderr.includes(
  '--with-http_v3_module',
);
const http3: Configuration = {
  name: 'http3-quic',
  about: 'HTTP/3 beside HTTP/2',
  tls: true,
  answers: app,
  samples: [{ protocol: 'h2', answers: app }],
};

const configurations: readonly Configuration[] = [
  // An nginx without HTTP/3 cannot load it; then it is edited and given back only, in a test of its own.
  ...(hasHttp3 ? [http3] : []),
  {
    name: 'rails-puma',
    about: 'Rails behind Puma on a socket, with compiled assets',
    answers: [200, 'app GET / '],
    samples: [
      { path: '/cable', headers: { upgrade: 'websocket', connection: 'Upgrade' }, answers: [101] },
      { path: '/uploads/none.png', answers: [404, 'not found page'] },
      { path: '/assets/app.css', headers: { 'accept-encoding': 'gzip' }, answers: [200] },
    ],
  },
  {
    name: 'django-gunicorn',
    about: 'Django behind gunicorn, and a catch-all that says nothing',
    host: 'shop.test',
    answers: [200, 'app GET /'],
    samples: [
      { path: '/static/app.css', answers: [200, 'css'] },
      { path: '/fail/503', answers: [503, 'app GET'] },
      { headers: { host: 'unknown.test' }, answers: [0] },
    ],
  },
  {
    name: 'php-fpm',
    about: 'PHP-FPM with path info and a front controller',
    answers: [200, 'php GET'],
    samples: [
      { path: '/index.php/some/path?a=1', answers: [200, '/some/path'] },
      { path: '/.git/config', answers: [403] },
      { path: '/assets/app.css', answers: [200, 'css'] },
    ],
  },
  {
    name: 'wordpress',
    about: 'WordPress with permalinks and a page cache',
    answers: [200, 'php GET'],
    volatile: ['x-cache'],
    samples: [
      { path: '/2026/11/a-post/', answers: [200, 'php GET'] },
      { path: '/blog/wp-admin', answers: [200, 'php GET'] },
      { path: '/wp-admin', answers: [301] },
      { path: '/xmlrpc.php', method: 'POST', answers: [403] },
      { path: '/robots.txt', answers: [200, 'Disallow'] },
    ],
  },
  {
    name: 'nextcloud',
    about: 'Nextcloud with its rewrites, and HTTP that leads to HTTPS',
    tls: true,
    answers: [200, 'php GET'],
    samples: [
      { headers: { 'user-agent': 'DavClnt' }, answers: [302] },
      { path: '/remote.php/dav/', method: 'PROPFIND', answers: [200, 'php PROPFIND'] },
      { path: '/.well-known/caldav', answers: [301] },
      { path: '/data/x', answers: [404] },
      { port: 'PORT', protocol: 'http', answers: [301] },
      { protocol: 'h2', answers: [200, 'php GET'] },
    ],
  },
  {
    name: 'discourse',
    about: 'Discourse with its nested locations and X-Accel-Redirect',
    answers: app,
    samples: [
      { path: '/t/a-topic/42', answers: [200, 'x-topic=a-topic 42'] },
      { path: '/download', answers: [200, 'static page'] },
      { path: '/private/index.html', answers: [404] },
      { path: '/srv/status', answers: [200, 'app GET /srv/status'] },
      { path: '/user_avatar/1', answers: [200, 'app GET /user_avatar/1'] },
    ],
  },
  {
    name: 'mastodon',
    about: 'Mastodon with streaming, a cache and TLS',
    tls: true,
    answers: app,
    volatile: ['x-cached'],
    samples: [
      {
        path: '/api/v1/streaming',
        headers: { upgrade: 'websocket', connection: 'Upgrade' },
        answers: [101, 'socket /api/v1/streaming'],
      },
      { port: 'PORT', protocol: 'http', path: '/@someone', answers: [301] },
      { path: '/packs/none.js', answers: [404, 'broken page'] },
    ],
  },
  {
    name: 'gitlab-workhorse',
    about: 'GitLab behind its workhorse',
    answers: app,
    samples: [
      {
        path: '/group/project.git/info/refs?service=git-upload-pack&private_token=x',
        answers: app,
      },
      { path: '/50x.html', answers: [404, 'not found page'] },
    ],
  },
  {
    name: 'grafana',
    about: 'Grafana below a path, with its live channel',
    answers: [200, 'static page'],
    samples: [
      { path: '/grafana/d/1', answers: [200, 'app GET /d/1'] },
      {
        path: '/grafana/api/live/ws',
        headers: { upgrade: 'websocket', connection: 'Upgrade' },
        answers: [101, 'socket /api/live/ws'],
      },
    ],
  },
  {
    name: 'websocket-chat',
    about: 'a chat over WebSocket',
    answers: app,
    samples: [
      {
        path: '/socket.io/?transport=websocket',
        headers: { upgrade: 'websocket', connection: 'Upgrade' },
        answers: [101],
      },
    ],
  },
  {
    name: 'grpc-service',
    about: 'gRPC over HTTP/2 with TLS',
    tls: true,
    answers: app,
    samples: [
      {
        protocol: 'h2',
        method: 'POST',
        path: '/demo.Greeter/Hello',
        headers: { 'content-type': 'application/grpc', te: 'trailers' },
        body: '\0\0\0\0\0',
        answers: [200, 'greeter /demo.Greeter/Hello'],
      },
    ],
  },
  {
    name: 'multi-site',
    about: 'three sites in a file, one of them closed by a name among others',
    host: 'blog.test',
    servers: ['www.blog.test'],
    answers: [200, 'app GET /blog/'],
    samples: [{ headers: { host: 'anna.blog.test' }, answers: [200, 'x-user=anna'] }],
    outside: [
      { headers: { host: 'shop.test' }, answers: [200, 'app GET /shop/'] },
      { headers: { host: 'a.wiki.test' }, answers: [200, 'app GET /wiki/'] },
    ],
  },
  {
    name: 'several-blocks-one-chosen',
    about: 'a block between others, chosen by its name in other letters',
    host: 'shop.test',
    servers: ['SHOP.test'],
    answers: app,
    samples: [{ path: '/api/x', answers: [200, 'x-part=api'] }],
    outside: [
      { headers: { host: 'www.shop.test' }, answers: [301] },
      { headers: { host: 'admin.shop.test' }, answers: [200, 'app GET /admin/'] },
      { port: 'OTHER_PORT', answers: [200, 'not this one'] },
    ],
  },
  {
    name: 'lua-gateway',
    about: 'Lua that answers, forbids, and filters headers and bodies',
    answers: [200, 'no m{}'],
    samples: [
      { path: '/lua', answers: [200, 'from Lua: hello {}'] },
      { path: '/lua-file', answers: [200, 'quoted { Lua'] },
      { path: '/?token=wrong', answers: [403] },
      { headers: { 'x-blocked': 'yes' }, answers: [403] },
    ],
  },
  {
    name: 'stream-and-http',
    about: 'a whole configuration with TCP beside HTTP',
    as: 'whole',
    answers: app,
  },
  {
    name: 'upstream-keepalive',
    about: 'a pool of upstreams with kept connections, and a filter for HTML',
    answers: [200, '<i>pool</i></body>'],
    samples: [{ path: '/direct', answers: [200, 'app GET /direct'] }],
  },
  {
    name: 'proxy-cache-stale',
    about: 'a cache that answers for a broken application',
    answers: app,
    volatile: ['x-cache-status'],
    samples: [
      { path: '/cached', answers: [200, 'app GET /cached'] },
      { path: '/slow', answers: [503, 'broken page'] },
    ],
  },
  {
    name: 'auth-request',
    about: 'a door-keeper asked by subrequests',
    answers: [302],
    samples: [
      { headers: { cookie: 'session=1' }, answers: [200, 'app GET /'] },
      { path: '/public', answers: [200, 'app GET /public'] },
    ],
  },
  {
    name: 'limits',
    about: 'limits on requests and connections',
    answers: app,
    samples: [{ path: '/login', answers: [429, 'slow down'] }],
  },
  {
    name: 'map-geo-split',
    about: 'maps, geo and split_clients',
    answers: app,
    samples: [
      { path: '/old', answers: [301] },
      { headers: { 'accept-language': 'de' }, answers: app },
    ],
  },
  {
    name: 'https-redirect',
    about: 'redirects at server level before and after TLS',
    tls: true,
    host: 'shop.test',
    answers: app,
    samples: [
      { port: 'PORT', protocol: 'http', path: '/old/a', answers: [301] },
      { port: 'PORT', protocol: 'http', path: '/a', answers: [308] },
      { headers: { host: 'www.shop.test' }, answers: [301] },
    ],
  },
  {
    name: 'catch-all',
    about: 'a default server that closes connections and refuses handshakes',
    host: 'shop.test',
    answers: app,
    samples: [{ headers: { host: 'somebody.test' }, answers: [0] }],
    outside: [
      { port: 'TLS_PORT', protocol: 'https', headers: { host: 'else.test' }, answers: [0] },
    ],
  },
  {
    name: 'unix-listen',
    about: 'a socket beside a port',
    answers: app,
    samples: [{ port: 'socket', answers: app }],
    outside: [
      { port: 'socket', headers: { 'x-forwarded-for': '127.0.0.9' }, answers: app },
      { from: '127.0.0.9', answers: app },
    ],
  },
  {
    name: 'own-503-page',
    about: 'pages of its own for 503',
    answers: app,
    samples: [
      { path: '/fail/503', answers: [503, 'really busy'] },
      { path: '/fail/500', answers: [500, 'app GET'] },
    ],
  },
  {
    name: 'maintenance-file',
    about: "the site's own maintenance file",
    answers: app,
    samples: [{ path: '/index.html', answers: [200, 'static page'] }],
  },
  {
    name: 'named-locations',
    about: 'named locations that follow each other',
    answers: [200, 'static page'],
    samples: [
      { path: '/fail/404', answers: [404, 'nothing, nowhere'] },
      { path: '/fall/x', answers: [410] },
      { path: '/index', answers: [200, 'static page'] },
    ],
  },
  {
    name: 'sub-filter',
    about: 'filters that change the text of every answer',
    answers: [200, 'track("{ }")'],
  },
  {
    name: 'intercept-errors',
    about: 'intercepted errors',
    answers: app,
    samples: [
      { path: '/fail/403', answers: [403, 'not found page'] },
      { path: '/fail/404', answers: [200, 'not found page'] },
      { path: '/fail/503', answers: [502, 'broken page'] },
    ],
  },
  {
    name: 'satisfy-any',
    about: 'a password, or an address',
    answers: app,
    samples: [
      { from: '127.0.0.2', answers: [401] },
      {
        from: '127.0.0.2',
        headers: { authorization: `Basic ${Buffer.from('staff:window').toString('base64')}` },
        answers: app,
      },
      { path: '/private', answers: [403] },
      { from: '127.0.0.2', path: '/open', answers: [200, 'app GET /open'] },
    ],
  },
  {
    name: 'webdav',
    about: 'a WebDAV store',
    answers: [200, 'Index of'],
    volatile: ['location', 'last-modified'],
    samples: [
      { method: 'PUT', path: '/kept.txt', body: 'bytes', answers: [204] },
      { method: 'DELETE', path: '/none', answers: [409] },
      { method: 'MKCOL', path: '/none/deeper/', answers: [409] },
    ],
  },
  {
    name: 'server-side-includes',
    about: 'server-side includes',
    answers: app,
    samples: [{ path: '/composed?a=b', answers: [200, 'app GET /part?x=1'] }],
  },
  {
    name: 'large-uploads',
    about: 'uploads as large as they come, and as small',
    answers: app,
    samples: [
      {
        method: 'POST',
        path: '/upload',
        body: 'x'.repeat(300_000),
        answers: [200, '300000 bytes'],
      },
      { method: 'POST', path: '/small', body: 'x'.repeat(3000), answers: [413] },
    ],
  },
  {
    name: 'real-ip',
    about: 'addresses that the proxy in front tells, by which the bypass goes as well',
    answers: app,
    samples: [
      { headers: { 'x-forwarded-for': '203.0.113.7' }, answers: [200, 'x-real-ip=203.0.113.7'] },
    ],
    outside: [
      { headers: { 'x-forwarded-for': '127.0.0.9' }, answers: [200, 'x-real-ip=127.0.0.9'] },
    ],
  },
  {
    name: 'proxy-protocol',
    about: 'a balancer in front that speaks the PROXY protocol',
    balancer: true,
    answers: app,
    samples: [{ from: '127.0.0.2', answers: [200, 'x-real-ip=127.0.0.2'] }],
  },
  {
    name: 'nested-includes',
    about: 'includes by pattern, within one another',
    answers: app,
    samples: [{ path: '/deep', answers: [200, 'deepest file'] }],
    outside: [{ port: 'OTHER_PORT', answers: [200, 'of another file'] }],
  },
  {
    name: 'crlf-line-ends',
    about: 'CRLF',
    answers: app,
    samples: [{ path: '/crlf', answers: [200, 'one\r\ntwo'] }],
  },
  {
    name: 'mixed-line-ends',
    about: 'CRLF and LF, and no line end at the end',
    answers: app,
    samples: [{ port: 'OTHER_PORT', answers: [200, 'other'] }],
  },
  {
    name: 'tabs-no-final-newline',
    about: 'tabs, and no line end at the end',
    answers: app,
    samples: [{ path: '/tab', answers: [200, 'a\tb'] }],
  },
  {
    name: 'minified',
    about: 'everything on one line',
    answers: app,
    samples: [
      { path: '/xx', answers: [200, 'xx'] },
      { port: 'OTHER_PORT', answers: [200, 'second'] },
    ],
  },
  {
    name: 'huge-strings',
    about: 'strings of nearly 4096 bytes, full of braces',
    answers: app,
    samples: [{ path: '/policy', answers: [200, '{ } ; # '] }],
  },
  {
    name: 'regex-braces',
    about: 'expressions with braces, and variables named like directives',
    host: 'west.shop.test',
    answers: app,
    samples: [
      { path: '/2026/11', answers: [200, '2026-11 http { server { listen 1; } } west'] },
      { path: '/id/7}', answers: [200, 'id listen 80;'] },
      { path: '/ss.bb', answers: [200, 'server {server {include /nowhere;'] },
    ],
  },
  {
    name: 'windows-1252',
    about: 'bytes that are no UTF-8',
    answers: app,
    samples: [{ path: '/latin', answers: [200, '\xe4\xf6\xfc \x80'] }],
  },
  { name: 'symlinked-site', about: 'a symbolic link', as: 'linked-site', answers: app },
  {
    name: 'cached-files',
    about: 'a cache of open files for all of HTTP, and guarded symbolic links',
    answers: app,
    samples: [{ path: '/index.html', answers: [200, 'static page'] }],
  },
  { name: 'uwsgi-flask', about: 'Flask behind uWSGI', answers: [200, 'uwsgi GET /'] },
  {
    name: 'single-page-cors',
    about: 'a single page with an interface for other origins',
    answers: [200, 'static page'],
    samples: [
      { path: '/any/route', answers: [200, 'static page'] },
      {
        method: 'OPTIONS',
        path: '/api/x',
        headers: { origin: 'https://www.shop.test' },
        answers: [204],
      },
    ],
  },
  {
    name: 'container-registry',
    about: 'a registry of containers',
    answers: app,
    samples: [
      { path: '/v2/', answers: [200, 'app GET /v2/'] },
      { path: '/v2/', headers: { 'user-agent': 'docker/1.4.0' }, answers: [404] },
    ],
  },
  {
    name: 'phpmyadmin-alias',
    about: 'nested locations with alias',
    answers: [302],
    samples: [
      { path: '/admin/index.php', answers: [200, 'php GET'] },
      { path: '/admin/assets/app.css', answers: [200, 'css'] },
      { path: '/PhpMyAdmin', answers: [301] },
    ],
  },
  {
    name: 'secure-downloads',
    about: 'signed links, slices, a mirror and threads',
    answers: app,
    samples: [{ path: '/download/x', answers: [403] }],
  },
  {
    name: 'dump-of-a-configuration',
    about: 'comments as `nginx -T` writes them between files',
    answers: app,
  },
];

/** Shapes that the hook cannot serve, and what is said about them before anything is touched. */
const refused: readonly (Pick<Placing, 'name' | 'within'> & {
  readonly about: string;
  readonly code: string;
  readonly message: RegExp;
  /** nginx itself refuses it as well. */
  readonly broken?: boolean;
})[] = [
  {
    name: 'cached-files-in-server',
    about: 'open_file_cache in the chosen block, which would hide the flag',
    code: 'nginx-open-file-cache',
    message: /open_file_cache/,
  },
  {
    name: 'stream-only',
    about: 'a file of TCP servers',
    within: 'stream',
    code: 'nginx-site-not-loaded',
    message: /included elsewhere, such as in `stream`/,
  },
  {
    name: 'byte-order-mark',
    about: 'a byte order mark before the first directive, which nginx takes for a part of its name',
    code: 'nginx-already-broken',
    message: /byte order mark/,
    broken: true,
  },
];

/** Ports that do not speak with the public URL: the proof finds nothing, and all is taken back. */
const unproved: readonly (Pick<Placing, 'name'> & {
  readonly about: string;
  readonly tls?: boolean;
  readonly says: RegExp;
})[] = [
  {
    name: 'client-certificates',
    about: 'client certificates, asked without one',
    tls: true,
    says: /status 400 without the hook's header/,
  },
  {
    name: 'http2-without-tls',
    about: 'HTTP/2 in clear text, asked over HTTP/1.1',
    says: /no answer/,
  },
  {
    name: 'proxy-protocol',
    about: 'the PROXY protocol, asked without its balancer',
    says: /no answer/,
  },
];

let shared: TemporaryFolder;
let backends: NginxBackends;
let values: Record<string, string>;

beforeAll(async () => {
  shared = await makeTemporaryFolder('shared');
  const at = (...names: string[]) => join(shared.path, ...names);
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', at('key.pem'), '-out', at('cert.pem'), '-subj', '/CN=localhost'],
      ...['-days', '2', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:shop.test'],
    ],
    { stdio: 'pipe' },
  );
  for (const name of ['root/assets', 'root/media', 'root/system', 'sockets']) {
    mkdirSync(at(name), { recursive: true });
  }
  const page = (text: string) => `<html><body>${text}</body></html>\n`;
  writeFileSync(at('root', 'index.html'), page('static page'));
  writeFileSync(at('root', '404.html'), page('not found page'));
  writeFileSync(at('root', '50x.html'), page('broken page'));
  writeFileSync(at('root', 'index.php'), '<?php\n');
  writeFileSync(at('root', 'remote.php'), '<?php\n');
  writeFileSync(at('root', 'assets', 'app.css'), '/* css */\n');
  execFileSync('gzip', ['-kn', at('root', 'assets', 'app.css')]);
  backends = await startNginxBackends(at('sockets'));
  values = {
    ROOT: at('root'),
    SOCKETS: backends.sockets,
    APP: backends.app,
    FASTCGI: backends.fastcgi,
    GRPC: backends.grpc,
    ECHO: backends.echo,
    CERTIFICATE: at('cert.pem'),
    KEY: at('key.pem'),
    FILES: '__FOLDER__/files',
  };
});
afterAll(async () => {
  await backends.stop();
  await shared.remove();
});

describe('a site closes, opens and is given back byte for byte', () => {
  test.each(configurations)('$name: $about', async (configuration) => {
    const nginx = await configureNginx({ ...configuration, values });
    let balancer: Awaited<ReturnType<typeof startTcpBalancer>> | undefined;
    try {
      await nginx.start();
      if (configuration.balancer === true) balancer = await startTcpBalancer(nginx.ports.PORT);
      await closeAndOpen(configuration, nginx, balancer?.port);
    } finally {
      await balancer?.stop();
      await nginx.stop();
    }
  });

  test('every file of the fixtures is one of these, or refused below', () => {
    const library = readdirSync(new URL('../fixtures/nginx-configurations', import.meta.url));
    const tried = configurations.map(({ name }) => name);
    const others = [...refused, ...unproved].map(({ name }) => name);
    expect(library.filter((name) => name.endsWith('.conf')).sort()).toEqual(
      [...new Set([...tried, ...others, 'http3-quic', 'lua-before-hook'])]
        .map((name) => `${name}.conf`)
        .sort(),
    );
    expect(tried.length).toBeGreaterThanOrEqual(36);
  });
});

describe('a site that cannot be closed is refused before anything is touched', () => {
  test.each(refused)('$name: $about', async ({ code, message, broken = false, ...placing }) => {
    const nginx = await configureNginx({ ...placing, values });
    try {
      const before = filesOf(nginx.folder);
      if (!broken) await nginx.start();
      const mode = modeOn(nginx, {}, nginx.ports.PORT);
      const failed = (await mode.check()).filter(({ verdict }) => verdict === 'failed');
      expect(failed.map(({ value }) => value)).toEqual([expect.stringMatching(message)]);
      await expect(mode.plan()).rejects.toMatchObject({
        failure: {
          code,
          message: expect.stringMatching(message),
          state: expect.stringMatching(/\S/),
          next: expect.stringMatching(/\S/),
        },
      });
      expect(filesOf(nginx.folder)).toEqual(before);
      expect(existsSync(join(nginx.folder, 'hook'))).toBe(false);
    } finally {
      await nginx.stop();
    }
  });
});

describe('a port that the public URL does not reach is left as it was', () => {
  test.each(unproved)('$name: $about', async ({ name, tls = false, says }) => {
    const nginx = await configureNginx({ name, values });
    try {
      await nginx.start();
      const before = filesOf(nginx.folder);
      const mode = modeOn(nginx, { tls }, nginx.ports.PORT, { answers: 2, seconds: 1 });
      await expect(mode.install(await mode.plan())).rejects.toMatchObject({
        failure: {
          code: 'nginx-hook-not-live',
          message: expect.stringMatching(says),
          state: expect.stringMatching(/Everything was undone/),
          next: expect.stringMatching(/public-url/),
        },
      });
      expect(filesOf(nginx.folder)).toEqual(before);
      expect(existsSync(join(nginx.folder, 'hook'))).toBe(false);
    } finally {
      await nginx.stop();
    }
  });
});

test('lua-before-hook: Lua code that runs before every hook is warned of, for it goes on answering', async () => {
  const nginx = await configureNginx({ name: 'lua-before-hook', values });
  try {
    await nginx.start();
    const mode = modeOn(nginx, {}, nginx.ports.PORT);
    expect((await mode.check()).filter(({ verdict }) => verdict !== 'passed')).toEqual([
      expect.objectContaining({
        id: 'nginx-before-hook',
        verdict: 'warning',
        value: expect.stringContaining('server_rewrite_by_lua_block'),
      }),
    ]);
    const prior = await mode.plan();
    await mode.install(prior);
    await mode.close();
    const statusOf = async (path: string) => (await askSite({ to: nginx.ports.PORT, path })).status;
    expect([await statusOf('/'), await statusOf('/forbidden')]).toEqual([503, 403]);
    await mode.open();
    expect(await mode.restore(prior)).toMatchObject({ kind: 'restored' });
  } finally {
    await nginx.stop();
  }
});

test(`http3-quic, edited and given back without an nginx${hasHttp3 ? '' : ' (loading it needs 1.25 or newer)'}: byte for byte`, async () => {
  const nginx = await configureNginx({ name: 'http3-quic', values });
  try {
    const bytes = readFileSync(nginx.siteFile);
    const tokens = tokenize(bytes, 'http3-quic.conf');
    expect(tokens.at(-1)?.end).toBe(bytes.length);
    const blocks = findServerBlocks(bytes, 'http3-quic.conf');
    expect(blocks).toMatchObject([
      { names: ['shop.test'], listens: [expect.any(String), expect.any(String)] },
    ]);
    const snippet = '/var/lib/maintenance-window/nginx/shop/server.conf';
    const offsets = blocks.map(({ bodyStart }) => bodyStart);
    const hooked = insertInto(bytes, hookInsertions(bytes, offsets, snippet));
    expect(Buffer.from(hooked).toString()).toContain(`server {\n    include ${snippet};\n`);
    expect(Buffer.from(removeHooks(hooked, snippet, 'http3-quic.conf').bytes)).toEqual(bytes);
  } finally {
    await nginx.stop();
  }
});

function modeOn(
  nginx: ConfiguredNginx,
  { tls = false, host, servers = [] }: Pick<Configuration, 'tls' | 'host' | 'servers'>,
  port: number,
  proof = { answers: 6, seconds: 20 },
): MaintenanceMode {
  const http = nodeHttp(tls ? { extraCa: readFileSync(values.CERTIFICATE ?? '', 'utf8') } : {});
  const settings: NginxModeSettings = {
    windowId: 'window-1',
    windowName: 'shop',
    folder: join(nginx.folder, 'hook'),
    siteFiles: [nginx.siteFile],
    servers,
    nginxCommand: nginx.command,
    publicUrl: `${tls ? 'https' : 'http'}://127.0.0.1:${port}/`,
    exemptPaths: ['/healthz', '/.well-known/acme-challenge/*'],
    bypassAddresses: ['127.0.0.8/30', '2001:db8:7::/48'],
    bypassHeader: { name: 'X-Maintenance-Bypass', token: bypassToken },
    bypassCookie: { name: 'maintenance_bypass', token: bypassToken },
    pageText,
    retryAfterSeconds: 120,
    proof,
  };
  return nginxMode(
    {
      host: localHost({ environment: process.env as Record<string, string> }),
      // The name that a resolver would lead here.
      http: {
        request: (request) =>
          http.request({
            ...request,
            headers: { ...(host === undefined ? {} : { host }), ...request.headers },
          }),
      },
      clock: systemClock(),
    },
    settings,
  );
}

async function closeAndOpen(
  configuration: Configuration,
  nginx: ConfiguredNginx,
  balancer: number | undefined,
): Promise<void> {
  const { tls = false, host, volatile = [] } = configuration;
  const mainPort = balancer ?? nginx.ports[tls ? 'TLS_PORT' : 'PORT'];
  const question = ({ port, answers: _answers, headers = {}, ...rest }: Sample): SiteQuestion => ({
    to:
      port === undefined
        ? mainPort
        : port === 'socket'
          ? join(nginx.folder, 'front.sock')
          : nginx.ports[port],
    protocol: tls ? 'https' : 'http',
    headers: { accept: 'text/html', ...(host === undefined ? {} : { host }), ...headers },
    ...rest,
  });
  const ask = async (sample: Sample): Promise<SiteAnswer> => {
    const { status, headers, body } = await askSite(question(sample));
    const kept = Object.entries(headers).filter(
      ([name]) => !['date', 'expires', 'age', ...volatile].includes(name),
    );
    return { status, headers: Object.fromEntries(kept), body };
  };
  const askAll = (samples: readonly Sample[]) => Promise.all(samples.map(ask));

  const closing: readonly Sample[] = [
    { answers: configuration.answers },
    { method: 'HEAD' },
    { method: 'POST', path: '/orders', body: 'x'.repeat(3000) },
    { path: '/api/items', headers: { accept: 'application/json' } },
    { path: '/assets/app.css', headers: { accept: '*/*' } },
    { path: '/socket', headers: { upgrade: 'websocket', connection: 'Upgrade' } },
    ...(configuration.samples ?? []),
  ];
  const passing: readonly Sample[] = [
    { path: '/healthz' },
    { path: '/.well-known/acme-challenge/token' },
    { headers: { 'x-maintenance-bypass': bypassToken } },
    { path: '/api/items', headers: { cookie: `a=b; maintenance_bypass=${bypassToken}` } },
    { from: '127.0.0.9' },
    ...(configuration.outside ?? []),
  ];
  const samples = [...closing, ...passing];
  const tcp = () =>
    configuration.name === 'stream-and-http'
      ? askTcp(nginx.ports.STREAM_PORT, 'TCP goes on')
      : Promise.resolve(undefined);

  // One after the other, until caches and stores are as they will be.
  for (const sample of samples) await ask(sample);
  const before = await askAll(samples);
  const tcpBefore = await tcp();
  samples.forEach(({ answers }, index) => {
    if (answers === undefined) return;
    const [status, part = ''] = answers;
    expect(before[index]).toMatchObject({ status, body: expect.stringContaining(part) });
  });
  const filesBefore = filesOf(nginx.folder);
  const saidBefore = await nginx.test();
  expect(saidBefore.passed).toBe(true);

  const mode = modeOn(nginx, configuration, mainPort);
  for (const check of await mode.check()) expect(check).toMatchObject({ verdict: 'passed' });
  const prior = await mode.plan();
  expect(filesOf(nginx.folder)).toEqual(filesBefore);
  await mode.install(prior);
  expect(await mode.installed(prior)).toBe(true);
  expect(await nginx.test()).toEqual(saidBefore);
  expect(await askAll(samples)).toEqual(before);

  await mode.close();
  const closed = await askAll(closing);
  closing.forEach((sample, index) => {
    const answer = closed[index];
    expect({ sample, answer }).toMatchObject({
      answer: {
        status: 503,
        headers: { 'x-maintenance': 'window-1', 'retry-after': '120', 'cache-control': 'no-store' },
      },
    });
    const html = (sample.headers?.accept ?? 'text/html') === 'text/html';
    expect(answer?.headers['content-type']).toBe(
      html ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8',
    );
    if (sample.method === 'HEAD') return;
    if (html) {
      expect(answer?.body).toBe(builtInPage(pageText));
    } else {
      expect(JSON.parse(answer?.body ?? '')).toMatchObject({ error: 'maintenance' });
    }
  });
  expect(await askAll(passing)).toEqual(before.slice(closing.length));
  expect(await tcp()).toEqual(tcpBefore);

  await mode.open();
  expect(await askAll(samples)).toEqual(before);
  expect(await mode.restore(prior)).toMatchObject({ kind: 'restored' });
  expect(filesOf(nginx.folder)).toEqual(filesBefore);
  expect(existsSync(join(nginx.folder, 'hook'))).toBe(false);
  expect(await askAll(samples)).toEqual(before);
  expect(
    (await nginx.log()).split('\n').filter((line) => /\[(?:alert|emerg)\]/.test(line)),
  ).toEqual([]);
}

interface SeenFile {
  readonly path: string;
  /** Kind and permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** SHA-256 of a file's bytes, or where a link leads. */
  readonly contents: string;
}

/** The configuration's files: bytes, kind, permissions and owner of each. */
function filesOf(folder: string): readonly SeenFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/^(?:logs|files|temp-|cache-|nginx\.pid|front\.sock)/.test(path))
    .sort()
    .map((path) => {
      const whole = join(folder, path);
      const status = lstatSync(whole);
      const { mode, uid, gid } = status;
      const contents = status.isFile()
        ? createHash('sha256').update(readFileSync(whole)).digest('hex')
        : status.isSymbolicLink()
          ? readlinkSync(whole)
          : '';
      return { path, mode, uid, gid, contents };
    });
}
