import { describe, expect, test } from '@jest/globals';
import {
  decideOpenFileCache,
  readEffectiveConfig,
} from '../../src/modes/nginx/effective-config.ts';

const dump = `# configuration file /etc/nginx/nginx.conf:
user www-data;
include /etc/nginx/modules-enabled/*.conf;
stream { server { listen 1; } }
http {
    include mime.types;
    include conf.d/*.conf;
    include /etc/nginx/sites-enabled/[a-z]*;
    server { listen 80; }
}

# configuration file /etc/nginx/mime.types:
types { text/html html; }

# configuration file /etc/nginx/conf.d/cache.conf:
open_file_cache max=1000 inactive=20s;

# configuration file /etc/nginx/sites-enabled/shop:
upstream app { server 127.0.0.1:1; }
server {
    listen 81;
    include snippets/cached.conf;
    location / { open_file_cache max=5; }
}
server { listen 82; open_file_cache off; }

# configuration file /etc/nginx/snippets/cached.conf:
open_file_cache max=10;
`;

describe('the configuration as nginx -T prints it', () => {
  const config = readEffectiveConfig(dump);

  test('names all files and the include lines', () => {
    expect(config.paths).toEqual([
      '/etc/nginx/nginx.conf',
      '/etc/nginx/mime.types',
      '/etc/nginx/conf.d/cache.conf',
      '/etc/nginx/sites-enabled/shop',
      '/etc/nginx/snippets/cached.conf',
    ]);
    expect(config.includes).toContainEqual({
      path: '/etc/nginx/sites-enabled/shop',
      pattern: 'snippets/cached.conf',
    });
  });

  test('knows the servers of http and their open_file_cache, through includes and not from locations', () => {
    expect(config.httpOpenFileCache).toBe('on');
    expect(config.servers).toEqual([
      { path: '/etc/nginx/sites-enabled/shop', openFileCache: 'on' },
      { path: '/etc/nginx/sites-enabled/shop', openFileCache: 'off' },
      { path: '/etc/nginx/nginx.conf', openFileCache: 'unset' },
    ]);
  });

  test('is not confused by a file that includes itself', () => {
    const loop =
      '# configuration file /a/nginx.conf:\nhttp { include x; }\n# configuration file /a/x:\ninclude x;\nserver { }\n';
    expect(readEffectiveConfig(loop).servers.length).toBeGreaterThan(0);
  });

  test('has headings only where an include leads, for files may hold comments that look like them', () => {
    const pasted = `# configuration file /a/nginx.conf:
http { include sites/*; include [z-a]; }

# configuration file /a/sites/shop:
# configuration file /a/nginx.conf:
# configuration file /old/sites/shop:
server { listen 80; }
# configuration file /a/sites/shop:
server { listen 81; }

# configuration file /a/sites/wiki:
server { listen 82; }
`;
    const { paths, servers } = readEffectiveConfig(pasted);
    expect(paths).toEqual(['/a/nginx.conf', '/a/sites/shop', '/a/sites/wiki']);
    expect(servers.map(({ path }) => path)).toEqual([
      '/a/sites/shop',
      '/a/sites/shop',
      '/a/sites/wiki',
    ]);
  });

  test('follows includes by the names that nginx gives the files, which it does not tidy', () => {
    const untidy = `# configuration file /a/./nginx.conf:
http { include ../shared/*.conf; include /b//sites/*; include ./one; }

# configuration file /a/./../shared/shop.conf:
server { listen 80; }

# configuration file /b//sites/wiki:
server { listen 81; }

# configuration file /a/././one:
server { listen 82; }
`;
    expect(readEffectiveConfig(untidy).servers.map(({ path }) => path)).toEqual([
      '/a/./../shared/shop.conf',
      '/b//sites/wiki',
      '/a/././one',
    ]);
  });

  test('tells the names of all directives', () => {
    expect([...config.directives].sort()).toEqual([
      ...['http', 'include', 'listen', 'location', 'open_file_cache', 'server', 'stream'],
      ...['text/html', 'types', 'upstream', 'user'],
    ]);
  });

  test('of nothing is nothing', () => {
    expect(readEffectiveConfig('')).toEqual({
      paths: [],
      httpOpenFileCache: 'unset',
      servers: [],
      includes: [],
      directives: new Set(),
    });
  });
});

describe('open_file_cache', () => {
  test.each([
    ['unset', ['unset'], 'leave'],
    ['off', ['unset'], 'leave'],
    ['on', ['unset', 'unset'], 'turn-off'],
    ['on', ['off', 'off'], 'leave'],
    ['on', ['off', 'unset'], 'refuse'],
    ['unset', ['unset', 'on'], 'refuse'],
    ['unset', ['off', 'unset'], 'leave'],
  ] as const)('%s for http and %j in the blocks: %s', (http, chosen, kind) => {
    expect(decideOpenFileCache(http, chosen).kind).toBe(kind);
  });
});
