import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { unprivilegedUser } from '../../rehearsal/unprivileged-user.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { localHost } from '../../src/hosts/local.ts';
import { nodeHttp } from '../../src/http/node-http.ts';
import { nginxMode } from '../../src/modes/nginx.ts';
import type { MaintenanceMode } from '../../src/ports/maintenance-mode.ts';
import { configureNginx, type ConfiguredNginx } from '../fixtures/configured-nginx.ts';
import { startNginxBackends, type NginxBackends } from '../fixtures/nginx-backends.ts';
import { askSite } from '../fixtures/nginx-questions.ts';

interface BadSite {
  readonly what: string;
  /** Puts it at the path; the path when text or bytes are all there is to it. */
  readonly put: string | Uint8Array | ((path: string) => void);
  readonly code: string;
  /** What the sentence says, besides the file's name. */
  readonly says: RegExp;
  /** Looked at by a user without rights of its own on it. */
  readonly asStranger?: boolean;
  /** nginx reads it as well, and was started before it was put there. */
  readonly loaded?: boolean;
}

const site = (text: string) => `server {\n    listen 127.0.0.1:1;\n${text}\n}\n`;
const noServer = { code: 'nginx-no-server-block', says: /has no `server \{ … \}` block of HTTP/ };
const unreadable = (says: RegExp) => ({ code: 'nginx-unreadable', says, loaded: true });

const badSites: readonly BadSite[] = [
  { what: 'nothing', put: () => {}, code: 'nginx-site-missing', says: /is not there/ },
  {
    what: 'a path below a file',
    put: (path) => writeFileSync(dirname(path), ''),
    code: 'nginx-site-missing',
    says: /is not there/,
  },
  {
    what: 'a folder',
    put: (path) => mkdirSync(path),
    code: 'nginx-site-missing',
    says: /is a folder/,
  },
  {
    what: 'a dangling symbolic link',
    put: (path) => symlinkSync('../available/removed.conf', path),
    code: 'nginx-site-missing',
    says: /is a symbolic link that leads nowhere/,
  },
  {
    what: 'a symbolic link to itself',
    put: (path) => symlinkSync('bad.conf', path),
    code: 'host-error',
    says: /symbolic link/,
  },
  {
    what: 'a pipe',
    put: (path) => execFileSync('mkfifo', [path]),
    code: 'nginx-site-missing',
    says: /neither a file nor a folder/,
  },
  {
    what: 'a file that we may not read',
    put: (path) => {
      writeFileSync(path, site(''));
      chmodSync(path, 0o000);
    },
    code: 'host-permission',
    says: /read/,
    asStranger: true,
  },
  { what: 'an empty file', put: '', ...noServer },
  { what: 'comments only', put: '# server { listen 80; }\n', ...noServer },
  { what: 'an upstream only', put: 'upstream app { server 127.0.0.1:1; }\n', ...noServer },
  { what: 'includes only', put: 'include sites/*.inc;\n', ...noServer },
  { what: 'servers of stream only', put: 'stream { server { listen 1; } }\n', ...noServer },
  { what: 'a server in a string', put: 'log_format a "server { }";\n', ...noServer },
  { what: 'a block without end', put: 'a;\nserver {\n', ...unreadable(/line 2: .*no `}`/) },
  {
    what: 'a brace missing in the middle',
    put: site('    location / {\n        return 204;'),
    ...unreadable(/line 1: .*no `}`/),
  },
  { what: 'one brace too many', put: `${site('')}}\n`, ...unreadable(/line 5: .*closes nothing/) },
  {
    what: 'a quote without end',
    put: site('    add_header X "a;'),
    ...unreadable(/line 3: .*quote has no end/),
  },
  {
    what: 'a quote that ends too early',
    put: site(`    return 200 'it's';`),
    ...unreadable(/line 3: .*closing quote/),
  },
  {
    what: 'a directive without semicolon',
    put: site('    root /srv'),
    ...unreadable(/line 4: .*no `;`/),
  },
  {
    what: 'a Lua block without end',
    put: site('    content_by_lua_block {\n        --[[ } }\n'),
    ...unreadable(/line 3: .*Lua block has no end/),
  },
  { what: 'a lonely semicolon', put: `;${site('')}`, ...unreadable(/line 1: .*no directive/) },
  {
    what: 'blocks nested without measure',
    put: `${'a{'.repeat(100_000)}${'}'.repeat(100_000)}`,
    ...unreadable(/nest deeper/),
  },
  {
    what: 'every byte there is, and braces among them',
    put: Uint8Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256),
    ...unreadable(/line \d+: /),
  },
  { what: 'zero bytes', put: new Uint8Array(8192), ...unreadable(/line 1: .*no `;`/) },
  {
    what: 'a compressed site',
    put: gzipSync(site('')),
    code: 'nginx-unreadable',
    says: /line \d+: /,
  },
  {
    what: 'UTF-16',
    put: Buffer.from(`\ufeff${site('')}`, 'utf16le'),
    code: 'nginx-unreadable',
    says: /line \d+: /,
  },
  {
    what: 'a file of 5 MB',
    put: site(`    # ${'x'.repeat(5_000_000)}`),
    code: 'nginx-site-too-large',
    says: /has 50000\d\d bytes; at most 4194304/,
  },
  {
    what: 'a hundred thousand short lines, the last of them broken',
    put: `${'set $a b;\n'.repeat(100_000)}}`,
    ...unreadable(/line 100001: /),
  },
];

