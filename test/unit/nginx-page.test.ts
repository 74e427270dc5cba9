import { describe, expect, test } from '@jest/globals';
import { failureOf } from '../../src/ports/failure.ts';
import { largestPage, prepareOwnPage } from '../../src/modes/nginx/own-page.ts';
import { builtInPage, maintenanceJson, type PageText } from '../../src/modes/nginx/page.ts';

const text: PageText = {
  title: 'Back soon <b>&"\'$5',
  message: 'We <script>alert("$x")</script> & more',
  expectedEnd: {
    iso: '2026-11-29T03:30:00+01:00',
    text: 'Sunday 29 November, 03:30 (Europe/Berlin)',
  },
};

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function contrast(one: string, other: string): number {
  const luminance = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

describe('the built-in page', () => {
  const page = builtInPage(text);

  test('shows its texts as text', () => {
    expect(page).toContain('<title>Back soon &lt;b&gt;&amp;&quot;&#39;&#36;5</title>');
    expect(page).toContain('<h1>Back soon &lt;b&gt;&amp;&quot;&#39;&#36;5</h1>');
    expect(page).toContain('We &lt;script&gt;alert(&quot;&#36;x&quot;)&lt;/script&gt; &amp; more');
    expect(page).toContain(
      '<time datetime="2026-11-29T03:30:00+01:00">Sunday 29 November, 03:30 (Europe/Berlin)</time>',
    );
  });

  test('has what accessibility asks for, no script, nothing from elsewhere, no dollar', () => {
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(page).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
    expect(page.match(/<main>/g)).toHaveLength(1);
    expect(page.match(/<h1>/g)).toHaveLength(1);
    expect(page).toContain('prefers-color-scheme: dark');
    expect(page).not.toMatch(/<script|<link|<img|src=|href=|url\(|@import|https?:/i);
    expect(page).not.toContain('$');
  });

  test('can be read in light and dark', () => {
    const colours = (name: string) =>
      [...page.matchAll(new RegExp(`--${name}: (#[0-9a-f]{6})`, 'g'))].map(([, colour]) => colour!);
    const [ink, paper] = [colours('ink'), colours('paper')];
    expect(ink).toHaveLength(2);
    ink.forEach((colour, index) => expect(contrast(colour, paper[index]!)).toBeGreaterThan(7));
  });
});

test('the JSON answer is JSON without a literal dollar', () => {
  const json = maintenanceJson(text, 'window-1', 120);
  expect(json).not.toContain('$');
  expect(JSON.parse(json)).toEqual({
    error: 'maintenance',
    message: text.message,
    window: 'window-1',
    expected_end: '2026-11-29T03:30:00+01:00',
    retry_after: 120,
  });
});

describe("a user's page", () => {
  const prepare = (page: string) => prepareOwnPage(Buffer.from(page), '/srv/page.html');
  const refusal = (page: string | Uint8Array) => {
    try {
      prepareOwnPage(Buffer.from(page), '/srv/page.html');
    } catch (error) {
      return failureOf(error);
    }
    throw new Error('it was accepted');
  };

  test('without a dollar stays as it is', () => {
    const page =
      '<!doctype html>\r\n<title>ü "quoted" \\ 😀</title>\n<script>let a = "b";</script>';
    expect(prepare(page)).toBe(page);
  });

  test('loses its byte order mark', () => {
    expect(prepare('\ufeff<p>a</p>')).toBe('<p>a</p>');
  });

  test.each([
    ['text', '<p>Pay $5 or $(x)</p>', '<p>Pay &#36;5 or &#36;(x)</p>'],
    [
      'a quoted attribute',
      '<a title="$5 > 4" href=\'$\'>x</a>',
      '<a title="&#36;5 > 4" href=\'&#36;\'>x</a>',
    ],
    ['an attribute without quotes', '<a title=$5>x</a>', '<a title=&#36;5>x</a>'],
    ['a title', '<title>$</title>', '<title>&#36;</title>'],
    ['a comment', '<!-- $ <script> --><p>a</p>', '<!-- &#36; <script> --><p>a</p>'],
    ['an unended comment', '<p>a</p><!-- $', '<p>a</p><!-- &#36;'],
    [
      'a style sheet',
      '<STYLE media="x">a::before { content: "$"; }</STYLE >',
      String.raw`<STYLE media="x">a::before { content: "\24 "; }</STYLE >`,
    ],
    ['text after a script', '<script>a</script><p>$</p>', '<script>a</script><p>&#36;</p>'],
    ['a lone angle bracket', 'a < $5', 'a < &#36;5'],
  ])('may have one in %s', (_, page, expected) => {
    expect(prepare(page)).toBe(expected);
  });

  test.each([
    ['in a script', '<p>\n</p>\n<script>let a = "$";</script>', 'line 3'],
    ['in an unended script', '<script>a = $', 'line 1'],
    ['in an attribute selector', '<style>\na[href$=".pdf"] { color: red }</style>', 'line 2'],
    ["in an attribute's name", '<p $a="b">', 'line 1'],
    ['in raw text', '<xmp>$</xmp>', 'line 1'],
    ['in CDATA', '<svg><![CDATA[ $ ]]></svg>', 'line 1'],
  ])('may not have one %s', (_, page, line) => {
    const failure = refusal(page);
    expect(failure.code).toBe('page-dollar');
    expect(failure.message).toContain('/srv/page.html');
    expect(failure.message).toContain(line);
  });

  test.each([
    ['page-empty', ' \n'],
    ['page-encoding', Buffer.from('<p>größe</p>', 'latin1')],
    ['page-encoding', '<p>\0</p>'],
    ['page-too-large', 'a'.repeat(largestPage + 1)],
  ])('is refused with %s', (code, page) => {
    expect(refusal(page).code).toBe(code);
  });
});
