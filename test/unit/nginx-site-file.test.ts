import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findServerBlocks } from '../../src/modes/nginx/server-blocks.ts';
import { hookInsertions, insertInto, removeHooks } from '../../src/modes/nginx/site-file.ts';
import { runs } from '../fixtures/property-runs.ts';

const include = '/var/lib/maintenance-window/nginx/shop/server.conf';

function hooked(text: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(text);
  const offsets = findServerBlocks(bytes, 'site').map(({ bodyStart }) => bodyStart);
  return insertInto(bytes, hookInsertions(bytes, offsets, include));
}

function unhooked(bytes: Uint8Array): { text: string; removed: number } {
  const without = removeHooks(bytes, include, 'site');
  return { text: Buffer.from(without.bytes).toString(), removed: without.removed };
}

/** A piece of a directive, spaces and comments between, as somebody could have written it. */
const gap = fc.constantFrom(
  ' ',
  '\n',
  '\r\n',
  '\t',
  '\n\n    ',
  ' # {a comment}\n',
  '\n# "ü";\r\n',
);
const word = fc.constantFrom(
  ...['listen', '80', '"a; b"', "'{'", '${host}', '~*', String.raw`"\"}"`, 'größe', '/x}y', 'a#b'],
  ...[`include ${include}.d`, '$uri'],
);
const simple = fc
  .tuple(word, fc.array(fc.tuple(gap, word), { maxLength: 3 }))
  .map(([first, rest]) => `${first}${rest.map(([space, next]) => space + next).join('')};`);
const block = (name: fc.Arbitrary<string>, inner: fc.Arbitrary<string>) =>
  fc
    .tuple(name, gap, gap, fc.array(fc.tuple(inner, gap), { maxLength: 4 }), gap)
    .map(
      ([head, before, after, body, end]) =>
        `${head}${before}{${after}${body.map((entry) => entry.join('')).join('')}${end}}`,
    );
const location = block(fc.constantFrom('location /', 'location ~ "{2}"', 'if ($a)'), simple);
const lua = fc.constant('content_by_lua_block { local s = "}" -- }\n }');
const server = block(fc.constant('server'), fc.oneof(simple, location, lua));
const upstream = fc.constant('upstream app { server 127.0.0.1:1; }');
const top = fc.oneof({ arbitrary: server, weight: 3 }, simple, upstream);
const file = fc
  .tuple(gap, fc.array(fc.tuple(top, gap), { minLength: 1, maxLength: 6 }), fc.boolean())
  .map(([first, entries, whole]) => {
    const text = `${first}${entries.map((entry) => entry.join('')).join('')}`;
    return whole ? `events {}\nhttp {${text}}\n` : text;
  });

describe('the include line', () => {
  test('goes right after each brace, and nothing else changes', () => {
    const text = 'server { # shop\n  listen 80;\n}\nserver {listen 81;}\n';
    expect(Buffer.from(hooked(text)).toString()).toBe(
      `server {\n    include ${include}; # shop\n  listen 80;\n}\nserver {\n    include ${include};listen 81;}\n`,
    );
  });

  test("takes the file's own line ends", () => {
    const text = 'server {\r\n  listen 80;\r\n}\r\n';
    expect(Buffer.from(hooked(text)).toString()).toBe(
      `server {\r\n    include ${include};\r\n  listen 80;\r\n}\r\n`,
    );
  });

  test('in and out again leaves every file byte for byte as it was', () => {
    let blocks = 0;
    fc.assert(
      fc.property(file, (text) => {
        const after = hooked(text);
        const count = findServerBlocks(Buffer.from(text), 'site').length;
        blocks += count;
        expect(unhooked(after)).toEqual({ text, removed: count });
        // nginx reads the same blocks, each with our line as its first directive.
        for (const { directives } of findServerBlocks(after, 'site')) {
          expect(directives[0]).toMatchObject({ name: 'include', args: [include] });
        }
      }),
      { numRuns: runs(500) },
    );
    expect(blocks).toBeGreaterThan(200);
  });

  test('in and out leaves bytes alone that are no UTF-8', () => {
    const bytes = Buffer.from('server { # \xff\xfe\xe9\n listen 80; }\n', 'latin1');
    expect(Buffer.from(removeHooks(hooked(bytes), include, 'site').bytes)).toEqual(bytes);
  });

  test.each([
    [
      'indented anew',
      `server {\n\tinclude   ${include};\n\tlisten 80;\n}\n`,
      'server {\n\tlisten 80;\n}\n',
    ],
    [
      'moved down and quoted',
      `server {\n  listen 80;\n  include "${include}" ;\n}\n`,
      'server {\n  listen 80;\n}\n',
    ],
    [
      'with something else on its line',
      `server {\n  listen 80; include ${include}; root /a;\n}\n`,
      'server {\n  listen 80;  root /a;\n}\n',
    ],
    ['twice', `server {\n    include ${include};\n    include ${include};\n}\n`, 'server {\n}\n'],
  ])('goes when somebody %s', (_, text, expected) => {
    expect(unhooked(Buffer.from(text)).text).toBe(expected);
  });

  test('of others stays', () => {
    const text = `server {\n  include /etc/nginx/ssl.conf;\n  # include ${include};\n  set $a "include ${include};";\n}\n`;
    expect(unhooked(Buffer.from(text))).toEqual({ text, removed: 0 });
  });
});