let shared: TemporaryFolder;
let backends: NginxBackends;
let nginx: ConfiguredNginx;

beforeAll(async () => {
  shared = await makeTemporaryFolder('bad-sites');
  backends = await startNginxBackends(shared.path);
  nginx = await configureNginx({ name: 'symlinked-site', values: { APP: backends.app } });
  await nginx.start();
});
afterAll(async () => {
  await nginx.stop();
  await backends.stop();
  await shared.remove();
});

let path: string;
afterEach(() => rmSync(path, { recursive: true, force: true }));

describe('a site file that cannot be edited is refused, and nothing changes', () => {
  test.each(badSites)('$what', async ({ what, put, code, says, asStranger, loaded = false }) => {
    path = join(nginx.folder, loaded ? 'sites' : 'available', 'bad.conf');
    const named = what === 'a path below a file' ? join(path, 'site.conf') : path;
    if (typeof put === 'function') put(named);
    else writeFileSync(path, put);
    const before = filesOf(nginx.folder);
    const mode = modeOn(named);

    const refusal = await (asStranger === true ? strangely : directly)(() =>
      mode.plan().then(
        () => 'planned',
        (error: unknown) => (error as { failure: Record<string, string> }).failure,
      ),
    );
    expect(refusal).toMatchObject({
      code,
      message: expect.stringMatching(says),
      state: expect.stringMatching(/\S/),
      next: expect.stringMatching(/\S/),
    });
    const { message } = refusal as { message: string };
    expect(message).toContain(named);
    // One sentence a person can read, whatever bytes the file holds.
    expect(message).toMatch(/^[^\0-\x1f\x7f]{20,400}$/);

    const checks = await (asStranger === true ? strangely : directly)(() => mode.check());
    expect(checks).toContainEqual(
      expect.objectContaining({
        id: 'nginx-site-files',
        verdict: 'failed',
        value: message,
        next: expect.stringMatching(/\S/),
      }),
    );
    expect(filesOf(nginx.folder)).toEqual(before);
    expect(existsSync(join(nginx.folder, 'hook'))).toBe(false);
    expect(await askSite({ to: nginx.ports.PORT })).toMatchObject({ status: 200 });
  });

  test.each(['sites/shop.conf', '', './shop.conf'])('the path %j', (siteFile) => {
    path = join(nginx.folder, 'available', 'bad.conf');
    expect(() => modeOn(siteFile)).toThrow(/site file is ".*"; accepted is an absolute path/);
  });
});

function modeOn(siteFile: string): MaintenanceMode {
  return nginxMode(
    {
      host: localHost({ environment: process.env as Record<string, string> }),
      http: nodeHttp({}),
      clock: systemClock(),
    },
    {
      windowId: 'window-1',
      windowName: 'shop',
      folder: join(nginx.folder, 'hook'),
      // A good one beside it is not touched either.
      siteFiles: [siteFile, nginx.siteFile],
      servers: [],
      nginxCommand: nginx.command,
      publicUrl: `http://127.0.0.1:${nginx.ports.PORT}/`,
      exemptPaths: [],
      bypassAddresses: [],
      pageText: {
        title: 'Closed',
        message: 'Back soon',
        expectedEnd: { iso: '2026-11-29T03:30:00Z', text: '03:30' },
      },
      retryAfterSeconds: 120,
    },
  );
}

function directly<T>(action: () => Promise<T>): Promise<T> {
  return action();
}

/** As somebody without rights: root may read everything. */
async function strangely<T>(action: () => Promise<T>): Promise<T> {
  const stranger = unprivilegedUser();
  if (stranger === undefined) return action();
  process.seteuid?.(stranger.uid);
  try {
    return await action();
  } finally {
    process.seteuid?.(0);
  }
}

/** Bytes, kind, permissions, owner and time of change of every file but nginx's logs. */
function filesOf(folder: string): readonly object[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/^(?:logs|temp-|nginx\.pid)/.test(name))
    .sort()
    .map((name) => {
      const whole = join(folder, name);
      const status = lstatSync(whole, { bigint: true });
      const { mode, uid, gid, mtimeNs, ino } = status;
      const contents = status.isFile()
        ? readFileSync(whole, 'base64')
        : status.isSymbolicLink()
          ? readlinkSync(whole)
          : '';
      return { name, mode, uid, gid, mtimeNs, ino, contents };
    });
}
