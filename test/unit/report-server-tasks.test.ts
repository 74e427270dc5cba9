import { describe, expect, test } from '@jest/globals';
import type { RecordedServerTask } from '../../src/record/status.ts';
import { renderHtml } from '../../src/report/html.ts';
import { renderMarkdown } from '../../src/report/markdown.ts';
import { buildReport, type ReportInput } from '../../src/report/report-model.ts';
import { renderServerDryRun } from '../../src/report/server-preview.ts';
import { goodWindow, planOf } from '../fixtures/record-factory.ts';

const packages: RecordedServerTask = {
  id: 'packages',
  task: 'packages',
  host: 'ssh://web1.example.org',
  stage: 'closed',
  outcome: 'done',
  seconds: 42,
  summary: '1 package update, 1 for security',
  proof: 'dpkg lists every planned version',
  figures: {
    packages: 1,
    'security-packages': 1,
    kept: 0,
    'kept-security': 0,
    'download-bytes': 1_048_576,
  },
  items: [{ name: 'openssl | <b>', before: '3.0.19', after: '3.0.22' }],
};

function reportOf(tasks: readonly object[], serverTasks: readonly RecordedServerTask[]) {
  const input: ReportInput = goodWindow();
  return buildReport({
    ...input,
    plan: planOf({ 'update-server': { tasks } }),
    record: { ...input.record, status: { ...input.record.status, serverTasks: [...serverTasks] } },
  });
}

const lineOf = (report: ReturnType<typeof reportOf>, id: string) =>
  report.checklist.flatMap(({ lines }) => lines).find((line) => line.id === id)?.result;

describe('server tasks in the report', () => {
  test('are told with their hosts, and what they changed', () => {
    const report = reportOf([{ task: 'packages' }], [packages]);
    const text = renderMarkdown(report);
    expect(text).toContain('## Servers');
    expect(text).toContain('1 package update, 1 for security');
    expect(text).toContain('| openssl &#124; &lt;b&gt; | 3.0.19 | 3.0.22 |');
    expect(renderHtml(report)).toContain('openssl | &lt;b&gt;');
    expect(report.outcome.kind).toBe('completed');
  });

  test('count as tasks at the head of the page, as in its sentence', () => {
    const report = reportOf([{ task: 'packages' }], [packages]);
    expect(report.outcome.sentence).toContain('4 of 4 tasks done');
    expect(renderHtml(report)).toContain('<dt>Tasks done</dt><dd>4 of 4</dd>');
  });

  test('are left out where there are none', () => {
    const report = reportOf([], []);
    expect(renderMarkdown(report)).not.toContain('## Servers');
    expect(renderHtml(report)).not.toContain('id="servers"');
  });

  test('that have no result, or failed, are no completed window', () => {
    expect(reportOf([{ task: 'packages' }], []).outcome.sentence).toMatch(
      /1 of \d+ tasks was not done/,
    );
    const failed = { ...packages, outcome: 'failed' as const };
    expect(reportOf([{ task: 'packages' }], [failed]).outcome.kind).toBe('completed-with-issues');
  });
});

describe('the checklist', () => {
  test('takes package updates as evidence', () => {
    const report = reportOf([{ task: 'packages' }], [packages]);
    expect(lineOf(report, '4.5')).toMatchObject({ verdict: 'proved' });
    expect(lineOf(report, '4.6')).toMatchObject({
      verdict: 'proved',
      by: expect.stringMatching(/^1 security update installed/),
    });
    expect(lineOf(report, '4.7')).toMatchObject({ verdict: 'proved' });
    expect(lineOf(report, '12.1')).toMatchObject({
      verdict: 'proved',
      by: expect.stringContaining('openssl'),
    });
    expect(lineOf(report, '12.4')).toMatchObject({ verdict: 'open' });
  });

  test('does not call a host patched that has a security update on hold', () => {
    const kept = { ...packages, figures: { ...packages.figures, 'kept-security': 1 } };
    expect(lineOf(reportOf([{ task: 'packages' }], [kept]), '4.6')).toMatchObject({
      verdict: 'open',
      why: expect.stringContaining('left out'),
    });
  });

  test('asks for nothing where the plan updates no packages', () => {
    for (const id of ['4.5', '4.6', '12.1', '12.6']) {
      expect(lineOf(reportOf([], []), id)).toMatchObject({ verdict: 'not-applicable' });
    }
  });

  test('does not know what commands of the plan change', () => {
    const command = { task: 'command', id: 'deploy', command: ['true'] };
    for (const id of ['4.4', '13.3', '13.4']) {
      expect(lineOf(reportOf([], []), id)).toMatchObject({ verdict: 'not-applicable' });
      expect(lineOf(reportOf([command], []), id)).toMatchObject({
        verdict: 'open',
        why: expect.stringContaining('(deploy)'),
      });
    }
  });

  test('does not call it clean when a clean-up failed', () => {
    const task = { task: 'clean-up', 'package-cache': true };
    const result = { ...packages, id: 'clean-up', task: 'clean-up', items: [], figures: {} };
    const done = reportOf([task], [result]);
    const failed = reportOf(
      [task],
      [{ ...result, outcome: 'failed' as const, summary: 'Disk is read-only.' }],
    );
    expect(lineOf(done, '9.2')).not.toEqual(lineOf(failed, '9.2'));
    expect(lineOf(failed, '9.2')).toMatchObject({ verdict: 'open' });
  });
});

test('a dry run tells what would happen and what is refused', () => {
  const text = renderServerDryRun('shop', {
    checks: [
      {
        id: 'a',
        title: 'Reboot local',
        verdict: 'failed',
        value: 'own host',
        limit: '',
        next: 'Not here.',
      },
    ],
    previews: [
      {
        task: 'tidy',
        host: 'local',
        stage: 'online',
        summary: 'frees 1 MiB',
        lines: ['/tmp/a|b', '/tmp/new\nline'],
      },
    ],
  });
  expect(text).toContain('Nothing was touched.');
  expect(text).toContain('Not here.');
  expect(text.split('\n').filter((line) => line.includes('frees 1 MiB'))).toHaveLength(1);
});
