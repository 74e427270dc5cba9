import { describe, expect, test } from '@jest/globals';
import {
  html,
  markdown,
  markdownBlock,
  markdownCode,
  mermaidLabel,
  webAddress,
} from '../../src/report/escape.ts';
import { h } from '../../src/report/html-template.ts';

describe('Markdown', () => {
  test.each([
    ['a pipe', 'a | b', 'a &#124; b'],
    ['a pipe after a backslash', String.raw`a\| b`, String.raw`a\\&#124; b`],
    ['an element', '<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['an entity', '&lt;', '&amp;lt;'],
    ['backticks', 'a `b` c', String.raw`a \`b\` c`],
    ['emphasis', '**a** _b_ ~c~', String.raw`\*\*a\*\* \_b\_ \~c\~`],
    ['a name with underscores', 'shop_mw_1', 'shop_mw_1'],
    ['a link', '[a](http://b)', String.raw`\[a\](http://b)`],
    ['an image', '![a](http://b)', String.raw`!\[a\](http://b)`],
    ['math', '$x$', String.raw`\$x\$`],
    ['lines', 'a\r\nb\n\nc', 'a<br>b<br>c'],
    ['a heading', '# a', String.raw`\# a`],
    ['a list', '- a', String.raw`\- a`],
    ['a numbered list', '1. a', String.raw`1\. a`],
    ['a number', '1.5 s', '1.5 s'],
    ['a comment', '<!-- timeline -->', '&lt;!-- timeline --&gt;'],
  ])('keeps %s harmless', (_name, value, expected) => {
    expect(markdown(value)).toBe(expected);
  });

  test('cuts long values and says so', () => {
    expect(markdown('x'.repeat(10_000), 50)).toBe(`${'x'.repeat(49)}…`);
    expect(markdown(`${'x'.repeat(48)}😀😀`, 50)).toBe(`${'x'.repeat(48)}…`);
  });

  test('shows what cannot be printed, and what reorders text', () => {
    expect(markdown('a\u0007b\u202ec\u{d800}')).toBe('a\ufffdb\ufffdc\ufffd');
  });

  test('code type holds backticks and pipes', () => {
    expect(markdownCode('a`|b')).toBe(String.raw`<code>a\`&#124;b</code>`);
  });

  test('a block is fenced by more backticks than it holds', () => {
    expect(markdownBlock('a\n````\nb', 'yaml')).toBe('`````yaml\na\n````\nb\n`````');
  });
});

describe('HTML', () => {
  test('escapes what ends text and attributes', () => {
    expect(html(`<b a="1" c='2'>&`)).toBe('&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;');
  });

  test('a template escapes values and not itself', () => {
    const inner = h`<b>${'<i>'}</b>`;
    expect(h`<p title="${'"x'}">${inner}${[h`<u>`, h`</u>`]}${3}</p>`.markup).toBe(
      '<p title="&quot;x"><b>&lt;i&gt;</b><u></u>3</p>',
    );
  });
});

describe('a label of a chart', () => {
  test.each([
    ['Dump shop: to "x"; #1, 50%', 'Dump shop to x 1 50'],
    ['a\nsection b\nc :crit, d', 'a section b c crit d'],
    ['%%{init: {}}%%', 'init'],
    ['</pre><script>', '/pre script'],
    ['数据库 Größe', '数据库 Größe'],
    ['--> ;', '- '.trim()],
  ])('of %j is %j', (value, expected) => {
    expect(mermaidLabel(value)).toBe(expected);
  });
});

describe('an address', () => {
  test('is given for the web only', () => {
    expect(webAddress('https://github.example/a b')).toBe('https://github.example/a%20b');
    for (const value of [
      'javascript:alert(1)',
      'data:text/html,x',
      'file:///etc/passwd',
      '//x',
      '',
      null,
    ]) {
      expect(webAddress(value)).toBeUndefined();
    }
  });
});
