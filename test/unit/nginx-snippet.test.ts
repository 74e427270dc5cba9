import { describe, expect, test } from '@jest/globals';
import { failureOf } from '../../src/ports/failure.ts';
import { parseConfig, type Directive } from '../../src/modes/nginx/config-tree.ts';
import { parsePrior } from '../../src/modes/nginx/prior.ts';
import { checkSettings, type NginxModeSettings } from '../../src/modes/nginx/settings.ts';
import { renderSnippet } from '../../src/modes/nginx/snippet.ts';

const token = 'token-token-token-token';
const settings: NginxModeSettings = {
  windowId: 'shop-20261129-1',
  windowName: 'shop',
  folder: '/var/lib/maintenance-window/nginx/shop',
  siteFiles: ['/etc/nginx/sites-enabled/shop'],
  servers: [],
  nginxCommand: ['nginx'],
  publicUrl: 'https://shop.example.org/',
  exemptPaths: ['/healthz', '/status/*'],
  bypassAddresses: ['192.0.2.0/24', '2001:db8::/32'],
  bypassHeader: { name: 'X-Maintenance-Bypass', token },
  bypassCookie: { name: 'maintenance_bypass', token },
  pageText: {
    title: 'Down',
    message: 'Costs $5 "now" \\ later',
    expectedEnd: { iso: '2026-11-29T03:30:00Z', text: '03:30 (UTC)' },
  },
  retryAfterSeconds: 120,
};
const hook = { id: '0123456789abcdef0123456789abcdef', openFileCacheOff: false };

function render(changed: Partial<NginxModeSettings> = {}, page = '<p>ü</p>'): readonly Directive[] {
  return parseConfig(
    Buffer.from(renderSnippet({ ...settings, ...changed }, hook, page)),
    'snippet',
  );
}

