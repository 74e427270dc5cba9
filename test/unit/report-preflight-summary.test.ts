import { describe, expect, test } from '@jest/globals';
import type { PredictedStep } from '../../src/plan/prediction.ts';
import {
  maskSettings,
  renderPreflight,
  type PreflightSummaryInput,
} from '../../src/report/preflight-summary.ts';
import { hostileText } from '../fixtures/hostile-record.ts';
import { chartsOf, parseGantt } from '../fixtures/mermaid.ts';
import { checks, planOf, rawPlan } from '../fixtures/record-factory.ts';

const prediction: readonly PredictedStep[] = [
  { step: 'backup-db: dump-online', seconds: 60, closed: false, basis: 'slowest of 3 earlier' },
  { step: 'enable-maintenance: flag', seconds: 1, closed: true, basis: 'a moment' },
  { step: 'run-db-maintenance: task-migrate', seconds: 29, closed: true, basis: 'database size' },
];

function input(change: Partial<PreflightSummaryInput> = {}): PreflightSummaryInput {
  return {
    plan: planOf(),
    settings: rawPlan,
    checks,
    prediction,
    position: {
      kind: 'inside',
      start: new Date('2026-11-22T01:00:00Z'),
      end: new Date('2026-11-22T02:30:00Z'),
      lateSeconds: 90,
    },
    secretVariables: ['DATABASE_URL', 'MAINTENANCE_BYPASS_TOKEN'],
    dryRun: false,
    now: new Date('2026-11-22T01:01:30Z'),
    ...change,
  };
}

describe('what the approver reads', () => {
  const text = renderPreflight(input({ actor: 'ada', reason: 'CHG-1042' }));

  test('is verdict, time, downtime, checks with value and limit, reviewers and plan', () => {
    for (const words of [
      '# Preflight: shop',
      '**✓ Ready: no check failed, 1 warns.**',
      '| Time | within the window of 2026-11-22 02:00 CET, 1 min 30 s after its start; ends at 2026-11-22 03:30 CET |',
      '| Predicted downtime | **30 s** of 1 min 30 s of work |',
      '| ✓ passed | Disk for the backup | 12 GiB free | at least 354 MiB |',
      '| ! warning | Long transactions |',
      'reviewers bo-lind, team:dba',
      '<code>DATABASE_URL</code>, <code>MAINTENANCE_BYPASS_TOKEN</code>',
      'url: $DATABASE_URL',
      '| 02:02:30 | enable-maintenance: flag | 1 s | ✗ kept out | a moment |',
      'That leaves 1 h 27 min before the window ends at 2026-11-22 03:30 CET.',
      'CHG-1042',
    ]) {
      expect(text).toContain(words);
    }
  });

  test('has a chart that Mermaid reads', async () => {
    const bars = await parseGantt(chartsOf(text)[0] ?? '');
    expect(bars.map(({ section, crit }) => `${section} ${crit}`)).toEqual([
      'Public served false',
      'Public kept out true',
      'Public kept out true',
    ]);
    expect(bars[1]).toMatchObject({ start: '02:02:30.000', end: '02:02:31.000' });
  });

  test('is a refusal when a check failed', () => {
    const failed = checks.map((check) => ({ ...check, verdict: 'failed' as const }));
    expect(renderPreflight(input({ checks: failed }))).toContain(
      '**✗ Refused: 10 checks failed. Nothing was touched.**',
    );
  });

  test('says when it is a dry run, outside its time, or longer than the window', () => {
    expect(renderPreflight(input({ dryRun: true }))).toContain(
      '| Dry run | nothing is touched, and no record is left |',
    );
    const outside = renderPreflight(
      input({
        ignoreWindow: true,
        position: { kind: 'outside', next: new Date('2026-11-29T01:00:00Z'), previous: undefined },
      }),
    );
    expect(outside).toContain(
      'outside the planned time; the next is at 2026-11-29 02:00 CET; it goes on all the same, as asked',
    );
    const long = prediction.map((step) => ({ ...step, seconds: 3600 }));
    expect(renderPreflight(input({ prediction: long }))).toMatch(
      /\*\*That is 1 h 31 min more than the window has/,
    );
  });

  test('keeps hostile words harmless', async () => {
    const hostile = renderPreflight(
      input({
        actor: hostileText,
        reason: hostileText,
        settings: { name: hostileText },
        checks: checks.map((check) => ({
          ...check,
          title: hostileText,
          value: hostileText,
          limit: hostileText,
          next: hostileText,
        })),
        prediction: prediction.map((step) => ({ ...step, step: hostileText, basis: hostileText })),
      }),
    );
    const [chart = ''] = chartsOf(hostile);
    expect(await parseGantt(chart)).toHaveLength(3);
    const plan = /^(`{4,})yaml\n[\s\S]*?\n\1$/m.exec(hostile)?.[0] ?? '';
    expect(plan).toContain('<script>');
    const rest = hostile.replace(plan, '').replace(chart, '');
    expect(rest).not.toMatch(/<script|<img|(?<!\\)\[a\]\(/);
    expect(rest.match(/^## /gm)).toHaveLength(4);
  });
});

describe('masking', () => {
  test('hides known secrets wherever they stand, and headers that carry credentials', () => {
    const settings = {
      'public-url': 'https://shop.example.org/?key=hunter2hunter2',
      'smoke-test': {
        checks: [
          {
            id: 'a',
            headers: {
              Authorization: 'Bearer abc',
              'X-Api-Key': 'k',
              Accept: 'text/html',
              Cookie: '$COOKIE',
            },
          },
          { id: 'cookie', url: '/cookie' },
        ],
      },
    };
    expect(maskSettings(settings, ['hunter2hunter2', ''])).toEqual({
      'public-url': 'https://shop.example.org/?key=***',
      'smoke-test': {
        checks: [
          {
            id: 'a',
            headers: {
              Authorization: '***',
              'X-Api-Key': '***',
              Accept: 'text/html',
              Cookie: '$COOKIE',
            },
          },
          { id: 'cookie', url: '/cookie' },
        ],
      },
    });
  });

  test('is done in what is printed', () => {
    const text = renderPreflight(
      input({ settings: { name: 'postgres://u:s3cret-pass@db/x' }, secretValues: ['s3cret-pass'] }),
    );
    expect(text).not.toContain('s3cret-pass');
    expect(text).toContain('postgres://u:***@db/x');
  });
});
