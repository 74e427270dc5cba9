import { describe, expect, test } from '@jest/globals';
import { JSDOM } from 'jsdom';
import { renderHtml } from '../../src/report/html.ts';
import { renderJson } from '../../src/report/json.ts';
import { buildReport } from '../../src/report/report-model.ts';
import { hostile, hostileText } from '../fixtures/hostile-record.ts';
import { goodWindow, heldWindow, scenarios } from '../fixtures/record-factory.ts';

const everything = Object.entries(scenarios);

function open(input: ReturnType<typeof goodWindow>): { html: string; document: Document } {
  const html = renderHtml(buildReport(input));
  return { html, document: new JSDOM(html).window.document };
}

describe('the report as a page', () => {
  test.each(everything)('of %s loads nothing and runs nothing', (_name, make) => {
    for (const input of [make(), hostile(make())]) {
      const { document } = open(input);
      expect(
        document.querySelectorAll(
          'script, img, iframe, object, embed, link, form, base, svg, video, audio',
        ),
      ).toHaveLength(0);
      const attributes = [...document.querySelectorAll('*')].flatMap((element) =>
        [...element.attributes].map(({ name, value }) => ({ name, value })),
      );
      expect(
        attributes.filter(
          ({ name }) =>
            name.startsWith('on') || ['src', 'srcset', 'action', 'background'].includes(name),
        ),
      ).toEqual([]);
      const targets = attributes.filter(({ name }) => name === 'href').map(({ value }) => value);
      expect(targets.filter((target) => !target.startsWith('#'))).toEqual([
        'https://github.example/acme/shop/actions/runs/19876543210',
      ]);
      for (const target of targets.filter((value) => value.startsWith('#'))) {
        expect(document.querySelector(target)).not.toBeNull();
      }
      expect(document.querySelector('style')?.textContent).not.toMatch(/url\(|@import/);
      expect(
        attributes
          .filter(({ name }) => name === 'style')
          .map(({ value }) => value)
          .join(';'),
      ).not.toMatch(/url\(|expression/);
      expect(
        document
          .querySelector('meta[http-equiv="Content-Security-Policy"]')
          ?.getAttribute('content'),
      ).toBe("default-src 'none'; style-src 'unsafe-inline'");
    }
  });

  test.each(everything)('of %s can be read without seeing it', (_name, make) => {
    const { document } = open(make());
    expect(document.documentElement.lang).toBe('en');
    expect(document.querySelectorAll('h1')).toHaveLength(1);
    for (const landmark of ['header', 'main', 'footer', 'nav[aria-label]']) {
      expect(document.querySelectorAll(landmark)).toHaveLength(1);
    }
    for (const table of document.querySelectorAll('table')) {
      expect(table.querySelector('caption')?.textContent).not.toBe('');
      const headers = [...table.querySelectorAll('th')];
      expect(headers.length).toBeGreaterThan(0);
      expect(
        headers.every((header) => ['col', 'row'].includes(header.getAttribute('scope') ?? '')),
      ).toBe(true);
    }
    for (const section of document.querySelectorAll('section')) {
      expect(
        document.getElementById(section.getAttribute('aria-labelledby') ?? '')?.textContent,
      ).not.toBe('');
    }
    const badges = [...document.querySelectorAll('.badge')];
    expect(badges.length).toBeGreaterThan(0);
    // A word besides the sign and the colour.
    expect(badges.every((badge) => /[a-z]{2}/i.test(badge.textContent))).toBe(true);
  });

  test('shows hostile words as words', () => {
    const { document } = open(hostile(goodWindow()));
    const words = document.body.textContent;
    expect(words).toContain('<script>alert(1)</script><img src=x onerror=alert(2)>');
    expect(words).toContain('[a](javascript:alert(3))');
    expect(words).not.toContain('\u0000');
    expect(words).not.toContain('\u202e');
    expect(hostileText).toContain('\u202e');
  });

  test('has every line of the checklist', () => {
    const { document } = open(goodWindow());
    const ids = [...document.querySelectorAll('#checklist tbody tr td:first-child')].map(
      (cell) => cell.textContent,
    );
    expect(ids).toHaveLength(91);
    expect(new Set(ids).size).toBe(91);
    expect(document.querySelectorAll('#checklist h3')).toHaveLength(15);
  });

  test('tells a held window at its top', () => {
    const { document } = open(heldWindow());
    expect(document.querySelector('header .badge')?.textContent).toBe('✗ Held');
    expect(document.querySelector('#left-to-do li')?.textContent).toMatch(
      /^! now The site is held closed\./,
    );
  });

  test('is light and dark, and fit for paper', () => {
    const { html } = open(goodWindow());
    expect(html).toContain('color-scheme: light dark');
    expect(html).toContain('@media (prefers-color-scheme: dark)');
    expect(html).toContain('@media print');
  });
});

test.each(everything)('the report of %s comes back from its JSON', (_name, make) => {
  const report = buildReport(make());
  const text = renderJson(report);
  expect(JSON.parse(text)).toEqual(report);
  expect(text.endsWith('}\n')).toBe(true);
});
