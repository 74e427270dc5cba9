import { describe, expect, test } from '@jest/globals';
import { mermaidGantt, windowBars } from '../../src/report/gantt.ts';
import { renderMarkdown } from '../../src/report/markdown.ts';
import { buildReport } from '../../src/report/report-model.ts';
import { fitSummary } from '../../src/report/summary-limit.ts';
import { hostile } from '../fixtures/hostile-record.ts';
import { chartsOf, parseGantt } from '../fixtures/mermaid.ts';
import {
  goodWindow,
  heldWindow,
  killedWhileClosing,
  migrationRolledBack,
  preflightOnly,
  scenarios,
} from '../fixtures/record-factory.ts';

function render(make: () => ReturnType<typeof goodWindow>): string {
  return renderMarkdown(buildReport(make()));
}

function withoutCharts(text: string): string {
  return text.replaceAll(/^```mermaid\n[\s\S]*?\n```$/gm, '');
}

/** Rows of tables with another number of cells than their header. */
function brokenRows(text: string): string[] {
  const broken: string[] = [];
  let cells: number | undefined;
  for (const line of withoutCharts(text).split('\n')) {
    if (!line.startsWith('|')) {
      cells = undefined;
      continue;
    }
    const found = line.split('|').length;
    cells ??= found;
    if (found !== cells || !line.endsWith(' |')) broken.push(line);
  }
  return broken;
}

const tags = new Set(['br', 'code', 'a', 'b', 'details', 'summary']);
const everything = Object.entries(scenarios);