describe('the snippet', () => {
  test("frees its own locations, and no others, of the site's filters", () => {
    const quieted = ['sub_filter_types', 'header_filter_by_lua'] as const;
    const found = parseConfig(
      Buffer.from(renderSnippet(settings, { ...hook, quieted }, '<p>')),
      'snippet',
    );
    const names = (directives: readonly Directive[] = []) => directives.map(({ name }) => name);
    const wanted = ['sub_filter_types', 'header_filter_by_lua_block'];
    const locations = found.filter(({ name }) => name === 'location');
    expect(locations).toHaveLength(3);
    for (const { body } of locations) {
      expect(names(body?.directives)).toEqual(expect.arrayContaining(wanted));
    }
    expect(names(found)).not.toEqual(expect.arrayContaining([expect.stringMatching(/filter/)]));
  });

  test('sets nothing that locations of the site would inherit', () => {
    const inherited = render().filter(({ name }) => !['set', 'if', 'location'].includes(name));
    expect(inherited).toEqual([]);
    for (const { name, body } of render()) {
      if (name !== 'if') continue;
      for (const inner of body!.directives) expect(['set', 'rewrite']).toContain(inner.name);
    }
  });

  test('tries no regular expression where equality will do', () => {
    const conditions = render({ exemptPaths: ['/healthz'], bypassAddresses: [] })
      .filter(({ name }) => name === 'if')
      .map(({ args }) => args.join(' '));
    expect(conditions).toContain('($uri = /healthz )');
    for (const condition of conditions) expect(condition).not.toContain('~');
  });

  test('turns the cache of open files off only when asked to', () => {
    const text = renderSnippet(settings, { ...hook, openFileCacheOff: true }, 'x');
    expect(parseConfig(Buffer.from(text), 'snippet')[0]).toMatchObject({
      name: 'open_file_cache',
      args: ['off'],
    });
  });

  test('holds no token longer than nginx takes, however long page and lists are', () => {
    const many = Array.from({ length: 400 }, (_, index) => `2001:db8:${index.toString(16)}::/64`);
    const paths = Array.from({ length: 400 }, (_, index) => `/exempt/path/number/${index}/*`);
    const text = renderSnippet(
      { ...settings, bypassAddresses: many, exemptPaths: paths },
      hook,
      'ü"\\'.repeat(20_000),
    );
    for (const line of text.split('\n')) {
      for (const part of line.split(/ (?=")/)) expect(Buffer.byteLength(part)).toBeLessThan(4000);
    }
  });

  test('names its variables short enough for variables_hash_bucket_size, which is 64 by default', () => {
    const sets = render({}, 'x'.repeat(100_000))
      .flatMap((directive) => [directive, ...(directive.body?.directives ?? [])])
      .filter(({ name }) => name === 'set');
    expect(sets.length).toBeGreaterThan(20);
    for (const { args } of sets) expect(args[0]!.length).toBeLessThan(40);
  });
});

describe('settings', () => {
  const refusal = (changed: Partial<NginxModeSettings>) => {
    try {
      checkSettings({ ...settings, ...changed });
    } catch (error) {
      return failureOf(error);
    }
    throw new Error('they were accepted');
  };

  test('that are in order are accepted', () => {
    expect(() => checkSettings(settings)).not.toThrow();
  });

  test.each<[string, Partial<NginxModeSettings>, string]>([
    ['window id', { windowId: 'a"; return 200' }, 'a\\"; return 200'],
    ['window id', { windowId: 'a\nb' }, 'letters'],
    ['name', { windowName: 'a b' }, 'a b'],
    ['folder', { folder: '/var/lib/my folder' }, 'my folder'],
    ['folder', { folder: '/var/$a' }, '$a'],
    ['folder', { folder: '/var/../etc' }, '..'],
    ['folder', { folder: '/' }, '"/"'],
    ['site file', { siteFiles: ['shop.conf'] }, 'shop.conf'],
    ['site-files', { siteFiles: [] }, 'one file or more'],
    ['nginx-command', { nginxCommand: [] }, 'a program'],
    ['exempt path', { exemptPaths: ['healthz'] }, 'healthz'],
    ['exempt path', { exemptPaths: ['/a*b'] }, '/a*b'],
    ['exempt path', { exemptPaths: ['/a\n'] }, '/a'],
    ['exempt path', { exemptPaths: ['/a$b'] }, '/a$b'],
    ['bypass address', { bypassAddresses: ['10.0.0.0/33'] }, '10.0.0.0/33'],
    ['bypass header', { bypassHeader: { name: 'X_A', token } }, 'X_A'],
    ['bypass cookie', { bypassCookie: { name: 'a-b', token } }, 'a-b'],
    ['retry-after', { retryAfterSeconds: 1.5 }, '1.5'],
  ])('with a wrong %s are refused: %j', (name, changed, told) => {
    const failure = refusal(changed);
    expect(failure.code).toBe('nginx-setting');
    expect(failure.message).toContain(name);
    expect(failure.message).toContain(told);
  });

  test.each(['short', 'sixteen-or-more"; return 200 x', `${token}\n`])(
    'never tell a token that they refuse: %j',
    (secret) => {
      const { message } = refusal({ bypassHeader: { name: 'X-A', token: secret } });
      expect(message).toContain('token of the bypass header');
      expect(message).not.toContain(secret);
    },
  );
});

describe('a prior state from a record', () => {
  const file = {
    path: '/etc/nginx/sites-enabled/shop',
    realPath: '/etc/nginx/sites-available/shop',
    mode: 0o644,
    uid: 0,
    gid: 0,
    sha256Found: 'a'.repeat(64),
    sha256Before: 'a'.repeat(64),
    sha256After: 'b'.repeat(64),
    insertions: [{ offset: 8, text: '\n    include x;' }],
    originalPath: '/var/lib/x/original/a',
    hookedBefore: false,
  };
  const prior = {
    version: 1,
    kind: 'nginx',
    folder: settings.folder,
    hookId: hook.id,
    openFileCacheOff: false,
    quieted: ['sub_filter_types'],
    snippetBefore: null,
    files: [file],
  };

  test('comes back through JSON', () => {
    expect(parsePrior(JSON.parse(JSON.stringify(prior)), settings.folder)).toEqual(prior);
    // Older records know nothing of filters.
    const { quieted: _quieted, ...older } = prior;
    expect(parsePrior(older, settings.folder)).toEqual({ ...prior, quieted: [] });
  });

  test.each([
    ['nothing', undefined],
    ['another version', { ...prior, version: 2 }],
    ['a key more', { ...prior, more: 1 }],
    ['no file', { ...prior, files: [] }],
    ['a path that is not absolute', { ...prior, files: [{ ...file, realPath: 'shop' }] }],
    ['another folder', { ...prior, folder: '/var/lib/other' }],
    ['a hook id that nginx could take for more', { ...prior, hookId: 'a"; return 200' }],
  ])('is refused when it is %s', (_, value) => {
    expect(() => parsePrior(value, settings.folder)).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ code: 'prior-unreadable' }) }),
    );
  });
});
