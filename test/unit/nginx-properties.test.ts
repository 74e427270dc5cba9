import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FailureError } from '../../src/ports/failure.ts';
import { parseConfig, type Directive } from '../../src/modes/nginx/config-tree.ts';
import { readEffectiveConfig } from '../../src/modes/nginx/effective-config.ts';
import { findServerBlocks } from '../../src/modes/nginx/server-blocks.ts';
import {
  hookInsertions,
  hooksIn,
  insertInto,
  removeHooks,
} from '../../src/modes/nginx/site-file.ts';
import { tokenize, type Token } from '../../src/modes/nginx/tokenizer.ts';
import { luaCode, soup, writtenConfig, type ExpectedDirective } from '../fixtures/nginx-text.ts';
import { runs } from '../fixtures/property-runs.ts';

const include = '/var/lib/maintenance-window/nginx/shop/server.conf';

function expectCovering(tokens: readonly Token[], length: number): void {
  let at = 0;
  for (const { start, end } of tokens) {
    if (start !== at || end <= start) throw new Error(`a gap or nothing at ${at}`);
    at = end;
  }
  expect(at).toBe(length);
}

function meaningOf(directives: readonly Directive[]): ExpectedDirective[] {
  return directives.map(({ name, args, body }) => ({
    words: [name, ...args],
    ...(body === undefined
      ? {}
      : { body: name.endsWith('_by_lua_block') ? 'lua' : meaningOf(body.directives) }),
  }));
}

/** The `server` blocks that a site file or a whole configuration offers for HTTP. */
function serversOf(directives: readonly ExpectedDirective[]): number {
  return directives
    .flatMap((directive) => {
      const { words, body } = directive;
      return words[0] === 'http' && Array.isArray(body)
        ? (body as ExpectedDirective[])
        : [directive];
    })
    .filter(({ words, body }) => words[0] === 'server' && body !== undefined).length;
}

/** What a reader does with bytes that may be anything: a result, or a failure that names a line of the file. */
function outcomeOf<T>(bytes: Uint8Array, action: () => T): T | 'refused' {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    expect(error.failure.code).toBe('nginx-unreadable');
    const line = Number(/: line (\d+): /.exec(error.failure.message)?.[1]);
    const lines = Buffer.from(bytes).toString('latin1').split('\n').length;
    expect(line).toBeGreaterThanOrEqual(1);
    expect(line).toBeLessThanOrEqual(lines);
    return 'refused';
  }
}

