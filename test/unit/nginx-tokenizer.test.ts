import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FailureError } from '../../src/ports/failure.ts';
import { parseConfig } from '../../src/modes/nginx/config-tree.ts';
import { tokenize } from '../../src/modes/nginx/tokenizer.ts';
import { runs } from '../fixtures/property-runs.ts';

function words(text: string): string[] {
  return tokenize(Buffer.from(text), 'site').flatMap((token) =>
    token.kind === 'word' ? [token.text] : [],
  );
}

function failureCode(action: () => unknown): { code: string; message: string } {
  try {
    action();
  } catch (error) {
    if (error instanceof FailureError) return error.failure;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('words as nginx reads them', () => {
  test.each([
    ['quotes hide what would end a word', `set $a "x; { } # y";`, ['set', '$a', 'x; { } # y']],
    ['single quotes too', `log_format a '"$b"';`, ['log_format', 'a', '"$b"']],
    ['escapes are resolved', String.raw`set $a "a\"b\\c\n\d";`, ['set', '$a', 'a"b\\c\n\\d']],
    ['a variable in braces', 'set $a ${b}c;', ['set', '$a', '${b}c']],
    ['several braces after a dollar', 'set $a ${{b;', ['set', '$a', '${{b']],
    ['a brace ends a word', 'server{listen 80;}', ['server', 'listen', '80']],
    ['a closing brace within a word does not', 'location ~ ^/a}b { }', ['location', '~', '^/a}b']],
    ['a quote within a word is a letter', `set $a b"c;`, ['set', '$a', 'b"c']],
    ['a hash within a word is a letter', 'set $a b#c;', ['set', '$a', 'b#c']],
    ['a comment ends with its line', '# server {\nlisten 80; # }\n', ['listen', '80']],
    ['CRLF', 'listen 80;\r\n# x\r\nroot /a;\r\n', ['listen', '80', 'root', '/a']],
    ['a byte order mark is no word', '\ufefflisten 80;', ['listen', '80']],
    [
      'letters of every script',
      'server_name größe.example ü;',
      ['server_name', 'größe.example', 'ü'],
    ],
    [
      'a quoted regular expression with braces',
      String.raw`location ~ "^/\d{2}$" { }`,
      ['location', '~', String.raw`^/\d{2}$`],
    ],
    ['a condition in parentheses', 'if ($a = "b") { }', ['if', '($a', '=', 'b', ')']],
    ['an escaped space belongs to the word', String.raw`root /a\ b;`, ['root', String.raw`/a\ b`]],
  ])('%s', (_, text, expected) => {
    expect(words(text)).toEqual(expected);
  });

  test('Lua code is one piece, whatever its strings, comments and brackets hold', () => {
    const lua = String.raw`
      -- a comment with } and "
      --[[ long } comment ]] --[==[ ]] } ]==]
      local t = { a = "}", b = '\'}', c = [[ } ]], d = [=[ ]] } ]=] }
      if t[1] then ngx.say("{") end
    `;
    const text = `location / { content_by_lua_block {${lua}} }\nlocation /b { return 204; }`;
    const tokens = tokenize(Buffer.from(text), 'site');
    const found = tokens.filter(({ kind }) => kind === 'lua');
    expect(found.map(({ start, end }) => text.slice(start, end))).toEqual([lua]);
    expect(parseConfig(Buffer.from(text), 'site').map(({ args }) => args)).toEqual([['/'], ['/b']]);
  });

  // As nginx's Lua module 0.10.23 was seen to read them.
  test.each([
    ['a quote in prose', "it's }", "it's "],
    ['a quote whose line ends before it does', 'a = "x\n} # "', 'a = "x\n'],
    ['a quote whose line ends with a backslash', 'a = "x\\\n} # "', 'a = "x\\\n'],
    ['a quote after one without an end', `it's "}" }`, `it's "}" `],
    ['an escaped quote after one without an end', `"\\"} `, `"\\"`],
  ])('%s that is no Lua string does not hide the end', (_, text, code) => {
    const start = 'content_by_lua_block {';
    const found = tokenize(Buffer.from(`${start}${text}\n`), 'site').find(
      ({ kind }) => kind === 'lua',
    );
    expect(found).toEqual({ kind: 'lua', start: start.length, end: start.length + code.length });
  });

  test.each([
    ['an unended quote', 'a;\nset $a "b;', 'line 2'],
    ['an unended Lua block', 'content_by_lua_block { "}" ', 'line 1'],
    ['a letter right after a quote', 'set $a "b"c;', 'line 1'],
    ['a block without end', 'server {\n listen 80;\n', 'line 1'],
    ['an end without block', 'a;\n}\n', 'line 2'],
    ['a directive without end', 'listen 80', 'line 1'],
    ['a directive without end in a block', 'server { listen 80 }', 'line 1'],
    ['an empty directive', ';', 'line 1'],
    ['blocks in blocks without measure', `${'a{\n'.repeat(5000)}${'}'.repeat(5000)}`, 'line 201'],
  ])('refuses %s and names the line', (_, text, line) => {
    const failure = failureCode(() => parseConfig(Buffer.from(text), '/etc/site'));
    expect(failure.code).toBe('nginx-unreadable');
    expect(failure.message).toContain('/etc/site');
    expect(failure.message).toContain(line);
  });
});

test('tokens cover every byte of a file, whatever is in it', () => {
  const soup = fc.string({
    unit: fc.constantFrom(
      ...[
        'a',
        'ü',
        '日',
        '😀',
        ' ',
        '\n',
        '\r\n',
        '\t',
        ';',
        '{',
        '}',
        '#',
        '"',
        "'",
        '\\',
        '$',
        '${',
      ],
      ...['server ', 'x_by_lua_block', '[[', ']]', '--'],
    ),
    maxLength: 60,
  });
  let read = 0;
  fc.assert(
    fc.property(soup, (text) => {
      const bytes = Buffer.from(text);
      let tokens: ReturnType<typeof tokenize>;
      try {
        tokens = tokenize(bytes, 'site');
      } catch (error) {
        expect(error).toBeInstanceOf(FailureError);
        return;
      }
      read += 1;
      let at = 0;
      for (const { start, end } of tokens) {
        expect(start).toBe(at);
        expect(end).toBeGreaterThan(start);
        at = end;
      }
      expect(at).toBe(bytes.length);
    }),
    { numRuns: runs(2000) },
  );
  expect(read).toBeGreaterThan(200);
});
