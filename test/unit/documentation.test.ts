import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { planSchema } from '../../src/plan/plan.ts';
import { readYaml } from '../../src/plan/yaml-document.ts';
import { chartsOf, parseMermaid } from '../fixtures/mermaid.ts';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Folders that are made on a developer's machine, or hold other people's texts. */
const foreign = ['.git', '.tools', 'coverage', 'dist', 'lib', 'node_modules', 'tmp'];

/** Texts that are pasted into a generated README: their links are those of the READMEs, which are checked. */
const pasted = 'script/readme-notes/';

interface Document {
  /** From the root of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

function markdownFiles(folder = root): Document[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return foreign.includes(entry.name) ? [] : markdownFiles(path);
    if (!entry.name.endsWith('.md')) return [];
    return [{ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }];
  });
}

/** The text without fenced code, inline code and comments, in which nothing is a link. */
function prose(text: string): string {
  return text
    .replace(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^ *\2 *$/gm, '')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, (code) => code.replace(/[[\]()]/g, ' '));
}

/** Targets of links and images, and of the definitions at the bottom of a text. */
function linksOf(text: string): string[] {
  const code = prose(text);
  const inline = [...code.matchAll(/\]\(\s*<?([^()\s>]+(?:\([^()\s]*\))?)>?(?:\s+"[^"]*")?\s*\)/g)];
  const defined = [...code.matchAll(/^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?$/gm)];
  return [...inline, ...defined].map(([, target = '']) => target);
}

/** The anchors that GitHub gives to the headings of a text. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  const withoutCode = text.replace(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^ *\2 *$/gm, '');
  for (const [, heading = ''] of withoutCode.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const words = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[`*]/g, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
    let anchor = words;
    for (let number = 1; anchors.has(anchor); number += 1) anchor = `${words}-${number}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Why a link of a document leads nowhere; `undefined` when it leads somewhere, or out of the repository. */
function objection(document: Document, link: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(link) || link.startsWith('//')) return undefined;
  const [path = '', anchor] = link.split('#');
  const target =
    path === '' ? join(root, document.path) : join(root, dirname(document.path), decodeURI(path));
  if (path.startsWith('/') || !`${target}${sep}`.startsWith(root + sep)) {
    return `${document.path}: ${link} leads out of the repository`;
  }
  if (!existsSync(target)) return `${document.path}: ${link} leads to no file`;
  if (anchor === undefined) return undefined;
  if (!statSync(target).isFile() || !target.endsWith('.md')) {
    return `${document.path}: ${link} has an anchor, but is not Markdown`;
  }
  return anchorsOf(readFileSync(target, 'utf8')).has(anchor)
    ? undefined
    : `${document.path}: ${link} leads to no heading`;
}

const documents = markdownFiles();
const decisions = documents.filter(({ path }) => /^docs\/adr\/(?!README)/.test(path));

describe('documentation', () => {
  test('is found', () => {
    expect(documents.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['README.md', 'docs/architecture.md', 'preflight/README.md']),
    );
  });

  test('every relative link leads to a file, and to a heading where it names one', () => {
    const dead = documents
      .filter(({ path }) => !path.startsWith(pasted))
      .flatMap((document) =>
        linksOf(document.text).flatMap((link) => objection(document, link) ?? []),
      );
    expect(dead).toEqual([]);
  });

  test('every Mermaid chart is one that GitHub can draw', async () => {
    const charts = documents.flatMap(({ text }) => chartsOf(text));
    expect(charts.length).toBeGreaterThan(0);
    for (const chart of charts) expect(await parseMermaid(chart)).toMatch(/^[a-z]/);
  });

  test("no path of a developer's machine", () => {
    const found = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/(?:\/(?:home|root|tmp|Users)\/|[A-Z]:\\Users\\)(\S*)/g)]
        // In a quoted run of the demo the part that differs from run to run is left out.
        .filter(([, rest = '']) => !rest.startsWith('…'))
        .map(([words]) => `${path}: ${words}`),
    );
    expect(found).toEqual([]);
  });

  test('every decision has its number to itself, in order, and is in the index', () => {
    const numbers = decisions
      .map(({ path }) => Number(/\/(\d{4})-/.exec(path)?.[1]))
      .sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    const index = documents.find(({ path }) => path === 'docs/adr/README.md')?.text ?? '';
    const rows = decisions.map(({ path, text }) => {
      const [, number, title] = /^# (\d+)\. (.+)$/m.exec(text) ?? [];
      const file = path.slice('docs/adr/'.length);
      expect(Number(number)).toBe(Number(file.slice(0, 4)));
      return `| ${number} | [${title}](${file}) |`;
    });
    expect(index.split('\n').filter((line) => /^\| \d/.test(line))).toEqual(rows.sort(byNumber));
  });

  test('every decision has its status, context, decision and consequences', () => {
    for (const { path, text } of decisions) {
      expect([path, /^Status: (?:proposed|accepted|superseded by .+)$/m.test(text)]).toEqual([
        path,
        true,
      ]);
      for (const part of ['Context', 'Decision', 'Consequences']) {
        expect(anchorsOf(text)).toContain(part.toLowerCase());
      }
    }
  });

  test('every plan that is shown as a whole is a plan', () => {
    const plans = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/^( *)```yaml\n([\s\S]*?)^ *```$/gm)]
        .map(([, indent = '', block = '']) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''))
        .filter((block) => /^name: [a-z-]+$/m.test(block) && /^public-url: /m.test(block))
        .map((block) => ({ path, reading: readYaml(block) })),
    );
    expect(plans.map(({ path }) => path)).toContain('README.md');
    for (const { path, reading } of plans) {
      if (reading.kind !== 'read') throw new Error(`${path}: not YAML`);
      expect([path, planSchema.safeParse(reading.value).error?.issues]).toEqual([path, undefined]);
    }
  });
});

function byNumber(a: string, b: string): number {
  return Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0]);
}

describe('the search for links', () => {
  const document = { path: 'docs/adr/README.md', text: '' };

  test('finds links, images and definitions, but none in code', () => {
    const text = [
      '[a](one.md) ![b](two.png "title") [c]: text',
      '`[d](not.md)` and [`e`](three.md#part)',
      '```text',
      '[f](not.md)',
      '```',
      '[g]: four.md',
    ].join('\n');
    expect(linksOf(text)).toEqual(['one.md', 'two.png', 'three.md#part', 'four.md']);
  });

  test.each([
    ['nowhere.md', 'no file'],
    ['README.md#nothing', 'no heading'],
    ['#nothing', 'no heading'],
    ['../../../elsewhere.md', 'out of the repository'],
    ['/etc/hosts', 'out of the repository'],
    ['../../LICENSE#mit', 'not Markdown'],
  ])('objects to %s', (link, why) => {
    expect(objection(document, link)).toContain(why);
  });

  test.each(['README.md', 'README.md#decisions', '#decisions', '..', 'https://example.org/x#y'])(
    'accepts %s',
    (link) => {
      expect(objection(document, link)).toBeUndefined();
    },
  );

  test('names headings as GitHub does', () => {
    expect([...anchorsOf('# `run-db` tasks\n## 1. What you need\n## Also\n## Also\n')]).toEqual([
      'run-db-tasks',
      '1-what-you-need',
      'also',
      'also-1',
    ]);
  });
});