describe('configurations that somebody could have written', () => {
  test('mean what was written, and tokens cover them', () => {
    fc.assert(
      fc.property(writtenConfig, ({ text, directives }) => {
        const bytes = Buffer.from(text);
        expectCovering(tokenize(bytes, 'site'), bytes.length);
        expect(meaningOf(parseConfig(bytes, 'site'))).toEqual(directives);
      }),
      { numRuns: runs(1500) },
    );
  });

  test('get the hook right after the brace of each server, and lose it without a trace', () => {
    let blocks = 0;
    fc.assert(
      fc.property(writtenConfig, ({ text, directives }) => {
        const bytes = Buffer.from(text);
        const offsets = findServerBlocks(bytes, 'site').map(({ bodyStart }) => bodyStart);
        blocks += offsets.length;
        expect(offsets).toHaveLength(serversOf(directives));
        const braces = new Set(
          tokenize(bytes, 'site').flatMap(({ kind, end }) => (kind === 'open' ? [end] : [])),
        );
        for (const offset of offsets) expect(braces).toContain(offset);

        const hooked = insertInto(bytes, hookInsertions(bytes, offsets, include));
        const after = parseConfig(hooked, 'site');
        expect(hooksIn(after, include)).toHaveLength(offsets.length);
        for (const block of findServerBlocks(hooked, 'site')) {
          expect(block.directives[0]).toMatchObject({ name: 'include', args: [include] });
        }
        const back = removeHooks(hooked, include, 'site');
        expect(back.removed).toBe(offsets.length);
        expect(Buffer.from(back.bytes).equals(bytes)).toBe(true);
        expect(Buffer.from(removeHooks(bytes, include, 'site').bytes).equals(bytes)).toBe(true);
      }),
      { numRuns: runs(1000) },
    );
    expect(blocks).toBeGreaterThan(runs(100));
  });

  test('lose a hook that somebody moved or wrote anew, and nothing else that means anything', () => {
    const line = fc.constantFrom(
      ...[`include ${include};`, `include\t"${include}" ;`, `\n\tinclude ${include};\n`],
      `\r\n    include '${include}'; # ours\r\n`,
    );
    fc.assert(
      fc.property(
        writtenConfig,
        fc.array(fc.tuple(fc.nat(), line), { minLength: 1, maxLength: 4 }),
        ({ text, directives }, lines) => {
          const bytes = Buffer.from(text);
          // Where a directive may begin: after `{`, `}` and `;`, and at the beginning.
          const places = tokenize(bytes, 'site').flatMap(({ kind, end }, index, all) =>
            ['semicolon', 'close'].includes(kind) ||
            (kind === 'open' && all[index + 1]?.kind !== 'lua' && !endsLua(all, index))
              ? [end]
              : [],
          );
          const insertions = lines.map(([place, written]) => ({
            offset: places[place % Math.max(1, places.length)] ?? 0,
            text: written,
          }));
          const edited = insertInto(bytes, insertions);
          const back = removeHooks(edited, include, 'site');
          expect(back.removed).toBe(insertions.length);
          expect(meaningOf(parseConfig(back.bytes, 'site'))).toEqual(directives);
        },
      ),
      { numRuns: runs(500) },
    );

    /** An empty Lua block has no token of its own; nothing may be put into it. */
    function endsLua(tokens: readonly Token[], open: number): boolean {
      const words: string[] = [];
      for (let index = open - 1; index >= 0; index -= 1) {
        const token = tokens[index];
        if (token === undefined || ['semicolon', 'open', 'close'].includes(token.kind)) break;
        if (token.kind === 'word') words.unshift(token.text);
      }
      return words[0]?.endsWith('_by_lua_block') === true;
    }
  });

  test('are one configuration with what stands before and after them, as nginx -T prints it', () => {
    fc.assert(
      fc.property(writtenConfig, ({ text, directives }) => {
        const dump = `# configuration file /a/nginx.conf:\nhttp { include /a/site; }\n\n# configuration file /a/site:\n${text}\n\n`;
        const { paths, servers } = readEffectiveConfig(dump);
        expect(paths).toEqual(['/a/nginx.conf', '/a/site']);
        const direct = directives.filter(
          ({ words, body }) => words[0] === 'server' && body !== undefined,
        );
        expect(servers).toHaveLength(direct.length);
      }),
      { numRuns: runs(500) },
    );
  });

  test('keep Lua code in one piece', () => {
    fc.assert(
      fc.property(luaCode, (code) => {
        const text = `content_by_lua_block {${code}}`;
        const tokens = tokenize(Buffer.from(text), 'site');
        expect(tokens.slice(2).map(({ kind }) => kind)).toEqual(
          code === '' ? ['open', 'close'] : ['open', 'lua', 'close'],
        );
      }),
      { numRuns: runs(1000) },
    );
  });
});

describe('bytes that may be anything', () => {
  const bytesOf = fc.oneof(
    soup.map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 300 }),
    // A configuration of which a piece got lost.
    fc.tuple(writtenConfig, fc.nat(), fc.nat(20)).map(([{ text }, place, length]) => {
      const bytes = Buffer.from(text);
      const at = bytes.length === 0 ? 0 : place % bytes.length;
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    }),
  );

  test('are covered by tokens, or refused with the line', () => {
    const seen = { read: 0, refused: 0 };
    fc.assert(
      fc.property(bytesOf, (bytes) => {
        const tokens = outcomeOf(bytes, () => tokenize(bytes, 'site'));
        if (tokens === 'refused') {
          seen.refused += 1;
          return;
        }
        seen.read += 1;
        expectCovering(tokens, bytes.length);
      }),
      { numRuns: runs(3000) },
    );
    expect(seen.read).toBeGreaterThan(runs(300));
    expect(seen.refused).toBeGreaterThan(runs(100));
  });

  test('are edited and given back byte for byte, or refused with the line', () => {
    let edited = 0;
    fc.assert(
      fc.property(bytesOf, (bytes) => {
        const offsets = outcomeOf(bytes, () =>
          findServerBlocks(bytes, 'site').map(({ bodyStart }) => bodyStart),
        );
        if (offsets === 'refused') return;
        edited += offsets.length;
        const hooked = insertInto(bytes, hookInsertions(bytes, offsets, include));
        const back = removeHooks(hooked, include, 'site');
        expect(back.removed).toBe(offsets.length);
        expect(Buffer.from(back.bytes).equals(bytes)).toBe(true);
      }),
      { numRuns: runs(2000) },
    );
    expect(edited).toBeGreaterThan(0);
  });
});
