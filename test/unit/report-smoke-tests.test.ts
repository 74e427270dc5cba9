import { describe, expect, test } from '@jest/globals';
import type { SmokeResult } from '../../src/record/status.ts';
import { renderHtml } from '../../src/report/html.ts';
import { renderMarkdown } from '../../src/report/markdown.ts';
import { buildReport, type ReportInput } from '../../src/report/report-model.ts';
import { at, goodWindow, planOf } from '../fixtures/record-factory.ts';

function result(id: string, kind: string, change: Partial<SmokeResult> = {}): SmokeResult {
  return {
    id,
    kind,
    passed: true,
    observed: 'as it should be',
    expected: 'it',
    attempts: 1,
    seconds: 0.1,
    ...change,
  };
}

/** A good window whose smoke tests were these. */
function windowWith(
  checks: readonly Record<string, unknown>[],
  results: readonly SmokeResult[],
  phase = 'smoke-test',
): ReportInput {
  const good = goodWindow();
  const { record } = good;
  const passed = results.every((one) => one.passed || one.skipped === true);
  const smokeTests = [{ at: at(40), phase, passed, results: [...results] }];
  return {
    ...good,
    plan: planOf({ 'smoke-test': { checks } }),
    record: { ...record, status: { ...record.status, smokeTests } },
  };
}

function lineOf(input: ReportInput, id: string): { verdict: string; text: string } {
  const line = buildReport(input)
    .checklist.flatMap(({ lines }) => lines)
    .find((one) => one.id === id);
  const { result: found } = line ?? {};
  if (found === undefined) throw new Error(`there is no line ${id}`);
  return { verdict: found.verdict, text: 'by' in found ? found.by : found.why };
}

const failedOne = { passed: false, observed: 'not so' };

describe('lines of the checklist', () => {
  const timer = { id: 'timer', kind: 'unit', unit: 'clean-up.timer' };
  const tcp = { id: 'mail', kind: 'tcp', host: 'mail.example.org', port: 25 };

  test.each<[string, Record<string, unknown>, string, RegExp]>([
    ['5.2', { id: 'c', kind: 'write-canary', insert: 'x' }, 'proved', /c \(as it should be\)/],
    ['5.3', { id: 'p', kind: 'browser', url: '/' }, 'proved', /p \(as it should be\)/],
    [
      '5.4',
      { id: 'r', kind: 'routing' },
      'proved',
      /r \(as it should be\)\. .*503 with this window/,
    ],
    ['5.5', { id: 't', kind: 'tls' }, 'proved', /t \(as it should be\)/],
    ['5.6', { id: 'r', kind: 'routing', expect: { latency: '1s' } }, 'proved', /r \(/],
    ['7.5', tcp, 'proved', /mail \(as it should be\)/],
    ['7.6', timer, 'proved', /timer \(as it should be\)/],
    ['7.6', { ...timer, unit: 'shop.service' }, 'open', /No smoke test looks at a timer/],
    [
      '6.3',
      { ...tcp, proves: ['6.3'] },
      'proved',
      /^Named for this line by the plan: smoke-test at/,
    ],
    ['6.3', tcp, 'open', /attest that logs/],
  ])('%s by %j is %s', (id, check, verdict, text) => {
    const input = windowWith([check], [result(String(check.id), String(check.kind))]);
    expect(lineOf(input, id)).toEqual({ verdict, text: expect.stringMatching(text) });
  });

  test.each<[string, Record<string, unknown>]>([
    ['5.4', { id: 'r', kind: 'routing' }],
    ['5.5', { id: 't', kind: 'tls' }],
    ['7.6', timer],
    ['6.3', { ...tcp, proves: ['6.3'] }],
    // Evidence that the report has of its own does not hide it.
    ['5.1', { ...tcp, proves: ['5.1'] }],
  ])('%s stays open when %j failed', (id, check) => {
    const input = windowWith([check], [result(String(check.id), String(check.kind), failedOne)]);
    expect(lineOf(input, id)).toEqual({ verdict: 'open', text: expect.stringContaining('not so') });
  });

  test('are not proved by what was skipped', () => {
    const check = { id: 'p', kind: 'browser', url: '/', optional: true, proves: ['6.5'] };
    const skipped = result('p', 'browser', {
      passed: false,
      skipped: true,
      observed: 'no Chromium',
    });
    const input = windowWith([check], [skipped]);
    for (const id of ['5.1', '5.3', '6.5', '7.1']) {
      expect(lineOf(input, id)).toEqual({
        verdict: 'open',
        text: expect.stringContaining('Smoke test p was skipped.'),
      });
    }
    const both = windowWith([check, tcp], [skipped, result('mail', 'tcp')]);
    expect(lineOf(both, '5.1').text).toMatch(/mail \(as it should be\)\. Skipped: p\.$/);
  });

  test('of the time before the work count what preflight saw', () => {
    const check = { ...tcp, proves: ['2.1'] };
    const results = [result('mail', 'tcp')];
    expect(lineOf(windowWith([check], results), '2.1').verdict).toBe('open');
    expect(lineOf(windowWith([check], results, 'preflight'), '2.1').verdict).toBe('proved');
  });
});

describe('a report', () => {
  const png = 'iVBORw0KGgo=';
  const screenshot = {
    file: '/state/shop/history/mw/screenshots/1-p.png',
    bytes: 8,
    sha256: 'ab12',
  };
  const input = windowWith(
    [{ id: 'p', kind: 'browser', url: '/' }],
    [
      result('p', 'browser', { screenshot }),
      result('q', 'browser', { passed: false, skipped: true, observed: 'no Chromium' }),
    ],
  );

  test('tells a skipped check as skipped everywhere', () => {
    const report = buildReport(input);
    expect(report.outcome.sentence).toContain('1 smoke tests passed, 1 skipped');
    expect(report.issues).toContainEqual(
      expect.objectContaining({ severity: 'skipped', where: 'smoke-test: smoke test q' }),
    );
    for (const text of [renderHtml(report), renderMarkdown(report)]) {
      expect(text).toContain('1 of 2 passed, 1 skipped');
    }
  });

  test('shows a picture within the page, and loads nothing', () => {
    const page = renderHtml(buildReport(input), new Map([[screenshot.file, png]]));
    expect(page).toContain(`<img src="data:image/png;base64,${png}" alt="The page as p saw it"`);
    expect(page).toContain("default-src 'none'; style-src 'unsafe-inline'; img-src data:\"");
  });

  test('says where a picture was kept that it does not have, or that is none', () => {
    for (const pictures of [
      new Map<string, string>(),
      new Map([[screenshot.file, '"><script>']]),
    ]) {
      const page = renderHtml(buildReport(input), pictures);
      expect(page).toContain('is not in this report; it was kept as <code>/state/shop/history');
      expect(page).not.toContain('<script>');
      expect(page).not.toContain('<img');
    }
  });
});