describe('the report as Markdown', () => {
  test.each(everything)('of %s has whole tables and no markup but its own', (_name, make) => {
    for (const input of [make(), hostile(make())]) {
      const text = withoutCharts(renderMarkdown(buildReport(input)));
      expect(brokenRows(text)).toEqual([]);
      const foreign = [...text.matchAll(/<\/?([a-z!][a-z-]*)([^>]*)>/gi)].filter(
        ([whole, tag = '']) =>
          !tags.has(tag) && !['<!-- timeline -->', '<!-- end of timeline -->'].includes(whole),
      );
      expect(foreign.map(([whole]) => whole)).toEqual([]);
      expect([...text.matchAll(/<a ([^>]*)>/g)].map(([, attributes]) => attributes)).toEqual([
        'href="https://github.example/acme/shop/actions/runs/19876543210"',
      ]);
      expect(text.match(/(?<!\\)`/g)).toBeNull();
      expect(text.match(/(?<!\\)!?\[[^\]]*\]\(/g)).toBeNull();
      expect(text.match(/^## Checklist$/gm)).toHaveLength(1);
      expect(text.match(/<!-- end of timeline -->/g)).toHaveLength(1);
    }
  });

  test.each(everything)('of %s draws a chart that Mermaid reads', async (_name, make) => {
    for (const input of [make(), hostile(make())]) {
      const charts = chartsOf(renderMarkdown(buildReport(input)));
      expect(charts).toHaveLength(1);
      const bars = await parseGantt(charts[0] ?? '');
      const steps = buildReport(input).timeline.filter(
        ({ outcome }) => outcome !== 'skipped' && outcome !== 'note',
      );
      const closed = buildReport(input).downtime.spans;
      expect(bars).toHaveLength(steps.length + closed.length);
    }
  });

  test('the chart shows the window in its own time zone', async () => {
    const [chart = ''] = chartsOf(render(goodWindow));
    const [door, first] = await parseGantt(chart);
    expect(door).toMatchObject({
      section: 'Public',
      label: '1 closed to the public',
      crit: true,
      start: '02:00:45.100',
      end: '02:00:48.400',
    });
    expect(first).toMatchObject({ section: 'preflight', crit: false });
  });

  test('a chart of very many steps has one bar a phase', async () => {
    const report = buildReport(goodWindow());
    const many = Array.from({ length: 100 }, () => report.timeline).flat();
    const bars = windowBars(many, report.downtime, report.generatedAt);
    expect(await parseGantt(mermaidGantt(bars, 'UTC') ?? '')).toHaveLength(
      1 + new Set(many.map(({ phase }) => phase)).size,
    );
  });

  test('of a good window tells what matters', () => {
    const text = render(goodWindow);
    for (const words of [
      '# ✓ Maintenance report: shop',
      '**Completed: 3 of 3 tasks done, 2 smoke tests passed',
      '| Public kept out | **3.3 s** |',
      'CHG-1042: new column for invoices',
      '| Planned | 2026-11-22 02:00 CET, for 1 h 30 min, until 2026-11-22 03:30 CET |',
      '2026-11-22 02:00:05 CET to 2026-11-22 02:00:48 CET (44 s)',
      'dead rows: 41,200 → 0',
      'index: 34 MiB → 21 MiB',
      '**6.4 s**, measured',
      'bo-lind | Looks fine, go.',
      'Post-maintenance sign-off',
      '<b>15. Final approval</b>',
      '| Next window | 2026-11-29 02:00 CET |',
    ]) {
      expect(text).toContain(words);
    }
  });

  test('of a rollback tells what failed, what was lost and what is kept', () => {
    const text = render(migrationRolledBack);
    expect(text).toContain(
      'Rolled back after run-db-maintenance (migrate from /srv/shop/migrations) failed',
    );
    expect(text).toContain('0007_invoices.sql: column "total" of relation "orders" already exists');
    expect(text).toContain(
      'Nothing that the public wrote: it was kept out before the restore point was taken.',
    );
    expect(text).toContain(
      'Failed database kept as | <code>shop_mw_20261122_010000_1a2b_failed</code>',
    );
  });

  test('of a window that owes something begins with what is to be done now', () => {
    expect(render(heldWindow)).toMatch(
      /## Left to do\n\n- \*\*Now:\*\* The site is held closed\. Call On call, \+49 30 1234567\./,
    );
    expect(render(killedWhileClosing)).toMatch(/- \*\*Now:\*\* The window is closing\./);
    expect(render(preflightOnly)).not.toContain('**Now:**');
  });
});

describe('a summary that is too long', () => {
  function long(steps: number): string {
    const input = goodWindow();
    const [line] = input.record.journal;
    const journal = Array.from({ length: steps }, (_, index) => ({
      ...line!,
      event: 'note' as const,
      title: `step ${index}`,
      detail: 'x'.repeat(500),
    }));
    return renderMarkdown(buildReport({ ...input, record: { ...input.record, journal } }));
  }
  const bytes = (text: string): number => new TextEncoder().encode(text).length;

  test('stays as it is when it fits', () => {
    const text = render(goodWindow);
    expect(fitSummary(text)).toBe(text);
  });

  test('loses the middle of the timeline and says so', () => {
    const text = long(4000);
    expect(bytes(text)).toBeGreaterThan(1024 * 1024);
    const short = fitSummary(text);
    expect(bytes(short)).toBeLessThanOrEqual(1024 * 1024);
    expect(bytes(short)).toBeGreaterThan(1_000_000);
    expect(short).toMatch(/_\d+ of 4000 rows of the timeline are left out here/);
    expect(short).toContain('step 0 ');
    expect(short).toContain('step 3999 ');
    expect(short).not.toContain('step 2000 ');
    expect(short).toContain('<b>15. Final approval</b>');
    expect(brokenRows(short)).toEqual([]);
  });

  test('loses sections from its end when that is not enough', () => {
    const short = fitSummary(long(10), 3000);
    expect(bytes(short)).toBeLessThanOrEqual(3000);
    expect(short).toContain('# ✓ Maintenance report: shop');
    expect(short).toContain('The rest does not fit the limit of a job summary');
    expect(short).not.toContain('## Checklist');
    expect(brokenRows(short)).toEqual([]);
  });

  test('never exceeds the limit', () => {
    for (const limit of [10, 200, 1000, 5000, 20_000, 60_000]) {
      expect(bytes(fitSummary(long(50), limit))).toBeLessThanOrEqual(limit);
    }
  });
});
