import { describe, expect, test } from '@jest/globals';
import { JSDOM } from 'jsdom';
import { renderHtml } from '../../src/report/html.ts';
import { renderJson } from '../../src/report/json.ts';
import { renderMarkdown } from '../../src/report/markdown.ts';
import { buildReport, type Report } from '../../src/report/report-model.ts';
import type { Finding } from '../../src/ports/database-tasks.ts';
import { hostileText } from '../fixtures/hostile-record.ts';
import { goodWindow, planOf, smokeTestRolledBack } from '../fixtures/record-factory.ts';

function reportWith(findings: readonly Finding[]): Report {
  const input = goodWindow();
  const { status } = input.record;
  const [first, ...rest] = status.tasks ?? [];
  if (first === undefined) throw new Error('the fixture has no task');
  const tasks = [{ ...first, findings: [...findings] }, ...rest];
  return buildReport({ ...input, record: { ...input.record, status: { ...status, tasks } } });
}

const finding: Finding = {
  kind: 'unused-index',
  object: 'public."Odd | <b>index</b>"',
  observed: '12.3 MB, no scan',
  statement: 'DROP INDEX CONCURRENTLY public."Odd | <b>index</b>"',
  why: 'Every write pays for it; ask `pg_stat_user_indexes` first.',
};

describe('advice in the report', () => {
  test('stands in all three forms, with the statement as it has to be run', () => {
    const report = reportWith([
      finding,
      { ...finding, kind: 'bloat', statement: undefined } as unknown as Finding,
    ]);
    expect(report.advice).toHaveLength(2);
    expect(report.advice[0]).toMatchObject({
      task: report.tasks[0]?.id,
      statement: finding.statement,
    });
    expect(JSON.parse(renderJson(report))).toMatchObject({
      advice: [{ statement: finding.statement }, { statement: null }],
    });
    expect(Object.keys(report.tasks[0] ?? {})).not.toContain('findings');
    const page = new JSDOM(renderHtml(report)).window.document;
    const section = page.querySelector('#advice');
    expect(section?.textContent).toContain(finding.statement);
    expect(section?.querySelectorAll('tbody tr')).toHaveLength(2);
    expect(section?.querySelector('b')).toBeNull();
    const text = renderMarkdown(report);
    expect(text).toContain('## Advice');
    expect(text).toContain(
      '<code>DROP INDEX CONCURRENTLY public."Odd &#124; &lt;b&gt;index&lt;/b&gt;"</code>',
    );
  });

  test('has no section without any', () => {
    const report = reportWith([]);
    expect(renderMarkdown(report)).not.toContain('## Advice');
    expect(renderHtml(report)).not.toContain('id="advice"');
  });

  test('is cut short in Markdown only, and says so', () => {
    const report = reportWith(
      Array.from({ length: 55 }, (_, at) => ({ ...finding, object: `public.i${at}` })),
    );
    const text = renderMarkdown(report);
    expect(text).toContain('public.i39');
    expect(text).not.toContain('public.i40');
    expect(text).toContain('_15 more are in the report’s files._');
    expect(renderHtml(report)).toContain('public.i54');
  });

  test('stays text, whatever names a database has', () => {
    const report = reportWith([
      {
        kind: 'bloat',
        object: hostileText,
        observed: hostileText,
        statement: hostileText,
        why: hostileText,
      },
    ]);
    const page = new JSDOM(renderHtml(report)).window.document;
    expect(page.querySelectorAll('#advice script, #advice img, #advice a')).toHaveLength(0);
    expect(page.querySelectorAll('#advice tbody tr')).toHaveLength(1);
    const section = /## Advice\n\n.*\n\n((?:\|.*\n)+)/.exec(renderMarkdown(report))?.[1] ?? '';
    expect(section.trimEnd().split('\n')).toHaveLength(3);
    expect(section).not.toMatch(/<(?:script|img|\/table)/);
  });
});

test('after a rollback the files of an archive are known to be copies', () => {
  const input = smokeTestRolledBack();
  const { status } = input.record;
  const [first] = status.tasks ?? [];
  if (first === undefined) throw new Error('the fixture has no task');
  const texts = (target: object, stage: 'online' | 'closed' = 'closed'): string =>
    buildReport({
      ...input,
      record: {
        ...input.record,
        status: { ...status, tasks: [{ ...first, id: 'old-orders', task: 'archive', stage }] },
      },
      plan: planOf({
        'run-db-maintenance': { tasks: [{ task: 'archive', table: 't', where: 'a', ...target }] },
      }),
    })
      .leftToDo.map(({ text }) => text)
      .join(' ');
  expect(texts({ folder: '/srv/old' })).toContain(`folder ${status.windowId}/old-orders`);
  expect(texts({ into: 'old' })).not.toContain('old-orders');
  // Archived online, the rows were moved before the restore point: the files are all there is of them.
  expect(texts({ folder: '/srv/old' }, 'online')).not.toContain('old-orders');
});
